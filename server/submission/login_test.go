package submission

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestOffers(t *testing.T) {
	w := newWorld(t)
	c := w.dialPlain()
	before := c.cmd("EHLO client.invalid", "250-")
	if strings.Contains(before, "AUTH") || !strings.Contains(before, "250 STARTTLS") {
		t.Errorf("before TLS: %q", before)
	}
	for name, lines := range map[string]string{
		"after STARTTLS": w.startTLS(c).cmd("EHLO client.invalid", "250-"),
		"TLS at once":    w.dialTLS().cmd("EHLO client.invalid", "250-"),
	} {
		var got []string
		for line := range strings.Lines(lines) {
			got = append(got, strings.TrimSpace(line)[4:])
		}
		for _, want := range []string{"AUTH PLAIN LOGIN", "DSN", "SIZE 150000000", "8BITMIME", "SMTPUTF8", "PIPELINING", "CHUNKING",
			"ENHANCEDSTATUSCODES", "LIMITS RCPTMAX=50"} {
			if !slices.Contains(got, want) {
				t.Errorf("%s: %q is not offered, only %q", name, want, got)
			}
		}
		if slices.Contains(got, "STARTTLS") {
			t.Errorf("%s: STARTTLS is offered again", name)
		}
	}
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func TestLogin(t *testing.T) {
	w := newWorld(t)
	w.account("alice", "standard")
	for _, c := range []struct {
		name   string
		dialog []string // lines and the beginnings of their replies, by turns
	}{
		{"plain in one line", []string{"AUTH PLAIN " + plain("", "alice", "secret"), "235 2.0.0"}},
		{"plain in two lines", []string{"AUTH PLAIN", "334 ", plain("", "alice", "secret"), "235 2.0.0"}},
		{"plain, identity is the user", []string{"AUTH PLAIN " + plain("alice", "alice", "secret"), "235 "}},
		{"plain for somebody else", []string{"AUTH PLAIN " + plain("bob", "alice", "secret"), "535 5.7.8"}},
		{"plain, wrong password", []string{"AUTH PLAIN " + plain("", "alice", "wrong"), "535 5.7.8", "AUTH PLAIN " + plain("", "alice", "secret"), "235 "}},
		{"plain, unknown name", []string{"AUTH PLAIN " + plain("", "bob", "secret"), "535 5.7.8"}},
		{"plain, malformed", []string{"AUTH PLAIN " + b64("alice"), "501 5.5.2"}},
		{"plain, not base64", []string{"AUTH PLAIN ???", "454 "}},
		{"plain, very long", []string{"AUTH PLAIN " + plain("", "alice", strings.Repeat("x", 12_288)), "535 5.7.8"}},
		{"login", []string{"AUTH LOGIN", "334 VXNlcm5hbWU6", b64("alice"), "334 UGFzc3dvcmQ6", b64("secret"), "235 2.0.0"}},
		{"login, name inline", []string{"AUTH LOGIN " + b64("alice"), "334 UGFzc3dvcmQ6", b64("secret"), "235 2.0.0"}},
		{"login, wrong password", []string{"AUTH LOGIN", "334 ", b64("alice"), "334 ", b64("wrong"), "535 5.7.8"}},
		{"login, given up", []string{"AUTH LOGIN", "334 ", "*", "501 ", "NOOP", "250 "}},
		{"unknown mechanism", []string{"AUTH CRAM-MD5", "504 5.7.4"}},
		{"no login", []string{"MAIL FROM:<a@example.com>", "530 5.7.0"}},
		{"twice", []string{"AUTH PLAIN " + plain("", "alice", "secret"), "235 ", "AUTH PLAIN " + plain("", "alice", "secret"), "503 "}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cl := w.dialTLS()
			cl.t = t
			cl.cmd("EHLO client.invalid", "250-")
			for i := 0; i < len(c.dialog); i += 2 {
				cl.cmd(c.dialog[i], c.dialog[i+1])
			}
		})
	}
	for _, secret := range []string{"secret", "alice", "bob", "wrong", "127.0.0.1"} {
		if strings.Contains(w.log.String(), secret) {
			t.Errorf("the log says %q", secret)
		}
	}
}

