package app

import (
	"io"
	"net"
	"strings"
	"testing"

	"servicesmtp.net/companion/app/secret"
)

// setListen moves the listener and returns where it is then.
func (e *engineTest) setListen(p ListenPreferences) []ListenState {
	e.t.Helper()
	if err := e.SetListen(e.t.Context(), p); err != nil {
		e.t.Fatal(err)
	}
	return e.State().Listen
}

func TestSetListenLetsAMessageInHandArrive(t *testing.T) {
	e := newEngineTest(t, engineOptions{settings: "[listen]\naddresses = [\"127.0.0.1:0\"]\nauth = \"off\"\n"})
	e.run()
	old := e.SMTPAddrs()[0]
	c := dial(t, old)
	c.say("MAIL FROM:<alice@example.com>", "250")
	c.say("RCPT TO:<bob@dst.invalid>", "250")
	c.say("DATA", "354")
	io.WriteString(c.Conn, "Subject: in the middle\r\n\r\nhe")

	l := e.setListen(ListenPreferences{Addresses: []string{"127.0.0.2:0"}, Auth: "off"})
	if len(l) != 1 || !l[0].OK || l[0].Address == old || l[0].Address != e.SMTPAddrs()[0] {
		t.Fatalf("listeners %+v", l)
	}
	if nc, err := net.Dial("tcp", old); err == nil {
		nc.Close()
		t.Error("the old port is still open")
	}
	other := dial(t, l[0].Address)
	other.say("MAIL FROM:<alice@example.com>", "250")

	c.say("llo\r\n.", "250")
	c.expect("421")
	e.until("the message left", func(s State) bool { return len(e.relay.Accepted()) == 1 && s.Accounts[0].Messages == 0 })
	if body := string(e.relay.Accepted()[0].Body); !strings.HasSuffix(body, "Subject: in the middle\r\n\r\nhello\r\n") {
		t.Errorf("got %q", body)
	}
	if login, err := e.Login(t.Context()); err != nil || login.Address != l[0].Address || login.Password != "" {
		t.Errorf("login %+v, %v", login, err)
	}
}

func TestSetListenToABusyPort(t *testing.T) {
	busy, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	e := newEngineTest(t, engineOptions{})
	e.run()
	address := busy.Addr().String()
	l := e.setListen(ListenPreferences{Addresses: []string{address}, Auth: "required"})
	if len(l) != 1 || l[0].OK || l[0].Address != address || !strings.Contains(l[0].Sentence, "in use") || l[0].Offered == "" {
		t.Fatalf("listeners %+v", l)
	}
	if s := e.State(); s.Mood != MoodAttention || s.Sentence != l[0].Sentence {
		t.Errorf("state %s %q", s.Mood, s.Sentence)
	}
	// The port that is offered works, and so does the wanted one once it is free.
	if l = e.setListen(ListenPreferences{Addresses: []string{l[0].Offered}, Auth: "required"}); !l[0].OK {
		t.Errorf("the offered port: %+v", l)
	}
	e.setListen(ListenPreferences{Addresses: []string{address}, Auth: "required"})
	busy.Close()
	e.until("the port is served", func(s State) bool { return s.Listen[0].OK && s.Listen[0].Address == address })
	dial(t, address)
}

func TestSetListenMakesThePasswordWhenItIsNeeded(t *testing.T) {
	e := newEngineTest(t, engineOptions{settings: "[listen]\naddresses = [\"127.0.0.1:0\"]\nauth = \"off\"\n"})
	e.run()
	l := e.setListen(ListenPreferences{Addresses: []string{"127.0.0.1:0"}, Auth: "required"})
	login, err := e.Login(t.Context())
	if err != nil || login.User != secret.LocalUser || login.Password == "" || login.Auth != "required" {
		t.Fatalf("login %+v, %v", login, err)
	}
	c := dial(t, l[0].Address)
	c.say("MAIL FROM:<alice@example.com>", "530")
	c.say("AUTH PLAIN "+plain(login.User, login.Password), "235")
	c.say("MAIL FROM:<alice@example.com>", "250")

	l = e.setListen(ListenPreferences{Addresses: []string{"127.0.0.1:0"}, Auth: "off"})
	dial(t, l[0].Address).say("MAIL FROM:<alice@example.com>", "250")
	if login, err = e.Login(t.Context()); err != nil || login.Password != "" {
		t.Errorf("login %+v, %v; no password is needed any more", login, err)
	}
}
