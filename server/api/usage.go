package api

import (
	"context"
	"net/http"
	"time"

	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/billing"
	"servicesmtp.net/companion/server/store"
)

func (s *Server) quota(ctx context.Context, _ *noInput) (*out[Quota], error) {
	return s.quotaOf(ctx, from(ctx).account.ID)
}

func (s *Server) quotaOf(ctx context.Context, accountID string) (*out[Quota], error) {
	st, err := s.billing.Standing(ctx, accountID)
	if err != nil {
		return nil, err
	}
	p := st.Plan
	q := Quota{Plan: p.Name, EmailsUsed: st.Used.Emails, EmailsLimit: p.Emails, BytesUsed: int64(st.Used.Bytes), BytesLimit: int64(p.Bytes),
		Start: st.Start, End: st.End, Reset: st.End}
	given := p.Limit(account.Stop, st.Credit)
	q.EmailsLeft, q.BytesLeft = left(p.Emails, given.Emails, q.EmailsUsed), left(q.BytesLimit, int64(given.Bytes), q.BytesUsed)
	q.Limits = limitsOf(st)
	return &out[Quota]{Body: q}, nil
}

// left is what remains of the plan and its credits, or nil where the plan has
// no such limit.
func left(plan, given, used int64) *int64 {
	if plan == 0 {
		return nil
	}
	n := max(0, given-used)
	return &n
}

// longestUsage is the most days in one answer: a year and a bit.
const longestUsage = 400

func (s *Server) usage(ctx context.Context, in *Days) (*out[Usage], error) {
	return s.usageIn(ctx, from(ctx).account.ID, *in)
}

func (s *Server) usageIn(ctx context.Context, accountID string, in Days) (*out[Usage], error) {
	st, err := s.billing.Standing(ctx, accountID)
	if err != nil {
		return nil, err
	}
	if err := in.narrow(&st); err != nil {
		return nil, err
	}
	u, err := usageOf(ctx, s.Store, st)
	if err != nil {
		return nil, err
	}
	return &out[Usage]{Body: u}, nil
}

// narrow makes the days the period of a standing, where they are given.
func (in Days) narrow(st *billing.Standing) (err error) {
	if st.Start.IsZero() { // no plan has begun: today stands for the present period
		year, month, day := time.Now().In(st.Rows.Zone).Date()
		st.Start = time.Date(year, month, day, 0, 0, 0, 0, st.Rows.Zone)
		st.End = st.Start.AddDate(0, 0, 1)
	}
	for _, bound := range []struct {
		day string
		at  *time.Time
	}{{in.From, &st.Start}, {in.To, &st.End}} {
		if bound.day == "" {
			continue
		}
		if *bound.at, err = time.ParseInLocation(time.DateOnly, bound.day, st.Rows.Zone); err != nil {
			return refuse(http.StatusUnprocessableEntity, "Write from and to as YYYY-MM-DD.")
		}
	}
	if span := st.End.Sub(st.Start); span <= 0 || span > longestUsage*24*time.Hour {
		return refuse(http.StatusUnprocessableEntity, "To must be later than from, by at most %d days.", longestUsage)
	}
	return nil
}

// usageOf reads what an account used on the days that the period touches.
func usageOf(ctx context.Context, st *store.Store, in billing.Standing) (Usage, error) {
	zone := in.Rows.Zone
	last := in.End.Add(-1).In(zone).AddDate(0, 0, 1)
	rows, err := st.UsageDays(ctx, in.Rows.AccountID, account.Day(zone, in.Start), account.Day(zone, last))
	if err != nil {
		return Usage{}, err
	}
	u := Usage{Plan: in.Plan.Name, From: in.Start.UTC(), To: in.End.UTC(), EmailsLimit: in.Plan.Emails, BytesLimit: int64(in.Plan.Bytes),
		Days: make([]UsageDay, 0, len(rows))}
	for _, d := range rows {
		u.Emails += d.Used.Emails
		u.Bytes += int64(d.Used.Bytes)
		u.Days = append(u.Days, UsageDay{Day: d.Day, Emails: d.Used.Emails, Bytes: int64(d.Used.Bytes)})
	}
	return u, nil
}
