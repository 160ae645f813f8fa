package api

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"servicesmtp.net/companion/server/store"
)

// TestShares: devices join, fall idle, get work, leave and lose their tokens.
func TestShares(t *testing.T) {
	r := start(t, t.TempDir())
	alice := r.addAccount("alice")
	r.addAccount("bob")
	tokens := map[string]string{"a": r.token("alice"), "b": r.token("alice"), "c": r.token("alice"), "bob": r.token("bob")}
	ask := func(device, query string, want int64) {
		t.Helper()
		if p := get[Policy](r, tokens[device], "/policy"+query); p.PerMinute != want {
			t.Errorf("%s%s: told %d, want %d", device, query, p.PerMinute, want)
		}
	}
	source := func(want string) {
		t.Helper()
		if p := get[Policy](r, tokens["a"], "/policy"); p.Source != want {
			t.Errorf("the rate is said to be of %q, want %q", p.Source, want)
		}
	}
	source("none")
	ask("a", "?waiting=5", 0) // nobody has a rate, and nothing is written
	if n := r.number(`SELECT count(*) FROM device_paces`); n != 0 {
		t.Errorf("%d rows without a rate", n)
	}
	rate := int64(600)
	if err := r.store.SetPerMinute(t.Context(), alice.ID, &rate); err != nil {
		t.Fatal(err)
	}
	p := get[Policy](r, tokens["a"], "/policy?waiting=5")
	if p.PerMinute != 600 || p.AccountPerMinute != 600 || p.ValidSeconds != 60 || p.Batch != 50 || p.PersonalBurst != 5 || p.RcptMax != 50 || p.PerProvider["gmail.com"] != 20 {
		t.Errorf("%+v", p)
	}
	source("account")
	ask("b", "?waiting=0", 300) // what it would have
	ask("a", "?waiting=5", 600)
	ask("b", "?waiting=1", 300)
	ask("a", "", 300) // an older companion says nothing, and counts
	ask("c", "?waiting=900", 200)
	ask("b", "?waiting=0", 200)
	ask("c", "?waiting=900", 300)
	ask("bob", "?waiting=7", 0)
	if _, err := r.store.Writer().Exec(`UPDATE device_paces SET asked_at = $1 WHERE device_id IN (SELECT device_id FROM device_paces WHERE waiting = -1)`,
		store.Micros(time.Now().Add(-2*shareValid-time.Second))); err != nil {
		t.Fatal(err)
	}
	ask("c", "?waiting=900", 600) // a has not been heard of
	ask("a", "?waiting=1", 300)
	if _, err := r.store.Writer().Exec(`UPDATE devices SET revoked_at = 1 WHERE id IN (SELECT device_id FROM device_paces WHERE waiting = 900)`); err != nil {
		t.Fatal(err)
	}
	ask("a", "?waiting=1", 600) // c's token is no good any more
	rate = 1
	if err := r.store.SetPerMinute(t.Context(), alice.ID, &rate); err != nil {
		t.Fatal(err)
	}
	ask("b", "?waiting=1", 1) // 0 would be no limit at all
	for _, query := range []string{"?waiting=many", "?waiting=-2"} {
		resp, text := r.do("GET", "/policy"+query, "", bearer(tokens["a"]))
		r.wantProblem(resp, text, http.StatusUnprocessableEntity)
	}
}

func (r *relay) number(query string) (n int64) {
	r.t.Helper()
	if err := r.store.Reader().QueryRow(query).Scan(&n); err != nil {
		r.t.Fatal(err)
	}
	return n
}

// TestSharesAddUp: devices come and go as they like; when each has asked again,
// those with mail have the rate between them.
func TestSharesAddUp(t *testing.T) {
	r := start(t, t.TempDir())
	alice := r.addAccount("alice")
	rate := int64(1000)
	if err := r.store.SetPerMinute(t.Context(), alice.ID, &rate); err != nil {
		t.Fatal(err)
	}
	var tokens []string
	for step, waiting := range [][]int{{3}, {3, 0}, {3, 4, 5}, {0, 4, 5, 0}, {1, 1, 1, 1, 1}, {0, 0, 0, 0, 9}} {
		for len(tokens) < len(waiting) {
			tokens = append(tokens, r.token("alice"))
		}
		sum, users := int64(0), int64(0)
		for round := range 2 {
			sum, users = 0, 0
			for i, n := range waiting {
				p := get[Policy](r, tokens[i], fmt.Sprintf("/policy?waiting=%d", n))
				if n > 0 {
					sum += p.PerMinute
					users++
				}
				if p.PerMinute < 1 || p.PerMinute > rate {
					t.Errorf("step %d, round %d: told %d", step, round, p.PerMinute)
				}
			}
		}
		if sum > rate || sum <= rate-users {
			t.Errorf("step %d: %d devices share %d of %d", step, users, sum, rate)
		}
	}
}
