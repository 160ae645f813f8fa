package spool

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"servicesmtp.net/companion/app/mail"
)

// BenchmarkAccept hands in messages from several connections at once. The disk
// is a real one: every message is synced when its call returns.
func BenchmarkAccept(b *testing.B) {
	for _, size := range []int{1_000, 10_000, 100_000, 1_000_000} {
		for _, writers := range []int{1, 8, 32} {
			b.Run(fmt.Sprintf("%dx%dKB", writers, size/1000), func(b *testing.B) {
				s := newSpool(b)
				body := make([]byte, size)
				env := envelope("office", recipients(1))
				var number atomic.Int64
				var group sync.WaitGroup
				b.SetBytes(int64(size))
				b.ResetTimer()
				for range writers {
					group.Go(func() {
						for n := number.Add(1); n <= int64(b.N); n = number.Add(1) {
							if err := put(context.Background(), s, jobID(int(n)), env, body); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				group.Wait()
				b.StopTimer()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
			})
		}
	}
}

func BenchmarkTenThousandRecipients(b *testing.B) {
	s := newSpool(b)
	env, body := envelope("office", recipients(10_000)), make([]byte, 1_000_000)
	for i := 0; b.Loop(); i++ {
		accept(b, s, jobID(i), env, body)
	}
}

func BenchmarkNinetyMegabytes(b *testing.B) {
	s := newSpool(b)
	chunk := make([]byte, 64<<10)
	b.SetBytes(90_000_000)
	for i := 0; b.Loop(); i++ {
		in, err := s.Create(b.Context(), jobID(i), 90_000_000)
		must(b, err)
		for left := 90_000_000; left > 0; left -= len(chunk) {
			_, err := in.Write(chunk[:min(left, len(chunk))])
			must(b, err)
		}
		must(b, in.Commit(b.Context(), envelope("office", recipients(1))))
		_, err = s.Cancel(b.Context(), jobID(i), start)
		must(b, err)
	}
}

// full is a spool with 100,000 messages waiting.
func full(b *testing.B, dir string) *Spool {
	b.Helper()
	s := openAt(b, options(dir))
	env, body := envelope("office", recipients(1)), make([]byte, 200)
	var group sync.WaitGroup
	for w := range 100 {
		group.Go(func() {
			for i := range 1000 {
				if err := put(context.Background(), s, jobID(w*1000+i), env, body); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	return s
}

func BenchmarkHundredThousandQueued(b *testing.B) {
	dir := b.TempDir()
	s := full(b, dir)
	b.Run("Totals", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Totals(b.Context(), start); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Ready", func(b *testing.B) {
		for b.Loop() {
			list, _, err := s.Ready(b.Context(), "office", mail.Bulk, start, 10)
			if err != nil || len(list) != 10 {
				b.Fatal(list, err)
			}
		}
	})
	b.Run("Jobs", func(b *testing.B) {
		for b.Loop() {
			if _, _, err := s.Jobs(b.Context(), JobQuery{Open: true, Oldest: true, Limit: 20}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("BeginFinish", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			list, _, err := s.Ready(b.Context(), "office", mail.Bulk, start, 1)
			must(b, err)
			attempt := begin(b, s, list[0].Job, list[0].Number, start)
			must(b, s.Finish(b.Context(), FinishRequest{Attempt: attempt, At: start, Outcomes: answers(list[0].Recipients, mail.StatusAccepted, mail.Reply{})}))
		}
	})
	// All of them deferred and due at the same moment: the worst case of Ready.
	b.Run("ReadyAllDeferred", func(b *testing.B) {
		_, err := s.conn.ExecContext(b.Context(), `UPDATE batches SET not_before = ? WHERE state = 1`, micros(start))
		must(b, err)
		for b.Loop() {
			if _, _, err := s.Ready(b.Context(), "office", mail.Bulk, start, 10); err != nil {
				b.Fatal(err)
			}
		}
	})
	must(b, s.Close())
	b.Run("Open", func(b *testing.B) {
		for b.Loop() {
			begun := time.Now()
			s, err := Open(b.Context(), options(dir))
			must(b, err)
			list, _, err := s.Ready(b.Context(), "office", mail.Bulk, start, 1)
			must(b, err)
			b.ReportMetric(float64(time.Since(begun).Milliseconds()), "ms-to-first-batch")
			runtime.KeepAlive(list)
			must(b, s.Close())
		}
	})
}

// BenchmarkBrowse scrolls a list of 100,000 jobs, most of them done, of two
// accounts.
func BenchmarkBrowse(b *testing.B) {
	s := full(b, memoryDir(b))
	for _, query := range []string{
		`UPDATE jobs SET account = CASE seq % 3 WHEN 0 THEN 'home' ELSE account END, done_at = (seq % 10 > 0) * (accepted_at + seq * 60000000), failed = seq % 50 = 7`,
		`UPDATE batches SET state = 5, result = 2, done_at = 1795597200000000 + job * 60000000 WHERE job % 10 > 0`,
		`INSERT INTO outcomes (batch, place, address, status, code, enhanced, reply, command, at)
			SELECT id, 0, 'person0@example.com', 4, 550, 5001001, 'no such user', 'RCPT', done_at FROM batches WHERE job % 50 = 7`,
	} {
		_, err := s.conn.ExecContext(b.Context(), query)
		must(b, err)
	}
	for _, c := range []struct {
		name   string
		filter Filter
		total  int
	}{
		{"all", Filter{}, 100_000},
		{"account", Filter{Account: "home"}, 33_333},
		{"open", Filter{Show: ShowOpen}, 10_000},
		{"done", Filter{Show: ShowDone}, 90_000},
		{"failed", Filter{Show: ShowFailed}, 2_000},
		{"uncertain", Filter{Show: ShowUncertain}, 0},
		{"search finds none", Filter{Search: "nobody@"}, 0},
		{"search finds all", Filter{Search: "PERSON0@"}, 100_000},
		{"search finds all, account, failed", Filter{Search: "news@", Account: "home", Show: ShowFailed}, 666},
	} {
		for _, part := range []int{0, 50, 99} {
			b.Run(fmt.Sprintf("%s/%d%%", c.name, part), func(b *testing.B) {
				offset := c.total * part / 100
				for b.Loop() {
					total, jobs, err := s.Browse(b.Context(), c.filter, offset, 100)
					if err != nil || total < c.total || len(jobs) != min(100, total-offset) {
						b.Fatal(total, len(jobs), err)
					}
				}
			})
		}
	}
}

// BenchmarkSent draws the chart of 100,000 jobs, of which every fiftieth has a
// failed recipient.
func BenchmarkSent(b *testing.B) {
	s := full(b, memoryDir(b))
	for _, query := range []string{
		`UPDATE batches SET state = 5, result = 2, done_at = 1795597200000000 + job * 25000000`,
		`INSERT INTO outcomes (batch, place, address, status, code, enhanced, reply, command, at)
			SELECT id, 0, 'person0@example.com', 4, 550, 5001001, 'no such user', 'RCPT', done_at FROM batches WHERE job % 50 = 7`,
	} {
		_, err := s.conn.ExecContext(b.Context(), query)
		must(b, err)
	}
	for name, since := range map[string]time.Time{"all": {}, "last day": start.Add(99_000 * 25 * time.Second)} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if list, err := s.Sent(b.Context(), "", since, 15*time.Minute); err != nil || len(list) == 0 {
					b.Fatal(list, err)
				}
			}
		})
	}
}

func BenchmarkFiftyThousandRecipients(b *testing.B) {
	s := newSpool(b)
	accept(b, s, jobID(1), envelope("office", recipients(50_000)), []byte("x"))
	b.Run("page", func(b *testing.B) {
		for b.Loop() {
			if total, list, err := s.BrowseRecipients(b.Context(), jobID(1), 49_000, 100); err != nil || total != 50_000 || len(list) != 100 {
				b.Fatal(total, len(list), err)
			}
		}
	})
	b.Run("all", func(b *testing.B) {
		for b.Loop() {
			if list, err := s.AllRecipients(b.Context(), jobID(1)); err != nil || len(list) != 50_000 {
				b.Fatal(len(list), err)
			}
		}
	})
}
