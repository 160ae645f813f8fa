package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"testing"
	"time"

	"servicesmtp.net/companion/app/batch"
	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/spool"
)

// counting counts what is written, and the largest heap that it met.
type counting struct{ bytes, heap uint64 }

func (c *counting) Write(p []byte) (int, error) {
	if c.bytes>>20 != (c.bytes+uint64(len(p)))>>20 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		c.heap = max(c.heap, m.HeapAlloc)
	}
	c.bytes += uint64(len(p))
	return len(p), nil
}

// BenchmarkDigest writes the digest of a newsletter whose 50,000 recipients all
// failed.
func BenchmarkDigest(b *testing.B) {
	s, err := spool.Open(b.Context(), spool.Options{Dir: b.TempDir(), Log: slog.New(slog.DiscardHandler),
		Split: func(r []mail.Recipient) [][]mail.Recipient { return batch.Split(r, 50) }})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	e := &Engine{log: slog.New(slog.DiscardHandler), spool: s}
	const id = mail.JobID("01ARZ3NDEKTSV4RRFFQ69G5F01")
	failAll(b, s, id)
	due, _, err := s.DueReports(b.Context(), "", 1)
	if err != nil || len(due) != 1 || due[0].Failures != 50_000 {
		b.Fatalf("due %+v, %v", due, err)
	}
	var out counting
	for b.Loop() {
		out = counting{}
		if err := e.report(b.Context(), due[0], id, time.Now()).Write(&out); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(out.bytes)/1e6, "MB")
	b.ReportMetric(float64(out.heap)/1e6, "heap-MB")
}

func failAll(b *testing.B, s *spool.Spool, id mail.JobID) {
	b.Helper()
	in, err := s.Create(b.Context(), id, 0)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := io.WriteString(in, "Subject: x\r\n\r\n"); err != nil {
		b.Fatal(err)
	}
	env := mail.Envelope{Job: id, Account: "office", Lane: mail.Bulk, From: "news@example.com", AcceptedAt: time.Now()}
	for i := range 50_000 {
		env.Recipients = append(env.Recipients, mail.Recipient{Address: fmt.Sprintf("person%d@example.com", i)})
	}
	if err := in.Commit(b.Context(), env); err != nil {
		b.Fatal(err)
	}
	for {
		list, _, err := s.Ready(b.Context(), "office", mail.Bulk, time.Now(), 100)
		if err != nil {
			b.Fatal(err)
		}
		if len(list) == 0 {
			return
		}
		for _, batch := range list {
			refuseBatch(b.Context(), b, s, batch)
		}
	}
}

func refuseBatch(ctx context.Context, b *testing.B, s *spool.Spool, batch mail.Batch) {
	b.Helper()
	attempt, err := s.Begin(ctx, batch.Job, batch.Number, "", time.Now())
	if err != nil {
		b.Fatal(err)
	}
	f := spool.FinishRequest{Attempt: attempt, At: time.Now()}
	for _, r := range batch.Recipients {
		f.Outcomes = append(f.Outcomes, mail.Outcome{Address: r.Address, Status: mail.StatusFailed,
			Reply: mail.Reply{Code: mail.Code{Basic: 550, Enhanced: [3]int{5, 1, 1}}, Text: "SSMTP-SUPPRESSED bounced", Command: "RCPT"}})
	}
	if err := s.Finish(ctx, f); err != nil {
		b.Fatal(err)
	}
}
