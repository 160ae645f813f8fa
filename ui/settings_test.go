package ui

import (
	"context"
	"errors"
	"slices"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/say"
	"servicesmtp.net/companion/ui/viewmodel"
)

func TestSettingsShow(t *testing.T) {
	u, _, p, _ := settingsUI(t, newHousehold())
	for _, words := range []string{
		"alice@example.com", "smtp.servicesmtp.net, port 587, STARTTLS", "in the keyring of this computer",
		"60 recipients a minute: 5,000 recipients take 1 hour 23 minutes.", "The relay may be stricter", "ServiceSMTP Companion 1.2.3",
	} {
		if !says(u, words) {
			t.Errorf("the settings do not say %q", words)
		}
	}
	if got := p.listen.port.entry.Text; got != "2525" {
		t.Errorf("port %q, want 2525", got)
	}
}

func TestAccountFormSaysWhatIsWrong(t *testing.T) {
	h := newHousehold()
	u, d := listUI(t, h, app.State{})
	f := newAccountForm(u, viewmodel.AccountForm{}, func(string, bool) {})
	u.win.SetContent(f.object())
	password := f.fields[viewmodel.FieldPassword]
	u.cfg.App.Clipboard().SetContent("secret\n")
	password.entry.TypedShortcut(&fyne.ShortcutPaste{Clipboard: u.cfg.App.Clipboard()})
	if password.entry.Text != "" || !says(u, "There is a line break in what you pasted") {
		t.Errorf("a paste with a line break became %q", password.entry.Text)
	}
	u.cfg.App.Clipboard().SetContent("secret ")
	password.entry.TypedShortcut(&fyne.ShortcutPaste{Clipboard: u.cfg.App.Clipboard()})
	test.Tap(f.save)
	if !says(u, "There is a blank before or behind it") || !says(u, "Enter the user name") {
		t.Error("the form does not say what is wrong")
	}
	if u.win.Canvas().Focused() != f.fields[viewmodel.FieldUser].entry {
		t.Error("the first wrong field has not got the keyboard")
	}
	if len(h.set) > 0 || f.busy || len(d) > 0 {
		t.Error("the relay was asked all the same")
	}
}

func TestAccountFormAsksTheRelay(t *testing.T) {
	h := newHousehold()
	h.fail, h.hold = errWords, make(chan struct{})
	u, d := listUI(t, h, app.State{})
	var saved string
	f := newAccountForm(u, viewmodel.AccountForm{}, func(name string, _ bool) { saved = name })
	u.win.SetContent(f.object())
	f.focus()
	test.Type(f.fields[viewmodel.FieldUser].entry, "bob")
	test.Type(f.fields[viewmodel.FieldPassword].entry, "secret")
	f.fields[viewmodel.FieldPassword].entry.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	if !f.busy || !f.save.Disabled() || !says(u, "Asking the relay") {
		t.Error("the form does not show that the relay is asked")
	}
	f.submit() // a second time does nothing
	h.hold <- struct{}{}
	d.until(func() bool { return !f.busy })
	if !says(u, "The disk is full.") || saved != "" || f.fields[viewmodel.FieldPassword].entry.Text != "secret" {
		t.Error("the form does not say why the account was not stored, or forgets what was typed")
	}
	h.fail = nil
	test.Tap(f.save)
	h.hold <- struct{}{}
	d.until(func() bool { return !f.busy })
	if saved != "bob" || f.fields[viewmodel.FieldPassword].entry.Text != "" {
		t.Errorf("saved %q, want bob, and no password left", saved)
	}
	if len(h.set) != 2 || h.set[1].User != "bob" || h.set[1].Password != "secret" || len(h.set[1].Endpoints) != 0 {
		t.Errorf("stored %+v", h.set)
	}
}

func TestAccountFormOtherRelay(t *testing.T) {
	u, _ := listUI(t, newHousehold(), app.State{})
	f := newAccountForm(u, viewmodel.AccountForm{User: "bob", Password: "secret"}, func(string, bool) {})
	u.win.SetContent(f.object())
	if f.relay.Visible() {
		t.Error("another relay is asked for from the start")
	}
	test.Tap(f.other)
	f.security.SetSelected("TLS")
	if got := f.fields[viewmodel.FieldPort].entry.Text; !f.relay.Visible() || got != "465" {
		t.Errorf("port %q, want that of TLS", got)
	}
	test.Tap(f.save)
	if !says(u, "Enter the server's name") || f.busy {
		t.Error("a relay without a name is taken")
	}
}

func TestChangePassword(t *testing.T) {
	h := newHousehold()
	u, d, _, _ := settingsUI(t, h)
	test.Tap(button(t, u, "Change password"))
	test.Tap(button(t, u, "Save"))
	if !says(u, "Enter the password.") {
		t.Error("no password is taken for one")
	}
	u.win.Canvas().Focused().TypedRune('x')
	test.Tap(button(t, u, "Save"))
	d.until(func() bool { return u.win.Canvas().Overlays().Top() == nil })
	if len(h.set) != 1 || h.set[0].Password != "x" || h.set[0].Name != "home" || !slices.Equal(h.set[0].Endpoints, h.accounts[0].Endpoints) {
		t.Errorf("stored %+v, want the account with another password", h.set)
	}
	if !says(u, "The relay accepts the account home.") {
		t.Error("the settings do not say that it worked")
	}
}

