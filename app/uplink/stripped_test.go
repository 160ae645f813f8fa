package uplink

import (
	"errors"
	"testing"

	"servicesmtp.net/companion/app/apptest"
)

// TestStripped plays servers without STARTTLS, with and without a sign that
// something on the way took it out. No password is sent to any of them.
func TestStripped(t *testing.T) {
	for _, c := range []struct {
		name   string
		ehlo   apptest.Behaviour // from the second connection on; the first is usual where before is set
		before bool              // the endpoint has offered it
		known  bool              // and that is remembered
		want   string
	}{
		{"never offered", apptest.Answer(250, "relay.test\nPIPELINING\nDSN"), false, true, "The server does not offer encryption here. Somebody may be listening."},
		{"written over", apptest.Answer(250, "relay.test\nPIPELINING\nXXXXXXXA\nDSN"), false, true, Stripped},
		{"written over to the end", apptest.Answer(250, "relay.test\nXXXXXXXX"), false, false, Stripped},
		{"a word with X", apptest.Answer(250, "relay.test\nXCLIENT NAME\nXXXX\nX-SHADOW"), false, true, "The server does not offer encryption here. Somebody may be listening."},
		{"offered before", apptest.Answer(250, "relay.test\nPIPELINING\nDSN"), true, true, Stripped},
		{"offered before, EHLO refused", apptest.Answer(502, "5.5.1 what"), true, true, Stripped},
		{"EHLO refused", apptest.Answer(500, "5.5.1 what"), false, true, "The server does not offer encryption here. Somebody may be listening."},
		{"offered before, forgotten", apptest.Answer(250, "relay.test\nDSN"), true, false, "The server does not offer encryption here. Somebody may be listening."},
	} {
		bubble(t, apptest.Options{}, func(t *testing.T, r *apptest.Relay) {
			cfg := config(t, r)
			if c.known {
				cfg.Encrypted = new(Encrypted)
			}
			logins := 0
			if c.before {
				connect(t, cfg).Close()
				logins = 1
			}
			r.Script(apptest.EHLO, c.ehlo)
			s, err := Connect(t.Context(), cfg)
			if got := reason(t, s, err); got != "no_tls" {
				t.Fatalf("%s: got %s, %v", c.name, got, err)
			}
			var ce *ConnectError
			if !errors.As(err, &ce) || ce.Hold.Detail != c.want || r.Logins() != logins {
				t.Errorf("%s: %v, %d logins", c.name, err, r.Logins())
			}
		})
	}
}

// What somebody in between offers with a certificate of its own is not
// remembered as the server's word.
func TestStrippedRemembersVerifiedServersOnly(t *testing.T) {
	bubble(t, apptest.Options{Certificate: apptest.UnknownAuthority}, func(t *testing.T, r *apptest.Relay) {
		cfg := config(t, r)
		cfg.Encrypted = new(Encrypted)
		if _, err := Connect(t.Context(), cfg); err == nil || cfg.Encrypted.has(cfg.Endpoints[0]) {
			t.Errorf("%v, remembered: %v", err, cfg.Encrypted.has(cfg.Endpoints[0]))
		}
	})
}
