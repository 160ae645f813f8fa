package spool

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"servicesmtp.net/companion/app/mail"
)

func TestAcceptAndRead(t *testing.T) {
	s := newSpool(t)
	for i, size := range []int{0, 1, inlineMax - 1, inlineMax, inlineMax + 1, 1_000_000} {
		t.Run(fmt.Sprintf("%d bytes", size), func(t *testing.T) {
			body := make([]byte, size)
			for j := range body {
				body[j] = byte(rand.IntN(256))
			}
			env := mail.Envelope{
				Account: fmt.Sprintf("account %d", i), Lane: mail.Personal, From: "", AcceptedAt: start.Add(time.Microsecond),
				Recipients: []mail.Recipient{
					{Address: "a@example.com", Notify: []string{"FAILURE", "DELAY"}, Original: "rfc822;other@example.com"},
					{Address: "ü@例え.jp"},
				},
				UTF8: true, EightBit: true, Return: "HDRS", ClientID: "their.id",
				Client: mail.Client{Family: "ipv6", Hello: "[IPv6:::1]", Auth: "PLAIN", TLS: true},
			}
			id := jobID(i)
			accept(t, s, id, env, body)

			if got := readBody(t, s, id); !bytes.Equal(got, body) {
				t.Errorf("body differs: %d bytes, want %d", len(got), size)
			}
			list, next, err := s.Ready(t.Context(), env.Account, mail.Personal, start, 10)
			must(t, err)
			want := []mail.Batch{{
				Job: id, Number: 1, Account: env.Account, Lane: mail.Personal, Recipients: env.Recipients, Size: mail.ByteSize(size), BodySum: sum(body),
				UTF8: true, EightBit: true, Return: "HDRS", ClientID: "their.id", FirstTry: env.AcceptedAt,
			}}
			if d := cmp.Diff(want, list); d != "" || !next.IsZero() {
				t.Errorf("ready: next %v\n%s", next, d)
			}
			j := getJob(t, s, id)
			wantJob := Job{ID: id, Account: env.Account, Lane: mail.Personal, Size: mail.ByteSize(size), AcceptedAt: env.AcceptedAt, Client: env.Client,
				Return: "HDRS", ClientID: "their.id", Recipients: 2, Batches: 1, Counts: Counts{Queued: 2}, State: JobQueued}
			if d := cmp.Diff(wantJob, j); d != "" {
				t.Errorf("job:\n%s", d)
			}
		})
	}
	checkRows(t, s)
	if got := names(t, filepath.Join(s.dir, bodiesName)); len(got) != 2 {
		t.Errorf("files: %v, want two", got)
	}
}

func TestBodyCanBeReadAgain(t *testing.T) {
	s := newSpool(t)
	for i, size := range []int{100, inlineMax * 2} {
		body := bytes.Repeat([]byte("x"), size)
		accept(t, s, jobID(i), envelope("office", recipients(1)), body)
		r, _, err := s.Body(t.Context(), jobID(i))
		must(t, err)
		for range 2 {
			got, err := io.ReadAll(r)
			must(t, err)
			if !bytes.Equal(got, body) {
				t.Fatalf("%d bytes: got %d", size, len(got))
			}
			_, err = r.Seek(0, io.SeekStart)
			must(t, err)
		}
		must(t, r.Close())
	}
}

func TestCommitRefusesWhatCannotBeSent(t *testing.T) {
	s := newSpool(t)
	n := 0
	split := s.split
	for name, change := range map[string]func(*mail.Envelope){
		"no account":    func(e *mail.Envelope) { e.Account = "" },
		"no lane":       func(e *mail.Envelope) { e.Lane = 0 },
		"no time":       func(e *mail.Envelope) { e.AcceptedAt = time.Time{} },
		"no recipients": func(e *mail.Envelope) { e.Recipients = nil },
		"another job":   func(e *mail.Envelope) { e.Job = jobID(999) },
		"split loses": func(*mail.Envelope) {
			s.split = func(l []mail.Recipient) [][]mail.Recipient { return [][]mail.Recipient{l[1:]} }
		},
		"split doubles": func(*mail.Envelope) {
			s.split = func(l []mail.Recipient) [][]mail.Recipient { return [][]mail.Recipient{l[:1], l[:1], l[2:]} }
		},
		"split empty": func(*mail.Envelope) {
			s.split = func(l []mail.Recipient) [][]mail.Recipient { return [][]mail.Recipient{l, {}} }
		},
	} {
		t.Run(name, func(t *testing.T) {
			n++
			s.split = split
			env := envelope("office", recipients(3))
			change(&env)
			for _, size := range []int{10, inlineMax + 1} {
				if err := put(t.Context(), s, jobID(n), env, make([]byte, size)); err == nil {
					t.Errorf("%d bytes: accepted", size)
				}
			}
		})
	}
	wantEmpty(t, s)
}

