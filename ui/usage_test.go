package ui

import (
	"slices"
	"testing"
	"time"

	"fyne.io/fyne/v2/test"

	"servicesmtp.net/companion/app"
)

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
