package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/control"
	"servicesmtp.net/companion/internal/socket"
)

type accountGroup struct {
	List   accountList   `cmd:"" help:"List the accounts."`
	Set    accountSet    `cmd:"" help:"Add an account, or change one: what is not given stays as it is."`
	Forget accountForget `cmd:"" help:"Remove an account and its password."`
}

// accounts is what the commands need: the engine that runs, or the settings
// and the keyring where none does.
type accounts interface {
	list() ([]app.AccountInfo, error)
	set(app.AccountInput) error
	forget(name string) error
}

// live is the engine that runs.
type live struct {
	inv *invocation
	c   *control.Client
}

func (l live) list() ([]app.AccountInfo, error) { return l.c.Accounts(l.inv.ctx) }
func (l live) set(in app.AccountInput) error    { return l.c.SetAccount(l.inv.ctx, in) }
func (l live) forget(name string) error         { return l.c.ForgetAccount(l.inv.ctx, name) }

// withAccounts lists the accounts and finds out whether an engine runs.
func (inv *invocation) withAccounts(f func(all []app.AccountInfo, to accounts, running bool) error) error {
	return inv.ask(func(c *control.Client) (err error) {
		var to accounts = live{inv, c}
		all, err := to.list()
		running := !errors.Is(err, socket.ErrNotRunning)
		if !running {
			off := newOffline(inv, slog.New(slog.DiscardHandler)) // what goes wrong is printed
			defer func() { err = errors.Join(err, off.close()) }()
			to = off
			all, err = off.list()
		}
		if err != nil {
			return err
		}
		return f(all, to, running)
	})
}

type accountList struct {
	JSON bool `help:"Print JSON (docs/json.md)."`
}

// Run lists the accounts.
func (a *accountList) Run(inv *invocation) error {
	return inv.withAccounts(func(all []app.AccountInfo, _ accounts, _ bool) error {
		if a.JSON {
			return inv.json(append([]app.AccountInfo{}, all...))
		}
		if len(all) == 0 {
			inv.line("No account is set up yet. Add one with: companionctl account set NAME --user USER --endpoint starttls://HOST:587")
			return nil
		}
		t := table{head: []string{"NAME", "USER", "SERVERS", "PASSWORD IN", "SENDS FOR"}}
		for _, i := range all {
			senders := "all others"
			if len(i.Senders) > 0 {
				senders = strings.Join(i.Senders, ", ")
			}
			t.add(i.Name, i.User, strings.Join(i.Endpoints, ", "), i.Credential, senders)
		}
		t.print(inv.out)
		return nil
	})
}

type accountSet struct {
	Name          string   `arg:"" optional:"" help:"A short name of your choice. Default: the only account, or main."`
	User          string   `help:"User name at the service."`
	Endpoint      []string `placeholder:"URL" sep:"none" help:"Server as starttls://HOST:587 or tls://HOST:465; give all that there are."`
	API           string   `name:"api" placeholder:"URL" help:"Address of the service's API, https://HOST."`
	CAFile        string   `name:"ca-file" placeholder:"FILE" help:"Certificate of a private authority."`
	Sender        []string `placeholder:"ADDRESS" sep:"none" help:"Address or domain that this account sends for; may be repeated. Default: all others."`
	PasswordStdin bool     `help:"Read the password from standard input instead of asking."`
	SkipTest      bool     `help:"Store it without asking the relay whether it accepts name and password."`
	JSON          bool     `help:"Print JSON."`
}

// Run adds or changes an account.
func (a *accountSet) Run(inv *invocation) error {
	return inv.withAccounts(func(all []app.AccountInfo, to accounts, running bool) error {
		in, exists, err := a.input(all)
		if err != nil {
			return err
		}
		if in.Password, err = a.password(inv, in, exists); err != nil {
			return err
		}
		if err := to.set(in); err != nil {
			return err
		}
		switch {
		case !running:
			return inv.done(a.JSON, "The account %s is stored. The password was not tested: the companion is not running. Start it with: companionctl run", in.Name)
		case a.SkipTest:
			return inv.done(a.JSON, "The account %s is stored, without a test.", in.Name)
		}
		return inv.done(a.JSON, "The account %s is stored, and the relay accepts it.", in.Name)
	})
}

