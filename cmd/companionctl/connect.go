package main

import (
	"net"
	"slices"
	"strings"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/control"
	"servicesmtp.net/companion/app/settings"
)

type connectCommand struct {
	JSON bool `help:"Print JSON (docs/json.md)."`
}

// Run shows what a mail program needs.
func (cmd *connectCommand) Run(inv *invocation) error {
	return inv.ask(func(c *control.Client) error {
		l, err := c.Login(inv.ctx)
		if err != nil {
			return err
		}
		if cmd.JSON {
			if l.All == nil {
				l.All = []string{}
			}
			err = inv.json(l)
		}
		if err == nil && l.Address == "" {
			if !cmd.JSON {
				inv.line("No mail program can connect at the moment. See why with: companionctl status")
			}
			return errAttention
		}
		if err != nil || cmd.JSON {
			return err
		}
		inv.login(l)
		return nil
	})
}

func (inv *invocation) login(l app.Login) {
	host, port, err := net.SplitHostPort(l.Address)
	if err != nil {
		host, port = l.Address, ""
	}
	onlyTLS := slices.Contains(l.TLS, l.Address)
	security := "none (the way to it stays inside this computer)"
	if onlyTLS {
		security = "SSL/TLS"
	}
	inv.line("Enter this in your mail program, as the outgoing server (SMTP):\n")
	inv.line("  Server         %s", host)
	inv.line("  Port           %s", port)
	inv.line("  Security       %s", security)
	if l.Auth == settings.AuthOff {
		inv.line("  Login          none")
	} else {
		inv.line("  Login          normal password")
		inv.line("  User name      %s", l.User)
		inv.line("  Password       %s", l.Password)
		inv.line("\nThis is not your password at the service: the companion keeps that one.")
	}
	if len(l.TLS) == 0 {
		return
	}
	inv.line("")
	if !onlyTLS {
		inv.line("A program that insists on encryption (SSL/TLS) uses %s.", strings.Join(l.TLS, " or "))
	}
	inv.line("It must trust the certificate in %s", clean(l.CAFile))
	inv.line("Print that with: companionctl certificate")
}
