package account

import (
	"slices"
	"time"
)

// refundWithin is how long after the start a plan can be given back.
const refundWithin = 30 // days of the account's zone

// Refundable says whether the contract can be given back at now: within 30
// days of its start, no period above its allowance, no misuse. The error says
// which of them is against it.
func (r Rows) Refundable(c Catalogue, contract string, now time.Time) error {
	i := slices.IndexFunc(r.Subscriptions, func(s Subscription) bool { return s.ID == contract && s.Contract == contract })
	if i < 0 {
		return refuse("refund", NoPlan, "no such plan of this account")
	}
	s := r.Subscriptions[i]
	if end := contractEnd(r.Subscriptions, contract); !end.IsZero() && !now.Before(end) {
		return refuse("refund", WrongState, "the plan ended on %s", end.In(r.zone()).Format(time.DateOnly))
	}
	if until := s.Since.In(r.zone()).AddDate(0, 0, refundWithin); now.After(until) {
		return refuse("refund", TooLate, "30 days from the start ended on %s", until.Format(time.DateOnly))
	}
	if r.Misuse {
		return refuse("refund", Misused, "the account is marked for misuse")
	}
	for _, u := range r.Periods {
		s, ok := r.subscriptionOf(u)
		if !ok || s.Contract != contract {
			continue
		}
		p, ok := c.Plan(s.Plan)
		if !ok {
			return refuse("refund", UnknownPlan, "plan %q is not in the catalogue", s.Plan)
		}
		if p.Use(u.Used) > r.allowance(c, s, p, u) {
			return refuse("refund", Overrun, "the period from %s is above its allowance", u.Start.In(r.zone()).Format(time.DateOnly))
		}
	}
	return nil
}

// Refund gives a contract back: it ends now, with its credits, and all its
// orders are refunded. amount is what was paid for it. A renewal that waits
// for the day after is a contract of its own, and is left alone.
func (r Rows) Refund(c Catalogue, contract string, now time.Time) (done Changes, amount int64, err error) {
	if err := r.Refundable(c, contract, now); err != nil {
		return Changes{}, 0, err
	}
	orders := map[string]bool{}
	for _, s := range r.Subscriptions {
		if s.Contract != contract {
			continue
		}
		orders[s.OrderID] = true
		if s.before(now) {
			s.End, s.State = now, SubscriptionRefunded
			if s.Start.After(now) {
				s.End = s.Start // never began
			}
			done.Subscriptions = append(done.Subscriptions, s)
		}
	}
	for _, k := range r.Credits {
		if k.Contract == contract {
			orders[k.OrderID] = true
			k.ExpiresAt = now
			done.Credits = append(done.Credits, k)
		}
	}
	for _, o := range r.Orders {
		if orders[o.ID] && o.State == OrderActive {
			o.State, o.ClosedAt = OrderRefunded, now
			done.Orders = append(done.Orders, o)
			amount = add(amount, r.Paid(o.ID))
		}
	}
	return done, amount, nil
}

// RefundPaid gives back what was paid for an order that has bought nothing yet.
// No rule is against it: nothing of it was used. amount is what was paid.
func (r Rows) RefundPaid(orderID string, now time.Time) (done Changes, amount int64, err error) {
	o, err := r.order("refund", orderID)
	switch {
	case err != nil:
		return Changes{}, 0, err
	case o.Kind == OrderSurcharge:
		return Changes{}, 0, refuse("refund", WrongState, "a surcharge was used already")
	case o.State != OrderPaid:
		return Changes{}, 0, refuse("refund", WrongState, "the order is %s", o.State)
	}
	o.State, o.ClosedAt = OrderRefunded, now
	return Changes{Orders: []Order{o}}, r.Paid(o.ID), nil
}
