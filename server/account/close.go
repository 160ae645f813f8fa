package account

import (
	"slices"
	"time"

	"servicesmtp.net/companion/internal/units"
)

// subscriptionOf finds the subscription whose plan a period is reckoned with:
// of the contract that the period began in, the last that began before the
// period's end.
func (r Rows) subscriptionOf(u Usage) (Subscription, bool) {
	var found Subscription
	for _, s := range r.Subscriptions {
		empty := !s.End.IsZero() && !s.End.After(s.Start)
		if s.Since.After(u.Start) || !s.Start.Before(u.End) || empty {
			continue
		}
		if found.ID == "" || s.Since.After(found.Since) || s.Since.Equal(found.Since) && s.Start.After(found.Start) {
			found = s
		}
	}
	return found, found.ID != ""
}

// allowance is the largest that the contract gave in the period: what was let in
// under a larger plan is no debt under the smaller one in its place.
func (r Rows) allowance(c Catalogue, last Subscription, p Plan, u Usage) int64 {
	most := p.Allowance()
	for _, s := range r.Subscriptions {
		if s.Contract != last.Contract || !s.Start.Before(u.End) || !s.before(u.Start) || !s.End.IsZero() && !s.End.After(s.Start) {
			continue
		}
		if other, ok := c.Plan(s.Plan); ok && other.Unit() == p.Unit() {
			most = max(most, other.Allowance())
		}
	}
	return most
}

// end is when a period is over: at its end, or before where its contract was
// refunded.
func (r Rows) end(u Usage) time.Time {
	if s, ok := r.subscriptionOf(u); ok {
		if over := contractEnd(r.Subscriptions, s.Contract); !over.IsZero() && over.Before(u.End) {
			return over
		}
	}
	return u.End
}

// Close closes a period of the account. Its result depends on nothing that
// happened at or after the period's end, nor on now. newID is called for each
// row that is made.
//
// What is above the allowance is paid by credits first, the oldest expiry
// first, then by the smallest tier that covers the rest. Whole CreditSteps of
// the tier that were not used are credited to the rest of the contract.
func (r Rows) Close(c Catalogue, start time.Time, newID func() string, now time.Time) (Changes, error) {
	i := slices.IndexFunc(r.Periods, func(u Usage) bool { return u.Start.Equal(start) })
	if i < 0 {
		return Changes{}, refuse("close", NoPlan, "no period of the account begins then")
	}
	u := r.Periods[i]
	switch {
	case !u.ClosedAt.IsZero():
		return Changes{}, refuse("close", AlreadyClosed, "the period was closed at %s", u.ClosedAt.Format(time.RFC3339))
	case now.Before(r.end(u)):
		return Changes{}, refuse("close", StillOpen, "the period lasts until %s", r.end(u).Format(time.RFC3339))
	case r.openBefore(u.Start):
		return Changes{}, refuse("close", Earlier, "an earlier period is not closed")
	}
	u.ClosedAt = now
	s, ok := r.subscriptionOf(u)
	if !ok { // counted before there were subscriptions: nothing to reckon with
		b := Bill{AccountID: u.AccountID, Start: u.Start, End: u.End, Unit: Emails, Use: u.Used.Emails, Uncovered: u.Used.Emails}
		return Changes{Periods: []Usage{u}, Bills: []Bill{b}}, nil
	}
	p, ok := c.Plan(s.Plan)
	if !ok {
		return Changes{}, refuse("close", UnknownPlan, "plan %q is not in the catalogue", s.Plan)
	}
	done := Changes{Periods: []Usage{u}}
	b := Bill{AccountID: u.AccountID, Start: u.Start, End: r.end(u), Plan: p.Name, Unit: p.Unit(), Use: p.Use(u.Used),
		Allowance: r.allowance(c, s, p, u), Currency: c.Currency}
	b.Consumed, done.Credits = consume(creditsOf(r.Credits, s.Contract, b.Unit, b.End), b.Over())
	b.Surcharged = b.Over() - b.Consumed
	b.bill(p)
	if b.Tier > 0 {
		b.OrderID = newID()
		done.Orders = []Order{{ID: b.OrderID, AccountID: u.AccountID, Kind: OrderSurcharge, Plan: p.Name, Price: b.Price, Currency: c.Currency,
			State: OrderWaiting, CreatedAt: b.End, PeriodStart: u.Start}}
	}
	over := contractEnd(r.Subscriptions, s.Contract)
	if !over.IsZero() && !over.After(b.End) {
		b.Granted = 0 // the contract ends with the period, and what was not used with it
	}
	if b.Granted > 0 {
		b.CreditID = newID()
		done.Credits = append(done.Credits, Credit{ID: b.CreditID, AccountID: u.AccountID, Contract: s.Contract, Source: FromSurcharge,
			OrderID: b.OrderID, Unit: Bytes, Granted: b.Granted, Left: b.Granted, ValidFrom: b.End, ExpiresAt: over})
	}
	done.Bills = []Bill{b}
	return done, nil
}

// consume takes up to over from the credits, and tells which it changed.
func consume(credits []Credit, over int64) (consumed int64, changed []Credit) {
	for _, c := range credits {
		n := min(c.Left, over-consumed)
		if n == 0 {
			break
		}
		c.Left -= n
		consumed += n
		changed = append(changed, c)
	}
	return consumed, changed
}

// bill finds the tier for what credits did not pay. What no tier covers was
// let in under another plan, and is not billed.
func (b *Bill) bill(p Plan) {
	if b.Surcharged == 0 {
		return
	}
	if !p.Overusable() {
		b.Surcharged, b.Uncovered = 0, b.Surcharged
		return
	}
	need := units.ByteSize(b.Use - b.Consumed)
	i := slices.IndexFunc(p.Tiers, func(t Tier) bool { return t.Bytes >= need })
	if i < 0 {
		i = len(p.Tiers) - 1
		b.Uncovered = int64(need - p.Tiers[i].Bytes)
		b.Surcharged -= b.Uncovered
	}
	b.Tier, b.Price = int64(p.Tiers[i].Bytes), p.Tiers[i].Price
	unused := max(0, p.Tiers[i].Bytes-need)
	b.Granted = int64(unused / CreditStep * CreditStep)
}

// CloseEnded closes all periods that are over at now, the oldest first. It is
// what the month-end job calls, and what acceptance calls before it counts the
// first use of a new period.
func (r Rows) CloseEnded(c Catalogue, newID func() string, now time.Time) (Changes, error) {
	var all Changes
	periods := slices.Clone(r.Periods)
	slices.SortFunc(periods, func(a, b Usage) int { return a.Start.Compare(b.Start) })
	for _, u := range periods {
		if !u.ClosedAt.IsZero() || now.Before(r.end(u)) {
			continue
		}
		one, err := r.Close(c, u.Start, newID, now)
		if err != nil {
			return Changes{}, err
		}
		r = r.Apply(one)
		all.Bills = append(all.Bills, one.Bills...)
		all.Periods = append(all.Periods, one.Periods...)
		all.Orders = append(all.Orders, one.Orders...)
		all.Credits = upsert(all.Credits, one.Credits, func(a, b Credit) bool { return a.ID == b.ID })
	}
	return all, nil
}
