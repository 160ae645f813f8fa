package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"servicesmtp.net/companion/internal/money"
	"servicesmtp.net/companion/server/api"
)

type reportGroup struct {
	Show reportShow `cmd:"" help:"Show the report of an account's month."`
	Run  reportRun  `cmd:"" help:"Close what is over, and send reports and notices that are due, now."`
}

type reportShow struct {
	named
	Month string `arg:"" placeholder:"YYYY-MM" help:"Month in the account's zone, as 2026-11."`
}

func (c *reportShow) Run(inv *invocation) error {
	var out api.ReportView
	if err := inv.ask(http.MethodGet, c.path("reports", url.PathEscape(c.Month)), nil, &out); err != nil {
		return err
	}
	if inv.json {
		return inv.printJSON(out.Report)
	}
	text := strings.Map(func(r rune) rune {
		if r == '\n' {
			return r
		}
		return printable(r)
	}, out.Text)
	_, err := io.WriteString(inv.stdout, text)
	return err
}

// errSome says that a pass went on without some accounts.
var errSome = errors.New("not all accounts could be looked after: the log says why; what was left out is made up for by the next pass")

type reportRun struct {
	Name   string `arg:"" optional:"" help:"Name of the account. Default: all."`
	Month  string `placeholder:"YYYY-MM" help:"Only reports of periods that began in this month."`
	Again  bool   `help:"Send the month's report also if it was sent; with an account and --month."`
	DryRun bool   `help:"Say what would be done, and do nothing."`
}

// Run makes a pass over the accounts.
func (c *reportRun) Run(inv *invocation) error {
	var out api.ReportsRun
	in := api.RunReports{Account: c.Name, Month: c.Month, Again: c.Again, DryRun: c.DryRun}
	if err := inv.ask(http.MethodPost, "/reports/run", in, &out); err != nil {
		return err
	}
	var err error
	if inv.json {
		err = inv.printJSON(out)
	} else {
		err = inv.printRun(out)
	}
	if err != nil {
		return err
	}
	if out.Failed > 0 {
		return errSome
	}
	return nil
}

func (inv *invocation) printRun(out api.ReportsRun) error {
	rows := [][]string{}
	for _, p := range out.Closed {
		what := "closed, nothing to pay"
		if p.Tier > 0 {
			what = "closed, to pay: " + money.Amount{Minor: p.AmountMinor, Currency: p.Currency}.String()
		}
		rows = append(rows, []string{p.Account, p.From.Format(time.RFC3339), what})
	}
	for _, n := range out.Told {
		rows = append(rows, []string{n.Account, n.Start.Format(time.RFC3339), n.Kind + ": " + n.Subject})
	}
	if len(rows) > 0 {
		rows = append([][]string{{"ACCOUNT", "OF", "WHAT"}}, rows...)
		if err := inv.table(rows...); err != nil {
			return err
		}
	}
	verb := "were"
	if out.DryRun {
		verb = "would be"
	}
	_, err := fmt.Fprintf(inv.stdout, "Accounts looked at: %d. Periods that %s closed: %d. Notices that %s sent: %d.\n", out.Accounts, verb, len(out.Closed), verb, len(out.Told))
	return err
}
