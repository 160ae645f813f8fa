package main

import (
	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/control"
)

type errorsCommand struct {
	CSV     bool   `name:"csv" xor:"form" help:"Print all as CSV, to clean a list with."`
	JSON    bool   `xor:"form" help:"Print all as JSON (docs/json.md)."`
	Account string `placeholder:"NAME" help:"Only of this account."`
	Search  string `placeholder:"TEXT" help:"Only with this text in the address or in the reply."`
	Limit   int    `default:"50" placeholder:"N" help:"At most this many in the table, newest first (${default})."`
}

// Run shows the newest errors, or prints all for a program.
func (e *errorsCommand) Run(inv *invocation) error {
	return inv.ask(func(c *control.Client) error {
		switch {
		case e.CSV:
			return e.csv(inv, c)
		case e.JSON:
			all := app.ErrorPage{Errors: []app.AddressError{}}
			err := e.pages(inv, c, func(p app.ErrorPage) error {
				all.Errors = append(all.Errors, p.Errors...)
				all.Stale = all.Stale || p.Stale
				return nil
			})
			if err != nil {
				return err
			}
			return inv.json(all)
		}
		page, err := c.Errors(inv.ctx, app.ErrorQuery{Account: e.Account, Search: e.Search, Limit: e.Limit})
		if err != nil {
			return err
		}
		inv.errors(page)
		return nil
	})
}

// pages hands every page to f.
func (e *errorsCommand) pages(inv *invocation, c *control.Client, f func(app.ErrorPage) error) error {
	q := app.ErrorQuery{Account: e.Account, Search: e.Search}
	for {
		page, err := c.Errors(inv.ctx, q)
		if err != nil {
			return err
		}
		if err := f(page); err != nil {
			return err
		}
		if page.Next == "" || page.Next == q.Cursor {
			return nil
		}
		q.Cursor = page.Next
	}
}

// csv writes page by page: a list may be longer than the memory likes.
func (e *errorsCommand) csv(inv *invocation, c *control.Client) error {
	w := app.NewErrorsCSV(inv.out)
	return e.pages(inv, c, func(p app.ErrorPage) error { return w.Write(p.Errors) })
}

func (inv *invocation) errors(page app.ErrorPage) {
	if page.Stale {
		inv.line("The relay cannot be asked now; this is what it told before.\n")
	}
	if len(page.Errors) == 0 {
		inv.line("No address has failed.")
		return
	}
	t := table{head: []string{"AT", "ADDRESS", "CODE", "REASON"}}
	for _, a := range page.Errors {
		t.add(inv.clock(a.At), a.Address, a.Code, a.Reason)
	}
	t.print(inv.out)
	if page.Next != "" {
		inv.line("\nThere are more. See all with: companionctl errors --csv")
	}
}
