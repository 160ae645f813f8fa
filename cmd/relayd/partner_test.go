package main

import (
	"encoding/json"
	"strings"
	"syscall"
	"testing"

	"servicesmtp.net/companion/server/api"
)

// TestPartners prints everything in both forms, from a stopped relay and from a
// running one.
func TestPartners(t *testing.T) {
	for _, mode := range []string{"stopped", "running"} {
		t.Run(mode, func(t *testing.T) {
			p := newPlace(t)
			if mode == "running" {
				r := p.serve()
				defer r.end(syscall.SIGTERM)
			}
			golden(t, "partner-add.txt", p.must("", strings.Fields("partner add bert --email bert@example.com")...))
			golden(t, "partner-add.json", p.must("", strings.Fields("partner add anna --email anna@example.com --plans entry,standard --max-accounts 5 --json")...))
			golden(t, "partner-token.txt", p.must("", strings.Fields("partner token anna --scopes usage:read,accounts:read --expires 2126-12-31")...))
			made := p.must("", strings.Fields("partner token anna --json")...)
			golden(t, "partner-token.json", made)
			var k api.PartnerTokenView
			if err := json.Unmarshal([]byte(made), &k); err != nil {
				t.Fatal(err)
			}
			golden(t, "partner-revoke.json", p.must("", "partner", "revoke", k.ID, "--json"))
			golden(t, "partner-revoke.txt", p.must("", "partner", "revoke", k.ID)) // also again
			for _, c := range []struct{ file, args string }{
				{"partner-list", "partner list"},
				{"partner-show", "partner show anna"},
				{"partner-disable", "partner disable anna"},
				{"partner-enable", "partner enable anna"},
			} {
				golden(t, c.file+".json", p.must("", append(strings.Fields(c.args), "--json")...))
				golden(t, c.file+".txt", p.must("", strings.Fields(c.args)...))
			}
			if show := p.must("", "partner", "show", "anna", "--json"); strings.Contains(show, k.Token) || strings.Contains(show, `"token":`) {
				t.Errorf("a token is shown twice: %s", show)
			}
		})
	}
}

func TestPartnersRefused(t *testing.T) {
	p := newPlace(t)
	p.must("", "partner", "add", "anna", "--email", "anna@example.com")
	for _, c := range []struct {
		name, args string
		code       int
		say        string
	}{
		{"name taken", "partner add Anna --email a@b", exitFailed, `a partner "anna" already`},
		{"odd name", "partner add a:b --email a@b", exitFailed, "cannot be used"},
		{"no address", "partner add bert", exitUsage, "--email"},
		{"not an address", "partner add bert --email bert", exitFailed, "not an e-mail address"},
		{"unknown plan", "partner add bert --email a@b --plans entry,gold", exitFailed, `no plan "gold"`},
		{"fewer than none", "partner add bert --email a@b --max-accounts=-1", exitFailed, "0 for no limit"},
		{"unknown", "partner show bert", exitFailed, `no partner "bert"`},
		{"unknown's token", "partner token bert", exitFailed, `no partner "bert"`},
		{"unknown scope", "partner token anna --scopes everything", exitFailed, "accounts:read, accounts:write, usage:read"},
		{"not a day", "partner token anna --expires soon", exitFailed, "YYYY-MM-DD"},
		{"a day of before", "partner token anna --expires 2020-01-01", exitFailed, "expired already"},
		{"unknown token", "partner revoke 01ARZ3NDEKTSV4RRFFQ69G5FAV", exitFailed, "partner show NAME"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := p.command("", strings.Fields(c.args)...)
			if r.code != c.code || !strings.Contains(r.stderr, c.say) || r.stdout != "" {
				t.Errorf("code %d, %q, %q; want %d and %q", r.code, r.stdout, r.stderr, c.code, c.say)
			}
		})
	}
}