// input joins what the command line says with what the account has.
func (a *accountSet) input(all []app.AccountInfo) (in app.AccountInput, exists bool, err error) {
	name := a.Name
	switch {
	case name != "":
	case len(all) == 0:
		name = "main"
	case len(all) == 1:
		name = all[0].Name
	default:
		return in, false, usageError("there are several accounts: say which one, " + names(all))
	}
	in = app.AccountInput{Name: name, Endpoints: []string{}, Senders: []string{}, Skip: a.SkipTest}
	i := slices.IndexFunc(all, func(i app.AccountInfo) bool { return strings.EqualFold(i.Name, name) })
	if i >= 0 {
		old := all[i]
		in.Name, in.User, in.Endpoints, in.API, in.CAFile, in.Senders = old.Name, old.User, old.Endpoints, old.API, old.CAFile, old.Senders
	}
	for _, given := range []struct{ from, to *string }{{&a.User, &in.User}, {&a.API, &in.API}} {
		if *given.from != "" {
			*given.to = *given.from
		}
	}
	if a.CAFile != "" {
		if in.CAFile, err = filepath.Abs(a.CAFile); err != nil {
			return in, false, fmt.Errorf("find certificate: %w", err)
		}
	}
	if len(a.Endpoint) > 0 {
		in.Endpoints = a.Endpoint
	}
	if len(a.Sender) > 0 {
		in.Senders = a.Sender
	}
	if in.User == "" || len(in.Endpoints) == 0 {
		return in, false, usageError(fmt.Sprintf("the account %s is new: give --user and --endpoint", name))
	}
	return in, i >= 0, nil
}

func names(all []app.AccountInfo) string {
	out := make([]string, len(all))
	for i, a := range all {
		out[i] = a.Name
	}
	return strings.Join(out, " or ")
}

// maxPassword bounds what is read from standard input.
const maxPassword = 4096

// password reads it from where the user wants; "" keeps the stored one. A line
// end that came with a paste is no part of it.
func (a *accountSet) password(inv *invocation, in app.AccountInput, exists bool) (string, error) {
	switch {
	case a.PasswordStdin:
		line, err := bufio.NewReader(io.LimitReader(inv.in, maxPassword)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("read password: %w", err)
		}
		p := strings.TrimRight(line, "\r\n")
		if p == "" {
			return "", usageError("there was no password on standard input")
		}
		return p, nil
	case !inv.asks && exists:
		return "", nil
	case !inv.asks:
		return "", usageError("nobody is there to enter the password: use --password-stdin")
	}
	prompt := fmt.Sprintf("Password of %s: ", oneLine(in.User))
	if exists {
		prompt = fmt.Sprintf("Password of %s (Enter keeps the stored one): ", oneLine(in.User))
	}
	p, err := inv.password(prompt)
	if err == nil && p == "" && !exists {
		err = &app.UserError{Sentence: "Without a password the account cannot send.", Action: "Nothing was changed."}
	}
	return p, err
}

type accountForget struct {
	Name string `arg:"" help:"Of the account."`
	Yes  bool   `short:"y" help:"Do not ask."`
	JSON bool   `help:"Print JSON."`
}

// Run removes an account.
func (a *accountForget) Run(inv *invocation) error {
	return inv.withAccounts(func(all []app.AccountInfo, to accounts, _ bool) error {
		i := slices.IndexFunc(all, func(i app.AccountInfo) bool { return strings.EqualFold(i.Name, a.Name) })
		if i < 0 {
			return &app.UserError{Sentence: fmt.Sprintf("There is no account %q.", a.Name), Action: "See: companionctl account list", Err: app.ErrNotFound}
		}
		name := all[i].Name
		if !a.Yes {
			if err := inv.confirm(fmt.Sprintf("Remove the account %s and its password from this computer?", name)); err != nil {
				return err
			}
		}
		if err := to.forget(name); err != nil {
			return err
		}
		return inv.done(a.JSON, "The account %s is removed.", name)
	})
}
