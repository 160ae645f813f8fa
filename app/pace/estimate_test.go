package pace

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"servicesmtp.net/companion/app/mail"
)

func TestEstimate(t *testing.T) {
	night := []Span{{22 * 60, 7 * 60}}
	for _, c := range []struct {
		name                string
		limits              Limits
		recipients, batches int
		want                time.Duration
	}{
		{"nothing", Limits{PerMinute: 60}, 0, 0, 0},
		{"one batch", Limits{PerMinute: 60}, 50, 1, 0},
		{"ten batches", Limits{PerMinute: 600}, 500, 10, 45 * time.Second},
		{"no limit", Limits{}, 500, 10, 0},
		{"a thousand batches", Limits{PerMinute: 600}, 50_000, 1000, 999 * 5 * time.Second},
		{"one by one", Limits{PerMinute: 600}, 20_000, 20_000, 19_999 * 100 * time.Millisecond},
		{"messages", Limits{MessagesPerMinute: 60}, 20_000, 2000, 1999 * time.Second},
		{"through the night", Limits{PerMinute: 60, Quiet: night}, 50_000, 1000, 49_950*time.Second + 9*time.Hour},
		{"hours", Limits{PerHour: 100, Batch: 50}, 500, 10, 4*time.Hour + 4*time.Second},
		{"more batches than recipients", Limits{PerMinute: 60}, 3, 100, 2 * time.Second},
		{"no batches named", Limits{PerMinute: 60}, 50, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Estimate(New(c.limits), c.recipients, c.batches, noon).Sub(noon)
			if got != c.want {
				t.Errorf("done after %v, want %v", got, c.want)
			}
		})
	}
}

// TestEstimateOfMonths: an hour's limit makes more steps than one estimate may
// take; it is then reckoned on.
func TestEstimateOfMonths(t *testing.T) {
	got := Estimate(New(Limits{PerHour: 10}), 50_000, 5000, noon).Sub(noon)
	if want := 4999 * time.Hour; (got - want).Abs() > want/100 {
		t.Errorf("done after %v, want about %v", got, want)
	}
}

// TestEstimateComesTrue compares with what really happens.
func TestEstimateComesTrue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newSim(t, drawLimits(t))
		for range rapid.IntRange(0, 20).Draw(t, "acts") {
			s.act(true)
		}
		n, batches := rapid.IntRange(1, s.limits.MaxBatch()).Draw(t, "n"), rapid.IntRange(1, 200).Draw(t, "batches")
		want := Estimate(s.state, n*batches, batches, s.now)
		for range batches {
			if ok, at := s.try(mail.Bulk, n); !ok {
				s.now = at
				s.try(mail.Bulk, n)
			}
		}
		if !s.now.Equal(want) {
			t.Fatalf("the last batch left at %v, the estimate was %v", s.now, want)
		}
	})
}

func BenchmarkEstimate(b *testing.B) {
	s := New(Limits{PerMinute: 600, PerHour: 20_000, PerDay: 100_000, Batch: 50, Quiet: []Span{{22 * 60, 7 * 60}}})
	now := noon
	for range 400 {
		_, now = s.MayLeave(mail.Bulk, 50, now)
		s.Left(mail.Bulk, 50, now)
	}
	for b.Loop() {
		Estimate(s, 50_000, 1000, now)
	}
}

func BenchmarkDecide(b *testing.B) {
	s := New(Limits{PerMinute: 60_000, PerHour: 3_000_000, PerDay: 10_000_000, Batch: 50})
	now := noon
	for range 100_000 {
		_, now = s.MayLeave(mail.Bulk, 50, now)
		s.Left(mail.Bulk, 50, now)
	}
	for b.Loop() {
		Decide(s, Waiting{Bulk: 50}, now)
	}
}
