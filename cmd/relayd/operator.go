package main

import (
	"context"
	"net"
	"net/http"
	"net/url"

	"servicesmtp.net/companion/server/api"
)

type operatorGroup struct {
	Add      operatorAdd      `cmd:"" help:"Make a login for the pages of the service and print its password, once."`
	List     operatorList     `cmd:"" help:"List all operators."`
	Disable  operatorDisable  `cmd:"" help:"Take the login away and end all sessions."`
	Enable   operatorEnable   `cmd:"" help:"Give the login back."`
	Password operatorPassword `cmd:"" help:"Change the password and end all sessions."`
}

// operatorNamed is a command about one operator.
type operatorNamed struct {
	Name string `arg:"" help:"Name of the operator."`
}

func (n operatorNamed) path(rest string) string {
	return "/operators/" + url.PathEscape(n.Name) + "/" + rest
}

type operatorAdd struct {
	operatorNamed
	Role          string `default:"read" enum:"admin,support,read" help:"What it may do: ${enum}."`
	PasswordStdin bool   `help:"Read the password from standard input instead of making one."`
}

// Run makes an operator.
func (c *operatorAdd) Run(inv *invocation) (err error) {
	in := api.NewOperator{Name: c.Name, Role: c.Role}
	if c.PasswordStdin {
		if in.Password, err = inv.readPassword(); err != nil {
			return err
		}
	}
	return inv.operator(http.MethodPost, "/operators", in)
}

type operatorPassword struct {
	operatorNamed
	PasswordStdin bool `help:"Read the password from standard input instead of making one."`
}

// Run changes a password.
func (c *operatorPassword) Run(inv *invocation) (err error) {
	var in api.PasswordChange
	if c.PasswordStdin {
		if in.Password, err = inv.readPassword(); err != nil {
			return err
		}
	}
	return inv.operator(http.MethodPut, c.path("password"), in)
}

type operatorDisable struct{ operatorNamed }

// Run disables an operator.
func (c *operatorDisable) Run(inv *invocation) error {
	return inv.operator(http.MethodPost, c.path("disable"), nil)
}

type operatorEnable struct{ operatorNamed }

// Run enables an operator.
func (c *operatorEnable) Run(inv *invocation) error {
	return inv.operator(http.MethodPost, c.path("enable"), nil)
}

type operatorList struct{}

// Run lists operators.
func (operatorList) Run(inv *invocation) error {
	var out []api.OperatorView
	if err := inv.ask(http.MethodGet, "/operators", nil, &out); err != nil {
		return err
	}
	if inv.json {
		return inv.printJSON(out)
	}
	rows := [][]string{{"NAME", "ROLE", "STATUS"}}
	for _, o := range out {
		rows = append(rows, []string{o.Name, o.Role, operatorStatus(o)})
	}
	return inv.table(rows...)
}

func operatorStatus(o api.OperatorView) string {
	if o.Disabled != nil {
		return "disabled"
	}
	return "active"
}

// operator sends a request that answers with the operator.
func (inv *invocation) operator(method, path string, in any) error {
	var o api.OperatorView
	if err := inv.ask(method, path, in, &o); err != nil {
		return err
	}
	if inv.json {
		return inv.printJSON(o)
	}
	rows := [][]string{{"operator", o.Name}, {"role", o.Role}, {"status", operatorStatus(o)}}
	if o.Password != "" {
		rows = append(rows, []string{"password", o.Password + "   (shown this once)"})
	}
	return inv.table(rows...)
}

// serveWeb serves operators, if it listens for them.
func (r *relay) serveWeb(ctx context.Context, ln net.Listener) error {
	if r.cfg.Web.Listen == "" {
		return nil
	}
	return api.NewOperators(r.api, r.admin).Run(ctx, ln, r.tls)
}
