package account

import (
	"math"
	"time"

	"servicesmtp.net/companion/internal/units"
)

// NoLimit in one half of a Charge that Limit returns says that this half is
// not limited.
const NoLimit = math.MaxInt64

// Limit is the most that a period may use: the allowance and what is left of
// credits, in the plan's unit; under the policy surcharge a yearly bandwidth
// plan goes up to its largest tier instead of its allowance. A bandwidth
// plan's number limits bytes and e-mails, see Use.
func (p Plan) Limit(policy Policy, credit int64) Charge {
	most := p.Allowance()
	if policy != Stop && policy != Block && p.Overusable() {
		most = max(most, int64(p.Tiers[len(p.Tiers)-1].Bytes))
	}
	most = add(most, max(0, credit))
	if p.Kind == Bandwidth {
		return Charge{Emails: most / int64(EmailSize), Bytes: units.ByteSize(most)}
	}
	return Charge{Emails: most, Bytes: NoLimit}
}

// Overusable says that the plan may be overused for a surcharge.
func (p Plan) Overusable() bool { return p.Kind == Bandwidth && !p.Monthly && len(p.Tiers) > 0 }

// Fits says that so much more stays within the limit. It compares by
// subtraction: used may be above the limit after a change of plan or policy,
// and a sum could overflow.
func (limit Charge) Fits(used, more Charge) bool {
	return more.Emails <= limit.Emails-used.Emails && more.Bytes <= limit.Bytes-used.Bytes
}

// Terms is what holds for an account at one moment.
type Terms struct {
	Subscription Subscription
	Plan         Plan
	Start, End   time.Time // of the period
	Credit       int64     // left, in the plan's unit
	Limit        Charge
	Reset        time.Time // when counters start again; zero: no plan follows
}

// Terms works out what holds at now. Earlier periods must be closed before
// (CloseEnded), or credits would count twice; the function refuses then.
func (r Rows) Terms(c Catalogue, now time.Time) (Terms, error) {
	s, ok := InForce(r.Subscriptions, now)
	if !ok {
		return Terms{}, refuse("terms", NoPlan, "no plan is in force")
	}
	plan, ok := c.Plan(s.Plan)
	if !ok {
		return Terms{}, refuse("terms", UnknownPlan, "plan %q is not in the catalogue", s.Plan)
	}
	t := Terms{Subscription: s, Plan: plan}
	t.Start, t.End = r.Period(plan, s, now)
	if r.openBefore(t.Start) {
		return Terms{}, refuse("terms", Earlier, "an earlier period is not closed")
	}
	t.Credit = sum(creditsOf(r.Credits, s.Contract, plan.Unit(), now.Add(1)))
	t.Limit = plan.Limit(r.Policy, t.Credit)
	if _, ok := InForce(r.Subscriptions, t.End); ok {
		t.Reset = t.End
	}
	return t, nil
}

// Decide tells whether a message fits, all of it or nothing.
func (t Terms) Decide(used, more Charge) bool { return t.Limit.Fits(used, more) }

// openBefore says that a period before start is not closed.
func (r Rows) openBefore(start time.Time) bool {
	for _, u := range r.Periods {
		if u.ClosedAt.IsZero() && u.Start.Before(start) {
			return true
		}
	}
	return false
}