func TestNoPasswordBeforeTLS(t *testing.T) {
	w := newWorld(t)
	w.account("alice", "standard")
	c := w.dialPlain()
	c.cmd("EHLO client.invalid", "250-")
	c.cmd("AUTH PLAIN "+plain("", "alice", "secret"), "530 5.7.0")
	c.cmd("MAIL FROM:<a@example.com>", "530 5.7.0")
	c.cmd("EHLO", "501 ")
	c.cmd("NOOP", "250 ")
	c.cmd("GET / HTTP/1.1", "500 ")
	c = w.startTLS(c)
	c.cmd("EHLO client.invalid", "250-")
	c.cmd("MAIL FROM:<a@example.com>", "530 5.7.0")
	c.cmd("AUTH PLAIN "+plain("", "alice", "secret"), "235 ")
	c.cmd("MAIL FROM:<a@example.com>", "250 ")
}

// TestInjectionBeforeTLS: who says more in the clear behind STARTTLS is not
// served (CVE-2011-0411).
func TestInjectionBeforeTLS(t *testing.T) {
	w := newWorld(t)
	c := w.dialPlain()
	c.cmd("EHLO client.invalid", "250-")
	c.write("STARTTLS\r\nEHLO injected.invalid\r\n")
	c.want("501 5.5.1")
	c.closed()
}

// TestStoreDown: a login that cannot be checked is never called wrong.
func TestStoreDown(t *testing.T) {
	down := errors.New("open /var/lib/relay.db: no such file")
	w := newWorld(t, func(o *options) {
		o.authenticate = func(context.Context, Login) (string, error) { return "", down }
	})
	c := w.dialTLS()
	c.cmd("EHLO client.invalid", "250-")
	if got := c.cmd("AUTH PLAIN "+plain("", "alice", "secret"), "454 4.7.0"); strings.Contains(got, "relay.db") {
		t.Errorf("the reply tells of the inside: %q", got)
	}
}

// TestLoginKnowsTheRemote: guesses are counted by address.
func TestLoginKnowsTheRemote(t *testing.T) {
	seen := make(chan Login, 1)
	w := newWorld(t, func(o *options) {
		o.authenticate = func(_ context.Context, l Login) (string, error) { seen <- l; return "", ErrCredentials }
	})
	c := w.dialTLS()
	c.cmd("EHLO client.invalid", "250-")
	c.cmd("AUTH PLAIN "+plain("", "alice", "secret"), "535 ")
	if got, want := <-seen, (Login{User: "alice", Password: "secret", Remote: "127.0.0.1"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestPanicIsContained: one connection's panic is not the others'.
func TestPanicIsContained(t *testing.T) {
	w := newWorld(t, func(o *options) {
		o.authenticate = func(_ context.Context, l Login) (string, error) {
			if l.User == "eve" {
				panic("eve@example.com broke it")
			}
			return "id-alice", nil
		}
	})
	w.account("alice", "standard")
	c, other := w.dialTLS(), w.dialTLS()
	for _, each := range []*client{c, other} {
		each.cmd("EHLO client.invalid", "250-")
	}
	c.cmd("AUTH PLAIN "+plain("", "eve", "x"), "421 ")
	c.closed()
	other.cmd("AUTH PLAIN "+plain("", "alice", "x"), "235 ")
	other.offer("", "x@a.example")
	other.data(message("hello"), "250 2.0.0 queued as ")
	if log := w.log.String(); strings.Contains(log, "eve@") || !strings.Contains(log, "submission panics") {
		t.Errorf("log %q", log)
	}
}

// TestFrontEnds: before TLS nobody stays who does not mean to encrypt.
func TestFrontEnds(t *testing.T) {
	w := newWorld(t)
	for name, last := range map[string]string{
		"quits":      "QUIT\r\n",
		"chunk":      "BDAT 8 LAST\r\nSTARTTLS",
		"nonsense":   strings.Repeat("GET / HTTP/1.1\r\n", maxBad),
		"long line":  strings.Repeat("x", 2*readSize),
		"handshake?": "STARTTLS\r\n",
	} {
		c := w.dialPlain()
		c.write(last)
		if name == "handshake?" {
			c.want("220 ")
			c.write("EHLO in the clear\r\n")
		}
		for got := c.reply(); !strings.HasPrefix(got, "("); got = c.reply() {
			if strings.HasPrefix(got, "235") || strings.HasPrefix(got, "220") {
				t.Errorf("%s: %q", name, got)
			}
		}
	}
}
