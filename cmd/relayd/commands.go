package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"servicesmtp.net/companion/internal/csvsafe"
	"servicesmtp.net/companion/server/api"
)

type accountGroup struct {
	Add         accountAdd      `cmd:"" help:"Make an account and print its password, once."`
	List        accountList     `cmd:"" help:"List all accounts."`
	Show        accountShow     `cmd:"" help:"Show one account."`
	Hold        accountHold     `cmd:"" help:"Accept mail, but do not deliver it."`
	Release     accountRelease  `cmd:"" help:"End a hold and deliver what waited."`
	Block       accountBlock    `cmd:"" help:"Accept no mail."`
	Unblock     accountUnblock  `cmd:"" help:"End a block."`
	SetPlan     accountPlan     `cmd:"" help:"Change the plan, from now on."`
	Pace        accountPace     `cmd:"" help:"Show how fast an account may send."`
	SetPace     accountSetPace  `cmd:"" help:"Change how fast an account may send."`
	SetPolicy   accountPolicy   `cmd:"" help:"Change what happens at the limit, from now on."`
	Misuse      accountMisuse   `cmd:"" help:"Mark an account for misuse: it gets no refund."`
	SetPassword accountPassword `cmd:"" help:"Change the password and revoke all tokens."`
}

// named is a command about one account.
type named struct {
	Name string `arg:"" help:"Name of the account."`
}

func (n named) path(rest ...string) string {
	return strings.Join(append([]string{"/accounts", url.PathEscape(n.Name)}, rest...), "/")
}

type accountAdd struct {
	named
	Plan          string `required:"" help:"Plan; see plan list."`
	Email         string `required:"" help:"Reference address for reports."`
	Overage       string `default:"surcharge" enum:"surcharge,stop,block" help:"At the limit: ${enum}."`
	Zone          string `default:"UTC" help:"Time zone in which months are counted, for example Europe/Rome."`
	Customer      string `placeholder:"C" help:"Your own reference of the customer; one may have several accounts."`
	OrderOnly     bool   `help:"Wait for the payment and for order activate."`
	Since         string `placeholder:"YYYY-MM-DD" help:"First day of the plan in the zone. Default: now."`
	Reference     string `help:"Your own reference of the order; the same again makes no second one."`
	PasswordStdin bool   `help:"Read the password from standard input instead of making one."`
}

func (c *accountAdd) Run(inv *invocation) error {
	in := api.NewAccount{Name: c.Name, Plan: c.Plan, Email: c.Email, Overage: c.Overage, Zone: c.Zone,
		Customer: c.Customer, OrderOnly: c.OrderOnly, Since: c.Since, Reference: c.Reference}
	var err error
	if c.PasswordStdin {
		if in.Password, err = inv.readPassword(); err != nil {
			return err
		}
	}
	var out api.Credentials
	if err := inv.ask(http.MethodPost, "/accounts", in, &out); err != nil {
		return err
	}
	return inv.printCredentials(out)
}

type accountPassword struct {
	named
	PasswordStdin bool `help:"Read the password from standard input instead of making one."`
}

func (c *accountPassword) Run(inv *invocation) error {
	var in api.PasswordChange
	var err error
	if c.PasswordStdin {
		if in.Password, err = inv.readPassword(); err != nil {
			return err
		}
	}
	var out api.Credentials
	if err := inv.ask(http.MethodPut, c.path("password"), in, &out); err != nil {
		return err
	}
	return inv.printCredentials(out)
}

// readPassword takes the first line of standard input.
func (inv *invocation) readPassword() (string, error) {
	line, err := bufio.NewReader(io.LimitReader(inv.stdin, 4096)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read password: %w", err)
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return "", errors.New("there is no password on standard input")
	}
	return line, nil
}

func (inv *invocation) printCredentials(c api.Credentials) error {
	if inv.json {
		return inv.printJSON(c)
	}
	password := c.Password
	if password == "" {
		password = "(as given)"
	} else {
		password += "   (shown this once)"
	}
	rows := [][]string{{"account", c.Name}, {"plan", c.Plan}, {"e-mail", c.Email}, {"password", password}}
	if c.Due != nil {
		rows = append(rows, []string{"order", c.Order}, []string{"to be paid", c.Due.Missing()})
	}
	return inv.table(rows...)
}

// changeAccount sends a request that answers with the account.
func (inv *invocation) changeAccount(method, path string, in any) error {
	var a api.AccountView
	if err := inv.ask(method, path, in, &a); err != nil {
		return err
	}
	if inv.json {
		return inv.printJSON(a)
	}
	return inv.table(accountRows(a)...)
}

type accountHold struct{ named }

func (c *accountHold) Run(inv *invocation) error {
	return inv.changeAccount(http.MethodPost, c.path("hold"), nil)
}

type accountRelease struct{ named }

func (c *accountRelease) Run(inv *invocation) error {
	return inv.changeAccount(http.MethodPost, c.path("release"), nil)
}

type accountBlock struct{ named }

func (c *accountBlock) Run(inv *invocation) error {
	return inv.changeAccount(http.MethodPost, c.path("block"), nil)
}

type accountUnblock struct{ named }

func (c *accountUnblock) Run(inv *invocation) error {
	return inv.changeAccount(http.MethodPost, c.path("unblock"), nil)
}

type errorsCommand struct {
	named
	CSV bool `name:"csv" help:"Print CSV."`
}

func (c *errorsCommand) Run(inv *invocation) error {
	var out api.ErrorsView
	if err := inv.ask(http.MethodGet, c.path("errors"), nil, &out); err != nil {
		return err
	}
	switch {
	case c.CSV:
		return api.WriteErrorsCSV(csvsafe.NewWriter(inv.stdout), out.Errors, true)
	case inv.json:
		return inv.printJSON(out)
	}
	rows := [][]string{{"AT", "RECIPIENT", "REPLY"}}
	for _, e := range out.Errors {
		rows = append(rows, []string{e.At.Format(time.RFC3339), e.Recipient, e.Line()})
	}
	return inv.table(rows...)
}

func (inv *invocation) printJSON(v any) error {
	enc := json.NewEncoder(inv.stdout)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// table prints rows for people. Replies are other servers' words: what could
// steer a terminal is left out.
func (inv *invocation) table(rows ...[]string) error {
	w := tabwriter.NewWriter(inv.stdout, 0, 8, 2, ' ', 0)
	for _, r := range rows {
		line := make([]string, len(r))
		for i, cell := range r {
			line[i] = strings.Map(printable, cell)
		}
		if _, err := fmt.Fprintln(w, strings.Join(line, "\t")); err != nil {
			return err
		}
	}
	return w.Flush()
}

func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return ' '
}
