package ui

import (
	"context"
	"reflect"
	"slices"
	"strings"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/ui/look"
	"servicesmtp.net/companion/ui/viewmodel"
)

// do carries out the one thing that helps, for an account or for all ("").
func (u *UI) do(d app.Deed, account string) {
	switch d {
	case app.DeedSetAccount:
		u.openPage(pageSettings)
	case app.DeedPassword:
		u.askPassword(account)
	case app.DeedResume:
		u.command(func(ctx context.Context, e Engine) error { return e.Resume(ctx, account) })
	case app.DeedRetry:
		u.command(func(ctx context.Context, e Engine) error { return e.Retry(ctx, "") })
	case app.DeedQueue:
		u.openPage(pageQueue)
	case app.DeedListen:
		u.openPage(pageSettings)
	case app.DeedLog:
		u.openPage(pageLog)
	case app.DeedUsage:
		u.openPage(pageUsage)
	case app.DeedNone:
	}
}

// command calls the engine, if there is one, and says what went wrong, if
// anything.
func (u *UI) command(call func(context.Context, Engine) error) {
	if e := u.engine; e != nil {
		u.work.do(func(ctx context.Context) error { return call(ctx, e) }, u.wrong)
	}
}

// askPassword opens the form for the password of an account, or of the only
// one.
func (u *UI) askPassword(account string) {
	e := u.engine
	if e == nil { // a note on the desktop outlives the engine
		return
	}
	ask(u.work, e.Accounts, func(all []app.AccountInfo, err error) {
		i := slices.IndexFunc(all, func(a app.AccountInfo) bool { return a.Name == account || account == "" && len(all) == 1 })
		switch {
		case err != nil:
			u.wrong(err)
		case i < 0:
			u.openPage(pageSettings)
		default:
			u.passwordDialog(all[i], func(string, bool) {})
		}
	})
}

// notice is a headline as a banner says it.
func (u *UI) notice(h viewmodel.Headline) look.Notice {
	return look.Notice{
		Tone: look.Tone(h.Tone), Title: h.Title, Text: h.Text, Button: h.Button, OnButton: func() { u.do(h.Deed, h.Account) },
		Details: h.Details, ShowDetails: u.say.Say("Details"), HideDetails: u.say.Say("Hide details"),
	}
}

// openPage brings a page in sight.
func (u *UI) openPage(name string) {
	if u.content == nil || u.content.nav == nil {
		return
	}
	u.content.nav.Select(u.content.index(name))
}

// same says that nothing is to be drawn anew.
func same[T comparable](a, b []T) bool { return slices.Equal(a, b) }

func sameQuotas(a, b []viewmodel.Quota) bool { return reflect.DeepEqual(a, b) }

// join puts facts on one line, leaving out those that there are none of.
func join(facts ...string) string {
	return strings.Join(slices.DeleteFunc(facts, func(s string) bool { return s == "" }), "  ·  ")
}
