package account

import (
	"slices"
	"time"
)

// order finds an order of the account.
func (r Rows) order(event, id string) (Order, error) {
	i := slices.IndexFunc(r.Orders, func(o Order) bool { return o.ID == id })
	if i < 0 || r.Orders[i].AccountID != r.AccountID {
		return Order{}, refuse(event, WrongAccount, "no such order of this account")
	}
	return r.Orders[i], nil
}

// Paid is what came for an order.
func (r Rows) Paid(orderID string) int64 {
	var n int64
	for _, p := range r.Payments {
		if p.OrderID == orderID {
			n = add(n, p.Amount)
		}
	}
	return n
}

// Pay records a payment at now. When the order is paid in whole, an upgrade, a
// renewal or a chained plan is activated at once, with newID for its row; a
// new account waits for Activate. Where a plan cannot be activated any more,
// the money is recorded all the same, and ActivationDue calls the operator.
func (r Rows) Pay(c Catalogue, p Payment, newID string, now time.Time) (Changes, error) {
	o, err := r.order("pay", p.OrderID)
	switch {
	case err != nil:
		return Changes{}, err
	case o.State != OrderWaiting:
		return Changes{}, refuse("pay", WrongState, "the order is %s", o.State)
	case p.Currency != o.Currency:
		return Changes{}, refuse("pay", WrongCurrency, "the order is in %s, the payment in %s", o.Currency, p.Currency)
	case p.Amount <= 0:
		return Changes{}, refuse("pay", WrongAmount, "a payment is more than nothing")
	}
	done := Changes{Payments: []Payment{p}}
	if add(r.Paid(o.ID), p.Amount) < o.Price {
		return done, nil
	}
	o.State, o.PaidAt = OrderPaid, now
	done.Orders = []Order{o}
	if o.Kind == OrderNew || o.Kind == OrderSurcharge {
		return done, nil
	}
	if more, err := r.activate(c, o, newID, now); err == nil {
		more.Payments = done.Payments
		return more, nil
	}
	return done, nil
}

// Activate gives what a paid order bought, from now on; newID is the new
// subscription's or credit's.
func (r Rows) Activate(c Catalogue, orderID, newID string, now time.Time) (Changes, error) {
	o, err := r.order("activate", orderID)
	switch {
	case err != nil:
		return Changes{}, err
	case o.State != OrderPaid || o.Kind == OrderSurcharge:
		return Changes{}, refuse("activate", WrongState, "the %s order is %s", o.Kind, o.State)
	}
	return r.activate(c, o, newID, now)
}

func (r Rows) activate(c Catalogue, o Order, newID string, now time.Time) (Changes, error) {
	p, ok := c.Plan(o.Plan)
	if !ok {
		return Changes{}, refuse("activate", UnknownPlan, "plan %q is not in the catalogue", o.Plan)
	}
	var done Changes
	var err error
	switch o.Kind {
	case OrderNew:
		err = r.mayBegin("activate", now)
		done.Subscriptions = r.begin(p, o, newID, now)
	case OrderRenewal:
		var start time.Time
		start, err = r.renewalStart("activate", now)
		done.Subscriptions = r.begin(p, o, newID, start)
	case OrderUpgrade:
		done.Subscriptions, err = r.upgrade(c, p, o, newID, now)
	case OrderChained:
		done.Credits, err = r.chain(c, p, o, newID, now)
	default:
		err = refuse("activate", WrongState, "a %s order activates nothing", o.Kind)
	}
	if err != nil {
		return Changes{}, err
	}
	o.State, o.ActivatedAt = OrderActive, now
	done.Orders = []Order{o}
	return done, nil
}

// begin makes the first subscription of a contract.
func (r Rows) begin(p Plan, o Order, id string, start time.Time) []Subscription {
	return []Subscription{{ID: id, AccountID: r.AccountID, OrderID: o.ID, Contract: id, Since: start, Plan: p.Name,
		Start: start, End: endOf(p, r.zone(), start), State: SubscriptionActive}}
}

