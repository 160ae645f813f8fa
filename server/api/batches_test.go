package api

import (
	"database/sql"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"servicesmtp.net/companion/server/store"
)

func envids(all ...string) string { return `{"envids":["` + strings.Join(all, `","`) + `"]}` }

func TestBatches(t *testing.T) {
	r := start(t, t.TempDir())
	alice := r.addAccount("alice")
	token := r.token("alice")
	accepted, open := "sb1."+job+".1", "sb1."+job+".2"
	at := time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)
	decisions, err := store.EncodeDecisions([]store.Decision{
		{Address: "a@x", Code: 250, Enhanced: "2.1.5", Reply: "ok"}, {Address: "b@x", Code: 550, Enhanced: "5.1.1", Reply: "SSMTP-SUPPRESSED bounced"},
		{Address: "c@x", Code: 452, Enhanced: "4.5.3", Reply: "too many"},
	})
	if err != nil {
		t.Fatal(err)
	}
	err = r.store.Tx(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec(`INSERT INTO envelope_keys (account_id, envid_key, state, fingerprint, message_id, decisions, created_at)
			VALUES ($1, $2, 'accepted', 'f', 'M1', $3, $4)`, alice.ID, accepted, decisions, store.Micros(at))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	first := Batch{Envid: accepted, State: "accepted", ID: "M1", AcceptedAt: &at, Recipients: []BatchRecipient{
		{Address: "a@x", Decision: "accepted", Code: 250, Enhanced: "2.1.5", Reply: "ok"},
		{Address: "b@x", Decision: "refused", Code: 550, Enhanced: "5.1.1", Reply: "SSMTP-SUPPRESSED bounced"},
		{Address: "c@x", Decision: "deferred", Code: 452, Enhanced: "4.5.3", Reply: "too many"},
	}}
	long := first
	long.Envid = accepted + ".client-part"
	for _, c := range []struct {
		name, call, body string
		want             []Batch
	}{
		{"check", "check", envids(open, accepted, long.Envid), []Batch{{Envid: open, State: "unknown"}, first, long}},
		{"close comes too late for one", "close", envids(accepted, open), []Batch{first, {Envid: open, State: "closed"}}},
		{"close again", "close", envids(open), []Batch{{Envid: open, State: "closed"}}},
		{"check after close", "check", envids(open), []Batch{{Envid: open, State: "closed"}}},
	} {
		resp, text := r.do("POST", "/batches/"+c.call, c.body, bearer(token))
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %s", c.name, resp.StatusCode, text)
		}
		if d := cmp.Diff(c.want, decodeTo[Batches](t, text).Batches); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
}

func TestBatchesRefused(t *testing.T) {
	r := start(t, t.TempDir())
	r.addAccount("alice")
	token := r.token("alice")
	var many []string
	for i := range 501 {
		many = append(many, fmt.Sprintf("sb1.%s.%d", job, i+1))
	}
	for name, body := range map[string]string{
		"none": `{"envids":[]}`, "null": `{"envids":null}`, "no list": `{}`, "not a key": envids(many[0], "sb2.x.1"), "number 0": envids("sb1." + job + ".0"),
		"501": envids(many...),
	} {
		for _, call := range []string{"check", "close"} {
			resp, text := r.do("POST", "/batches/"+call, body, bearer(token))
			if resp.StatusCode != http.StatusUnprocessableEntity {
				t.Errorf("%s %s: %d %s", call, name, resp.StatusCode, text)
			}
			r.wantProblem(resp, text, http.StatusUnprocessableEntity)
		}
	}
	if resp, text := r.do("POST", "/batches/check", envids(many[:500]...), bearer(token)); resp.StatusCode != http.StatusOK {
		t.Errorf("500: %d %s", resp.StatusCode, text)
	}
}
