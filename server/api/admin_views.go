package api

import (
	"net/http"

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
}

// UsageView is an account's usage as commands print it.
type UsageView struct {
	Account string `json:"account"`
	Usage
}

// ErrorsView is an account's errors as commands print them.
type ErrorsView struct {
	Errors []Failure `json:"errors"`
}

func (a *Admin) listPlans(*http.Request) (any, error) {
	var all []PlanView
	for _, p := range a.Plans.Plans() {
		all = append(all, PlanView{Name: p.Name, Title: p.Title, Kind: string(p.Kind), Bytes: int64(p.Bytes), Emails: p.Emails, Monthly: p.Monthly})
	}
	return all, nil
}

func (a *Admin) showUsage(r *http.Request) (any, error) { return a.usage(r, Days{}) }

// showUsageIn is showUsage of the days asked for.
func (a *Admin) showUsageIn(r *http.Request) (any, error) {
	q := r.URL.Query()
	return a.usage(r, Days{From: q.Get("from"), To: q.Get("to")})
}

func (a *Admin) usage(r *http.Request, days Days) (any, error) {
	acc, err := a.customer(r)
	if err != nil {
		return nil, err
	}
	st, err := a.billing.Standing(r.Context(), acc.ID)
	if err != nil {
		return nil, err
	}
	if days != (Days{}) {
		if err := days.narrow(&st); err != nil {
			return nil, err
		}
	}
	u, err := usageOf(r.Context(), a.Store, st)
	return UsageView{Account: acc.Name, Usage: u}, err
}

func (a *Admin) listErrors(r *http.Request) (any, error) {
	acc, err := a.named(r)
	if err != nil {
		return nil, err
	}
	const atOnce = 1000
	var all []store.Event
	for after := int64(0); ; {
		rows, err := a.Store.Failures(r.Context(), acc.ID, after, atOnce)
		if err != nil {
			return nil, err
		}
		all = append(all, rows...)
		if len(rows) < atOnce {
			return ErrorsView{Errors: viewFailures(all)}, nil
		}
		after = rows[len(rows)-1].ID
	}
}
