package ui

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/say"
	"servicesmtp.net/companion/ui/viewmodel"
)

// household is a façade with accounts, preferences, usage and a log.
type household struct {
	Engine

	mu       sync.Mutex // guards what follows
	fail     error      // of every change
	hold     chan struct{}
	accounts []app.AccountInfo
	set      []app.AccountInput
	forgot   []string
	p        app.Preferences
	paces    []app.PacePreferences
	listens  []app.ListenPreferences
	looks    []app.WindowPreferences
	usage    app.Usage
	usageErr error
	asked    []string // for whose usage
	log      []app.LogLine
	logErr   error
}

func (h *household) Accounts(context.Context) ([]app.AccountInfo, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.accounts), nil
}

func (h *household) SetAccount(_ context.Context, in app.AccountInput) error {
	if h.hold != nil {
		<-h.hold
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.set = append(h.set, in)
	return h.fail
}

func (h *household) ForgetAccount(_ context.Context, name string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.forgot = append(h.forgot, name)
	return h.fail
}

func (h *household) Preferences() app.Preferences {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.p
}

func (h *household) SetPace(_ context.Context, p app.PacePreferences) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.paces = append(h.paces, p)
	if h.fail == nil {
		h.p.Pace = p
	}
	return h.fail
}

func (h *household) SetListen(_ context.Context, p app.ListenPreferences) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.listens = append(h.listens, p)
	if h.fail == nil {
		h.p.Listen = p
	}
	return h.fail
}

func (h *household) SetWindow(_ context.Context, p app.WindowPreferences) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.looks = append(h.looks, p)
	return h.fail
}

func (h *household) Usage(_ context.Context, account string) (app.Usage, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked = append(h.asked, account)
	return h.usage, h.usageErr
}

func (h *household) LogTail(context.Context, int) ([]app.LogLine, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.log), h.logErr
}

// login is a desktop that only knows whether the companion starts with it.
type login struct {
	Desktop

	mu   sync.Mutex // guards what follows
	on   bool
	fail error
}

func (l *login) Autostart() (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.on, nil
}

func (l *login) SetAutostart(on bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail == nil {
		l.on = on
	}
	return l.fail
}

var errWords = &app.UserError{Sentence: "The disk is full.", Action: "Make room.", Err: errors.New("ENOSPC")}

func newHousehold() *household {
	return &household{
		accounts: []app.AccountInfo{{Name: "home", User: "alice@example.com", Credential: "keyring",
			Endpoints: []string{"starttls://smtp.servicesmtp.net:587", "tls://smtp.servicesmtp.net:465"}}},
		p: app.Preferences{
			Pace:   app.PacePreferences{PerMinute: 60, Quiet: []string{}, Adaptive: true},
			Listen: app.ListenPreferences{Addresses: []string{"127.0.0.1:2525", "[::1]:2525"}, Auth: "required"},
		},
	}
}

// settingsUI is a UI with the settings in sight, filled.
func settingsUI(t *testing.T, h *household) (*UI, queued, *settingsPage, *login) {
	t.Helper()
	u, d := listUI(t, h, oneAccount)
	desk := &login{}
	u.cfg.Desktop, u.cfg.Version, u.window = desk, "1.2.3", app.WindowPreferences{Language: "system", Theme: "system"}
	p := newSettingsPage(u)
	enterPage(u, p)
	d.until(func() bool { return len(p.accounts.list.Objects) > 0 && !p.window.start.Disabled() })
	return u, d, p, desk
}

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

func TestUsagePage(t *testing.T) {
	h := newHousehold()
	h.usageErr = &app.UserError{Sentence: "The relay has not told the usage of this account yet.", Action: "Try again."}
	u, d := listUI(t, h, app.State{Accounts: []app.AccountState{{Name: "home"}, {Name: "work"}}})
	p := newUsagePage(u)
	enterPage(u, p)
	if !says(u, "Asking the relay.") || !p.choice.Visible() {
		t.Error("it is not said that the relay is asked, or no account can be chosen")
	}
	d.until(func() bool { return says(u, "The relay has not told the usage") })
	h.mu.Lock()
	h.usageErr = nil
	h.usage = app.Usage{Account: "home", Plan: "business", From: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC),
		Emails: 31_000, EmailsLimit: 50_000, Days: []app.UsageDay{{Day: "2026-11-02", Emails: 31_000}}}
	h.mu.Unlock()
	test.Tap(button(t, u, "Try again"))
	d.until(func() bool { return says(u, "31,000 of 50,000") })
	if !says(u, "1 November to 30 November") || !says(u, "2 November") || p.wrong.Visible() {
		t.Error("the usage is not shown")
	}
	h.mu.Lock()
	h.usageErr = errWords
	h.mu.Unlock()
	test.Tap(p.refresh)
	d.until(func() bool { return !p.refresh.Disabled() })
	if !says(u, "The disk is full.") || !says(u, "31,000 of 50,000") {
		t.Error("what was told before goes away with an error, or the error is not said")
	}
	p.choice.SetSelected("work")
	if says(u, "31,000 of 50,000") {
		t.Error("another account shows the usage of the one before")
	}
	d.until(func() bool { return !p.refresh.Disabled() })
	if want := []string{"home", "home", "home", "work"}; !slices.Equal(h.asked, want) {
		t.Errorf("asked for %v, want %v", h.asked, want)
	}
}
