package api

import (
	"database/sql"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"servicesmtp.net/companion/server/store"
)

type sqlTx = *sql.Tx

func inTx(t *testing.T, s *store.Store, f func(sqlTx) error) error {
	t.Helper()
	return s.Tx(t.Context(), f)
}

func TestTags(t *testing.T) {
	r := start(t, t.TempDir())
	r.addAccount("alice")
	token := r.token("alice")
	for _, path := range []string{"/account", "/quota", "/policy", "/endpoints"} {
		resp, _ := r.do("GET", path, "", bearer(token))
		tag := resp.Header.Get("ETag")
		if tag == "" || resp.Header.Get("Cache-Control") != "private, no-cache" {
			t.Errorf("%s: %v", path, resp.Header)
		}
		for match, want := range map[string]int{tag: 304, "W/" + tag: 304, `"other", ` + tag: 304, "*": 304, `"other"`: 200} {
			resp, text := r.do("GET", path, "", func(q *http.Request) {
				bearer(token)(q)
				q.Header.Set("If-None-Match", match)
			})
			if resp.StatusCode != want || (want == 304) != (text == "") {
				t.Errorf("%s with %s: %d %s", path, match, resp.StatusCode, text)
			}
		}
		// A tag is no way around the token.
		resp, text := r.do("GET", path, "", func(q *http.Request) { q.Header.Set("If-None-Match", tag) })
		r.wantProblem(resp, text, 401)
	}
	resp, _ := r.do("GET", "/account", "", bearer(token))
	before := resp.Header.Get("ETag")
	r.do("PATCH", "/account/overage-policy", `{"policy":"stop"}`, bearer(token))
	if resp, _ = r.do("GET", "/account", "", bearer(token)); resp.Header.Get("ETag") == before {
		t.Error("the tag did not change with the account")
	}
}

func TestEveryErrorIsAProblem(t *testing.T) {
	r := start(t, t.TempDir())
	r.addAccount("alice")
	token := r.token("alice")
	huge := `{"batches":[{"envid":"` + strings.Repeat("x", maxSubmission) + `"}]}`
	for _, c := range []struct {
		method, path, body, kind string
		status                   int
		allow                    string
	}{
		{"GET", "/nothing", "", "", 404, ""},
		{"DELETE", "/account", "", "", 405, "GET, HEAD"},
		{"GET", "/submissions", "", "", 405, "POST"},
		{"POST", "/bodies/x", "", "", 405, "HEAD, PUT, DELETE"},
		{"POST", "/submissions", huge, "application/json", 413, ""},
		{"POST", "/submissions", "a=b", "application/x-www-form-urlencoded", 415, ""},
		{"POST", "/submissions", "{", "application/json", 400, ""},
		{"POST", "/submissions", "{}", "application/json", 422, ""},
	} {
		resp, text := r.do(c.method, c.path, c.body, func(q *http.Request) {
			bearer(token)(q)
			q.Header.Set("Content-Type", c.kind)
		})
		if resp.Header.Get("Allow") != c.allow || resp.Header.Get("X-Request-Id") == "" {
			t.Errorf("%s %s: %v", c.method, c.path, resp.Header)
		}
		if len(text) > 2000 {
			text = text[:2000]
		}
		r.wantProblem(resp, text, c.status)
	}
}

func TestRequestIDsAreOurs(t *testing.T) {
	r := start(t, t.TempDir())
	r.addAccount("alice")
	token := r.token("alice")
	seen := map[string]bool{}
	for range 3 {
		resp, _ := r.do("GET", "/account", "", func(q *http.Request) {
			bearer(token)(q)
			q.Header.Set("X-Request-Id", "chosen-by-the-caller")
		})
		id := resp.Header.Get("X-Request-Id")
		if len(id) != 16 || seen[id] || !strings.Contains(r.log.String(), "request="+id) {
			t.Errorf("id %q", id)
		}
		seen[id] = true
	}
	for _, secret := range []string{token, "chosen-by-the-caller", "127.0.0.1", "alice"} {
		if strings.Contains(r.log.String(), secret) {
			t.Errorf("the log has %q:\n%s", secret, r.log)
		}
	}
}

