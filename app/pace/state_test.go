package pace

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"servicesmtp.net/companion/app/mail"
)

// drain lets bulk batches leave as soon as they may and returns their times.
func drain(t *testing.T, s *State, n, batches int, now time.Time) []time.Time {
	t.Helper()
	var out []time.Time
	for range batches {
		ok, at := s.MayLeave(mail.Bulk, n, now)
		if !ok {
			if at.IsZero() {
				t.Fatal("never permitted")
			}
			now = at
		}
		s.Left(mail.Bulk, n, now)
		out = append(out, now)
	}
	return out
}

func TestBatchesAreExactlyApart(t *testing.T) {
	for _, c := range []struct {
		name   string
		limits Limits
		n      int
		want   time.Duration
	}{
		{"600 a minute", Limits{PerMinute: 600, Batch: 50, PersonalBurst: 5}, 50, 5 * time.Second},
		{"60 a minute", Limits{PerMinute: 60, Batch: 50, PersonalBurst: 5}, 50, 50 * time.Second},
		{"one by one", Limits{PerMinute: 60, Batch: 50}, 1, time.Second},
		{"no limit", Limits{Batch: 50}, 50, 0},
		{"messages", Limits{MessagesPerMinute: 30, Batch: 50, PersonalBurst: 5}, 50, 2 * time.Second},
		{"the slower of the two", Limits{PerMinute: 600, MessagesPerMinute: 6, Batch: 50}, 50, 10 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			times := drain(t, New(c.limits), c.n, 20, noon)
			if times[0] != noon {
				t.Errorf("the first batch waits %v", times[0].Sub(noon))
			}
			for i := 1; i < len(times); i++ {
				if got := times[i].Sub(times[i-1]); got != c.want {
					t.Fatalf("batch %d leaves %v after the one before, want %v", i, got, c.want)
				}
			}
		})
	}
}

func TestMeanRate(t *testing.T) {
	for _, perMinute := range []int{7, 60, 601, 100_003} {
		const n, batches = 37, 20_000
		times := drain(t, New(Limits{PerMinute: perMinute, Batch: 50}), n, batches, noon)
		took := times[batches-1].Sub(noon)
		want := time.Duration(float64(n*(batches-1)) / float64(perMinute) * float64(time.Minute))
		if diff := (took - want).Abs(); diff > want/1000 {
			t.Errorf("%d a minute: %d batches took %v, want %v", perMinute, batches, took, want)
		}
	}
}

// TestNoCreditGathers: a day of silence does not permit two batches at once.
func TestNoCreditGathers(t *testing.T) {
	s := New(Limits{PerMinute: 60, Batch: 50})
	s.Left(mail.Bulk, 50, noon)
	times := drain(t, s, 50, 2, noon.Add(24*time.Hour))
	if got := times[1].Sub(times[0]); got != 50*time.Second {
		t.Errorf("second batch after %v, want 50s", got)
	}
}

func TestPersonalOvertakes(t *testing.T) {
	s := New(Limits{PerMinute: 60, Batch: 50, PersonalBurst: 5})
	s.Left(mail.Bulk, 50, noon)
	now := noon.Add(time.Millisecond)
	for i := range 5 {
		if ok, at := s.MayLeave(mail.Personal, 1, now); !ok {
			t.Fatalf("personal message %d waits %v", i, at.Sub(now))
		}
		s.Left(mail.Personal, 1, now)
	}
	if ok, at := s.MayLeave(mail.Personal, 1, now); ok || at != noon.Add(time.Second) {
		t.Errorf("the sixth waits until %v (permitted %v), want one second after the batch", at, ok)
	}
	if ok, at := s.MayLeave(mail.Bulk, 50, now); ok || at != noon.Add(55*time.Second) {
		t.Errorf("bulk waits until %v (permitted %v), want 55 s: it repays what personal mail overdrew", at, ok)
	}
	// A personal message above batch and burst waits like a batch, not for ever.
	if _, at := s.MayLeave(mail.Personal, 100, now); at != noon.Add(55*time.Second) {
		t.Errorf("100 personal recipients wait until %v, want 55 s", at)
	}
}

func TestHourAndDay(t *testing.T) {
	for _, c := range []struct {
		name   string
		limits Limits
		span   time.Duration
		late   time.Duration // at most
	}{
		{"hour", Limits{PerHour: 100, Batch: 50}, time.Hour, time.Second},
		{"day", Limits{PerDay: 100, Batch: 50}, 24 * time.Hour, time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			start := noon.Add(1234567 * time.Microsecond)
			times := drain(t, New(c.limits), 50, 6, start)
			if times[1] != start {
				t.Errorf("the second batch waits %v", times[1].Sub(start))
			}
			for i := 2; i < len(times); i++ {
				if got := times[i].Sub(times[i-2]); got < c.span || got > c.span+c.late {
					t.Errorf("batch %d leaves %v after the one before the last, want %v and at most %v more", i, got, c.span, c.late)
				}
			}
		})
	}
}

