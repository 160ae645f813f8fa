package account

import "time"

// AtLimit is what happens when a plan's limit is reached.
type AtLimit string

// What can happen at the limit, as it is printed.
const (
	LimitSurcharge AtLimit = "surcharge" // up to the largest tier, and a tier is billed
	LimitStop      AtLimit = "stop"      // until the next period
	LimitBlock     AtLimit = "block"     // the same, asked for in advance
	LimitChain     AtLimit = "chain"     // until the next period, unless a monthly plan is chained
	LimitCutOff    AtLimit = "cut_off"   // a monthly plan is used up
	LimitNone      AtLimit = "no_plan"   // there is no plan, so no limit
)

// AtLimit is what happens at the plan's limit under a policy.
func (p Plan) AtLimit(policy Policy) AtLimit {
	switch {
	case p.Name == "":
		return LimitNone
	case p.Kind == Unlimited:
		return LimitChain // a monthly unlimited plan may be chained to as well
	case p.Monthly:
		return LimitCutOff
	case policy == Block:
		return LimitBlock
	case policy == Stop || !p.Overusable():
		return LimitStop
	}
	return LimitSurcharge
}

// MayChoose refuses a policy that could have no effect on what the account has
// or has bought: surcharges need a yearly bandwidth plan with tiers. A policy
// that was chosen counts at once, see Limit.
func (r Rows) MayChoose(c Catalogue, policy Policy, now time.Time) error {
	switch policy {
	case Stop, Block:
		return nil
	case Surcharge:
	default:
		return refuse("policy", WrongPolicy, "%q is no policy: choose surcharge, stop or block", string(policy))
	}
	name := ""
	for _, s := range r.Subscriptions {
		empty := !s.End.IsZero() && !s.End.After(s.Start)
		if empty || !s.before(now) {
			continue
		}
		p, ok := c.Plan(s.Plan)
		if ok && p.Overusable() {
			return nil
		}
		name = s.Plan
	}
	if name == "" {
		return nil // of no effect yet, and it may be renewed with any plan
	}
	return refuse("policy", WrongPolicy, "the plan %q may not be overused for a surcharge: only yearly bandwidth plans with tiers may", name)
}
