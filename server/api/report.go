package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/monthly"
	"servicesmtp.net/companion/server/notify"
	"servicesmtp.net/companion/server/store"
)

// MonthReport is what an account sent in one month.
type MonthReport struct {
	Month       string      `json:"month" doc:"YYYY-MM in the account's zone"`
	Plan        string      `json:"plan" doc:"Title of the plan"`
	From        time.Time   `json:"from"`
	To          time.Time   `json:"to" doc:"Not included"`
	Emails      int64       `json:"emails"`
	Bytes       int64       `json:"bytes"`
	Average     int64       `json:"average_bytes" doc:"Size of an e-mail"`
	Percent     int64       `json:"percent" doc:"Of the plan's allowance; once the month is closed, of the plan that it is billed by"`
	EmailsLimit int64       `json:"emails_limit" doc:"0: none"`
	BytesLimit  int64       `json:"bytes_limit" doc:"0: none"`
	Days        []UsageDay  `json:"days" nullable:"false" doc:"Days on which anything was sent, oldest first"`
	Failed      int64       `json:"failed_addresses" doc:"Addresses in error, each once"`
	Kinds       []KindCount `json:"errors_by_kind" nullable:"false"`
	ClosedAt    *time.Time  `json:"closed_at,omitempty" doc:"When the month was closed; missing: it is not, or belongs to periods that reach into other months"`
	Bill        *Bill       `json:"bill,omitempty" doc:"Missing: nothing is to be paid, or the month is not closed"`
}

// KindCount is how many addresses failed in one way.
type KindCount struct {
	Kind  string `json:"kind" doc:"no-address, no-domain, disabled, full, too-large, unwanted, unreachable, other; more may come"`
	Count int64  `json:"addresses"`
}

// Bill is what a month costs beside the plan.
type Bill struct {
	Tier           string `json:"tier" doc:"Surcharge that covers the month"`
	AmountMinor    int64  `json:"amount_minor" doc:"In the currency's smallest unit"`
	Currency       string `json:"currency" doc:"ISO 4217"`
	Reference      string `json:"reference" doc:"Of the payment request"`
	CreditedBytes  int64  `json:"credited_bytes"`
	CreditedEmails int64  `json:"credited_emails"`
}

type reportIn struct {
	Month string `path:"month" pattern:"^[0-9]{4}-(0[1-9]|1[0-2])$" doc:"YYYY-MM"`
}

func (s *Server) report(ctx context.Context, in *reportIn) (*out[MonthReport], error) {
	r, err := monthly.Read(ctx, s.Store, s.Plans, from(ctx).account, in.Month)
	if errors.Is(err, monthly.ErrNone) {
		return nil, huma.Error404NotFound("Nothing was sent in that month.")
	}
	if err != nil {
		return nil, err
	}
	return &out[MonthReport]{Body: viewMonth(in.Month, r)}, nil
}

func viewMonth(month string, r monthly.Month) MonthReport {
	v := MonthReport{Month: month, Plan: r.Use.Plan, From: r.Use.Start, To: r.Use.End, Emails: r.Use.Used.Emails, Bytes: int64(r.Use.Used.Bytes),
		Average: int64(r.Use.Used.Average()), Percent: r.Use.Percent, EmailsLimit: r.Use.Allowance.Emails, BytesLimit: int64(r.Use.Allowance.Bytes),
		Days: make([]UsageDay, 0, len(r.Days)), Failed: r.Failed, Kinds: make([]KindCount, 0, len(r.Kinds))}
	for _, d := range r.Days {
		v.Days = append(v.Days, UsageDay{Day: d.Day, Emails: d.Sent.Emails, Bytes: int64(d.Sent.Bytes)})
	}
	for _, k := range r.Kinds {
		v.Kinds = append(v.Kinds, KindCount{Kind: string(k.Kind), Count: k.Count})
	}
	if !r.ClosedAt.IsZero() {
		v.ClosedAt = &r.ClosedAt
	}
	if b := r.Bill; b != nil {
		v.Bill = &Bill{Tier: b.Tier, AmountMinor: b.Amount.Minor, Currency: b.Amount.Currency, Reference: b.Reference,
			CreditedBytes: int64(b.Credited.Bytes), CreditedEmails: b.Credited.Emails}
	}
	return v
}

// ReportView is a month's report as commands print it.
type ReportView struct {
	Report MonthReport `json:"report"`
	Text   string      `json:"text"` // as in the mail
}

func (a *Admin) showReport(r *http.Request) (any, error) {
	acc, err := a.customer(r)
	if err != nil {
		return nil, err
	}
	month := r.PathValue("month")
	report, text, err := readReport(r.Context(), a.Store, a.Plans, acc, month)
	switch {
	case errors.Is(err, monthly.ErrNone):
		return nil, refuse(http.StatusNotFound, "%q sent nothing in %s", acc.Name, month)
	case errors.Is(err, monthly.ErrMonth):
		return nil, refuse(http.StatusUnprocessableEntity, "%q is %v", month, err)
	case err != nil:
		return nil, err
	}
	return ReportView{Report: viewMonth(month, report), Text: text}, nil
}

func readReport(ctx context.Context, st *store.Store, plans account.Catalogue, acc store.Account, month string) (monthly.Month, string, error) {
	r, err := monthly.Read(ctx, st, plans, acc, month)
	if err != nil {
		return r, "", err
	}
	paper := r.MonthReport
	paper.Addresses = nil // nothing is attached here
	w, err := notify.Write(paper, notify.Letter{Account: acc.Name, Zone: account.Location(acc.Zone)})
	text, _, _ := strings.Cut(w.Text, "\n-- \n") // what follows is about the mail
	return r, text, err
}
