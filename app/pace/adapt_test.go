package pace

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"servicesmtp.net/companion/app/mail"
)

func TestFeedback(t *testing.T) {
	type answers struct{ accepted, deferred, failed int }
	for _, c := range []struct {
		name    string
		given   []answers
		percent int
		cause   Cause
	}{
		{"all is well", []answers{{50, 0, 0}, {50, 0, 0}}, 100, NoCause},
		{"a few bad addresses", []answers{{46, 0, 4}, {46, 0, 4}}, 100, NoCause},
		{"a tenth is deferred", []answers{{45, 5, 0}}, 50, CauseDeferred},
		{"a tenth is bad", []answers{{45, 0, 5}}, 50, CauseFailed},
		{"five percent of each", []answers{{45, 3, 2}}, 100, NoCause},
		{"too few to judge", []answers{{0, 19, 0}}, 100, NoCause},
		{"one by one", []answers{{18, 0, 0}, {0, 1, 0}, {0, 1, 0}}, 50, CauseDeferred},
		{"the same answers do not count twice", []answers{{40, 10, 0}, {40, 0, 0}, {10, 0, 0}}, 50, CauseDeferred},
		{"trouble goes on", []answers{{0, 50, 0}, {0, 50, 0}}, 25, CauseDeferred},
		{"never below an eighth", []answers{{0, 50, 0}, {0, 50, 0}, {0, 50, 0}, {0, 50, 0}, {0, 50, 0}}, 12, CauseDeferred},
		{"old answers are forgotten", []answers{{0, 0, 15}, {185, 0, 0}, {50, 0, 0}, {23, 0, 17}}, 100, NoCause},
		{"several old answers at once", []answers{{0, 0, 10}, {0, 0, 9}, {181, 0, 0}, {100, 0, 0}, {9, 0, 31}}, 100, NoCause},
		{"good answers do not hide bad ones for long", []answers{{200, 0, 0}, {180, 0, 20}}, 50, CauseFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := New(Limits{PerMinute: 60, Adaptive: true})
			for i, a := range c.given {
				s.Feedback(noon.Add(time.Duration(i)*time.Second), a.accepted, a.deferred, a.failed)
			}
			e := s.Explain(noon.Add(time.Minute))
			if e.Percent != c.percent || e.Cause != c.cause {
				t.Errorf("%d %% because of %q, want %d %% because of %q", e.Percent, e.Cause, c.percent, c.cause)
			}
		})
	}
}

func TestFeedbackIsIgnoredUnlessAdaptive(t *testing.T) {
	s := New(Limits{PerMinute: 60})
	s.Feedback(noon, 0, 500, 0)
	if d := cmp.Diff(Slowing{Percent: 100}, s.Explain(noon)); d != "" {
		t.Errorf("slowed (-want +got):\n%s", d)
	}
}

func TestRecovery(t *testing.T) {
	s := New(Limits{PerMinute: 60, Adaptive: true, Batch: 50})
	for range 3 {
		s.Feedback(noon, 0, 50, 0) // an eighth: 12.5 %
	}
	for minutes, want := range map[int]int{0: 12, 9: 12, 10: 22, 19: 22, 20: 32, 80: 92, 89: 92, 90: 100, 900: 100} {
		if got := s.Explain(noon.Add(time.Duration(minutes) * time.Minute)).Percent; got != want {
			t.Errorf("after %d minutes: %d %%, want %d %%", minutes, got, want)
		}
	}
	if e := s.Explain(noon); e.FullAt != noon.Add(90*time.Minute) {
		t.Errorf("full at %v, want after 90 minutes", e.FullAt.Sub(noon))
	}
	// 50 recipients at 7.5 a minute take 400 s; then the next 50 begin, of which
	// 25 leave in the 200 s until the first step, and 25 at 13.5 a minute.
	times := drain(t, s, 50, 3, noon)
	second := 400 * time.Second
	third := 600*time.Second + 25*time.Minute*10/135 + 1
	if times[1].Sub(noon) != second || times[2].Sub(noon) != third {
		t.Errorf("batches leave after %v and %v, want %v and %v", times[1].Sub(noon), times[2].Sub(noon), second, third)
	}
}

