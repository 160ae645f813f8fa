package api

import (
	"errors"
	"net/http"
	"time"

	"servicesmtp.net/companion/server/monthly"
	"servicesmtp.net/companion/server/steward"
)

// RunReports asks for a pass over the accounts now.
type RunReports struct {
	Account string `json:"account,omitempty"` // name; "": all
	Month   string `json:"month,omitempty"`   // YYYY-MM: only reports of periods that began in it
	Again   bool   `json:"again,omitempty"`   // also one that was sent
	DryRun  bool   `json:"dry_run,omitempty"` // write nothing
}

// ReportsRun is what a pass did, or would do.
type ReportsRun struct {
	DryRun   bool           `json:"dry_run"`
	Accounts int            `json:"accounts"` // that were looked at
	Failed   int            `json:"failed"`   // of them; the log says why
	Closed   []ClosedPeriod `json:"closed"`
	Told     []ToldNotice   `json:"told"`
}

// ClosedPeriod is a period that was closed. Numbers are in the unit.
type ClosedPeriod struct {
	Account     string    `json:"account"`
	From        time.Time `json:"from"`
	To          time.Time `json:"to"`
	Plan        string    `json:"plan"`
	Unit        string    `json:"unit"`
	Used        int64     `json:"used"`
	Allowance   int64     `json:"allowance"`
	Tier        int64     `json:"tier"` // 0: nothing is to be paid
	AmountMinor int64     `json:"amount_minor"`
	Currency    string    `json:"currency"`
	Credited    int64     `json:"credited"`
}

// ToldNotice is something that somebody was told.
type ToldNotice struct {
	Account string    `json:"account"`
	Kind    string    `json:"kind"`
	Subject string    `json:"subject"`
	Start   time.Time `json:"start"` // of the period, or of what it is about
	Step    int       `json:"step"`
}

// runReports makes a pass.
func (a *Admin) runReports(r *http.Request) (any, error) {
	var in RunReports
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	q := steward.Request{Month: in.Month, Again: in.Again, DryRun: in.DryRun}
	if in.Account != "" {
		r.SetPathValue("name", in.Account)
		acc, err := a.customer(r)
		if err != nil {
			return nil, err
		}
		q.AccountID = acc.ID
	}
	res, err := a.Steward.Pass(r.Context(), q)
	switch {
	case errors.Is(err, steward.ErrBusy):
		return nil, refuse(http.StatusConflict, "the accounts are looked after at this moment: try again in a minute")
	case errors.Is(err, monthly.ErrMonth):
		return nil, refuse(http.StatusUnprocessableEntity, "%q is %v", in.Month, err)
	case errors.Is(err, steward.ErrAgain):
		return nil, refuse(http.StatusUnprocessableEntity, "%v: name both", err)
	case err != nil:
		return nil, err
	}
	return viewRun(in.DryRun, res), nil
}

func viewRun(dry bool, res steward.Result) ReportsRun {
	out := ReportsRun{DryRun: dry, Accounts: res.Accounts, Failed: res.Failed, Closed: make([]ClosedPeriod, 0, len(res.Closed)), Told: make([]ToldNotice, 0, len(res.Told))}
	for _, c := range res.Closed {
		b := c.Bill
		out.Closed = append(out.Closed, ClosedPeriod{Account: c.Account, From: b.Start, To: b.End, Plan: b.Plan, Unit: string(b.Unit), Used: b.Use,
			Allowance: b.Allowance, Tier: b.Tier, AmountMinor: b.Price, Currency: b.Currency, Credited: b.Granted})
	}
	for _, t := range res.Told {
		out.Told = append(out.Told, ToldNotice{Account: t.Account, Kind: t.Kind, Subject: t.Subject, Start: t.Start, Step: t.Step})
	}
	return out
}
