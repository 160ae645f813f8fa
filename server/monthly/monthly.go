// Package monthly reads the figures of an account's month from the store, for
// its report.
//
// A month is a calendar month in the account's zone, whatever the plan. The
// same month gives the same figures whenever it is read after its end, as long
// as the errors are kept. It decides nothing, writes nothing and starts no
// goroutine.
package monthly

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

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

// Read gathers the month, written as "2026-11". The bill is the caller's to
// add.
func Read(ctx context.Context, st *store.Store, plans account.Catalogue, a store.Account, month string) (notify.MonthReport, error) {
	zone := account.Location(a.Zone)
	middle, err := time.ParseInLocation("2006-01-02", month+"-15", zone)
	if err != nil {
		return notify.MonthReport{}, ErrMonth
	}
	plan, ok := plans.Plan(a.Subscription.Plan)
	if !ok {
		return notify.MonthReport{}, fmt.Errorf("plan %q of account %s is not in the catalogue", a.Subscription.Plan, a.ID)
	}
	start, end := account.Period(account.Plan{}, zone, time.Time{}, middle)
	r := notify.MonthReport{Month: middle, Use: notify.Use{Plan: plan.Title, Start: start, End: end,
		Allowance: notify.Volume{Emails: plan.Emails, Bytes: plan.Bytes}}}
	days, err := st.UsageDays(ctx, a.ID, month+"-01", month+"-99") // days are text: no month has a 99th
	if err != nil {
		return notify.MonthReport{}, err
	}
	for _, d := range days {
		v := notify.Volume{Emails: d.Used.Emails, Bytes: d.Used.Bytes}
		r.Days = append(r.Days, notify.Day{Day: d.Day, Sent: v})
		r.Use.Used.Emails += v.Emails
		r.Use.Used.Bytes += v.Bytes
	}
	r.Use.Percent = percent(plan, r.Use.Used)
	if err := failures(ctx, st, a.ID, &r); err != nil {
		return notify.MonthReport{}, err
	}
	if len(r.Days) == 0 && r.Failed == 0 {
		return notify.MonthReport{}, ErrNone
	}
	return r, nil
}

// percent of the allowance, rounded down: 100 is all of it.
func percent(p account.Plan, used notify.Volume) int64 {
	switch {
	case p.Kind == account.Bandwidth && p.Bytes > 0:
		return int64(max(used.Bytes, units.ByteSize(used.Emails)*account.EmailSize) * 100 / p.Bytes)
	case p.Emails > 0:
		return used.Emails * 100 / p.Emails
	}
	return 0
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