func TestSlowDown(t *testing.T) {
	s := New(Limits{PerMinute: 600, Batch: 50, PersonalBurst: 5})
	s.SlowDown(noon, 30*time.Second)
	s.SlowDown(noon.Add(2*time.Second), 40*time.Second) // a second session
	s.SlowDown(noon.Add(3*time.Second), 10*time.Second) // a third: shorter
	want := Slowing{Percent: 50, Cause: CauseRelay, FullAt: noon.Add(50 * time.Minute), NotBefore: noon.Add(42 * time.Second)}
	if d := cmp.Diff(want, s.Explain(noon.Add(3*time.Second))); d != "" {
		t.Errorf("slowed (-want +got):\n%s", d)
	}
	for _, lane := range []mail.Lane{mail.Personal, mail.Bulk} {
		if ok, at := s.MayLeave(lane, 1, noon.Add(3*time.Second)); ok || at != noon.Add(42*time.Second) {
			t.Errorf("%v may leave at %v, want 42 s", lane, at.Sub(noon))
		}
	}
	s.SlowDown(noon.Add(time.Minute), 0) // after the wait: another trouble
	if e := s.Explain(noon.Add(time.Minute)); e.Percent != 25 || !e.NotBefore.IsZero() {
		t.Errorf("%d %%, not before %v; want 25 %% and no wait", e.Percent, e.NotBefore)
	}
	times := drain(t, s, 50, 2, noon.Add(time.Minute))
	if got := times[1].Sub(times[0]); got != 20*time.Second {
		t.Errorf("batches leave %v apart, want 20 s", got)
	}
}

// TestSlowingKeepsWhatIsOwed: what was repaid at full speed stays repaid.
func TestSlowingKeepsWhatIsOwed(t *testing.T) {
	s := New(Limits{PerMinute: 600, Batch: 50})
	s.Left(mail.Bulk, 50, noon)
	s.SlowDown(noon.Add(4*time.Second), 0) // 10 are owed, now at 5 a second
	if _, at := s.MayLeave(mail.Bulk, 50, noon.Add(4*time.Second)); at != noon.Add(6*time.Second) {
		t.Errorf("bulk waits until %v after the relay's word, want 6 s", at.Sub(noon))
	}
	s = New(Limits{PerMinute: 600, Batch: 50, Adaptive: true})
	s.Left(mail.Bulk, 50, noon)
	s.Feedback(noon.Add(4*time.Second), 0, 50, 0)
	if _, at := s.MayLeave(mail.Bulk, 50, noon.Add(4*time.Second)); at != noon.Add(6*time.Second) {
		t.Errorf("bulk waits until %v after deferrals, want 6 s", at.Sub(noon))
	}
}

// TestClockSetBackWhileSlowed: neither the wait nor the recovery gets longer.
func TestClockSetBackWhileSlowed(t *testing.T) {
	s := New(Limits{PerMinute: 600, Batch: 50})
	s.SlowDown(noon, 30*time.Second)
	back := noon.AddDate(-1, 0, 0)
	if _, at := s.MayLeave(mail.Bulk, 50, back); at != back.Add(30*time.Second) {
		t.Errorf("bulk waits %v, want 30 s", at.Sub(back))
	}
	if e := s.Explain(back); e.NotBefore != back.Add(30*time.Second) || e.FullAt != back.Add(50*time.Minute) {
		t.Errorf("not before %v, full at %v; want 30 s and 50 m", e.NotBefore.Sub(back), e.FullAt.Sub(back))
	}
	s.Left(mail.Bulk, 50, back) // remembers the new time
	if e := s.Explain(back.Add(10 * time.Minute)); e.Percent != 60 {
		t.Errorf("%d %% after ten minutes, want 60 %%", e.Percent)
	}
}

// TestAShareIsNotHalved: the relay's request is waited for, and then the whole
// share may be used.
func TestAShareIsNotHalved(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	s := New(Limits{PerMinute: 600, Batch: 50, Shared: true})
	s.SlowDown(now, 3*time.Second)
	if ok, at := s.MayLeave(mail.Personal, 1, now); ok || !at.Equal(now.Add(3*time.Second)) {
		t.Errorf("may leave %v, at %v", ok, at)
	}
	if e := s.Explain(now.Add(4 * time.Second)); e.Percent != 100 {
		t.Errorf("%d percent of the share is used", e.Percent)
	}
	s.SetLimits(Limits{PerMinute: 600, Batch: 50}, now.Add(5*time.Second))
	s.SlowDown(now.Add(5*time.Second), time.Second)
	if e := s.Explain(now.Add(7 * time.Second)); e.Percent != 50 {
		t.Errorf("without a share %d percent", e.Percent)
	}
}