func TestForgetAccount(t *testing.T) {
	h := newHousehold()
	h.fail = &app.UserError{Sentence: "Mail of this account still waits.", Action: "Let it leave."}
	u, d, p, _ := settingsUI(t, h)
	test.Tap(button(t, u, "Forget"))
	test.Tap(button(t, u, "Cancel"))
	if len(h.forgot) > 0 {
		t.Error("the account is forgotten without a yes")
	}
	test.Tap(button(t, u, "Forget"))
	test.Tap(button(t, u, "Forget")) // that of the question
	d.until(func() bool { return p.accounts.result.box.Visible() })
	if !says(u, "Mail of this account still waits.") || !slices.Equal(h.forgot, []string{"home"}) {
		t.Error("the settings do not say why the account stays")
	}
}

func TestPaceIsStoredAtOnce(t *testing.T) {
	h := newHousehold()
	u, d := listUI(t, h, oneAccount)
	c := newPaceCard(u, func() {})
	u.win.SetContent(c.root)
	c.preset.SetSelectedIndex(2)
	d.until(func() bool { return says(u, "Saved.") })
	if h.p.Pace.PerMinute != 300 || !h.p.Pace.Adaptive || !says(u, "300 recipients a minute: 5,000 recipients take 17 minutes.") {
		t.Errorf("pace %+v, want 300 a minute", h.p.Pace)
	}
	c.preset.SetSelectedIndex(4)
	if !c.own.Visible() || len(d) > 0 {
		t.Error("own numbers are not asked for, or stored before they are typed")
	}
	c.day.entry.SetText("many")
	c.ownChosen()
	if !says(u, "A limit is a whole number") {
		t.Error("a word is taken for a number")
	}
	c.day.entry.SetText("1000")
	c.ownChosen()
	test.Tap(c.quietOn)
	d.until(func() bool { return !c.saver.busy })
	if p := h.p.Pace; p.PerDay != 1000 || !slices.Equal(p.Quiet, []string{"22:00-07:00"}) {
		t.Errorf("pace %+v, want 1,000 a day and a quiet night", p)
	}
	h.fail = errWords
	test.Tap(c.adaptive)
	d.until(func() bool { return says(u, "The disk is full.") })
	if !c.adaptive.Checked {
		t.Error("what could not be stored is shown as if it were")
	}
}

func TestListenOffersAnotherPort(t *testing.T) {
	h := newHousehold()
	u, d := listUI(t, h, oneAccount)
	c := newListenCard(u, func() {})
	u.win.SetContent(c.root)
	c.show(app.State{Listen: []app.ListenState{{Address: "127.0.0.1:2525", Offered: "127.0.0.1:2526",
		Said: app.Said{Sentence: say.Words{say.T("Port 2525 is taken.")}}}}})
	if !says(u, "Port 2525 is taken.") {
		t.Error("the trouble is not said")
	}
	test.Tap(button(t, u, "Use port 2526"))
	d.until(func() bool { return !c.saver.busy })
	if want := []string{"127.0.0.1:2526", "[::1]:2526"}; !slices.Equal(h.p.Listen.Addresses, want) || h.p.Listen.Auth != "required" {
		t.Errorf("listen %+v, want %v", h.p.Listen, want)
	}
	if !says(u, "Mail programs must use port 2526.") || c.port.entry.Text != "2526" {
		t.Error("the new port is not said")
	}
	c.show(app.State{Listen: []app.ListenState{{Address: "127.0.0.1:2526", OK: true}}})
	if says(u, "Port 2525 is taken.") {
		t.Error("the trouble is said although it is over")
	}
	c.port.entry.SetText("70000")
	c.submit()
	if !says(u, "A port is a number from 1 to 65535.") || len(h.listens) != 1 {
		t.Error("a port that cannot be is taken")
	}
	c.port.entry.SetText("2526")
	c.secure.entry.SetText("2526")
	c.submit()
	if !says(u, "Choose another port than the one without encryption.") || len(h.listens) != 1 {
		t.Error("one port for both is taken")
	}
	c.secure.entry.SetText("4650")
	c.submit()
	d.until(func() bool { return !c.saver.busy })
	if want := []string{"127.0.0.1:4650", "[::1]:4650"}; !slices.Equal(h.p.Listen.TLSAddresses, want) {
		t.Errorf("listen %+v, want %v", h.p.Listen, want)
	}
	test.Tap(c.auth)
	if !says(u, "Every program and every person on this computer") {
		t.Error("it is not said what no password means")
	}
}

func TestStartAtLogin(t *testing.T) {
	u, d, p, desk := settingsUI(t, newHousehold())
	test.Tap(p.window.start)
	d.until(func() bool { return !p.window.starts.busy })
	if on, _ := desk.Autostart(); !on || !says(u, "Saved.") {
		t.Error("the start at login is not stored")
	}
	desk.fail = errors.New("read-only")
	test.Tap(p.window.start)
	d.until(func() bool { return !p.window.starts.busy })
	if !p.window.start.Checked || !says(u, "The start at login cannot be changed.") {
		t.Error("what could not be stored is shown as if it were")
	}
}

func TestSaverStoresTheLast(t *testing.T) {
	u, d := listUI(t, nil, app.State{})
	first := make(chan struct{})
	var stored, done []int
	s := saver[int]{work: u.work,
		store: func(_ context.Context, n int) error {
			if n == 1 {
				<-first
			}
			stored = append(stored, n)
			return nil
		},
		done: func(n int, _ error) { done = append(done, n) },
	}
	for n := range 5 {
		s.put(n + 1)
	}
	close(first)
	d.until(func() bool { return len(done) > 0 })
	if !slices.Equal(stored, []int{1, 5}) || !slices.Equal(done, []int{5}) {
		t.Errorf("stored %v, done %v, want the first and the last", stored, done)
	}
}
