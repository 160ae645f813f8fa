package api

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"servicesmtp.net/companion/server/login"
	"servicesmtp.net/companion/server/store"
)

// desk is the operators' API on a port of its own.
type desk struct {
	*relay
	http *http.Client
	url  string
}

func startDesk(t *testing.T) desk {
	t.Helper()
	r := start(t, t.TempDir())
	conf, client := certificate(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := NewOperators(r.server, NewAdmin(AdminOptions{Store: r.store, Plans: r.server.Plans, Queue: noQueue{}, Log: r.server.Log}))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- o.Run(ctx, ln, conf) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return desk{r, client, "https://" + ln.Addr().String() + "/v1/operator"}
}

func (d desk) ask(method, path, token, body string) (*http.Response, string) {
	d.t.Helper()
	req, err := http.NewRequest(method, d.url+path, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := d.http.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return resp, string(text)
}

func (d desk) addOperator(name, password string) {
	d.t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err == nil {
		err = d.store.AddOperator(d.t.Context(), store.Operator{Name: name, Role: "read", PasswordHash: string(hash), CreatedAt: time.Now()})
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d desk) logIn(name, password string) (int, OperatorSession) {
	d.t.Helper()
	resp, text := d.ask("POST", "/session", "", fmt.Sprintf(`{"name":%q,"password":%q}`, name, password))
	if resp.StatusCode != http.StatusCreated {
		d.wantProblem(resp, text, resp.StatusCode)
		return resp.StatusCode, OperatorSession{}
	}
	return resp.StatusCode, decodeTo[OperatorSession](d.t, text)
}

var deskCalls = []string{"/accounts", "/accounts/alice", "/accounts/alice/usage", "/accounts/alice/usage?from=2026-01-01&to=2026-02-01",
	"/accounts/alice/orders", "/accounts/alice/notices", "/orders"}

// TestOperatorsLogIn: nothing is told without a session; one ends with its
// logout, its time, a new password, and its operator.
func TestOperatorsLogIn(t *testing.T) {
	d := startDesk(t)
	d.addAccount("alice")
	d.addOperator("olga", "secret-of-olga")
	device, partner := d.token("alice"), d.addPartner(store.Partner{Name: "anna"})
	refused := func(name, token string) {
		t.Helper()
		for _, path := range deskCalls {
			resp, text := d.ask("GET", path, token, "")
			if d.wantProblem(resp, text, http.StatusUnauthorized); strings.Contains(text, "alice") {
				t.Errorf("%s: %s", name, text)
			}
		}
	}
	refused("nobody", "")
	refused("a computer", device)
	refused("a partner", partner)
	for name, password := range map[string]string{"olga": "wrong", "alice": "secret-alice", "nobody": "x"} {
		if code, _ := d.logIn(name, password); code != http.StatusUnauthorized {
			t.Errorf("%s logs in: %d", name, code)
		}
	}
	session := func() string {
		t.Helper()
		code, s := d.logIn("Olga", "secret-of-olga")
		if code != http.StatusCreated || s.Role != "read" || s.Operator != "olga" || time.Until(s.Expires) > sessionLasts || time.Until(s.Expires) < sessionLasts-time.Minute {
			t.Fatalf("login: %d %+v", code, s)
		}
		for _, path := range deskCalls {
			if resp, text := d.ask("GET", path, s.Token, ""); resp.StatusCode != http.StatusOK {
				t.Errorf("%s: %d %s", path, resp.StatusCode, text)
			}
		}
		return s.Token
	}
	out, stays := session(), session()
	if resp, _ := d.ask("DELETE", "/session", out, ""); resp.StatusCode != http.StatusNoContent {
		t.Errorf("logout: %d", resp.StatusCode)
	}
	refused("who logged out", out)
	if resp, _ := d.ask("GET", "/accounts", stays, ""); resp.StatusCode != http.StatusOK {
		t.Error("one logout ended another session")
	}
	if _, err := d.store.Writer().Exec(`UPDATE operator_sessions SET expires_at = $1`, store.Micros(time.Now())); err != nil {
		t.Fatal(err)
	}
	refused("whose time is over", stays)
	before := session()
	hash, err := login.Hash("another-password")
	if err == nil {
		err = d.store.SetOperatorPassword(t.Context(), "olga", hash, time.Now())
	}
	if err != nil {
		t.Fatal(err)
	}
	refused("who has a new password", before)
	if code, _ := d.logIn("olga", "secret-of-olga"); code != http.StatusUnauthorized {
		t.Errorf("the old password: %d", code)
	}
	_, s := d.logIn("olga", "another-password")
	if err := d.store.DisableOperator(t.Context(), "olga", time.Now()); err != nil {
		t.Fatal(err)
	}
	refused("who is disabled", s.Token)
	if code, _ := d.logIn("olga", "another-password"); code != http.StatusUnauthorized {
		t.Errorf("a disabled one logs in: %d", code)
	}
	for _, secret := range []string{"secret-of-olga", "another-password", s.Token, before, "127.0.0.1"} {
		if strings.Contains(d.log.String(), secret) {
			t.Errorf("the log has %q", secret)
		}
	}
	if !strings.Contains(d.log.String(), `operator=olga`) || !strings.Contains(d.log.String(), `call="GET /v1/operator/accounts/{name}/usage"`) {
		t.Errorf("the log does not say who did what:\n%s", d.log)
	}
}

// TestOperatorsGuess: guesses are slowed down, whoever is guessed at.
func TestOperatorsGuess(t *testing.T) {
	d := startDesk(t)
	d.addOperator("olga", "secret-of-olga")
	last := 0
	for range 12 {
		last, _ = d.logIn("olga", "wrong-password")
	}
	if last != http.StatusTooManyRequests {
		t.Errorf("after 12 guesses: %d", last)
	}
}

func TestOperatorsRead(t *testing.T) {
	d := startDesk(t)
	alice := d.addAccount("alice")
	d.addAccount("bob_1")
	d.addAccount("bobx1")
	d.addEvents(alice, "failed", "x@example.net")
	partner := d.addPartner(store.Partner{Name: "anna"})
	made := d.ordered(partner, "1", "ann-1")
	d.addOperator("olga", "secret-of-olga")
	_, s := d.logIn("olga", "secret-of-olga")
	names := func(query string) string {
		t.Helper()
		resp, text := d.ask("GET", "/accounts"+query, s.Token, "")
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %s", query, resp.StatusCode, text)
		}
		var all []string
		for _, a := range decodeTo[AccountsView](t, text).Accounts {
			all = append(all, a.Name)
		}
		return strings.Join(all, " ")
	}
	for query, want := range map[string]string{"": "alice ann-1 bob_1 bobx1", "?search=ALICE@": "alice", "?search=bob_": "bob_1", "?search=anna": "ann-1", "?search=%25": "",
		"?after=ann-1": "bob_1 bobx1"} {
		if got := names(query); got != want {
			t.Errorf("%q: got %q, want %q", query, got, want)
		}
	}
	resp, text := d.ask("GET", "/orders", s.Token, "")
	if o := decodeTo[OrdersView](t, text).Orders; resp.StatusCode != 200 || len(o) != 1 || o[0].ID != made.Order.ID || o[0].Account != "ann-1" || o[0].State != "waiting" {
		t.Errorf("open orders: %s", text)
	}
	for path, status := range map[string]int{"/accounts/nobody": 404, "/accounts/nobody/usage": 404, "/accounts/nobody/orders": 404, "/accounts/nobody/notices": 404,
		"/accounts/alice/usage?from=soon": 422, "/nothing": 404} {
		resp, text := d.ask("GET", path, s.Token, "")
		d.wantProblem(resp, text, status)
	}
	resp, text = d.ask("POST", "/accounts", s.Token, "{}")
	d.wantProblem(resp, text, http.StatusMethodNotAllowed)
	if strings.Contains(text, "hash") {
		t.Error(text)
	}
	d.store.Writer().Exec(`ALTER TABLE orders RENAME TO gone`) // our own trouble is not told
	resp, text = d.ask("GET", "/orders", s.Token, "")
	d.wantProblem(resp, text, http.StatusInternalServerError)
}