// wantEmpty holds that nothing of any message is left.
func wantEmpty(t *testing.T, s *Spool) {
	t.Helper()
	jobs, _, err := s.Jobs(t.Context(), JobQuery{})
	must(t, err)
	totals, err := s.Totals(t.Context(), start)
	must(t, err)
	if len(jobs) != 0 || len(totals.Lanes) != 0 || totals.Bytes != 0 || s.totals.reserved != 0 || len(s.opened) != 0 {
		t.Errorf("left behind: jobs %v, totals %+v, reserved %d, opened %v", jobs, totals, s.totals.reserved, s.opened)
	}
	if left := names(t, filepath.Join(s.dir, bodiesName)); len(left) != 0 {
		t.Errorf("files left behind: %v", left)
	}
}

func TestDiscard(t *testing.T) {
	s := newSpool(t)
	for i, size := range []int{0, 10, inlineMax + 1} {
		in, err := s.Create(t.Context(), jobID(i), 0)
		must(t, err)
		_, err = in.Write(make([]byte, size))
		must(t, err)
		if in.Size() != mail.ByteSize(size) {
			t.Errorf("size %d, want %d", in.Size(), size)
		}
		in.Discard()
		in.Discard()
		wantErr(t, in.Commit(t.Context(), envelope("office", recipients(1))), ErrState)
		_, err = in.Write([]byte("x"))
		wantErr(t, err, ErrState)
	}
	wantEmpty(t, s)
}

func TestJobIDs(t *testing.T) {
	s := newSpool(t)
	for _, bad := range []mail.JobID{"", "../../x", "01K", mail.JobID(strings.ToLower(string(jobID(1))))} {
		if _, err := s.Create(t.Context(), bad, 0); err == nil {
			t.Errorf("%q: accepted", bad)
		}
	}
	in, err := s.Create(t.Context(), jobID(1), 0)
	must(t, err)
	_, err = s.Create(t.Context(), jobID(1), 0)
	wantErr(t, err, ErrState)
	in.Discard()

	// A second message under a name in use must never replace the first.
	first, second := bytes.Repeat([]byte("1"), inlineMax*2), bytes.Repeat([]byte("2"), inlineMax*2)
	for i, bodies := range [][2][]byte{{first, second}, {first, second[:10]}, {first[:10], second}, {first[:10], second[:10]}} {
		id := jobID(10 + i)
		accept(t, s, id, envelope("office", recipients(1)), bodies[0])
		wantErr(t, put(t.Context(), s, id, envelope("office", recipients(2)), bodies[1]), ErrState)
		if got := readBody(t, s, id); !bytes.Equal(got, bodies[0]) {
			t.Errorf("case %d: the first message was changed", i)
		}
	}
	if got := names(t, filepath.Join(s.dir, bodiesName)); len(got) != 2 {
		t.Errorf("files: %v, want two", got)
	}
}

