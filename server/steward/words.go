package steward

import (
	"context"
	"fmt"
	"slices"
	"time"

	"servicesmtp.net/companion/internal/money"
	"servicesmtp.net/companion/internal/units"
	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/monthly"
	"servicesmtp.net/companion/server/notify"
)

// payWithin is when a surcharge is due, from the telling on.
const payWithin = 14 // days of the account's zone

// words puts what the rules found into notify's terms.
func (c *accountView) words(ctx context.Context, n account.Notice, history []account.DayUse) (notify.Notice, error) {
	switch n.Kind {
	case account.NoticeActivation:
		return notify.ActivationDue{Account: c.Name, Order: n.OrderID, Plan: c.title(n.Plan), Paid: n.Start, Latest: n.End}, nil
	case account.NoticeEnded:
		return notify.Ended{Plan: c.title(n.Plan), At: n.End, Link: c.Plans.Renewal(c.Name, n.Plan)}, nil
	case account.NoticeRenewal:
		d := notify.RenewalDue{Plan: c.title(n.Plan), Ends: n.End, Days: c.daysUntil(n.End), Link: c.Plans.Renewal(c.Name, n.Plan)}
		if p, ok := c.Plans.Plan(n.Plan); ok {
			d.Price = c.price(p.Price)
		}
		return d, nil
	}
	terms, err := c.rows.Terms(c.Plans, c.now)
	if err != nil {
		return nil, err
	}
	use, err := monthly.Use(ctx, c.Store, c.ID, terms.Plan, c.period(terms))
	if err != nil {
		return nil, err
	}
	switch n.Kind {
	case account.NoticeUsage:
		return notify.UsageStep{Use: use, Step: n.Step}, nil
	case account.NoticeNear:
		return notify.NearLimit{Use: use, Choices: c.choices(terms.Plan)}, nil
	case account.NoticeOver:
		return notify.OverLimit{Use: use, Choices: c.choices(terms.Plan)}, nil
	case account.NoticeBlocked:
		return notify.Blocked{Use: use, Until: n.End}, nil
	case account.NoticeAgain:
		return notify.ActiveAgain{Use: use}, nil
	case account.NoticeHeavy:
		day := account.Day(c.zone, c.now)
		usual := terms.Plan.Usual(history, day)
		return notify.HeavyUse{Use: use, Today: volume(account.On(history, day)), Usual: volume(usual.Mean()), Days: int(usual.Days)}, nil
	}
	return nil, fmt.Errorf("notice %q has no words", n.Kind)
}

// period is the present one, also before anything is used in it.
func (c *accountView) period(t account.Terms) account.Usage {
	i := slices.IndexFunc(c.rows.Periods, func(u account.Usage) bool { return u.Start.Equal(t.Start) })
	if i < 0 {
		return account.Usage{AccountID: c.ID, Start: t.Start, End: t.End}
	}
	return c.rows.Periods[i]
}

// choices are what the plan offers at its limit. The smallest that helps is
// named.
func (c *accountView) choices(p account.Plan) notify.Choices {
	var out notify.Choices
	if p.Overusable() {
		out.Policy, out.Companion = string(c.rows.Policy), true
		for _, t := range p.Tiers {
			out.Tiers = append(out.Tiers, notify.Offer{Title: t.Bytes.String(), Price: c.price(t.Price)})
		}
	}
	out.Upgrade, out.Chained = c.offer(account.OrderUpgrade), c.offer(account.OrderChained)
	return out
}

// offer is the cheapest of what may be ordered now, or nil.
func (c *accountView) offer(kind account.OrderKind) *notify.Offer {
	var best *notify.Offer
	for _, p := range c.Plans.Plans() {
		o, err := c.rows.NewOrder(c.Plans, account.Wish{Kind: kind, Plan: p.Name}, c.now)
		if err == nil && (best == nil || o.Price < best.Price.Minor) {
			best = &notify.Offer{Title: p.Title, Price: c.price(o.Price)}
		}
	}
	return best
}

// paymentRequest asks for a closed period's surcharge, while it is not paid.
func (c *accountView) paymentRequest(b account.Bill) (notify.PaymentRequest, bool) {
	waits := slices.ContainsFunc(c.rows.Orders, func(o account.Order) bool { return o.ID == b.OrderID && o.State == account.OrderWaiting })
	if b.OrderID == "" || !waits {
		return notify.PaymentRequest{}, false
	}
	how, link := c.Pay(b.OrderID, c.Name)
	return notify.PaymentRequest{Reference: b.OrderID, Item: "Surcharge " + units.ByteSize(b.Tier).String(), Month: c.span(b),
		Amount: money.Amount{Minor: b.Price, Currency: b.Currency}, Due: c.now.In(c.zone).AddDate(0, 0, payWithin), How: how, Link: link}, true
}

// creditGranted tells what a tier left over.
func (c *accountView) creditGranted(b account.Bill) (notify.CreditGranted, bool) {
	i := slices.IndexFunc(c.rows.Credits, func(k account.Credit) bool { return k.ID == b.CreditID })
	if b.CreditID == "" || i < 0 {
		return notify.CreditGranted{}, false
	}
	k := c.rows.Credits[i]
	if !c.now.Before(k.ExpiresAt) && !k.ExpiresAt.IsZero() {
		return notify.CreditGranted{}, false // told so late that it is of no use any more
	}
	return notify.CreditGranted{Credit: notify.Volume{Bytes: units.ByteSize(k.Granted)}, Expires: k.ExpiresAt,
		Reason: units.ByteSize(b.Tier).String() + " surcharge of " + c.span(b)}, true
}

func (c *accountView) span(b account.Bill) string { return notify.Span(c.zone, b.Start, b.End) }

// title is a plan's name for people.
func (c *accountView) title(plan string) string {
	if p, ok := c.Plans.Plan(plan); ok {
		return p.Title
	}
	return plan
}

func (c *accountView) price(minor int64) money.Amount {
	return money.Amount{Minor: minor, Currency: c.Plans.Currency}
}

// daysUntil counts midnights: what ends tomorrow ends in one day.
func (c *accountView) daysUntil(end time.Time) int {
	date := func(t time.Time) time.Time {
		y, m, d := t.In(c.zone).Date()
		return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	}
	return int(date(end).Sub(date(c.now)) / (24 * time.Hour))
}

func volume(u account.Charge) notify.Volume { return notify.Volume{Emails: u.Emails, Bytes: u.Bytes} }
