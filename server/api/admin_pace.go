package api

import (
	"net/http"

	"servicesmtp.net/companion/server/accept"
	"servicesmtp.net/companion/server/pace"
	"servicesmtp.net/companion/server/store"
)

// PaceView is an account's pace as commands print it.
type PaceView struct {
	Account   string `json:"account"`
	PerMinute int64  `json:"recipients_per_minute"` // in force; 0: no rate
	Own       bool   `json:"own"`                   // set for this account alone

	Source accept.RateSource `json:"source"` // who set it: account, plan, relay; none
}

// PaceChange asks for another pace.
type PaceChange struct {
	PerMinute *int64 `json:"recipients_per_minute"` // 0: no rate; null: as others have
}

func (a *Admin) showPace(r *http.Request) (any, error) {
	acc, err := a.named(r)
	if err != nil {
		return nil, err
	}
	return a.pace(r, acc)
}

func (a *Admin) pace(r *http.Request, acc store.Account) (PaceView, error) {
	own, err := a.Store.PerMinute(r.Context(), acc.ID)
	if err != nil {
		return PaceView{}, err
	}
	plan, _ := a.Plans.Plan(acc.Subscription.Plan)
	rate, source := accept.RateOf(plan, own, a.PerMinute)
	return PaceView{Account: acc.Name, PerMinute: rate, Own: own != nil, Source: source}, nil
}

func (a *Admin) setPace(r *http.Request) (any, error) {
	var in PaceChange
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	acc, err := a.named(r)
	if err != nil {
		return nil, err
	}
	if n := in.PerMinute; n != nil && (*n < 0 || *n > pace.MaxRate) {
		return nil, refuse(http.StatusUnprocessableEntity, "%d recipients a minute cannot be: write 1 to %d, or 0 for no limit", *n, pace.MaxRate)
	}
	if err := a.Store.SetPerMinute(r.Context(), acc.ID, in.PerMinute); err != nil {
		return nil, err
	}
	v, err := a.pace(r, acc)
	if err == nil {
		a.Log.Info("account's pace changed", "account", acc.ID, "recipients_per_minute", v.PerMinute, "own", v.Own)
	}
	return v, err
}
