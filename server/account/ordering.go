package account

import "time"

// Wish is what somebody wants to order.
type Wish struct {
	ID   string // of the order to be made
	Kind OrderKind
	Plan string
	Free bool // a gift of the operator's: costs nothing, and may be a smaller plan
}

// NewOrder makes an order and fixes its price. An order that costs nothing is
// paid at once.
func (r Rows) NewOrder(c Catalogue, w Wish, now time.Time) (Order, error) {
	p, ok := c.Plan(w.Plan)
	if !ok {
		return Order{}, refuse("order", UnknownPlan, "plan %q is not in the catalogue", w.Plan)
	}
	o := Order{ID: w.ID, AccountID: r.AccountID, Kind: w.Kind, Plan: p.Name, Price: p.Price, Currency: c.Currency,
		State: OrderWaiting, CreatedAt: now}
	var err error
	switch w.Kind {
	case OrderNew:
		err = r.mayBegin("order", now)
	case OrderRenewal:
		_, err = r.renewalStart("order", now)
	case OrderUpgrade:
		o.Price, err = r.upgradePrice(c, p, w.Free, now)
	case OrderChained:
		_, err = r.chainable("order", c, p, now)
	default:
		err = refuse("order", WrongState, "%q cannot be ordered", w.Kind)
	}
	if err != nil {
		return Order{}, err
	}
	if w.Free {
		o.Price = 0
	}
	if o.Price == 0 {
		o.State, o.PaidAt = OrderPaid, now
	}
	return o, nil
}

// mayBegin refuses a new plan beside another.
func (r Rows) mayBegin(event string, now time.Time) error {
	if s, ok := last(r.Subscriptions); ok && s.before(now) {
		return refuse(event, HasPlan, "the account has the plan %q: renew or upgrade it", s.Plan)
	}
	return nil
}

// renewalStart is when a renewal begins: when the plan ends, or now where it
// has ended.
func (r Rows) renewalStart(event string, now time.Time) (time.Time, error) {
	s, ok := last(r.Subscriptions)
	switch {
	case !ok:
		return time.Time{}, refuse(event, NoPlan, "the account never had a plan to renew")
	case s.End.IsZero():
		return time.Time{}, refuse(event, NoEnd, "the plan %q does not end", s.Plan)
	case s.Start.After(now):
		return time.Time{}, refuse(event, AlreadyRenewed, "the account is renewed already, up to %s", s.End.Format(time.RFC3339))
	case s.End.Before(now):
		return now, nil
	}
	return s.End, nil
}

// upgradable finds the subscription that an upgrade to p would replace.
func (r Rows) upgradable(event string, c Catalogue, p Plan, now time.Time) (Subscription, Plan, error) {
	s, ok := InForce(r.Subscriptions, now)
	if !ok {
		return s, Plan{}, refuse(event, NoPlan, "no plan is in force to upgrade: order a new one")
	}
	old, ok := c.Plan(s.Plan)
	switch {
	case !ok:
		return s, old, refuse(event, UnknownPlan, "plan %q is not in the catalogue", s.Plan)
	case old.Monthly || p.Monthly:
		return s, old, refuse(event, NotYearly, "only a yearly plan can be upgraded, and to a yearly one")
	case old.Kind != p.Kind:
		return s, old, refuse(event, OtherKind, "%q limits %s and %q limits %s: renew with the other kind", old.Name, old.Unit(), p.Name, p.Unit())
	}
	return s, old, nil
}

// upgradePrice is the difference of the two yearly prices for the days that
// are left, rounded down.
func (r Rows) upgradePrice(c Catalogue, p Plan, free bool, now time.Time) (int64, error) {
	s, old, err := r.upgradable("order", c, p, now)
	if err != nil || free {
		return 0, err
	}
	switch {
	case p.Allowance() <= old.Allowance() || p.Price < old.Price:
		return 0, refuse("order", NotLarger, "%q is not larger than %q", p.Name, old.Name)
	case s.End.IsZero():
		return 0, refuse("order", NoEnd, "the plan %q has no end to reckon the rest from", s.Plan)
	}
	all := max(1, days(r.zone(), s.Since, s.End))
	return share(p.Price-old.Price, min(all, days(r.zone(), now, s.End)), all), nil
}

// chainable finds the main subscription that a chained p would be for.
func (r Rows) chainable(event string, c Catalogue, p Plan, now time.Time) (Subscription, error) {
	s, ok := InForce(r.Subscriptions, now)
	if !ok {
		return s, refuse(event, NoPlan, "no plan is in force to chain %q to", p.Name)
	}
	switch old, ok := c.Plan(s.Plan); {
	case !ok:
		return s, refuse(event, UnknownPlan, "plan %q is not in the catalogue", s.Plan)
	case !p.Monthly || p.Kind != Unlimited || old.Kind != Unlimited:
		return s, refuse(event, NotChainable, "%q cannot be chained to %q: only monthly unlimited plans to unlimited ones", p.Name, old.Name)
	}
	return s, nil
}
