package main

import (
	"io"
	"net/http"
	"net/url"
	"strings"

	"servicesmtp.net/companion/server/api"
)

type reportGroup struct {
	Show reportShow `cmd:"" help:"Show the report of an account's month."`
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
