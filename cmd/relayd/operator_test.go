package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	"servicesmtp.net/companion/server/api"
)

// TestOperators prints everything in both forms, from a stopped relay and from
// a running one.
func TestOperators(t *testing.T) {
	for _, mode := range []string{"stopped", "running"} {
		t.Run(mode, func(t *testing.T) {
			p := newPlace(t)
			if mode == "running" {
				r := p.serve()
				defer r.end(syscall.SIGTERM)
			}
			golden(t, "operator-add.json", p.must("", strings.Fields("operator add olga --role admin --json")...))
			golden(t, "operator-add.txt", p.must("", strings.Fields("operator add otto")...))
			for _, c := range []struct{ file, args string }{
				{"operator-password", "operator password olga"},
				{"operator-disable", "operator disable otto"},
				{"operator-list", "operator list"},
				{"operator-enable", "operator enable otto"},
			} {
				golden(t, c.file+".json", p.must("", append(strings.Fields(c.args), "--json")...))
				golden(t, c.file+".txt", p.must("", strings.Fields(c.args)...))
			}
			for args, say := range map[string]string{"operator add Olga": `an operator "olga" already`, "operator disable nobody": `no operator "nobody"`,
				"operator password nobody": `no operator "nobody"`, "operator add a:b": "cannot be used"} {
				if r := p.command("", strings.Fields(args)...); r.code != exitFailed || !strings.Contains(r.stderr, say) {
					t.Errorf("%s: %+v", args, r)
				}
			}
		})
	}
}

// TestOperatorsPort: it is there when the settings say so, with the relay's
// certificate, and the calls of accounts are not.
func TestOperatorsPort(t *testing.T) {
	p := newPlace(t)
	if err := os.WriteFile(p.config, []byte(settings+"[web]\nlisten = \"127.0.0.1:0\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	addAlice(p)
	p.must(password+"\n", "operator", "add", "olga", "--password-stdin")
	r := p.serve()
	defer r.end(syscall.SIGTERM)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: p.trust()}}
	defer client.CloseIdleConnections()
	resp, err := client.Post("https://"+r.ready.Web+"/v1/operator/session", "application/json", bytes.NewReader([]byte(`{"name":"olga","password":"`+password+`"}`)))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var s api.OperatorSession
	if err := json.NewDecoder(resp.Body).Decode(&s); err != nil || resp.StatusCode != http.StatusCreated {
		t.Fatalf("login: %d %v", resp.StatusCode, err)
	}
	for url, want := range map[string]int{
		"https://" + r.ready.Web + "/v1/operator/accounts/alice": 200, "https://" + r.ready.Web + "/v1/account": 404, "https://" + r.ready.API + "/v1/operator/accounts": 404,
	} {
		req, err := http.NewRequest("GET", url, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+s.Token)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", url, resp.StatusCode, want)
		}
	}
}