func TestMaxSize(t *testing.T) {
	o := options(t.TempDir())
	o.MaxSize = 1000
	s := openAt(t, o)
	_, err := s.Create(t.Context(), jobID(1), 1001)
	wantErr(t, err, ErrFull)

	declared, err := s.Create(t.Context(), jobID(1), 900)
	must(t, err)
	_, err = s.Create(t.Context(), jobID(2), 101)
	wantErr(t, err, ErrFull) // what is announced counts before it has come
	undeclared, err := s.Create(t.Context(), jobID(2), 0)
	must(t, err)
	_, err = undeclared.Write(make([]byte, 101))
	wantErr(t, err, ErrFull)
	wantErr(t, undeclared.Commit(t.Context(), envelope("office", recipients(1))), ErrFull)
	declared.Discard()
	wantEmpty(t, s)

	accept(t, s, jobID(3), envelope("office", recipients(1)), make([]byte, 950))
	_, err = s.Create(t.Context(), jobID(4), 100)
	wantErr(t, err, ErrFull)
	attempt := begin(t, s, jobID(3), 1, start)
	must(t, s.Finish(t.Context(), FinishRequest{Attempt: attempt, At: start, Outcomes: answers(recipients(1), mail.StatusAccepted, mail.Reply{})}))
	accept(t, s, jobID(4), envelope("office", recipients(1)), make([]byte, 100)) // a job that is done makes room
}

func TestFiftyThousandRecipients(t *testing.T) {
	s := newSpool(t)
	list := recipients(50_000)
	list[49_999].Notify = []string{"NEVER"}
	body := bytes.Repeat([]byte("z"), 1_000_000)
	accept(t, s, jobID(1), envelope("office", list), body)
	checkRows(t, s)
	if got := names(t, filepath.Join(s.dir, bodiesName)); len(got) != 1 {
		t.Errorf("the body is stored %d times", len(got))
	}
	batches := readyNow(t, s, "office", start)
	if len(batches) != 1000 {
		t.Fatalf("%d batches", len(batches))
	}
	var got []mail.Recipient
	for i, b := range batches {
		if b.Number != i+1 || b.BodySum != sum(body) {
			t.Fatalf("batch %d: number %d", i, b.Number)
		}
		got = append(got, b.Recipients...)
	}
	if d := cmp.Diff(list, got); d != "" {
		t.Errorf("recipients differ:\n%s", d)
	}
	var listed int
	for cursor := ""; ; {
		page, next, err := s.Recipients(t.Context(), jobID(1), cursor, 0)
		must(t, err)
		for _, r := range page {
			if r.Address != list[listed].Address || r.Status != mail.StatusQueued {
				t.Fatalf("recipient %d: %+v", listed, r)
			}
			listed++
		}
		if cursor = next; next == "" {
			break
		}
	}
	if listed != len(list) {
		t.Errorf("listed %d", listed)
	}
}

// A message passes through in pieces: what is allocated does not grow with it.
func TestLargeBodyIsNotHeldInMemory(t *testing.T) {
	s := newSpool(t)
	const size = 90_000_000
	chunk := bytes.Repeat([]byte("0123456789abcdef"), 4096)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	in, err := s.Create(t.Context(), jobID(1), size)
	must(t, err)
	for left := size; left > 0; left -= len(chunk) {
		_, err := in.Write(chunk[:min(left, len(chunk))])
		must(t, err)
	}
	must(t, in.Commit(t.Context(), envelope("office", recipients(1))))
	r, n, err := s.Body(t.Context(), jobID(1))
	must(t, err)
	copied, err := io.CopyBuffer(io.Discard, onlyReader{r}, chunk)
	must(t, err)
	must(t, r.Close())
	runtime.ReadMemStats(&after)
	if copied != size || n != size {
		t.Errorf("read %d of %d", copied, n)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 2<<20 {
		t.Errorf("allocated %d bytes in all for a body of %d", grown, size)
	}
}

// Two messages that are the same to the byte are two messages: nobody but the
// mail program knows whether it means it twice.
func TestTheSameMessageTwiceIsTwoMessages(t *testing.T) {
	s := newSpool(t)
	body := []byte("Message-ID: <1@example.com>\r\n\r\nthe same\r\n")
	for n := 1; n <= 2; n++ {
		accept(t, s, jobID(n), envelope("office", recipients(1)), body)
	}
	if got := readyNow(t, s, "office", start); len(got) != 2 || got[0].Job == got[1].Job {
		t.Errorf("ready %v, want both", got)
	}
}
