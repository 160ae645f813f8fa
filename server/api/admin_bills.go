package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/store"
)

// BillView is a closed period as commands print it.
type BillView struct {
	PeriodBill
	Account  string `json:"account"`
	Customer string `json:"customer,omitempty"`
	Zone     string `json:"zone"` // of the account
}

// Closing asks for periods to be closed.
type Closing struct {
	Account string `json:"account"` // "": all
	Before  string `json:"before"`  // day in the account's zone; "": now
}

// Closed is what came of it.
type Closed struct {
	Bills  []BillView    `json:"closed"`
	Failed []FailedClose `json:"failed,omitempty"`
}

// FailedClose is an account whose periods could not be closed.
type FailedClose struct {
	Account string `json:"account"`
	Error   string `json:"error"`
}

// billView joins a bill with the state of its payment request.
func (a *Admin) billView(ctx context.Context, b account.Bill, acc store.Account) (BillView, error) {
	v := BillView{Account: acc.Name, Customer: acc.Customer, Zone: acc.Zone}
	var state account.OrderState
	if b.OrderID != "" {
		o, _, err := a.Store.Order(ctx, b.OrderID)
		if err != nil {
			return v, err
		}
		state = o.State
	}
	v.PeriodBill = viewBill(b, state)
	return v, nil
}

func (a *Admin) listBills(r *http.Request) (any, error) {
	c, err := a.choice(r)
	if err != nil {
		return nil, err
	}
	month := r.URL.Query().Get("month")
	if _, err := time.Parse(monthForm, month); month != "" && err != nil {
		return nil, refuse(http.StatusUnprocessableEntity, "%q is not a month: write YYYY-MM", month)
	}
	rows, err := a.Store.ListBills(r.Context(), c)
	if err != nil {
		return nil, err
	}
	all := make([]BillView, 0, len(rows))
	for _, b := range rows {
		if month != "" && !begins(b.One, b.Zone, month) {
			continue
		}
		all = append(all, BillView{PeriodBill: viewBill(b.One, b.Request), Account: b.Account, Customer: b.Customer, Zone: b.Zone})
	}
	return all, nil
}

// monthForm is how months are written.
const monthForm = "2006-01"

// begins says that a bill's period begins in a month or on a day of the zone,
// or at an instant, as people write them.
func begins(b account.Bill, zone, when string) bool {
	at := b.Start.In(account.Location(zone))
	if t, err := time.Parse(time.RFC3339, when); err == nil {
		return at.Truncate(time.Second).Equal(t)
	}
	return at.Format(monthForm) == when || at.Format(time.DateOnly) == when
}

// bill finds the one in a request's path.
func (a *Admin) bill(r *http.Request) (account.Bill, store.Account, error) {
	acc, err := a.customer(r)
	if err != nil {
		return account.Bill{}, acc, err
	}
	bills, err := a.Store.Bills(r.Context(), acc.ID)
	if err != nil {
		return account.Bill{}, acc, err
	}
	when := r.PathValue("period")
	var found []account.Bill
	var starts []string
	for _, b := range bills {
		if begins(b, acc.Zone, when) {
			found = append(found, b)
			starts = append(starts, b.Start.In(account.Location(acc.Zone)).Format(time.RFC3339))
		}
	}
	switch len(found) {
	case 1:
		return found[0], acc, nil
	case 0:
		return account.Bill{}, acc, refuse(http.StatusNotFound, "%q has no bill of %s: relayd bill list --account %s shows them, and relayd period close makes those of periods that are over", acc.Name, when, acc.Name)
	}
	return account.Bill{}, acc, refuse(http.StatusConflict, "%q has several bills of %s: name one by its beginning, %s", acc.Name, when, strings.Join(starts, " or "))
}

func (a *Admin) showBill(r *http.Request) (any, error) {
	b, acc, err := a.bill(r)
	if err != nil {
		return nil, err
	}
	return a.billView(r.Context(), b, acc)
}

// payBill enters money for a bill's payment request.
func (a *Admin) payBill(r *http.Request) (any, error) {
	var in NewPayment
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	b, acc, err := a.bill(r)
	if err != nil {
		return nil, err
	}
	if b.OrderID == "" {
		return nil, refuse(http.StatusConflict, "nothing is to be paid of this bill of %q", acc.Name)
	}
	return a.pay(r.Context(), b.OrderID, in)
}

// closePeriods closes what is over. It goes on after an account that fails.
func (a *Admin) closePeriods(r *http.Request) (any, error) {
	var in Closing
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	var all []store.Account
	var err error
	if in.Account == "" {
		all, err = a.Store.Accounts(r.Context(), "")
	} else {
		var acc store.Account
		acc, err = a.customerByName(r.Context(), in.Account)
		all = []store.Account{acc}
	}
	if err != nil {
		return nil, err
	}
	done := Closed{Bills: []BillView{}}
	for _, acc := range all {
		bills, err := a.closeAccount(r.Context(), acc, in.Before)
		var no *refusal
		switch {
		case errors.As(err, &no), r.Context().Err() != nil:
			return nil, err
		case err != nil:
			a.Log.Error("periods not closed", "account", acc.ID, "error", err)
			done.Failed = append(done.Failed, FailedClose{Account: acc.Name, Error: err.Error()})
		}
		done.Bills = append(done.Bills, bills...)
	}
	return done, nil
}

func (a *Admin) closeAccount(ctx context.Context, acc store.Account, before string) ([]BillView, error) {
	at := time.Now()
	if before != "" {
		day, err := dayOf(before, acc.Zone)
		if err != nil {
			return nil, err
		}
		if day.After(at) {
			return nil, refuse(http.StatusUnprocessableEntity, "%s has not come: a period is closed when it is over", before)
		}
		at = day
	}
	bills, err := a.billing.Close(ctx, acc.ID, at)
	if err != nil {
		return nil, err
	}
	var views []BillView
	for _, b := range bills {
		v, err := a.billView(ctx, b, acc)
		if err != nil {
			return views, err
		}
		views = append(views, v)
	}
	return views, nil
}
