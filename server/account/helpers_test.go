package account

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"servicesmtp.net/companion/internal/units"
)

// names gives ids of its own.
func names() func() string {
	n := 0
	return func() string { n++; return fmt.Sprintf("id%04d", n) }
}

func at(t *testing.T, s string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// owner is an account with one plan in force since start.
func owner(t *testing.T, plan string, zone string, start time.Time) Rows {
	t.Helper()
	r := Rows{AccountID: "a1", Zone: Location(zone), Policy: Surcharge}
	return bought(t, r, OrderNew, plan, start)
}

// bought orders, pays and activates at one instant.
func bought(t *testing.T, r Rows, kind OrderKind, plan string, now time.Time) Rows {
	t.Helper()
	n := len(r.Orders) + 1
	o, err := r.NewOrder(Default(), Wish{ID: fmt.Sprintf("o%d", n), Kind: kind, Plan: plan}, now)
	if err != nil {
		t.Fatalf("order %s %s: %v", kind, plan, err)
	}
	r = r.Apply(Changes{Orders: []Order{o}})
	c, err := r.Pay(Default(), Payment{ID: fmt.Sprintf("p%d", n), OrderID: o.ID, Amount: o.Price, Currency: o.Currency, ReceivedAt: now}, fmt.Sprintf("s%d", n), now)
	if err != nil {
		t.Fatalf("pay %s %s: %v", kind, plan, err)
	}
	r = r.Apply(c)
	if kind != OrderNew {
		return r
	}
	c, err = r.Activate(Default(), o.ID, fmt.Sprintf("s%d", n), now)
	if err != nil {
		t.Fatalf("activate %s %s: %v", kind, plan, err)
	}
	return r.Apply(c)
}

// used sets what the period that now lies in has used.
func used(t *testing.T, r Rows, now time.Time, c Charge) Rows {
	t.Helper()
	s, ok := InForce(r.Subscriptions, now)
	if !ok {
		t.Fatalf("no plan at %v", now)
	}
	start, end := r.Period(plan(t, s.Plan), s, now)
	return r.Apply(Changes{Periods: []Usage{{AccountID: r.AccountID, Start: start, End: end, Used: c}}})
}

// closed closes all that is over at now, and gives the last bill.
func closed(t *testing.T, r Rows, now time.Time) (Rows, Bill) {
	t.Helper()
	c, err := r.CloseEnded(Default(), names(), now)
	if err != nil || len(c.Bills) == 0 {
		t.Fatalf("close: %v, %d bills", err, len(c.Bills))
	}
	return r.Apply(c), c.Bills[len(c.Bills)-1]
}

func wantReason(t *testing.T, what string, err error, want Reason) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Reason != want {
		t.Errorf("%s: got %v, want %s", what, err, want)
	}
}

const mb = int64(units.MB)