func TestLedgerStaysSmall(t *testing.T) {
	s := New(Limits{PerMinute: 60_000, Batch: 50})
	drain(t, s, 50, 100_000, noon)
	if n := len(s.hour.slots) + len(s.day.slots); n > 3600+1440+2 {
		t.Errorf("%d slots", n)
	}
}

// TestBatchAboveTheLimit: limits became stricter than a frozen batch.
func TestBatchAboveTheLimit(t *testing.T) {
	s := New(Limits{PerHour: 20, Batch: 50})
	times := drain(t, s, 50, 2, noon)
	if got := times[1].Sub(times[0]); times[0] != noon || got < time.Hour || got > time.Hour+time.Second {
		t.Errorf("first after %v, second %v later; want at once and an hour", times[0].Sub(noon), got)
	}
}

func TestSetLimits(t *testing.T) {
	s := New(Limits{PerMinute: 600, Batch: 50})
	s.Left(mail.Bulk, 50, noon)
	s.SetLimits(Limits{PerMinute: 60, Batch: 50}, noon.Add(3*time.Second)) // 20 recipients are owed
	if _, at := s.MayLeave(mail.Bulk, 50, noon.Add(3*time.Second)); at != noon.Add(23*time.Second) {
		t.Errorf("bulk waits until %v, want 23 s", at)
	}
	s.SetLimits(Limits{PerMinute: 1200, Batch: 50}, noon.Add(13*time.Second)) // 10 are owed
	if _, at := s.MayLeave(mail.Bulk, 50, noon.Add(13*time.Second)); at != noon.Add(13*time.Second+500*time.Millisecond) {
		t.Errorf("bulk waits until %v, want 13.5 s", at)
	}
	free := New(Limits{Batch: 50})
	drain(t, free, 50, 1000, noon)
	free.SetLimits(Limits{PerMinute: 60, Batch: 50}, noon)
	if ok, at := free.MayLeave(mail.Bulk, 50, noon); !ok {
		t.Errorf("bulk waits until %v: what left without a limit is owed", at)
	}
	s.SetLimits(Limits{PerMinute: 1200, PerHour: 60, Batch: 50}, noon.Add(20*time.Second))
	if _, at := s.MayLeave(mail.Bulk, 50, noon.Add(20*time.Second)); at.Before(noon.Add(time.Hour)) {
		t.Errorf("bulk may leave at %v: what left before the hour was limited does not count", at)
	}
}

func TestRestore(t *testing.T) {
	limits := Limits{PerMinute: 60, Batch: 50, PersonalBurst: 5}
	ago := func(d time.Duration, n int, finished bool) Attempt {
		return Attempt{At: noon.Add(-d), Recipients: n, Lane: mail.Bulk, Finished: finished}
	}
	for _, c := range []struct {
		name     string
		limits   Limits
		attempts []Attempt
		want     time.Duration // until the next batch of 50
	}{
		{"nothing was sent", limits, nil, 0},
		{"long ago", limits, []Attempt{ago(time.Hour, 50, true)}, 0},
		{"lately", limits, []Attempt{ago(20*time.Second, 50, true)}, 30 * time.Second},
		{"not finished counts as now", limits, []Attempt{ago(20*time.Minute, 50, false)}, 50 * time.Second},
		{"two not finished", limits, []Attempt{ago(time.Minute, 50, false), ago(time.Hour, 50, false)}, 100 * time.Second},
		{"order does not matter", limits, []Attempt{ago(5*time.Second, 10, true), ago(40*time.Second, 50, true)}, 20 * time.Second},
		{"a time to come counts as now", limits, []Attempt{ago(-24*time.Hour, 50, true)}, 50 * time.Second},
		{"a time to come does not repay the past", limits, []Attempt{ago(20*time.Second, 50, true), ago(-24*time.Hour, 50, true)}, 55 * time.Second},
		{"not finished counts in full", limits, []Attempt{ago(time.Minute, 50, false), ago(time.Hour, 50, false), ago(-time.Hour, 1, true)}, 100 * time.Second},
		{"nobody was offered", limits, []Attempt{ago(0, 0, true)}, 0},
		{"nobody was offered, messages", Limits{MessagesPerMinute: 1}, []Attempt{ago(0, 0, true)}, 0},
		{"the rate was higher then", limits, slices.Repeat([]Attempt{ago(time.Second, 50, true)}, 1000), 54 * time.Second},
		{"messages", Limits{MessagesPerMinute: 6, Batch: 50}, slices.Repeat([]Attempt{ago(time.Second, 50, true)}, 1000), 9 * time.Second},
		{"the hour is used up", Limits{PerHour: 100, Batch: 50}, []Attempt{ago(30*time.Minute, 100, true)}, 30*time.Minute + time.Second},
		{"older than a day", Limits{PerDay: 100, Batch: 50}, []Attempt{ago(25*time.Hour, 100, true)}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			given := slices.Clone(c.attempts)
			s := Restore(c.limits, c.attempts, noon)
			if d := cmp.Diff(given, c.attempts); d != "" {
				t.Errorf("the attempts were changed:\n%s", d)
			}
			if _, at := s.MayLeave(mail.Bulk, 50, noon); at.Sub(noon) != c.want {
				t.Errorf("the next batch waits %v, want %v", at.Sub(noon), c.want)
			}
			// Even when the first may leave at once, the second never does.
			times := drain(t, s, 50, 2, noon)
			if gap := times[1].Sub(times[0]); c.limits.PerMinute > 0 && gap < 50*time.Second {
				t.Errorf("the second batch leaves %v after the first", gap)
			}
		})
	}
}

