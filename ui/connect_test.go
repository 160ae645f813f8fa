package ui

import (
	"context"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2/test"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/say"
)

// certified is a façade with an address for TLS.
type certified struct {
	whole
	login app.Login
}

func (c certified) Login(ctx context.Context) (app.Login, error) { return c.login, nil }

func TestConnectWithEncryption(t *testing.T) {
	e := certified{newWhole(), app.Login{Address: "127.0.0.1:2525", TLS: []string{"127.0.0.1:4650"}, CAFile: "/data/local-ca.pem", Auth: "off"}}
	u, d := listUI(t, e, oneAccount)
	c := newConnectView(u, time.Time{})
	u.win.SetContent(c.root)
	if c.secure.Visible() {
		t.Error("a way that nobody told of is shown")
	}
	c.enter()
	d.until(func() bool { return c.secure.Visible() })
	if len(c.seenSecure) != 4 || !says(u, "It vouches for this computer only.") {
		t.Errorf("fields %+v", c.seenSecure)
	}
	folder := t.TempDir()
	form(t, u, d, "Save the certificate", folder)
	test.Tap(button(t, u, "Save"))
	d.until(func() bool { return says(u, "The certificate is now in") })
	if got := folderHolds(t, folder, "servicesmtp-companion.pem"); !strings.HasPrefix(got, "-----BEGIN CERTIFICATE-----") {
		t.Errorf("the file holds %q", got)
	}
}

func TestConnectShowsWhoCouldNotGetIn(t *testing.T) {
	u, d := listUI(t, newWhole(), oneAccount)
	c := newConnectView(u, time.Time{})
	u.win.SetContent(c.root)
	c.enter()
	d.until(func() bool { return len(c.seen) > 0 })
	s := oneAccount
	s.Refused = &app.Refused{At: time.Now(), Said: app.Said{Sentence: say.Words{say.T("“pc” came with a wrong password.")}}}
	c.show(s)
	if !says(u, "“pc” came with a wrong password.") {
		t.Error("the wrong password is not told")
	}
	s.Refused = nil
	c.show(s)
	if says(u, "wrong password") || !says(u, "Waiting for the first message.") {
		t.Error("it is told although a program got in")
	}
}
