package pace

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"servicesmtp.net/companion/app/mail"
)

func TestDecide(t *testing.T) {
	limits := Limits{PerMinute: 60, Batch: 50, PersonalBurst: 5}
	sent := func(l Limits, n int) *State { // n recipients left at noon
		s := New(l)
		s.Left(mail.Bulk, n, noon)
		return s
	}
	slowed := New(limits)
	slowed.SlowDown(noon, 30*time.Second)
	night := Limits{Batch: 50, Quiet: []Span{{11 * 60, 13 * 60}}}
	never := Limits{Batch: 50, Quiet: []Span{{0, 12 * 60}, {12 * 60, 0}}}
	for _, c := range []struct {
		name    string
		state   *State
		waiting Waiting
		after   time.Duration // asked so long after noon
		want    Decision
	}{
		{"nothing waits", New(limits), Waiting{}, 0, Decision{}},
		{"nothing waits, much is pending", New(limits), Waiting{Pending: 50, PendingBatches: 1}, 0, Decision{}},
		{"the first batch", New(limits), Waiting{Bulk: 50}, 0, Decision{Lane: mail.Bulk}},
		{"personal first", New(limits), Waiting{Personal: 1, Bulk: 50}, 0, Decision{Lane: mail.Personal}},
		{"rate", sent(limits, 50), Waiting{Bulk: 50}, 0, Decision{At: noon.Add(50*time.Second - DefaultLookahead), Why: WhyRate}},
		{"almost time to prepare", sent(limits, 50), Waiting{Bulk: 50}, 50*time.Second - DefaultLookahead - 1,
			Decision{At: noon.Add(50*time.Second - DefaultLookahead), Why: WhyRate}},
		{"time to prepare", sent(limits, 50), Waiting{Bulk: 50}, 50*time.Second - DefaultLookahead, Decision{Lane: mail.Bulk}},
		{"own lookahead", sent(Limits{PerMinute: 60, Lookahead: time.Second}, 50), Waiting{Bulk: 50}, 0,
			Decision{At: noon.Add(49 * time.Second), Why: WhyRate}},
		{"personal overtakes", sent(limits, 50), Waiting{Personal: 5, Bulk: 50}, 0, Decision{Lane: mail.Personal}},
		{"bulk does not pass personal that waits", sent(Limits{PerHour: 50, Batch: 50}, 45), Waiting{Personal: 10, Bulk: 5}, 0,
			Decision{At: noon.Add(time.Hour + time.Second - DefaultLookahead), Why: WhyHour}},
		{"one is being prepared", New(limits), Waiting{Bulk: 50, Pending: 50, PendingBatches: 1}, 0,
			Decision{At: noon.Add(50*time.Second - DefaultLookahead), Why: WhyRate}},
		{"two are being prepared", New(limits), Waiting{Bulk: 50, Pending: 60, PendingBatches: 2}, 0,
			Decision{At: noon.Add(60*time.Second - DefaultLookahead), Why: WhyRate}},
		{"messages", sent(Limits{MessagesPerMinute: 30, Batch: 50}, 1), Waiting{Bulk: 50}, 0,
			Decision{At: noon.Add(2*time.Second - DefaultLookahead), Why: WhyMessages}},
		{"messages, one is being prepared", New(Limits{MessagesPerMinute: 30, Batch: 50}), Waiting{Bulk: 50, Pending: 50}, 0,
			Decision{At: noon.Add(2*time.Second - DefaultLookahead), Why: WhyMessages}},
		{"hour", sent(Limits{PerHour: 50, Batch: 50}, 50), Waiting{Bulk: 50}, 0,
			Decision{At: noon.Add(time.Hour + time.Second - DefaultLookahead), Why: WhyHour}},
		{"hour, all of it is being prepared", New(Limits{PerHour: 50, Batch: 50}), Waiting{Bulk: 50, Pending: 50, PendingBatches: 1}, 0,
			Decision{At: noon.Add(time.Hour + time.Second - DefaultLookahead), Why: WhyHour}},
		{"day", sent(Limits{PerDay: 50, Batch: 50}, 50), Waiting{Bulk: 50}, 0,
			Decision{At: noon.Add(24*time.Hour + time.Minute - DefaultLookahead), Why: WhyDay}},
		{"relay", slowed, Waiting{Personal: 1}, 0, Decision{At: noon.Add(30*time.Second - DefaultLookahead), Why: WhyRelay}},
		{"quiet", New(night), Waiting{Bulk: 50}, 0, Decision{At: noon.Add(time.Hour - DefaultLookahead), Why: WhyQuiet}},
		{"personal leaves in quiet hours", New(night), Waiting{Personal: 1, Bulk: 50}, 0, Decision{Lane: mail.Personal}},
		{"quiet for ever", New(never), Waiting{Bulk: 50}, 0, Decision{Why: WhyQuiet}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if d := cmp.Diff(c.want, Decide(c.state, c.waiting, noon.Add(c.after))); d != "" {
				t.Errorf("decision (-want +got):\n%s", d)
			}
		})
	}
}