func TestStricter(t *testing.T) {
	night, noonish := Span{22 * 60, 7 * 60}, Span{12 * 60, 13 * 60}
	for _, c := range []struct {
		name               string
		user, policy, want Limits
	}{
		{"policy says nothing", Limits{PerMinute: 60, Batch: 20, PersonalBurst: 5}, Limits{}, Limits{PerMinute: 60, Batch: 20, PersonalBurst: 5}},
		{"user says nothing", Limits{}, Limits{PerMinute: 60, PerHour: 1, PerDay: 2, MessagesPerMinute: 3, Batch: 20},
			Limits{PerMinute: 60, PerHour: 1, PerDay: 2, MessagesPerMinute: 3, Batch: 20}},
		{"policy is looser", Limits{PerMinute: 60, Batch: 50, PersonalBurst: 5}, Limits{PerMinute: 600, Batch: 100, PersonalBurst: 9},
			Limits{PerMinute: 60, Batch: 50, PersonalBurst: 5}},
		{"policy is stricter", Limits{PerMinute: 60, PersonalBurst: 5, Quiet: []Span{night}}, Limits{PerMinute: 6, PersonalBurst: 1, Quiet: []Span{noonish}, Adaptive: true},
			Limits{PerMinute: 6, Batch: 50, PersonalBurst: 1, Quiet: []Span{night, noonish}, Adaptive: true}},
		{"policy does not ask to adapt", Limits{Adaptive: true}, Limits{}, Limits{Batch: 50, Adaptive: true}},
		{"negative is none", Limits{PerMinute: -1, PersonalBurst: 0}, Limits{PerHour: -5, PersonalBurst: 9}, Limits{Batch: 50}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := c.user.Stricter(c.policy)
			got.Quiet = append([]Span(nil), got.Quiet...)
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("limits (-want +got):\n%s", d)
			}
		})
	}
}

func TestMaxBatch(t *testing.T) {
	for _, c := range []struct {
		limits Limits
		want   int
	}{{Limits{}, 50}, {Limits{Batch: 20}, 20}, {Limits{Batch: 50, PerHour: 30}, 30}, {Limits{PerHour: 30, PerDay: 10}, 10}} {
		if got := c.limits.MaxBatch(); got != c.want {
			t.Errorf("%+v: %d, want %d", c.limits, got, c.want)
		}
	}
}

// TestHugeNumbers holds that no setting makes the arithmetic wrap round.
func TestHugeNumbers(t *testing.T) {
	const huge = 1 << 31 * 1000
	s := New(Limits{PerMinute: math.MaxInt/8 + 1, PerHour: huge, PerDay: huge, MessagesPerMinute: math.MaxInt/8 + 1, Batch: huge, PersonalBurst: huge})
	for range 20 {
		s.Left(mail.Bulk, huge, noon)
	}
	if ok, at := s.MayLeave(mail.Bulk, huge, noon.Add(365*24*time.Hour)); !ok {
		t.Errorf("waits until %v", at)
	}
	s = New(Limits{PerMinute: 1, Batch: 50})
	for range 20 {
		s.Left(mail.Bulk, huge, noon)
		s.SlowDown(noon, 0)
	}
	if ok, at := s.MayLeave(mail.Bulk, 1, noon); ok || at.Before(noon.AddDate(1, 0, 0)) {
		t.Errorf("may leave at %v", at)
	}
}
