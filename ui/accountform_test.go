package ui

import (
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/ui/viewmodel"
)

var errAway = &app.UserError{Sentence: "The relay cannot be reached from this network.", Action: "Try again.", Err: app.ErrUnreachable}

// offers tells whether the form offers one with these words.
func offers(u *UI, words string) bool {
	found := false
	drawn(u.win.Content(), func(o fyne.CanvasObject) {
		b, ok := o.(*widget.Button)
		found = found || ok && b.Text == words
	})
	return found
}

func TestAnAccountCanBeStoredOffline(t *testing.T) {
	h := newHousehold()
	h.fail = errAway
	u, d := listUI(t, h, app.State{})
	var saved string
	checked := true
	f := newAccountForm(u, viewmodel.AccountForm{User: "bob", Password: "secret"}, func(name string, asked bool) { saved, checked = name, asked })
	u.win.SetContent(f.object())
	test.Tap(f.save)
	d.until(func() bool { return !f.busy })
	if !says(u, "The relay cannot be reached") || f.save.Text != "Try again" || u.win.Canvas().Focused() != nil {
		t.Errorf("the form does not say that the relay is away, or its button says %q", f.save.Text)
	}
	test.Tap(f.save)
	d.until(func() bool { return !f.busy })
	h.fail = nil
	test.Tap(button(t, u, "Save without checking"))
	if !f.busy || says(u, "Asking the relay") {
		t.Error("it is said that the relay is asked")
	}
	d.until(func() bool { return !f.busy })
	if len(h.set) != 3 || h.set[1].Skip || !h.set[2].Skip || h.set[2].Password != "secret" {
		t.Errorf("stored %+v, want the last one without asking", h.set)
	}
	if saved != "bob" || checked || says(u, "The relay accepts the account.") {
		t.Errorf("saved %q, checked %v, and it is said that the relay accepts it", saved, checked)
	}
}

// TestOnlyWhoIsOfflineNeedNotCheck: a wrong password would hold all mail up.
func TestOnlyWhoIsOfflineNeedNotCheck(t *testing.T) {
	h := newHousehold()
	u, d := listUI(t, h, app.State{})
	f := newAccountForm(u, viewmodel.AccountForm{User: "bob", Password: "secret"}, func(string, bool) {})
	u.win.SetContent(f.object())
	for _, c := range []struct {
		name   string
		err    error
		offers bool
	}{{"offline", errAway, true}, {"refused", errWords, false}, {"offline again", errAway, true}} {
		h.fail = c.err
		f.submit()
		d.until(func() bool { return !f.busy })
		if got := offers(u, "Save without checking"); got != c.offers {
			t.Errorf("%s: to save without checking is offered: %v, want %v", c.name, got, c.offers)
		}
		if want := map[bool]string{true: "Try again", false: "Save"}[c.offers]; f.save.Text != want {
			t.Errorf("%s: the button says %q, want %q", c.name, f.save.Text, want)
		}
	}
}

func TestFirstStartOffline(t *testing.T) {
	w := newWhole()
	w.household.fail = errAway
	u, d := listUI(t, w, app.State{})
	u.first = true
	u.content = newShell(u)
	u.win.SetContent(u.content.root)
	u.content.seen(true)
	first, _ := u.content.current.(*firstStart)
	first.form.fields[viewmodel.FieldUser].entry.SetText("bob")
	first.form.fields[viewmodel.FieldPassword].entry.SetText("secret")
	test.Tap(button(t, u, "Save"))
	d.until(func() bool { return !first.form.busy })
	w.household.fail, w.household.hold = nil, make(chan struct{})
	test.Tap(button(t, u, "Save without checking"))
	w.household.hold <- struct{}{}
	w.household.mu.Lock()
	w.household.accounts = append(w.household.accounts, app.AccountInfo{Name: "bob", Credential: "keyring"})
	w.household.mu.Unlock()
	d.until(func() bool { return first.stored.Name != "" })
	if !says(u, "The account is stored. Whether the relay accepts it shows") || !says(u, "this computer's keyring") || says(u, "The account works.") {
		t.Error("it is not said that the account is only stored")
	}
	first.show(app.State{Accounts: []app.AccountState{{Name: "bob", Quota: &app.QuotaState{Plan: "standard", EmailsLimit: 50_000}}}})
	if !says(u, "The account works.") {
		t.Error("the relay has told the plan, but it is not said that the account works")
	}
}

func TestTheCertificateFileCanBeLookedFor(t *testing.T) {
	u, _ := listUI(t, newHousehold(), app.State{})
	f := newAccountForm(u, viewmodel.AccountForm{Other: true}, func(string, bool) {})
	u.win.SetContent(f.object())
	test.Tap(button(t, u, "Choose"))
	if u.win.Canvas().Overlays().Top() == nil {
		t.Error("no file can be chosen")
	}
	f.setBusy(true)
	if !f.fields[viewmodel.FieldCAFile].button.Disabled() {
		t.Error("a file can be chosen while the relay is asked")
	}
}
