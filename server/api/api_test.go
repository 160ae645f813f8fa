package api

import (
	"bytes"
	"database/sql"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/login"
	"servicesmtp.net/companion/server/store"
)

func TestLoginAndToken(t *testing.T) {
	r := start(t, t.TempDir())
	alice := r.addAccount("alice")
	for name, sign := range map[string]func(*http.Request){
		"none": nil, "wrong password": basic("alice", "no"), "unknown name": basic("bob", "secret-alice"), "a token": bearer("sbt_x"),
	} {
		resp, text := r.do("POST", "/devices", `{"name":"pc"}`, sign)
		r.wantProblem(resp, text, http.StatusUnauthorized)
		if !strings.HasPrefix(resp.Header.Get("WWW-Authenticate"), "Basic") {
			t.Errorf("%s: challenge %q", name, resp.Header.Get("WWW-Authenticate"))
		}
	}
	token := r.token("alice")
	if a := get[Account](r, token, "/account"); a.Name != "alice" || a.Plan != "standard" || a.Status != "active" {
		t.Errorf("account %+v", a)
	}
	for name, sign := range map[string]func(*http.Request){
		"none": nil, "other token": bearer(token + "x"), "the password": basic("alice", "secret-alice"), "empty": bearer(""),
	} {
		resp, text := r.do("GET", "/account", "", sign)
		r.wantProblem(resp, text, http.StatusUnauthorized)
		if !strings.HasPrefix(resp.Header.Get("WWW-Authenticate"), "Bearer") {
			t.Errorf("%s: challenge %q", name, resp.Header.Get("WWW-Authenticate"))
		}
	}
	if err := r.store.SetAccountPassword(t.Context(), alice.ID, alice.PasswordHash, time.Now()); err != nil {
		t.Fatal(err)
	}
	resp, text := r.do("GET", "/account", "", bearer(token))
	r.wantProblem(resp, text, http.StatusUnauthorized)
}

// TestLastUseIsRememberedByTheHour and not with every call.
func TestLastUseIsRememberedByTheHour(t *testing.T) {
	r := start(t, t.TempDir())
	r.addAccount("alice")
	token := r.token("alice")
	seen := func() store.Device {
		t.Helper()
		get[Account](r, token, "/account")
		d, _, err := r.store.DeviceByToken(t.Context(), login.TokenHash(token))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	first := seen()
	if again := seen(); !again.SeenAt.Equal(first.SeenAt) {
		t.Error("written again within an hour")
	}
	old := time.Now().Add(-2 * seenEvery)
	if err := r.store.TouchDevice(t.Context(), first.ID, old); err != nil {
		t.Fatal(err)
	}
	if later := seen(); time.Since(later.SeenAt) > seenEvery {
		t.Errorf("still seen at %v", later.SeenAt)
	}
}

func TestTokenIsStoredAsAHashAndNothingIsLogged(t *testing.T) {
	dir := t.TempDir()
	r := start(t, dir)
	alice := r.addAccount("alice")
	token := r.token("alice")
	r.addEvents(alice, "failed", "victim@example.org")
	get[Errors](r, token, "/errors")
	r.do("POST", "/devices", `{"name":"pc"}`, basic("alice", "wrong-secret"))
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	db, err := os.ReadFile(dir + "/relay.db")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(db, []byte(token)) || !bytes.Contains(db, []byte(login.TokenHash(token))) {
		t.Error("the token stands in the database, or its hash does not")
	}
	log := r.log.String()
	for _, secret := range []string{token, "secret", "victim", "alice", "127.0.0.1"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log tells %q:\n%s", secret, log)
		}
	}
	if !strings.Contains(log, "/v1/errors") || !strings.Contains(log, "status=401") {
		t.Errorf("calls are not logged:\n%s", log)
	}
}

func TestManyWrongLoginsAreToldToWait(t *testing.T) {
	r := start(t, t.TempDir())
	r.addAccount("alice")
	for range 40 {
		resp, text := r.do("POST", "/devices", `{"name":"pc"}`, basic("alice", "wrong"))
		if resp.StatusCode == http.StatusTooManyRequests {
			r.wantProblem(resp, text, http.StatusTooManyRequests)
			if resp.Header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
			return
		}
	}
	t.Error("40 wrong logins in a row were tried")
}

