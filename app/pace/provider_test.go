package pace

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"servicesmtp.net/companion/app/mail"
)

func TestProviders(t *testing.T) {
	limits := Limits{PerMinute: 6000, Batch: 50, PersonalBurst: 5, PerProvider: map[string]int{"gmail.com": 60}}
	for _, c := range []struct {
		name string
		lane mail.Lane
		to   Counts
		want time.Duration // after 20 went to gmail.com
	}{
		{"the same provider", mail.Bulk, Counts{"gmail.com": 1}, 20 * time.Second},
		{"personal mail overtakes", mail.Personal, Counts{"gmail.com": 1}, 0},
		{"none with a rate", mail.Bulk, nil, 0},
		{"one without a rate", mail.Bulk, Counts{"x.example": 30}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := New(limits)
			s.LeftTo(mail.Bulk, 20, Counts{"gmail.com": 20}, noon)
			later := noon.Add(time.Second) // the account's own bucket is level
			ok, at := s.MayLeaveTo(c.lane, 1, c.to, later)
			if want := noon.Add(max(c.want, time.Second)); !at.Equal(want) || ok != (c.want == 0) {
				t.Errorf("may leave %v at %v, want %v", ok, at.Sub(noon), want.Sub(noon))
			}
		})
	}
	s := New(limits)
	s.LeftTo(mail.Bulk, 20, Counts{"gmail.com": 20}, noon)
	d := Decide(s, Waiting{Bulk: 10, BulkTo: Counts{"gmail.com": 1}}, noon.Add(time.Second))
	if d.Lane != 0 || d.Why != WhyProvider || !d.At.Equal(noon.Add(20*time.Second-DefaultLookahead)) {
		t.Errorf("%+v", d)
	}
	d = Decide(s, Waiting{Bulk: 10, BulkTo: Counts{"gmail.com": 1}, Pending: 10, PendingBatches: 1, PendingTo: Counts{"gmail.com": 10}}, noon.Add(25*time.Second))
	if d.Lane != 0 || d.Why != WhyProvider {
		t.Errorf("with ten about to leave: %+v", d)
	}
}

// TestProviderNewlyLimited: after a restart, and when a rate is new, what left
// may have gone to that provider.
func TestProviderNewlyLimited(t *testing.T) {
	limits := Limits{PerMinute: 6000, Batch: 50, PersonalBurst: 5, PerProvider: map[string]int{"gmail.com": 60}}
	attempts := []Attempt{{At: noon.Add(-time.Minute), Recipients: 50, Lane: mail.Bulk, Finished: true}, {At: noon, Recipients: 30, Lane: mail.Bulk, Finished: true}}
	late := New(Limits{PerMinute: 6000, Batch: 50, PersonalBurst: 5})
	late.Left(mail.Bulk, 30, noon)
	late.SetLimits(limits, noon)
	for name, s := range map[string]*State{"restart": Restore(limits, attempts, noon), "new rate": late} {
		ok, at := s.MayLeaveTo(mail.Bulk, 1, Counts{"gmail.com": 1}, noon.Add(time.Second))
		if wait := at.Sub(noon); ok || wait < 30*time.Second || wait > 55*time.Second {
			t.Errorf("%s: may leave %v after %v", name, ok, wait)
		}
	}
	late.SetLimits(Limits{PerMinute: 6000}, noon)
	if ok, _ := late.MayLeaveTo(mail.Bulk, 1, Counts{"gmail.com": 1}, noon.Add(time.Second)); !ok {
		t.Error("a rate that was taken away still holds")
	}
}

// TestEveryProvidersWindow: whatever leaves when, over restarts and a clock
// that is set back, no window holds more of one provider's recipients than its
// rate, one batch and the burst.
func TestEveryProvidersWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.IntRange(1, 600).Draw(t, "rate")
		limits := Limits{PerMinute: 6000, Batch: 50, PersonalBurst: 5, PerProvider: map[string]int{"a": rate, "b": 2 * rate}}
		s := New(limits)
		type sent struct {
			at time.Time
			n  int
		}
		var all []sent
		var attempts []Attempt
		now := noon
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 90_000).Draw(t, "gap")) * time.Millisecond)
			lane := rapid.SampledFrom([]mail.Lane{mail.Personal, mail.Bulk}).Draw(t, "lane")
			n := rapid.IntRange(1, 50).Draw(t, "n")
			to := Counts{"a": rapid.IntRange(0, n).Draw(t, "to a")}
			to["b"] = n - to["a"]
			if ok, at := s.MayLeaveTo(lane, n, to, now); !ok {
				if at.IsZero() {
					t.Fatal("never")
				}
				continue
			}
			s.LeftTo(lane, n, to, now)
			attempts = append(attempts, Attempt{At: now, Recipients: n, Lane: lane, Finished: true})
			if to["a"] > 0 {
				all = append(all, sent{now, to["a"]})
			}
			if rapid.IntRange(0, 9).Draw(t, "restart") == 0 {
				s = Restore(limits, attempts, now)
			}
		}
		for i := range all {
			sum := 0
			for k := i; k < len(all); k++ {
				sum += all[k].n
				if most := all[k].at.Sub(all[i].at).Minutes()*float64(rate) + 55 + 1e-6; float64(sum) > most {
					t.Fatalf("%d within %v at %d a minute", sum, all[k].at.Sub(all[i].at), rate)
				}
			}
		}
	})
}