func TestQuietForEverIsNeverPermitted(t *testing.T) {
	s := New(Limits{Quiet: []Span{{0, 12 * 60}, {12 * 60, 0}}})
	if ok, at := s.MayLeave(mail.Bulk, 1, noon); ok || !at.IsZero() {
		t.Errorf("permitted %v, at %v; want never", ok, at)
	}
	if at := Estimate(s, 10, 1, noon); !at.IsZero() {
		t.Errorf("estimate is %v, want never", at)
	}
}

// TestReadingChangesNothing: Decide, MayLeave, Explain and Estimate are asked
// far more often than anything leaves.
func TestReadingChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newSim(t, drawLimits(t))
		for range rapid.IntRange(1, 20).Draw(t, "acts") {
			s.act(true)
		}
		later := s.now.Add(time.Duration(rapid.Int64Range(int64(-time.Hour), int64(time.Hour)).Draw(t, "later")))
		before := clone(s.state)
		Decide(s.state, Waiting{Personal: 1, Bulk: 50, Pending: 20}, later)
		s.state.MayLeave(mail.Bulk, 50, later)
		s.state.Explain(later)
		Estimate(s.state, 1000, 20, later)
		if d := cmp.Diff(before, clone(s.state), cmp.AllowUnexported(State{}, bucket{}, window{}, slot{}, speed{}, sample{}, Limits{})); d != "" {
			t.Fatalf("reading changed the state:\n%s", d)
		}
	})
}

func clone(s *State) State {
	c := *s
	c.hour, c.day = s.hour.shift(0), s.day.shift(0)
	c.recent = append([]sample{}, s.recent...)
	return c
}

// TestTwoConnections plays the sender of an account: it prepares when Decide
// says so and passes the gate as soon as it may. The pace must be exact
// although two batches are under way at once.
func TestTwoConnections(t *testing.T) {
	const n, total = 50, 40
	s, now := New(Limits{PerMinute: 6000, Batch: n}), noon // a batch every 500 ms
	var left []time.Time
	prepared := 0
	for started := 0; len(left) < total; {
		next := time.Time{}
		if started < total && prepared < 2 {
			d := Decide(s, Waiting{Bulk: n, Pending: prepared * n, PendingBatches: prepared}, now)
			if d.Lane == mail.Bulk {
				started++
				prepared++
				continue
			}
			next = d.At
		}
		if prepared > 0 {
			ok, at := s.MayLeave(mail.Bulk, n, now)
			if ok {
				s.Left(mail.Bulk, n, now)
				left = append(left, now)
				prepared--
				continue
			}
			if next.IsZero() || at.Before(next) {
				next = at
			}
		}
		if !next.After(now) {
			t.Fatalf("nothing to do, and no time to wait for, after %d batches", len(left))
		}
		now = next
	}
	for i, at := range left {
		if want := noon.Add(time.Duration(i) * 500 * time.Millisecond); at != want {
			t.Fatalf("batch %d left at %v, want %v", i, at.Sub(noon), want.Sub(noon))
		}
	}
}
