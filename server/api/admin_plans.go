package api

import (
	"context"
	"errors"
	"net/http"

	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/billing"
	"servicesmtp.net/companion/server/store"
)

// PlanView is a plan as commands print it.
type PlanView struct {
	Name    string `json:"name"`
	Title   string `json:"title"`
	Kind    string `json:"kind"`
	Bytes   int64  `json:"bytes"`
	Emails  int64  `json:"emails"`
	Monthly bool   `json:"monthly"`

	PriceMinor  int64      `json:"price_minor"`
	Currency    string     `json:"currency"`
	Tiers       []TierView `json:"tiers"`
	DedicatedIP bool       `json:"dedicated_ip"`
}

// Price is the plan's, for people.
func (p PlanView) Price() string { return amount(p.PriceMinor, p.Currency) }

// TierView is a surcharge tier as commands print it: a total for the month.
type TierView struct {
	Bytes      int64 `json:"bytes"`
	PriceMinor int64 `json:"price_minor"`
}

func (a *Admin) listPlans(*http.Request) (any, error) {
	var all []PlanView
	for _, p := range a.Plans.Plans() {
		v := PlanView{Name: p.Name, Title: p.Title, Kind: string(p.Kind), Bytes: int64(p.Bytes), Emails: p.Emails, Monthly: p.Monthly,
			PriceMinor: p.Price, Currency: a.Plans.Currency, Tiers: []TierView{}, DedicatedIP: p.DedicatedIP}
		for _, t := range p.Tiers {
			v.Tiers = append(v.Tiers, TierView{Bytes: int64(t.Bytes), PriceMinor: t.Price})
		}
		all = append(all, v)
	}
	return all, nil
}

// PlanText is a catalogue to be checked.
type PlanText struct {
	Catalogue string `json:"catalogue"` // TOML
}

// PlanCheck is what a catalogue has, and what it lacks.
type PlanCheck struct {
	Plans   int           `json:"plans"`
	Checked bool          `json:"accounts_checked"` // false: there is no store yet
	Missing []MissingPlan `json:"missing"`
}

// MissingPlan is a plan that accounts need and a catalogue lacks.
type MissingPlan struct {
	Plan     string `json:"plan"`
	Accounts int64  `json:"accounts"`
	Sentence string `json:"sentence"`
}

func (a *Admin) checkPlans(r *http.Request) (any, error) {
	var in PlanText
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	plans, err := account.Parse([]byte(in.Catalogue))
	if err != nil {
		return nil, refuse(http.StatusUnprocessableEntity, "%v", err)
	}
	missing, err := (&billing.Billing{Store: a.Store, Plans: plans}).Missing(r.Context())
	if err != nil {
		return nil, err
	}
	v := PlanCheck{Plans: len(plans.Plans()), Checked: true, Missing: []MissingPlan{}}
	for _, m := range missing {
		v.Missing = append(v.Missing, MissingPlan{Plan: m.Plan, Accounts: m.Accounts, Sentence: billing.Lacks(m).Error()})
	}
	return v, nil
}

// PlanChange asks for another plan.
type PlanChange struct {
	Plan string `json:"plan"`
	Free bool   `json:"free"` // what it is worth may be given away
}

// PlanChanged is an account with what its plan took the place of.
type PlanChanged struct {
	AccountView
	Replaced   string `json:"replaced,omitempty"`
	WorthMinor int64  `json:"worth_minor"` // what the customer would have paid
	Currency   string `json:"currency"`
	Order      string `json:"order"` // under which it is written down
}

// Worth is what was given away, for people.
func (p PlanChanged) Worth() string { return amount(p.WorthMinor, p.Currency) }

// setPlan gives another plan. What would cost the customer money is given
// away only where the operator says so.
func (a *Admin) setPlan(r *http.Request) (any, error) {
	var in PlanChange
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	acc, err := a.customer(r)
	if err != nil {
		return nil, err
	}
	plan, ok := a.Plans.Plan(in.Plan)
	if !ok {
		return nil, a.noPlan(in.Plan)
	}
	worth, err := a.worth(r.Context(), acc, plan)
	if err != nil {
		return nil, err
	}
	if worth > 0 && !in.Free {
		return nil, refuse(http.StatusConflict, "the plan %q is worth %s to %q: order it with relayd order add, or give it away with --free",
			plan.Name, amount(worth, a.Plans.Currency), acc.Name)
	}
	o, err := a.billing.SetPlan(r.Context(), acc.ID, in.Plan)
	if err != nil {
		return nil, broken(err)
	}
	a.Log.Info("account's plan changed", "account", acc.ID, "plan", in.Plan)
	now, err := a.named(r)
	return PlanChanged{AccountView: viewAccount(now), Replaced: acc.Subscription.Plan, WorthMinor: worth, Currency: a.Plans.Currency, Order: o.ID}, err
}

// worth is what a plan would cost the account now: an upgrade its difference,
// a smaller plan of the same kind nothing, any other its price.
func (a *Admin) worth(ctx context.Context, acc store.Account, p account.Plan) (int64, error) {
	o, err := a.billing.Quote(ctx, acc.ID, account.Wish{Kind: account.OrderUpgrade, Plan: p.Name})
	var no *account.Error
	switch {
	case err == nil:
		return o.Price, nil
	case errors.As(err, &no) && no.Reason == account.NotLarger:
		return 0, nil
	case errors.As(err, &no):
		return p.Price, nil
	}
	return 0, err
}
