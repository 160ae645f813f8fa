// Package monthly reads the figures of an account's month or period from the
// store, for its report.
//
// A month is a calendar month in the account's zone, whatever the plan; a
// period is what the rules count and bill. The same gives the same figures
// whenever it is read after its end, as long as the errors are kept. What was
// closed is measured as its bill says, whatever the plan is by now. It decides
// nothing, writes nothing and starts no goroutine.
package monthly

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"servicesmtp.net/companion/internal/money"
	"servicesmtp.net/companion/internal/units"
	"servicesmtp.net/companion/internal/wire"
	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/notify"
	"servicesmtp.net/companion/server/store"
)

var (
	// ErrNone says that nothing was sent in the month and nothing failed.
	ErrNone = errors.New("nothing in that month")
	// ErrMonth says that the text names no month.
	ErrMonth = errors.New("not a month: write it as 2026-11")
)

// MaxAddresses is the most addresses that one report lists; it counts all.
const MaxAddresses = 50_000

// Month is a calendar month's figures.
type Month struct {
	notify.MonthReport
	ClosedAt time.Time // of what was used in it; zero: not yet, or nothing was
}

// Read gathers the month, written as "2026-11", with its bill where one is
// known. A period that reaches into another month is not measured here.
func Read(ctx context.Context, st *store.Store, plans account.Catalogue, a store.Account, month string) (Month, error) {
	zone := account.Location(a.Zone)
	middle, err := time.ParseInLocation("2006-01-02", month+"-15", zone)
	if err != nil {
		return Month{}, ErrMonth
	}
	if a.Subscription.Plan == "" {
		return Month{}, ErrNone // no plan has begun
	}
	plan, ok := plans.Plan(a.Subscription.Plan)
	if !ok {
		plan.Title = a.Subscription.Plan // it is over, and in no catalogue any more
	}
	start, end := account.Period(account.Plan{}, zone, time.Time{}, middle)
	var r Month
	r.Use = notify.Use{Plan: plan.Title, Start: start, End: end, Allowance: notify.Volume{Emails: plan.Emails, Bytes: plan.Bytes}}
	if err := days(ctx, st, a, &r.MonthReport); err != nil {
		return Month{}, err
	}
	for _, d := range r.Days {
		r.Use.Used.Emails += d.Sent.Emails
		r.Use.Used.Bytes += d.Sent.Bytes
	}
	r.Use.Percent = percent(plan, r.Use.Used)
	if err := r.closed(ctx, st, plans, a.ID); err != nil {
		return Month{}, err
	}
	if err := failures(ctx, st, a.ID, &r.MonthReport); err != nil {
		return Month{}, err
	}
	if len(r.Days) == 0 && r.Failed == 0 {
		return Month{}, ErrNone
	}
	return r, nil
}

// closed adds what the bills of the month say. Of two contracts in one month
// only the later one's surcharge is shown.
func (m *Month) closed(ctx context.Context, st *store.Store, plans account.Catalogue, accountID string) error {
	rows, err := st.Rows(ctx, st.Reader(), accountID)
	if err != nil {
		return err
	}
	all, err := st.ClosedPeriods(ctx, accountID)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(p store.ClosedPeriod) bool {
		return p.Bill.Start.Before(m.Use.Start) || p.Bill.End.After(m.Use.End)
	})
	if len(all) == 0 {
		return nil
	}
	for _, p := range all {
		if b := billOf(p.Bill); b != nil {
			m.Bill = b
		}
	}
	last := all[len(all)-1]
	if len(all) == 1 && last.Bill.Start.Equal(m.Use.Start) && last.Bill.End.Equal(m.Use.End) {
		measure(plans, &m.Use, last.Bill)
	}
	if _, goesOn := account.InForce(rows.Subscriptions, last.Bill.End); !goesOn || last.Bill.End.Equal(m.Use.End) {
		m.ClosedAt = last.Usage.ClosedAt
	}
	return nil
}

// Period gathers a closed period. It is ErrNone where nothing was sent in it
// and nothing failed.
func Period(ctx context.Context, st *store.Store, plans account.Catalogue, a store.Account, p store.ClosedPeriod) (notify.MonthReport, error) {
	r := notify.MonthReport{Use: notify.Use{Used: volume(p.Usage.Used), Start: p.Bill.Start, End: p.Bill.End}, Bill: billOf(p.Bill)}
	measure(plans, &r.Use, p.Bill)
	if err := days(ctx, st, a, &r); err != nil {
		return notify.MonthReport{}, err
	}
	if err := failures(ctx, st, a.ID, &r); err != nil {
		return notify.MonthReport{}, err
	}
	if p.Usage.Used == (account.Charge{}) && r.Failed == 0 {
		return notify.MonthReport{}, ErrNone
	}
	return r, nil
}

