package steward

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/monthly"
	"servicesmtp.net/companion/server/notify"
	"servicesmtp.net/companion/server/store"
	"servicesmtp.net/companion/server/tell"
)

// kind is one kind of notice.
type kind struct {
	rule  account.NoticeKind
	words string
}

// kinds are the rules' words and notify's for the same notices.
var kinds = []kind{
	{account.NoticeUsage, "usage"},
	{account.NoticeNear, "near_limit"},
	{account.NoticeOver, "over_limit"},
	{account.NoticeHeavy, "heavy_use"},
	{account.NoticeRenewal, "renewal_due"},
	{account.NoticeEnded, "ended"},
	{account.NoticeActivation, kindActivation},
	{account.NoticeBlocked, "blocked_until"},
	{account.NoticeAgain, "active_again"},
}

// Kinds beside those of the rules' notices.
const (
	kindActivation = "activation"
	kindReport     = "month_report"
	kindRequest    = "payment_request"
	kindCredit     = "credit_granted"
)

// historyDays are enough for the rules' 28 days with use, today and some on
// which a zone was changed.
const historyDays = 32

// monthsBack is how many months without any use are looked at for errors:
// what was sent on a month's last day may fail days later.
const monthsBack = 2

// news is one thing that is due.
type news struct {
	kind   string // as notify calls it
	once   *tell.Once
	notice notify.Notice
	review bool // it belongs to the daily review
}

// accountView is an account as one pass sees it.
type accountView struct {
	*Steward
	store.Reviewable
	zone    *time.Location
	now     time.Time
	dry     bool
	request Request
	rows    account.Rows // what is over is closed
	closed  []store.ClosedPeriod
	sent    []account.NoticeKey
	told    []store.Told
}

// load reads an account and closes what is over; in a dry run only here. bills
// are those of the periods that were closed.
func (s *Steward) load(ctx context.Context, a store.Reviewable, q Request, now time.Time) (*accountView, []account.Bill, error) {
	c := &accountView{Steward: s, Reviewable: a, zone: account.Location(a.Zone), now: now, dry: q.DryRun, request: q}
	bills, over, err := c.close(ctx)
	if err != nil {
		return nil, bills, err
	}
	if c.closed, err = s.Store.ClosedPeriods(ctx, a.ID); err != nil {
		return nil, bills, err
	}
	c.closed = append(c.closed, over...)
	for _, id := range []string{a.ID, store.ServiceID} { // alarms are the service's own
		told, err := s.Store.Told(ctx, id)
		if err != nil {
			return nil, bills, err
		}
		c.told = append(c.told, told...)
	}
	for _, t := range c.told {
		for _, k := range kinds {
			if t.Kind == k.words {
				c.sent = append(c.sent, account.NoticeKey{Kind: k.rule, Start: t.PeriodStart, Step: t.Step, OrderID: t.OrderID})
			}
		}
	}
	return c, bills, nil
}

// close closes what is over. In a dry run it is closed in c.rows alone, and
// over are the periods as they would be stored. Where nothing is over nothing
// is written: most passes find nothing.
func (c *accountView) close(ctx context.Context) (bills []account.Bill, over []store.ClosedPeriod, err error) {
	if c.rows, err = c.Store.Rows(ctx, c.Store.Reader(), c.ID); err != nil {
		return nil, nil, err
	}
	done, err := c.rows.CloseEnded(c.Plans, func() string { return store.NewID(c.now) }, c.now)
	if err != nil || len(done.Bills) == 0 {
		return nil, nil, err
	}
	if c.dry {
		c.rows = c.rows.Apply(done)
		for i, b := range done.Bills {
			over = append(over, store.ClosedPeriod{Usage: done.Periods[i], Bill: b})
		}
		return done.Bills, over, nil
	}
	if bills, err = c.billing.Close(ctx, c.ID, c.now); err != nil {
		return nil, nil, err
	}
	c.rows, err = c.Store.Rows(ctx, c.Store.Reader(), c.ID)
	return bills, nil, err
}

// reviews says that the account's daily review is due.
func (c *accountView) reviews() bool {
	return c.request.Month == "" && c.ReviewedDay < account.ReviewDay(c.zone, c.now)
}

// markReviewed remembers it.
func (c *accountView) markReviewed(ctx context.Context, tx *sql.Tx) error {
	return c.Store.SetReviewed(ctx, tx, c.ID, account.ReviewDay(c.zone, c.now))
}