func TestScopes(t *testing.T) {
	r := start(t, t.TempDir())
	r.addAccount("alice")
	tokens := map[string]string{}
	for _, scope := range everything {
		resp, text := r.do("POST", "/devices", `{"name":"`+scope+`","scopes":["`+scope+`"]}`, basic("alice", "secret-alice"))
		d := decodeTo[Device](t, text)
		if resp.StatusCode != 201 || len(d.Scopes) != 1 || d.Scopes[0] != scope {
			t.Fatalf("%s: %d %s", scope, resp.StatusCode, text)
		}
		tokens[scope] = d.Token
	}
	sum := hashOf([]byte("x"))
	for _, c := range []struct{ method, path, body, scope string }{
		{"GET", "/account", "", scopeRead},
		{"GET", "/events", "", scopeRead},
		{"GET", "/messages/x", "", scopeRead},
		{"POST", "/batches/check", envids("sb1." + job + ".1"), scopeRead},
		{"POST", "/batches/close", envids("sb1." + job + ".1"), scopeSend},
		{"POST", "/batches/cancel", envids("sb1." + job + ".1"), scopeSend},
		{"HEAD", "/bodies/" + sum, "", scopeSend},
		{"PUT", "/bodies/" + sum, "y", scopeSend},
		{"POST", "/submissions", "{}", scopeSend},
		{"PATCH", "/account/overage-policy", `{"policy":"stop"}`, scopeAdmin},
		{"GET", "/orders", "", scopeRead},
		{"GET", "/bills", "", scopeRead},
		{"GET", "/credits", "", scopeRead},
		{"GET", "/devices", "", scopeAdmin},
		{"DELETE", "/devices/x", "", scopeAdmin},
	} {
		for scope, token := range tokens {
			resp, text := r.do(c.method, c.path, c.body, bearer(token))
			if refused := resp.StatusCode == 403; refused == (scope == c.scope) {
				t.Errorf("%s %s with %s: %d %s", c.method, c.path, scope, resp.StatusCode, text)
			}
		}
	}
}

func TestDevices(t *testing.T) {
	r := start(t, t.TempDir())
	r.addAccount("alice")
	r.addAccount("mallory")
	first, second, other := r.token("alice"), r.token("alice"), r.token("mallory")
	all := get[Devices](r, first, "/devices").Devices
	if len(all) != 2 || all[0].This == all[1].This {
		t.Fatalf("devices %+v", all)
	}
	gone := all[0]
	if gone.This {
		gone = all[1]
	}
	for _, c := range []struct {
		name, token string
		status      int
	}{{"another account's", other, 404}, {"own", first, 204}, {"again", first, 404}} {
		if resp, text := r.do("DELETE", "/devices/"+gone.ID, "", bearer(c.token)); resp.StatusCode != c.status {
			t.Errorf("%s: %d %s", c.name, resp.StatusCode, text)
		}
	}
	resp, text := r.do("GET", "/account", "", bearer(second))
	r.wantProblem(resp, text, 401)
	get[Account](r, first, "/account")
}

func TestAddressesAreHeldBack(t *testing.T) {
	r := start(t, t.TempDir())
	r.server.addresses = newLimitsOf(rate.Every(time.Hour), 3) // however slow the calls are, none comes back meanwhile
	for i := range 5 {
		resp, text := r.do("GET", "/account", "", nil)
		want := 401
		if i >= 3 {
			want = 429
			if resp.Header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
		}
		r.wantProblem(resp, text, want)
	}
	for remote, want := range map[string]string{"192.0.2.1:5": "192.0.2.1", "[2001:db8:1:2:3::4]:5": "2001:db8:1:2::/64", "[::ffff:192.0.2.1]:5": "192.0.2.1",
		"[fe80::1%eth0]:5": "fe80::/64", "pipe": "pipe"} {
		if got := prefix(remote); got != want {
			t.Errorf("%s: got %s, want %s", remote, got, want)
		}
	}
	l := newLimitsOf(1, 1)
	for i := range maxLimiters + 10 {
		l.wait(fmt.Sprint(i), time.Unix(0, 0))
	}
	if len(l.devices) > maxLimiters {
		t.Errorf("%d limiters", len(l.devices))
	}
}

func TestHealth(t *testing.T) {
	r := start(t, t.TempDir())
	running := true
	r.server.Running = func() bool { return running }
	ask := func(path string) (int, string) {
		resp, err := r.http.Get(strings.TrimSuffix(r.url, "/v1") + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b := make([]byte, 200)
		n, _ := resp.Body.Read(b)
		return resp.StatusCode, strings.TrimSpace(string(b[:n]))
	}
	want := func(path string, status int, text string) {
		t.Helper()
		if s, got := ask(path); s != status || got != text {
			t.Errorf("%s: got %d %s, want %d %s", path, s, got, status, text)
		}
	}
	want("/healthz", 200, `{"status":"ok"}`)
	want("/readyz", 200, `{"store":"ok","queue":"running"}`)
	running = false
	want("/readyz", 503, `{"store":"ok","queue":"stopped"}`)
	r.server.readiness = readiness{}
	if _, err := r.store.Writer().Exec(`DROP TABLE settings`); err != nil {
		t.Fatal(err)
	}
	running = true
	want("/readyz", 503, `{"store":"failing","queue":"running"}`)
	want("/healthz", 200, `{"status":"ok"}`)
}
