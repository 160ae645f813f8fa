package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"servicesmtp.net/companion/server/api"
)

type partnerGroup struct {
	Add     partnerAdd     `cmd:"" help:"Make a partner, who sells the service to customers of its own."`
	List    partnerList    `cmd:"" help:"List all partners."`
	Show    partnerShow    `cmd:"" help:"Show one partner and its tokens."`
	Disable partnerDisable `cmd:"" help:"Refuse all its tokens; its accounts go on."`
	Enable  partnerEnable  `cmd:"" help:"Take its tokens again."`
	Token   partnerToken   `cmd:"" help:"Make a token for the API and print it, once."`
	Revoke  partnerRevoke  `cmd:"" help:"Make a token invalid."`
}

// partnerNamed is a command about one partner.
type partnerNamed struct {
	Name string `arg:"" help:"Name of the partner."`
}

func (n partnerNamed) path(rest ...string) string {
	return strings.Join(append([]string{"/partners", url.PathEscape(n.Name)}, rest...), "/")
}

type partnerAdd struct {
	partnerNamed
	Email       string   `required:"" help:"Address of the partner."`
	Plans       []string `help:"Plans that it may order; see plan list. Default: all."`
	MaxAccounts int64    `help:"Most accounts that it may have; 0: no limit."`
}

// Run makes a partner.
func (c *partnerAdd) Run(inv *invocation) error {
	return inv.partner(http.MethodPost, "/partners", api.NewPartner{Name: c.Name, Email: c.Email, Plans: c.Plans, MaxAccounts: c.MaxAccounts})
}

type partnerList struct{}

// Run lists partners.
func (partnerList) Run(inv *invocation) error {
	var out []api.PartnerView
	if err := inv.ask(http.MethodGet, "/partners", nil, &out); err != nil {
		return err
	}
	if inv.json {
		return inv.printJSON(out)
	}
	rows := [][]string{{"NAME", "STATUS", "ACCOUNTS", "PLANS", "E-MAIL"}}
	for _, p := range out {
		rows = append(rows, []string{p.Name, partnerStatus(p), partnerAccounts(p), partnerPlans(p), p.Email})
	}
	return inv.table(rows...)
}

type partnerShow struct{ partnerNamed }

// Run shows a partner.
func (c *partnerShow) Run(inv *invocation) error { return inv.partner(http.MethodGet, c.path(), nil) }

type partnerDisable struct{ partnerNamed }

// Run disables a partner.
func (c *partnerDisable) Run(inv *invocation) error {
	return inv.partner(http.MethodPost, c.path("disable"), nil)
}

type partnerEnable struct{ partnerNamed }

// Run enables a partner.
func (c *partnerEnable) Run(inv *invocation) error {
	return inv.partner(http.MethodPost, c.path("enable"), nil)
}

// partner sends a request that answers with the partner.
func (inv *invocation) partner(method, path string, in any) error {
	var p api.PartnerView
	if err := inv.ask(method, path, in, &p); err != nil {
		return err
	}
	if inv.json {
		return inv.printJSON(p)
	}
	rows := [][]string{{"partner", p.Name}, {"e-mail", p.Email}, {"status", partnerStatus(p)}, {"accounts", partnerAccounts(p)},
		{"plans", partnerPlans(p)}, {"since", p.Created.Format(time.RFC3339)}}
	for _, k := range p.Tokens {
		rows = append(rows, []string{"token", fmt.Sprintf("%s  %s  %s", k.ID, strings.Join(k.Scopes, ","), tokenStatus(k))})
	}
	return inv.table(rows...)
}

func partnerStatus(p api.PartnerView) string {
	if p.Disabled != nil {
		return "disabled"
	}
	return "active"
}

func partnerAccounts(p api.PartnerView) string {
	if p.MaxAccounts > 0 {
		return fmt.Sprintf("%d of %d", p.Accounts, p.MaxAccounts)
	}
	return strconv.FormatInt(p.Accounts, 10)
}

func partnerPlans(p api.PartnerView) string {
	if len(p.Plans) == 0 {
		return "all"
	}
	return strings.Join(p.Plans, ",")
}

func tokenStatus(k api.PartnerTokenView) string {
	switch {
	case k.Revoked != nil:
		return "revoked"
	case k.Expires == nil:
		return "does not expire"
	}
	return "expires " + k.Expires.Format(time.RFC3339)
}

type partnerToken struct {
	partnerNamed
	Scopes  []string `help:"What it may do: accounts:read, accounts:write, usage:read. Default: everything."`
	Expires string   `placeholder:"YYYY-MM-DD" help:"Last day on which it is good, in UTC. Default: it does not expire."`
}

// Run makes a token.
func (c *partnerToken) Run(inv *invocation) error {
	in := api.NewPartnerToken{Scopes: c.Scopes}
	if c.Expires != "" {
		day, err := time.Parse(time.DateOnly, c.Expires)
		if err != nil {
			return fmt.Errorf("--expires %q: write a day as YYYY-MM-DD", c.Expires)
		}
		end := day.AddDate(0, 0, 1)
		in.Expires = &end
	}
	return inv.partnerToken(c.path("tokens"), in)
}

type partnerRevoke struct {
	ID string `arg:"" help:"The token's id; see partner show."`
}

// Run revokes a token.
func (c *partnerRevoke) Run(inv *invocation) error {
	return inv.partnerToken("/partner-tokens/"+url.PathEscape(c.ID)+"/revoke", nil)
}

// partnerToken sends a request that answers with a token.
func (inv *invocation) partnerToken(path string, in any) error {
	var k api.PartnerTokenView
	if err := inv.ask(http.MethodPost, path, in, &k); err != nil {
		return err
	}
	if inv.json {
		return inv.printJSON(k)
	}
	rows := [][]string{{"partner", k.Partner}, {"id", k.ID}, {"scopes", strings.Join(k.Scopes, ",")}, {"status", tokenStatus(k)}}
	if k.Token != "" {
		rows = append(rows, []string{"token", k.Token + "   (shown this once)"})
	}
	return inv.table(rows...)
}