// due lists what must be told now: reports first, then the rules' notices, so
// that of what has the same key the present state is told last.
func (c *accountView) due(ctx context.Context) ([]news, error) {
	all, err := c.reports(ctx)
	if err != nil || c.request.Month != "" {
		return all, err
	}
	if c.reviews() {
		more, err := c.silentMonths(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	days, err := c.Store.LastUsageDays(ctx, c.ID, historyDays)
	if err != nil {
		return nil, err
	}
	history := make([]account.DayUse, 0, len(days))
	for _, d := range days {
		history = append(history, account.DayUse(d))
	}
	notices := c.rows.Review(c.Plans, history, c.sent, c.now)
	limit, err := c.rows.ReviewLimit(c.Plans, c.sent, c.now)
	if err != nil {
		return nil, err
	}
	for _, n := range append(notices, limit...) {
		if n.Kind == account.NoticeUsage && !c.reviews() {
			continue
		}
		notice, err := c.words(ctx, n, history)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(kinds, func(k kind) bool { return k.rule == n.Kind })
		all = append(all, news{kind: kinds[i].words, notice: notice, review: n.Kind == account.NoticeUsage,
			once: &tell.Once{PeriodStart: n.Start, Step: n.Step, OrderID: n.OrderID}})
	}
	return all, nil
}

// wasTold says that something of a period was told.
func (c *accountView) wasTold(kind string, start time.Time) bool {
	return slices.ContainsFunc(c.told, func(t store.Told) bool { return t.Kind == kind && t.PeriodStart.Equal(start) })
}

// tell tells one thing, and the review with it.
func (c *accountView) tell(ctx context.Context, n news, res *Result) error {
	to, teller := c.Account, c.Teller
	if n.kind == kindActivation {
		service, err := c.Store.AccountByID(ctx, store.ServiceID)
		if err != nil {
			return err
		}
		to, teller = service, c.alarms
		to.Email = c.Operator
	}
	told := Told{AccountID: c.ID, Account: c.Name, Kind: n.kind}
	if n.once != nil {
		told.Start, told.Step, told.OrderID = n.once.PeriodStart, n.once.Step, n.once.OrderID
	}
	words, err := notify.Write(n.notice, notify.Letter{Account: to.Name, Zone: account.Location(to.Zone)})
	if err != nil {
		return err
	}
	told.Subject = words.Subject
	if c.dry {
		res.Told = append(res.Told, told)
		return nil
	}
	out := tell.News{Account: to, Notice: n.notice, At: c.now, Once: n.once}
	if n.review {
		out.With = c.markReviewed
	}
	first, err := teller.Tell(ctx, out)
	if err = ignoreReviewed(err); err != nil || !first {
		return err
	}
	if n.kind == kindActivation {
		c.Log.Error("a paid order waits for activation", "account", c.ID, "order", n.once.OrderID)
	}
	c.Told(n.kind)
	res.Told = append(res.Told, told)
	return nil
}

// reports are those of closed periods that were not sent yet, with what is to
// be paid and what was credited.
func (c *accountView) reports(ctx context.Context) ([]news, error) {
	var all []news
	for _, p := range c.closed {
		b := p.Bill
		if m := c.request.Month; m != "" && account.Day(c.zone, b.Start)[:len(m)] != m {
			continue
		}
		once := tell.Once{PeriodStart: b.Start}
		if !c.wasTold(kindReport, b.Start) || c.request.Again {
			switch r, err := monthly.Period(ctx, c.Store, c.Plans, c.Account, p); {
			case err == nil && c.request.Again:
				all = append(all, news{kind: kindReport, notice: r})
			case err == nil:
				all = append(all, news{kind: kindReport, notice: r, once: &once})
			case !errors.Is(err, monthly.ErrNone):
				return nil, err
			}
		}
		ordered := tell.Once{PeriodStart: b.Start, OrderID: b.OrderID}
		if n, ok := c.paymentRequest(b); ok && !c.wasTold(kindRequest, b.Start) {
			all = append(all, news{kind: kindRequest, notice: n, once: &ordered})
		}
		if n, ok := c.creditGranted(b); ok && !c.wasTold(kindCredit, b.Start) {
			all = append(all, news{kind: kindCredit, notice: n, once: &ordered})
		}
	}
	return all, nil
}

// silentMonths are reports of months in which nothing was sent and something
// failed.
func (c *accountView) silentMonths(ctx context.Context) ([]news, error) {
	var all []news
	start, _ := account.Period(account.Plan{}, c.zone, time.Time{}, c.now)
	for range monthsBack {
		end := start
		start, _ = account.Period(account.Plan{}, c.zone, time.Time{}, end.Add(-time.Hour))
		used := slices.ContainsFunc(c.rows.Periods, func(u account.Usage) bool { return u.Start.Before(end) && u.End.After(start) })
		s, ok := account.InForce(c.rows.Subscriptions, end.Add(-time.Microsecond))
		plan, known := c.Plans.Plan(s.Plan)
		if used || !ok || !known || c.wasTold(kindReport, start) {
			continue
		}
		p := store.ClosedPeriod{Bill: account.Bill{Start: start, End: end, Plan: plan.Name, Unit: plan.Unit(), Allowance: plan.Allowance()}}
		switch r, err := monthly.Period(ctx, c.Store, c.Plans, c.Account, p); {
		case err == nil:
			all = append(all, news{kind: kindReport, notice: r, once: &tell.Once{PeriodStart: start}})
		case !errors.Is(err, monthly.ErrNone):
			return nil, err
		}
	}
	return all, nil
}
