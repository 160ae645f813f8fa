package account

import (
	"errors"
	"testing"
	"time"
)

// TestAtLimit tells for each kind of plan what docs/service.md says of it.
func TestAtLimit(t *testing.T) {
	for _, c := range []struct {
		plan   string
		policy Policy
		want   AtLimit
	}{
		{"standard", Surcharge, LimitSurcharge},
		{"standard", Stop, LimitStop},
		{"standard", Block, LimitBlock},
		{"standard-month", Surcharge, LimitCutOff},
		{"standard-month", Block, LimitCutOff},
		{"unlimited-standard", Surcharge, LimitChain},
		{"unlimited-standard", Block, LimitChain},
		{"unlimited-entry-month", Stop, LimitChain},
		{"", Surcharge, LimitNone},
	} {
		p, _ := Default().Plan(c.plan)
		if got := p.AtLimit(c.policy); got != c.want {
			t.Errorf("%q with %s: got %s, want %s", c.plan, c.policy, got, c.want)
		}
	}
}

// TestMayChoose refuses surcharges where there are none, and nothing else.
func TestMayChoose(t *testing.T) {
	now := time.Date(2026, 3, 10, 9, 0, 0, 0, time.UTC)
	sub := func(plan string, from, to int) Subscription {
		return Subscription{ID: plan, Plan: plan, Start: now.AddDate(0, from, 0), End: now.AddDate(0, to, 0), State: SubscriptionActive}
	}
	for _, c := range []struct {
		name string
		subs []Subscription
		want Policy // refused: Surcharge
	}{
		{"yearly bandwidth", []Subscription{sub("standard", -1, 11)}, ""},
		{"unlimited", []Subscription{sub("unlimited-standard", -1, 11)}, Surcharge},
		{"monthly", []Subscription{sub("standard-month", 0, 1)}, Surcharge},
		{"monthly, and a yearly one was before", []Subscription{sub("standard", -13, -1), sub("standard-month", 0, 1)}, Surcharge},
		{"monthly, and a yearly one follows", []Subscription{sub("standard-month", 0, 1), sub("standard", 1, 13)}, ""},
		{"monthly, and the yearly one that followed was refunded", []Subscription{sub("standard-month", 0, 1), sub("standard", 1, 1)}, Surcharge},
		{"nothing yet", nil, ""},
	} {
		r := Rows{Subscriptions: c.subs}
		for _, p := range []Policy{Surcharge, Stop, Block} {
			err := r.MayChoose(Default(), p, now)
			var no *Error
			if refused := errors.As(err, &no) && no.Reason == WrongPolicy; refused != (p == c.want) {
				t.Errorf("%s, %s: %v", c.name, p, err)
			}
		}
	}
	if err := (Rows{}).MayChoose(Default(), "beg", now); err == nil {
		t.Error("an unknown policy may be chosen")
	}
}
