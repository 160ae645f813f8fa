package apptest

import (
	"crypto/tls"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"servicesmtp.net/companion/internal/wire"
)

const envid = "sb1.01J9ZZZZZZZZZZZZZZZZZZZZZZ.1"

// deliver hands one message to the relay with a client that is not ours.
func deliver(t *testing.T, r *Relay, envid, to, body string) (string, error) {
	t.Helper()
	c, err := smtp.DialStartTLS(strings.TrimPrefix(r.StartTLS(), "starttls://"), &tls.Config{RootCAs: r.CertPool(), ServerName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Auth(sasl.NewPlainClient("", "alice", "secret")); err != nil {
		return "", err
	}
	if err := c.Mail("alice@example.com", &smtp.MailOptions{EnvelopeID: envid}); err != nil {
		return "", err
	}
	if err := c.Rcpt(to, nil); err != nil {
		return "", err
	}
	w, err := c.Data()
	if err != nil {
		return "", err
	}
	if _, err := io.WriteString(w, body); err != nil {
		return "", err
	}
	res, err := w.CloseWithResponse()
	if err != nil {
		return "", err
	}
	return res.StatusText, c.Quit()
}

func TestRelayKeepsKeys(t *testing.T) {
	r := NewRelay(t, Options{Keys: true, User: "alice", Password: "secret"})
	const body = "A: b\r\n\r\n.x\r\n"
	if r.Check(envid) != KeyUnknown {
		t.Error("a key before its time")
	}
	for i, want := range []string{"2.0.0 queued as Q1", "2.0.0 queued as Q1 " + wire.Replayed} {
		if got, err := deliver(t, r, envid, "a@example.org", body); err != nil || got != want {
			t.Errorf("delivery %d: %q %v, want %q", i, got, err, want)
		}
	}
	var refused *smtp.SMTPError
	if _, err := deliver(t, r, envid, "a@example.org", body+"more\r\n"); !errors.As(err, &refused) || !strings.HasPrefix(refused.Message, "SSMTP-CONFLICT") {
		t.Errorf("other content: %v", err)
	}
	if r.CloseKey(envid) != KeyAccepted || r.CloseKey(envid[:len(envid)-1]+"2") != KeyClosed {
		t.Error("close: wrong states")
	}
	if _, err := deliver(t, r, envid[:len(envid)-1]+"2", "a@example.org", body); !errors.As(err, &refused) || !strings.HasPrefix(refused.Message, "SSMTP-CLOSED") {
		t.Errorf("closed key: %v", err)
	}
	got := r.Accepted()
	if len(got) != 1 || string(got[0].Body) != body || got[0].From != "alice@example.com" || got[0].EnvelopeID != envid {
		t.Errorf("accepted %+v", got)
	}
	if r.ClearAuth() != 0 || r.Logins() != 4 {
		t.Errorf("%d logins, %d in clear text", r.Logins(), r.ClearAuth())
	}
}

func TestDoubles(t *testing.T) {
	for _, c := range []struct {
		name  string
		relay *Relay
		want  int // code, or 0 for a lost connection
	}{
		{"AlwaysDefers", AlwaysDefers(t), 451},
		{"AlwaysRefuses", AlwaysRefuses(t), 554},
		{"LosesTheAnswer", LosesTheAnswer(t), 0},
		{"RefusesThePassword", RefusesThePassword(t), 535},
		{"IsOverQuota", IsOverQuota(t, "2031-05-01T00:00:00Z"), 550},
	} {
		_, err := deliver(t, c.relay, envid, "a@example.org", "A: b\r\n\r\n")
		var refused *smtp.SMTPError
		if errors.As(err, &refused); err == nil || (c.want != 0) != (refused != nil) || (refused != nil && refused.Code != c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
		if c.name == "LosesTheAnswer" {
			if got, err := deliver(t, c.relay, envid, "a@example.org", "A: b\r\n\r\n"); err != nil || !strings.HasSuffix(got, wire.Replayed) {
				t.Errorf("%s, again: %q %v", c.name, got, err)
			}
		}
	}
}

func TestMemorySecrets(t *testing.T) {
	notFound := errors.New("not found")
	synctest.Test(t, func(t *testing.T) {
		m := NewMemorySecrets(notFound)
		if _, err := m.Get("s", "u"); !errors.Is(err, notFound) {
			t.Errorf("empty: %v", err)
		}
		if err := m.Set("s", "u", "p"); err != nil {
			t.Error(err)
		}
		for mode, want := range map[SecretsMode]error{SecretsWork: nil, SecretsLocked: ErrSecretsLocked, SecretsAbsent: ErrSecretsAbsent} {
			m.SetMode(mode)
			if got, err := m.Get("s", "u"); !errors.Is(err, want) || (err == nil && got != "p") {
				t.Errorf("mode %d: %q %v", mode, got, err)
			}
		}
		m.SetMode(SecretsBlock)
		done := make(chan error, 1)
		go func() { done <- m.Delete("s", "u") }()
		synctest.Wait()
		select {
		case <-done:
			t.Error("a blocked call returned")
		default:
		}
		m.SetMode(SecretsWork)
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := m.Delete("s", "u"); !errors.Is(err, notFound) || m.Calls() != 7 {
			t.Errorf("%v after %d calls", err, m.Calls())
		}
	})
}
