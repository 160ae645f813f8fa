package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"servicesmtp.net/companion/server/api"
)

type billGroup struct {
	List billList `cmd:"" help:"List bills."`
	Show billShow `cmd:"" help:"Show one bill."`
	Paid billPaid `cmd:"" help:"Enter money that came for a bill."`
}

type billList struct {
	Account  string `placeholder:"NAME" help:"Only of this account."`
	Customer string `placeholder:"C" help:"Only of this customer."`
	Month    string `placeholder:"YYYY-MM" help:"Only of periods that began in this month, in the account's zone."`
	Unpaid   bool   `help:"Only those that wait for their payment."`
}

// Run lists bills.
func (c *billList) Run(inv *invocation) error {
	var out []api.BillView
	unpaid := ""
	if c.Unpaid {
		unpaid = "true"
	}
	if err := inv.ask(http.MethodGet, "/bills"+query("account", c.Account, "customer", c.Customer, "month", c.Month, "unpaid", unpaid), nil, &out); err != nil {
		return err
	}
	return inv.list(out, billRows(out), "No bills.")
}

// billRows are a table of bills.
func billRows(all []api.BillView) [][]string {
	rows := [][]string{{"ACCOUNT", "FROM", "UNTIL", "PLAN", "USED", "ALLOWANCE", "CREDITS", "TIER", "PRICE", "STATE"}}
	for _, b := range all {
		rows = append(rows, []string{b.Account, dayIn(b.Start, b.Zone), dayIn(b.End, b.Zone), orDash(b.Plan), quantity(b.Unit, b.Used), quantity(b.Unit, b.Allowance),
			orNone(b.Unit, b.CreditsUsed), orNone(b.Unit, b.Tier), billPrice(b.PeriodBill), billState(b.State)})
	}
	return rows
}

func orNone(unit string, n int64) string {
	if n == 0 {
		return "-"
	}
	return quantity(unit, n)
}

func billPrice(b api.PeriodBill) string {
	if b.Order == "" {
		return "-"
	}
	return b.Amount()
}

func billState(state string) string {
	switch state {
	case "due":
		return "to be paid"
	case "paid":
		return "paid"
	}
	return "nothing to pay"
}

// billNamed is a command about one bill.
type billNamed struct {
	named
	Period string `arg:"" placeholder:"PERIOD" help:"Month, or first day of the period, in the account's zone: 2026-11 or 2026-11-10."`
}

func (b billNamed) path(rest ...string) string {
	return b.named.path(append([]string{"bills", url.PathEscape(b.Period)}, rest...)...)
}

type billShow struct{ billNamed }

// Run shows a bill.
func (c *billShow) Run(inv *invocation) error {
	var b api.BillView
	if err := inv.ask(http.MethodGet, c.path(), nil, &b); err != nil {
		return err
	}
	if inv.json {
		return inv.printJSON(b)
	}
	rows := [][]string{{"account", b.Account}, {"period", dayIn(b.Start, b.Zone) + " up to " + dayIn(b.End, b.Zone)}, {"plan", orDash(b.Plan)},
		{"used", quantity(b.Unit, b.Used)}, {"allowance", quantity(b.Unit, b.Allowance)}}
	for _, part := range []struct {
		name string
		n    int64
	}{{"paid by credits", b.CreditsUsed}, {"paid by the surcharge", b.Surcharged}, {"not billed", b.Uncovered}, {"surcharge tier", b.Tier}, {"credited of it", b.Credited}} {
		if part.n > 0 {
			rows = append(rows, []string{part.name, quantity(b.Unit, part.n)})
		}
	}
	if b.Order != "" {
		rows = append(rows, []string{"price", b.Amount()}, []string{"order", b.Order})
	}
	return inv.table(append(rows, []string{"state", billState(b.State)})...)
}

type billPaid struct {
	billNamed
	payment
}

// Run enters a payment.
func (c *billPaid) Run(inv *invocation) error {
	return inv.changeOrder(http.MethodPost, c.path("payment"), c.request())
}

type periodGroup struct {
	Close periodClose `cmd:"" help:"Close periods that are over, and make their bills. A second time does nothing."`
}

type periodClose struct {
	Account string `arg:"" optional:"" placeholder:"ACCOUNT" help:"Only of this account."`
	Before  string `placeholder:"YYYY-MM-DD" help:"Only those that were over when this day began, in the account's zone. Default: now."`
}

// errNotClosed says that some periods could not be closed.
var errNotClosed = errors.New("not all periods were closed")

// Run closes periods.
func (c *periodClose) Run(inv *invocation) error {
	var out api.Closed
	if err := inv.ask(http.MethodPost, "/periods/close", api.Closing{Account: c.Account, Before: c.Before}, &out); err != nil {
		return err
	}
	if err := inv.list(out, billRows(out.Bills), "No period was to be closed."); err != nil {
		return err
	}
	var errs []error
	for _, f := range out.Failed {
		errs = append(errs, fmt.Errorf("%w: %s: %s", errNotClosed, f.Account, f.Error))
	}
	return errors.Join(errs...)
}
