package billing

import (
	"context"
	"errors"
	"time"

	"servicesmtp.net/companion/server/account"
)

// Standing is how an account stands at one moment: what Terms say, and what
// was used of it. While no plan is in force, Terms are those of the last
// period that there was, without a limit to use; or nothing where no plan has
// begun.
type Standing struct {
	account.Terms
	Status account.Status
	Used   account.Charge
	Rows   account.Rows // periods that are over are closed in them
}

// Standing tells how an account stands now. It writes nothing: periods that
// are over and not closed yet are reckoned with as they will be closed.
func (b *Billing) Standing(ctx context.Context, accountID string) (Standing, error) {
	r, err := b.rows(ctx, accountID)
	if err != nil {
		return Standing{}, err
	}
	return b.standing(r, b.now())
}

func (b *Billing) standing(r account.Rows, now time.Time) (Standing, error) {
	done, err := r.CloseEnded(b.Plans, newID, now)
	if err != nil {
		return Standing{}, err
	}
	r = r.Apply(done)
	st := Standing{Rows: r, Status: account.StatusAt(r.Subscriptions, now)}
	var no *account.Error
	switch st.Terms, err = r.Terms(b.Plans, now); {
	case errors.As(err, &no) && no.Reason == account.NoPlan:
		b.past(&st, now)
	case err != nil:
		return Standing{}, err
	}
	for _, u := range r.Periods {
		if u.Start.Equal(st.Start) {
			st.Used = u.Used
		}
	}
	return st, nil
}

// past fills in the last period of a plan that is over.
func (b *Billing) past(st *Standing, now time.Time) {
	for _, s := range st.Rows.Subscriptions {
		if !s.Start.After(now) && s.End.After(s.Start) && !s.Start.Before(st.Subscription.Start) {
			st.Subscription = s
		}
	}
	if s := st.Subscription; s.ID != "" {
		st.Plan, _ = b.Plans.Plan(s.Plan)
		st.Start, st.End = st.Rows.Period(st.Plan, s, s.End.Add(-time.Microsecond))
	}
}
