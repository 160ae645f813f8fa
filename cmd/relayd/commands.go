package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"servicesmtp.net/companion/internal/csvsafe"
	"servicesmtp.net/companion/internal/units"
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
	SetPassword accountPassword `cmd:"" help:"Change the password and revoke all tokens."`
}

type planGroup struct {
	List planList `cmd:"" help:"List the plans."`
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
	PasswordStdin bool   `help:"Read the password from standard input instead of making one."`
}

func (c *accountAdd) Run(inv *invocation) error {
	in := api.NewAccount{Name: c.Name, Plan: c.Plan, Email: c.Email, Overage: c.Overage, Zone: c.Zone}
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
	return inv.table([]string{"account", c.Name}, []string{"plan", c.Plan}, []string{"e-mail", c.Email}, []string{"password", password})
}

type accountList struct{}

func (accountList) Run(inv *invocation) error {
	var out []api.AccountView
	if err := inv.ask(http.MethodGet, "/accounts", nil, &out); err != nil {
		return err
	}
	if inv.json {
		return inv.printJSON(out)
	}
	rows := [][]string{{"NAME", "PLAN", "STATUS", "OVERAGE", "ZONE", "E-MAIL"}}
	for _, a := range out {
		rows = append(rows, []string{a.Name, a.Plan, a.Status, a.Overage, a.Zone, a.Email})
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
	rows := [][]string{{"account", a.Name}, {"id", a.ID}, {"e-mail", a.Email}, {"plan", a.Plan}}
	if a.Start != nil {
		rows = append(rows, []string{"from", a.Start.Format(time.RFC3339)})
	}
	if a.End != nil {
		rows = append(rows, []string{"until", a.End.Format(time.RFC3339)})
	}
	rows = append(rows, []string{"status", a.Status}, []string{"overage", a.Overage}, []string{"zone", a.Zone}, []string{"since", a.Created.Format(time.RFC3339)})
	return inv.table(rows...)
}

type accountShow struct{ named }

func (c *accountShow) Run(inv *invocation) error {
	return inv.changeAccount(http.MethodGet, c.path(), nil)
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

type accountPlan struct {
	named
	Plan string `arg:"" help:"Plan; see plan list."`
}

func (c *accountPlan) Run(inv *invocation) error {
	return inv.changeAccount(http.MethodPut, c.path("plan"), api.PlanChange{Plan: c.Plan})
}

type planList struct{}

func (planList) Run(inv *invocation) error {
	var out []api.PlanView
	if err := inv.ask(http.MethodGet, "/plans", nil, &out); err != nil {
		return err
	}
	if inv.json {
		return inv.printJSON(out)
	}
	rows := [][]string{{"NAME", "TITLE", "KIND", "SIZE", "E-MAILS", "LASTS"}}
	for _, p := range out {
		size, lasts := "no limit", "a year, by month"
		if p.Bytes > 0 {
			size = units.ByteSize(p.Bytes).String()
		}
		if p.Monthly {
			lasts = "30 days"
		}
		rows = append(rows, []string{p.Name, p.Title, p.Kind, size, strconv.FormatInt(p.Emails, 10), lasts})
	}
	return inv.table(rows...)
}

type usageCommand struct{ named }

func (c *usageCommand) Run(inv *invocation) error {
	var u api.UsageView
	if err := inv.ask(http.MethodGet, c.path("usage"), nil, &u); err != nil {
		return err
	}
	if inv.json {
		return inv.printJSON(u)
	}
	rows := [][]string{{"DAY", "E-MAILS", "SIZE"}}
	for _, d := range u.Days {
		rows = append(rows, []string{d.Day, strconv.FormatInt(d.Emails, 10), units.ByteSize(d.Bytes).String()})
	}
	limit := ""
	if u.BytesLimit > 0 {
		limit = " of " + units.ByteSize(u.BytesLimit).String()
	}
	rows = append(rows, []string{"total", fmt.Sprintf("%d of %d", u.Emails, u.EmailsLimit), units.ByteSize(u.Bytes).String() + limit})
	return inv.table(rows...)
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