// Use is what was used of a plan in a period, closed or not, with the number
// of addresses that failed in it so far.
func Use(ctx context.Context, st *store.Store, accountID string, plan account.Plan, u account.Usage) (notify.Use, error) {
	r := notify.MonthReport{Use: notify.Use{Plan: plan.Title, Used: volume(u.Used), Start: u.Start, End: u.End,
		Allowance: notify.Volume{Emails: plan.Emails, Bytes: plan.Bytes}}}
	r.Use.Percent = percent(plan, r.Use.Used)
	err := failures(ctx, st, accountID, &r)
	return r.Use, err
}

// measure tells of a closed period how much of the allowance was used.
func measure(plans account.Catalogue, u *notify.Use, b account.Bill) {
	u.Plan = b.Plan // one that is in no catalogue any more
	if p, ok := plans.Plan(b.Plan); ok {
		u.Plan = p.Title
	}
	u.Allowance = notify.Volume{Emails: b.Allowance}
	if b.Unit == account.Bytes {
		u.Allowance = notify.Volume{Emails: b.Allowance / int64(account.EmailSize), Bytes: units.ByteSize(b.Allowance)}
	}
	u.Percent = int64(account.Percent(b.Use, b.Allowance))
}

// billOf is what is to be paid, or nil.
func billOf(b account.Bill) *notify.Bill {
	if b.Tier == 0 {
		return nil
	}
	out := notify.Bill{Tier: units.ByteSize(b.Tier).String(), Amount: money.Amount{Minor: b.Price, Currency: b.Currency}, Reference: b.OrderID}
	if b.Unit == account.Bytes {
		out.Credited.Bytes = units.ByteSize(b.Granted)
	} else {
		out.Credited.Emails = b.Granted
	}
	return &out
}

func volume(c account.Charge) notify.Volume { return notify.Volume{Emails: c.Emails, Bytes: c.Bytes} }

// percent of the allowance, rounded down: 100 is all of it.
func percent(p account.Plan, used notify.Volume) int64 {
	return int64(account.Percent(p.Use(account.Charge{Emails: used.Emails, Bytes: used.Bytes}), p.Allowance()))
}

// days adds the use by day. The day on which one contract follows another is
// in both periods' lists.
func days(ctx context.Context, st *store.Store, a store.Account, r *notify.MonthReport) error {
	zone := account.Location(a.Zone)
	last := account.Day(zone, r.Use.End.Add(-1)) + "~" // days are text, and this is after it
	all, err := st.UsageDays(ctx, a.ID, account.Day(zone, r.Use.Start), last)
	for _, d := range all {
		r.Days = append(r.Days, notify.Day{Day: d.Day, Sent: volume(d.Used)})
	}
	return err
}

// failures adds the addresses that failed for good, each once, with its last
// reply.
func failures(ctx context.Context, st *store.Store, accountID string, r *notify.MonthReport) error {
	type found struct {
		kind  notify.Kind
		place int // in r.Addresses, or -1
	}
	all := make(map[string]*found)
	err := st.EachFailure(ctx, accountID, r.Use.Start, r.Use.End, func(e store.Event) bool {
		name, kind := wire.LowerDomain(e.Recipient), notify.KindOf(e.Code, e.Enhanced)
		f := all[name]
		if f == nil {
			f = &found{place: -1}
			all[name] = f
			if len(r.Addresses) < MaxAddresses {
				f.place = len(r.Addresses)
				r.Addresses = append(r.Addresses, notify.FailedAddress{Address: e.Recipient})
			}
		}
		f.kind = kind
		if f.place >= 0 {
			at := &r.Addresses[f.place]
			at.Kind, at.Reply, at.At = kind, reply(e), e.At
			at.Times++
		}
		return true
	})
	if err != nil {
		return err
	}
	counts := make(map[notify.Kind]int64)
	for _, f := range all {
		counts[f.kind]++
	}
	for _, k := range notify.Kinds() {
		if counts[k] > 0 {
			r.Kinds = append(r.Kinds, notify.KindCount{Kind: k, Count: counts[k]})
		}
	}
	r.Failed = int64(len(all))
	r.Use.Errors = r.Failed
	return nil
}

// reply is the far server's, with its codes.
func reply(e store.Event) string {
	parts := []string{e.Enhanced, e.Reply}
	if e.Code != 0 {
		parts = append([]string{strconv.Itoa(e.Code)}, parts...)
	}
	return strings.Join(strings.Fields(strings.Join(parts, " ")), " ")
}
