package ui

import (
	"fmt"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"servicesmtp.net/companion/app"
)

func TestErrorsPage(t *testing.T) {
	l := &lists{stale: true}
	for i := range 1234 {
		l.errors = append(l.errors, app.AddressError{Address: fmt.Sprintf("r%d@x.example", i), Code: "550 5.1.1", Reason: "The address does not exist.", Reply: "no such user here", Source: "recipient"})
	}
	u, d := listUI(t, l, oneAccount)
	p := newErrorsPage(u)
	if !p.export.Disabled() {
		t.Error("a list that is not known can be exported")
	}
	enterPage(u, p)
	total := func() int { n, _ := p.rows.Total(); return n }
	d.until(func() bool { return total() == 1234 })
	for _, words := range []string{"1,234 addresses have failed.", "The address does not exist.", "The recipient's server", "The relay could not be asked now."} {
		if !says(u, words) {
			t.Errorf("the page does not say %q", words)
		}
	}
	p.rows.Select(2)
	if !p.details.object.Visible() || p.details.reply.Text != "550 5.1.1 no such user here" {
		t.Errorf("the reply is %q", p.details.reply.Text)
	}
	test.Tap(button(t, u, "Copy"))
	if got, want := u.cfg.App.Clipboard().Content(), "r2@x.example\nThe address does not exist.\n550 5.1.1 no such user here"; got != want {
		t.Errorf("copied %q, want %q", got, want)
	}
	test.Type(p.bar.search, "r77@")
	p.bar.search.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	d.until(func() bool { return total() == 1 })
	if p.export.Disabled() || p.details.object.Visible() {
		t.Error("another list does not begin anew")
	}
	test.Type(p.bar.search, "?")
	p.bar.search.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	d.until(func() bool { n, known := p.rows.Total(); return known && n == 0 })
	if !p.export.Disabled() || !says(u, "No failed address fits the search.") {
		t.Error("an empty list is not told as such")
	}
	l.mu.Lock()
	l.errors, l.stale = nil, false
	l.mu.Unlock()
	test.Tap(button(t, u, "Clear filter"))
	d.until(func() bool { return says(u, "No address has failed.") })
	if p.stale.Visible() {
		t.Error("the note about the relay stays")
	}
}
