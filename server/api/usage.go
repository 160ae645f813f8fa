package api

import (
	"context"
	"fmt"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/store"
)

// period is an account's plan and the span that its counters belong to.
type period struct {
	plan       account.Plan
	zone       *time.Location
	start, end time.Time
}

func periodOf(plans account.Catalogue, a store.Account, now time.Time) (period, error) {
	plan, ok := plans.Plan(a.Plan)
	if !ok {
		return period{}, fmt.Errorf("plan %q of account %s is not in the catalogue", a.Plan, a.ID)
	}
	p := period{plan: plan, zone: account.Location(a.Zone)}
	p.start, p.end = account.Period(plan, p.zone, a.ActivatedAt, now)
	return p, nil
}

func (s *Server) quota(ctx context.Context, _ *noInput) (*out[Quota], error) {
	a := from(ctx).account
	p, err := periodOf(s.Plans, a, time.Now())
	if err != nil {
		return nil, err
	}
	used, err := s.Store.Used(ctx, a.ID, p.start)
	if err != nil {
		return nil, err
	}
	q := Quota{Plan: a.Plan, EmailsUsed: used.Emails, EmailsLimit: p.plan.Emails, BytesUsed: int64(used.Bytes), BytesLimit: int64(p.plan.Bytes),
		Start: p.start, End: p.end, Reset: p.end}
	q.EmailsLeft, q.BytesLeft = left(q.EmailsLimit, q.EmailsUsed), left(q.BytesLimit, q.BytesUsed)
	return &out[Quota]{Body: q}, nil
}

// left is what remains, or nil where there is no limit.
func left(limit, used int64) *int64 {
	if limit == 0 {
		return nil
	}
	n := max(0, limit-used)
	return &n
}

// longestUsage is the most days in one answer: a year and a bit.
const longestUsage = 400

func (s *Server) usage(ctx context.Context, in *usageIn) (*out[Usage], error) {
	a := from(ctx).account
	p, err := periodOf(s.Plans, a, time.Now())
	if err != nil {
		return nil, err
	}
	for _, bound := range []struct {
		day string
		at  *time.Time
	}{{in.From, &p.start}, {in.To, &p.end}} {
		if bound.day == "" {
			continue
		}
		if *bound.at, err = time.ParseInLocation(time.DateOnly, bound.day, p.zone); err != nil {
			return nil, huma.Error422UnprocessableEntity("Write from and to as YYYY-MM-DD.")
		}
	}
	if span := p.end.Sub(p.start); span <= 0 || span > longestUsage*24*time.Hour {
		return nil, huma.Error422UnprocessableEntity(fmt.Sprintf("To must be later than from, by at most %d days.", longestUsage))
	}
	u, err := usageOf(ctx, s.Store, a, p)
	if err != nil {
		return nil, err
	}
	return &out[Usage]{Body: u}, nil
}

// usageOf reads what an account used on the days that the period touches.
func usageOf(ctx context.Context, st *store.Store, a store.Account, p period) (Usage, error) {
	last := p.end.Add(-1).In(p.zone).AddDate(0, 0, 1)
	rows, err := st.UsageDays(ctx, a.ID, account.Day(p.zone, p.start), account.Day(p.zone, last))
	if err != nil {
		return Usage{}, err
	}
	u := Usage{Plan: a.Plan, From: p.start.UTC(), To: p.end.UTC(), EmailsLimit: p.plan.Emails, BytesLimit: int64(p.plan.Bytes),
		Days: make([]UsageDay, 0, len(rows))}
	for _, d := range rows {
		u.Emails += d.Used.Emails
		u.Bytes += int64(d.Used.Bytes)
		u.Days = append(u.Days, UsageDay{Day: d.Day, Emails: d.Used.Emails, Bytes: int64(d.Used.Bytes)})
	}
	return u, nil
}
