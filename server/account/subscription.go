package account

import (
	"cmp"
	"slices"
	"time"
)

// SubscriptionState says why a subscription stands as it does. What it gives,
// and when, is said by its times alone: a renewal takes over at End without
// any job that has to run.
type SubscriptionState string

// The states of a subscription, as they are stored and printed.
const (
	SubscriptionActive   SubscriptionState = "active"   // in force, or will be at Start
	SubscriptionReplaced SubscriptionState = "replaced" // an upgrade took over at End
	SubscriptionEnded    SubscriptionState = "ended"    // ran to its End
	SubscriptionRefunded SubscriptionState = "refunded" // paid back; End is when
)

// Subscription is an account's right to a plan from Start up to End.
//
// What was bought once is a contract: the first subscription and those that
// upgrades put in its place. They share Contract, Since and the End that the
// last of them has; credits belong to the contract and end with it.
type Subscription struct {
	ID        string
	AccountID string
	OrderID   string
	Contract  string // ID of the first subscription of the contract
	Since     time.Time
	Plan      string
	Start     time.Time // included
	End       time.Time // not included; zero: no end
	State     SubscriptionState
}

// At says that the subscription is in force at t.
func (s Subscription) At(t time.Time) bool { return !t.Before(s.Start) && s.before(t) }

// before says that t is before the end.
func (s Subscription) before(t time.Time) bool { return s.End.IsZero() || t.Before(s.End) }

// Unit is what a credit is counted in.
type Unit string

// The units, as they are stored and printed.
const (
	Bytes  Unit = "bytes"
	Emails Unit = "emails"
)

// CreditSource says where a credit comes from.
type CreditSource string

// The sources of credits, as they are stored and printed.
const (
	FromSurcharge CreditSource = "surcharge" // a tier that was not used up
	FromChained   CreditSource = "chained"   // a monthly plan bought for this account
)

// Credit is a grant that is used after the allowance and before a surcharge.
// Left changes only when a period is closed.
type Credit struct {
	ID        string
	AccountID string
	Contract  string // that it ends with
	Source    CreditSource
	OrderID   string // of a chained plan; else empty
	Unit      Unit
	Granted   int64
	Left      int64     // 0 to Granted
	ValidFrom time.Time // included
	ExpiresAt time.Time // end of the contract, not included; zero: no end
}

// Usage is one row of what was used: a period of an account.
type Usage struct {
	AccountID  string
	Start, End time.Time
	Used       Charge
	ClosedAt   time.Time // zero: not closed
}

// Rows are an account's rows, as every event is given them. Order does not
// matter.
type Rows struct {
	AccountID     string
	Zone          *time.Location
	Policy        Policy
	Misuse        bool // marked by the operator
	Subscriptions []Subscription
	Orders        []Order
	Payments      []Payment
	Credits       []Credit
	Periods       []Usage
}

// Changes are the rows that an event made or changed, whole, for writing back
// by ID (periods by account and start).
type Changes struct {
	Orders        []Order
	Payments      []Payment
	Subscriptions []Subscription
	Credits       []Credit
	Bills         []Bill
	Periods       []Usage
}

// InForce finds the subscription that gives its plan at t.
func InForce(all []Subscription, t time.Time) (Subscription, bool) {
	i := slices.IndexFunc(all, func(s Subscription) bool { return s.At(t) })
	if i < 0 {
		return Subscription{}, false
	}
	return all[i], true
}

// Status is what an account's subscriptions make of it.
type Status string

// The states of an account that follow from its subscriptions. An operator's
// hold or block is kept apart from them.
const (
	Waiting Status = "waiting" // nothing has begun yet
	Active  Status = "active"
	Ended   Status = "ended"
)

// StatusAt tells an account's status at t.
func StatusAt(all []Subscription, t time.Time) Status {
	if _, ok := InForce(all, t); ok {
		return Active
	}
	if slices.ContainsFunc(all, func(s Subscription) bool { return !t.Before(s.Start) }) {
		return Ended
	}
	return Waiting
}

// contractEnd is the end of a contract, which upgrades leave alone. An upgrade
// at the very instant of the start leaves nothing of what it replaced.
func contractEnd(all []Subscription, contract string) time.Time {
	var last Subscription
	for _, s := range all {
		if s.Contract == contract && (last.ID == "" || s.Start.After(last.Start) || s.Start.Equal(last.Start) && compareEnds(s.End, last.End) > 0) {
			last = s
		}
	}
	return last.End
}

// last is the subscription that ends last of those that give anything.
func last(all []Subscription) (Subscription, bool) {
	var found Subscription
	for _, s := range all {
		empty := !s.End.IsZero() && !s.End.After(s.Start) // refunded before it began
		if !empty && (found.ID == "" || s.Start.After(found.Start)) {
			found = s
		}
	}
	return found, found.ID != ""
}

// creditsOf are the credits of a contract that count before the instant t, in
// the order in which they pay: the oldest expiry first.
func creditsOf(all []Credit, contract string, unit Unit, t time.Time) []Credit {
	var some []Credit
	for _, c := range all {
		if c.Contract == contract && c.Unit == unit && c.Left > 0 && c.ValidFrom.Before(t) {
			some = append(some, c)
		}
	}
	slices.SortFunc(some, func(a, b Credit) int {
		return cmp.Or(compareEnds(a.ExpiresAt, b.ExpiresAt), a.ValidFrom.Compare(b.ValidFrom), cmp.Compare(a.ID, b.ID))
	})
	return some
}

// compareEnds orders ends; zero is no end, and so the last.
func compareEnds(a, b time.Time) int {
	switch {
	case a.IsZero() && b.IsZero():
		return 0
	case a.IsZero():
		return 1
	case b.IsZero():
		return -1
	}
	return a.Compare(b)
}

// sum is what credits have left.
func sum(credits []Credit) int64 {
	var n int64
	for _, c := range credits {
		n = add(n, c.Left)
	}
	return n
}
