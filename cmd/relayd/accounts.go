package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"servicesmtp.net/companion/internal/units"
	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/api"
)

// dayIn is a day in an account's zone, as people read it.
func dayIn(t time.Time, zone string) string {
	return t.In(account.Location(zone)).Format(time.DateOnly)
}

// minuteIn is an instant in an account's zone, as people read it.
func minuteIn(t time.Time, zone string) string {
	return t.In(account.Location(zone)).Format("2006-01-02 15:04")
}

// query is the part of a path that cuts a list down; empty values are left out.
func query(pairs ...string) string {
	q := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return "?" + q.Encode()
}

type accountList struct {
	Customer string `placeholder:"C" help:"Only of this customer."`
	Status   string `placeholder:"S" enum:"active,held,blocked,waiting,ended," default:"" help:"Only active, held, blocked, waiting or ended ones."`
}

// Run lists accounts.
func (c *accountList) Run(inv *invocation) error {
	var out []api.AccountView
	if err := inv.ask(http.MethodGet, "/accounts"+query("customer", c.Customer, "status", c.Status), nil, &out); err != nil {
		return err
	}
	rows := [][]string{{"NAME", "PLAN", "STATUS", "UNTIL", "OVERAGE", "ZONE", "CUSTOMER", "E-MAIL"}}
	for _, a := range out {
		until := "-"
		if a.End != nil {
			until = dayIn(*a.End, a.Zone)
		}
		rows = append(rows, []string{a.Name, orDash(a.Plan), a.Status, until, a.Overage, a.Zone, orDash(a.Customer), a.Email})
	}
	return inv.list(out, rows, "No accounts.")
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// list prints rows below a head, or says that there are none.
func (inv *invocation) list(value any, rows [][]string, none string) error {
	switch {
	case inv.json:
		return inv.printJSON(value)
	case len(rows) == 1:
		_, err := fmt.Fprintln(inv.stdout, none)
		return err
	}
	return inv.table(rows...)
}

// accountRows are what every command about one account prints of it.
func accountRows(a api.AccountView) [][]string {
	rows := [][]string{{"account", a.Name}, {"id", a.ID}, {"e-mail", orDash(a.Email)}}
	if a.Customer != "" {
		rows = append(rows, []string{"customer", a.Customer})
	}
	rows = append(rows, []string{"plan", orDash(a.Plan)})
	if a.Start != nil {
		rows = append(rows, []string{"from", minuteIn(*a.Start, a.Zone)})
	}
	if a.End != nil {
		rows = append(rows, []string{"until", minuteIn(*a.End, a.Zone)})
	}
	rows = append(rows, []string{"status", a.Status}, []string{"overage", a.Overage}, []string{"zone", a.Zone}, []string{"since", minuteIn(a.Created, a.Zone)})
	if a.Misuse {
		rows = append(rows, []string{"misuse", "no refund: " + a.Reason})
	}
	return rows
}

type accountShow struct{ named }

// Run shows all that is asked about an account.
func (c *accountShow) Run(inv *invocation) error {
	return inv.showDetail(http.MethodGet, c.path(), nil)
}

// showDetail sends a request that answers with all of an account.
func (inv *invocation) showDetail(method, path string, in any) error {
	var d api.AccountDetail
	if err := inv.ask(method, path, in, &d); err != nil {
		return err
	}
	if inv.json {
		return inv.printJSON(d)
	}
	rows := accountRows(d.AccountView)
	switch {
	case d.RenewedFrom != nil:
		rows = append(rows, []string{"renewed", "from " + minuteIn(*d.RenewedFrom, d.Zone)})
	case d.RenewalLink != "":
		rows = append(rows, []string{"renew at", d.RenewalLink})
	}
	rows = append(rows, limitRows(d.Limits)...)
	for _, k := range d.Credits {
		until := "no end"
		if k.ExpiresAt != nil {
			until = "until " + minuteIn(*k.ExpiresAt, d.Zone)
		}
		rows = append(rows, []string{"credit", fmt.Sprintf("%s of %s, %s", quantity(k.Unit, k.Left), quantity(k.Unit, k.Granted), until)})
	}
	for _, o := range d.Orders {
		rows = append(rows, []string{"open order", o.ID + " " + orderSentence(o)})
	}
	for _, b := range d.Unpaid {
		rows = append(rows, []string{"unpaid bill", fmt.Sprintf("%s of %s, order %s", b.Amount(), dayIn(b.Start, d.Zone), b.Order)})
	}
	return inv.table(rows...)
}

func quantity(unit string, n int64) string { return api.Quantity(account.Unit(unit), n) }

// limitRows say how far the present period is used, and what happens then.
func limitRows(l api.Limits) [][]string {
	rows := [][]string{
		{"used", fmt.Sprintf("%s of %s, %d %%", quantity(l.Unit, l.Used), quantity(l.Unit, l.Allowance), l.Percent)},
		{"limit", quantity(l.Unit, l.Limit)},
		{"at the limit", l.AtLimitText},
	}
	if l.AtLimit == string(account.LimitNone) {
		return rows[2:]
	}
	if l.Credit > 0 {
		rows[1][1] += ", with " + quantity(l.Unit, l.Credit) + " of credits"
	}
	return rows
}

type accountPlan struct {
	named
	Plan string `arg:"" help:"Plan; see plan list."`
	Free bool   `help:"Give away what the customer would have to pay for it."`
}

// Run gives an account another plan.
func (c *accountPlan) Run(inv *invocation) error {
	var out api.PlanChanged
	if err := inv.ask(http.MethodPut, c.path("plan"), api.PlanChange{Plan: c.Plan, Free: c.Free}, &out); err != nil {
		return err
	}
	if inv.json {
		return inv.printJSON(out)
	}
	given := "nothing: the plan is worth no more"
	if out.WorthMinor > 0 {
		given = out.Worth()
	}
	rows := append(accountRows(out.AccountView), []string{"before", orDash(out.Replaced)}, []string{"given away", given}, []string{"order", out.Order})
	return inv.table(rows...)
}

type accountPolicy struct {
	named
	Policy string `arg:"" enum:"surcharge,stop,block" help:"${enum}"`
}

// Run changes what happens at the limit.
func (c *accountPolicy) Run(inv *invocation) error {
	var out api.PolicyInForce
	if err := inv.ask(http.MethodPut, c.path("policy"), api.PolicyChange{Policy: c.Policy}, &out); err != nil {
		return err
	}
	if inv.json {
		return inv.printJSON(out)
	}
	return inv.table([]string{"account", c.Name}, []string{"policy", out.Policy + ", from now on"}, []string{"at the limit", out.AtLimitText})
}

type accountMisuse struct {
	named
	Reason string `help:"What was done; it is kept with the account."`
	Clear  bool   `help:"Take the mark away. A reason may be kept."`
}

// Run marks an account.
func (c *accountMisuse) Run(inv *invocation) error {
	if c.Reason == "" && !c.Clear {
		return errors.New("write --reason with what was done, or --clear")
	}
	return inv.showDetail(http.MethodPut, c.path("misuse"), api.MisuseChange{Misuse: !c.Clear, Reason: c.Reason})
}

type usageCommand struct {
	named
	From string `placeholder:"YYYY-MM-DD" help:"First day in the account's zone. Default: of the present period."`
	To   string `placeholder:"YYYY-MM-DD" help:"Day after the last. Default: of the present period."`
}

// Run shows what an account used.
func (c *usageCommand) Run(inv *invocation) error {
	var u api.UsageView
	if err := inv.ask(http.MethodGet, c.path("usage")+query("from", c.From, "to", c.To), nil, &u); err != nil {
		return err
	}
	if inv.json {
		return inv.printJSON(u)
	}
	rows := [][]string{{"DAY", "E-MAILS", "SIZE"}}
	for _, d := range u.Days {
		rows = append(rows, []string{d.Day, strconv.FormatInt(d.Emails, 10), units.ByteSize(d.Bytes).String()})
	}
	total := []string{"total", strconv.FormatInt(u.Emails, 10), units.ByteSize(u.Bytes).String()}
	if c.From == "" && c.To == "" { // the plan's numbers are of its period, not of any days
		total[1] += fmt.Sprintf(" of %d", u.EmailsLimit)
		if u.BytesLimit > 0 {
			total[2] += " of " + units.ByteSize(u.BytesLimit).String()
		}
	}
	rows = append(rows, total)
	if err := inv.table(rows...); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(inv.stdout); err != nil {
		return err
	}
	return inv.table(append([][]string{{"plan", orDash(u.Plan)}}, limitRows(u.Limits)...)...)
}