func TestOneTokenCannotAskTooOften(t *testing.T) {
	l := newLimits()
	now := time.Now()
	for i := range callsBurst {
		if w := l.wait("d1", now); w != 0 {
			t.Fatalf("call %d waits %v", i, w)
		}
	}
	w := l.wait("d1", now)
	if w <= 0 || w > time.Second {
		t.Errorf("waits %v", w)
	}
	if w := l.wait("d2", now); w != 0 {
		t.Errorf("another token waits %v", w)
	}
	if w := l.wait("d1", now.Add(w)); w != 0 {
		t.Errorf("after the wait it waits %v", w)
	}
	r := start(t, t.TempDir())
	r.server.limits = newLimitsOf(rate.Every(time.Hour), callsBurst) // slow calls are too many as well
	r.addAccount("alice")
	token := r.token("alice")
	for range callsBurst + 1 {
		resp, text := r.do("GET", "/policy", "", bearer(token))
		if resp.StatusCode == http.StatusTooManyRequests {
			r.wantProblem(resp, text, http.StatusTooManyRequests)
			return
		}
	}
	t.Error("never refused")
}

func TestAccountsDoNotSeeEachOther(t *testing.T) {
	r := start(t, t.TempDir())
	r.addAccount("alice")
	bob := r.addAccount("bob")
	r.addEvents(bob, "failed", "of-bob@example.org")
	var notice int64
	err := r.store.Tx(t.Context(), func(tx *sql.Tx) (err error) {
		notice, err = r.store.AddNotice(t.Context(), tx, store.Notice{AccountID: bob.ID, Kind: "quota", Severity: "info", Subject: "s", Body: "b", CreatedAt: time.Now()})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.store.CloseKeys(t.Context(), bob.ID, []string{"sb1." + job + ".1"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	token := r.token("alice")
	if e := get[Events](r, token, "/events"); len(e.Events) != 0 {
		t.Errorf("events %v", e)
	}
	if e := get[Errors](r, token, "/errors"); len(e.Errors) != 0 {
		t.Errorf("errors %v", e)
	}
	if n := get[Notices](r, token, "/notices"); len(n.Notices) != 0 {
		t.Errorf("notices %v", n)
	}
	resp, text := r.do("POST", fmt.Sprintf("/notices/%d/ack", notice), "", bearer(token))
	r.wantProblem(resp, text, http.StatusNotFound)
	_, text = r.do("POST", "/batches/check", `{"envids":["sb1.`+job+`.1"]}`, bearer(token))
	if b := decodeTo[Batches](t, text); b.Batches[0].State != "unknown" {
		t.Errorf("batch %+v", b)
	}
}

func TestQuotaAndUsage(t *testing.T) {
	r := start(t, t.TempDir())
	alice := r.addAccount("alice")
	now := time.Now()
	p, err := r.server.billing.Standing(t.Context(), alice.ID)
	if err != nil {
		t.Fatal(err)
	}
	today := account.Day(time.UTC, now)
	err = r.store.Tx(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec(`INSERT INTO usage_periods (account_id, period_start, period_end, emails, bytes) VALUES ($1, $2, $3, 500, 600000000)`,
			alice.ID, store.Micros(p.Start), store.Micros(p.End))
		if err != nil {
			return err
		}
		_, err = tx.Exec(`INSERT INTO usage_days (account_id, day, emails, bytes) VALUES ($1, $2, 500, 600000000), ($1, '2020-02-29', 7, 70)`, alice.ID, today)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	token := r.token("alice")
	q := get[Quota](r, token, "/quota")
	if q.EmailsUsed != 500 || q.EmailsLimit != 50_000 || *q.EmailsLeft != 49_500 || q.BytesUsed != 600_000_000 || q.BytesLimit != 500_000_000 || *q.BytesLeft != 0 || !q.Reset.Equal(p.End) {
		t.Errorf("quota %+v", q)
	}
	u := get[Usage](r, token, "/usage")
	if u.Emails != 500 || u.Bytes != 600_000_000 || len(u.Days) != 1 || u.Days[0].Day != today || !u.From.Equal(p.Start) || !u.To.Equal(p.End) {
		t.Errorf("usage %+v", u)
	}
	if u := get[Usage](r, token, "/usage?from=2020-02-01&to=2020-03-01"); u.Emails != 7 || u.From.Format(time.RFC3339) != "2020-02-01T00:00:00Z" || u.To.Format(time.RFC3339) != "2020-03-01T00:00:00Z" {
		t.Errorf("usage of February 2020 %+v", u)
	}
	if u := get[Usage](r, token, "/usage?from=2020-02-01&to=2020-02-29"); u.Emails != 0 {
		t.Errorf("the last day is counted: %+v", u)
	}
	for _, bad := range []string{"?from=x", "?from=2020-13-01", "?from=2020-02-01&to=2020-02-01", "?from=2020-02-02&to=2020-02-01", "?from=2020-01-01&to=2022-01-01"} {
		resp, text := r.do("GET", "/usage"+bad, "", bearer(token))
		r.wantProblem(resp, text, http.StatusUnprocessableEntity)
	}
}

func TestOveragePolicy(t *testing.T) {
	r := start(t, t.TempDir())
	r.addAccount("alice")
	token := r.token("alice")
	if resp, text := r.do("PATCH", "/account/overage-policy", `{"policy":"block","of":"a later version"}`, bearer(token)); resp.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", resp.StatusCode, text)
	}
	if a := get[Account](r, token, "/account"); a.Overage != "block" {
		t.Errorf("account %+v", a)
	}
	resp, text := r.do("PATCH", "/account/overage-policy", `{"policy":"beg"}`, bearer(token))
	r.wantProblem(resp, text, http.StatusUnprocessableEntity)
}

func TestPolicyAndEndpoints(t *testing.T) {
	r := start(t, t.TempDir())
	r.addAccount("alice")
	token := r.token("alice")
	if p := get[Policy](r, token, "/policy"); p.RcptMax != 50 || p.ValidSeconds != 300 {
		t.Errorf("policy %+v", p)
	}
	if e := get[Endpoints](r, token, "/endpoints"); len(e.Endpoints) != 1 || e.Endpoints[0].Store != r.store.Name() {
		t.Errorf("endpoints %+v", e)
	}
}

func TestUnknownCallIsAProblem(t *testing.T) {
	r := start(t, t.TempDir())
	for _, path := range []string{"/nothing", "/devices/x/y", "/../accounts"} {
		resp, text := r.do("GET", path, "", nil)
		r.wantProblem(resp, text, http.StatusNotFound)
	}
}

// TestOwnTroubleIsNotTold takes a table from a running API, then everything.
func TestOwnTroubleIsNotTold(t *testing.T) {
	r := start(t, t.TempDir())
	r.addAccount("alice")
	token := r.token("alice")
	if _, err := r.store.Writer().Exec(`DROP TABLE notices`); err != nil {
		t.Fatal(err)
	}
	resp, text := r.do("GET", "/notices", "", bearer(token))
	r.wantProblem(resp, text, http.StatusInternalServerError)
	if err := r.store.Close(); err != nil {
		t.Fatal(err)
	}
	resp, text = r.do("GET", "/account", "", bearer(token))
	r.wantProblem(resp, text, http.StatusInternalServerError)
	resp, text = r.do("POST", "/devices", `{"name":"pc"}`, basic("alice", "secret-alice"))
	r.wantProblem(resp, text, http.StatusInternalServerError)
	if !strings.Contains(r.log.String(), "closed") {
		t.Errorf("the cause is not in the log:\n%s", r.log.String())
	}
}

// TestDocumentAndClientAreCurrent makes both anew and compares. On a
// difference run: go generate ./server/api
func TestDocumentAndClientAreCurrent(t *testing.T) {
	doc, err := Document()
	if err != nil {
		t.Fatal(err)
	}
	stored, err := os.ReadFile("../../relayclient/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(doc, stored) {
		t.Error("relayclient/openapi.yaml is not what the server is: run go generate ./server/api")
	}
	cmd := exec.Command("go", "tool", "oapi-codegen", "-config", "oapi-codegen.yaml", "openapi.yaml")
	cmd.Dir = "../../relayclient"
	var errs bytes.Buffer
	cmd.Stderr = &errs
	code, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, errs.String())
	}
	stored, err = os.ReadFile("../../relayclient/generated.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(code, stored) {
		t.Error("relayclient/generated.go is not made from openapi.yaml: run go generate ./server/api")
	}
}