// upgrade ends the subscription in force now and puts another in its place;
// the contract's end stays. One that money came for must be larger still:
// another order may have been paid first.
func (r Rows) upgrade(c Catalogue, p Plan, o Order, id string, now time.Time) ([]Subscription, error) {
	old, had, err := r.upgradable("activate", c, p, now)
	if err != nil {
		return nil, err
	}
	if o.Price > 0 && p.Allowance() <= had.Allowance() {
		return nil, refuse("activate", NotLarger, "%q is not larger than %q, which is in force by now", p.Name, had.Name)
	}
	s := old
	s.ID, s.OrderID, s.Plan, s.Start = id, o.ID, p.Name, now
	old.End, old.State = now, SubscriptionReplaced
	return []Subscription{old, s}, nil
}

// chain turns a monthly plan into a credit of the main account.
func (r Rows) chain(c Catalogue, p Plan, o Order, id string, now time.Time) ([]Credit, error) {
	s, err := r.chainable("activate", c, p, now)
	if err != nil {
		return nil, err
	}
	return []Credit{{ID: id, AccountID: r.AccountID, Contract: s.Contract, Source: FromChained, OrderID: o.ID, Unit: p.Unit(),
		Granted: p.Allowance(), Left: p.Allowance(), ValidFrom: now, ExpiresAt: contractEnd(r.Subscriptions, s.Contract)}}, nil
}

// Cancel gives up an order that waits for its payment. One that was paid in
// part may be cancelled too: the operator gives back what Paid tells.
func (r Rows) Cancel(orderID string, now time.Time) (Changes, error) {
	o, err := r.order("cancel", orderID)
	switch {
	case err != nil:
		return Changes{}, err
	case o.State != OrderWaiting:
		return Changes{}, refuse("cancel", WrongState, "the order is %s", o.State)
	case o.Kind == OrderSurcharge:
		return Changes{}, refuse("cancel", WrongState, "a surcharge was used already")
	}
	o.State, o.ClosedAt = OrderCancelled, now
	return Changes{Orders: []Order{o}}, nil
}

// Finish marks what has run to its end. Nothing depends on when it is called:
// what a subscription gives is said by its times.
func (r Rows) Finish(now time.Time) Changes {
	var done Changes
	for _, s := range r.Subscriptions {
		if s.State == SubscriptionActive && !s.before(now) {
			s.State = SubscriptionEnded
			done.Subscriptions = append(done.Subscriptions, s)
		}
	}
	return done
}

// When a paid order must be active, and when the operator is told before.
const (
	activateWithin  = 24 * time.Hour
	activationAlarm = 20 * time.Hour
)

// ActivationDue tells when a paid order must be active, and whether the
// operator is to be reminded of it by now. due is zero for all others.
func ActivationDue(o Order, now time.Time) (due time.Time, alarm bool) {
	if o.State != OrderPaid || o.Kind == OrderSurcharge {
		return time.Time{}, false
	}
	return o.PaidAt.Add(activateWithin), !now.Before(o.PaidAt.Add(activationAlarm))
}

// Apply is the rows after an event, as the store will give them next time.
func (r Rows) Apply(c Changes) Rows {
	r.Orders = upsert(r.Orders, c.Orders, func(a, b Order) bool { return a.ID == b.ID })
	r.Payments = upsert(r.Payments, c.Payments, func(a, b Payment) bool { return a.ID == b.ID })
	r.Subscriptions = upsert(r.Subscriptions, c.Subscriptions, func(a, b Subscription) bool { return a.ID == b.ID })
	r.Credits = upsert(r.Credits, c.Credits, func(a, b Credit) bool { return a.ID == b.ID })
	r.Periods = upsert(r.Periods, c.Periods, func(a, b Usage) bool { return a.Start.Equal(b.Start) })
	return r
}

func upsert[T any](rows, changed []T, same func(a, b T) bool) []T {
	rows = slices.Clone(rows)
	for _, n := range changed {
		if i := slices.IndexFunc(rows, func(old T) bool { return same(old, n) }); i >= 0 {
			rows[i] = n
		} else {
			rows = append(rows, n)
		}
	}
	return rows
}
