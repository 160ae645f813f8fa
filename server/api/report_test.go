package api

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestReportOfAMonth(t *testing.T) {
	r := start(t, t.TempDir())
	alice := r.addAccount("alice")
	bob := r.addAccount("bob")
	token := r.token("alice")
	if _, err := r.store.Writer().Exec(`INSERT INTO usage_days (account_id, day, emails, bytes) VALUES ($1, '2026-02-01', 100, 2000000), ($1, '2026-02-28', 50, 4000000),
		($2, '2026-02-01', 9, 9)`, alice.ID, bob.ID); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 2, 3, 0, 0, 0, 0, time.UTC)
	if _, err := r.store.Writer().Exec(`INSERT INTO events (account_id, message_id, recipient, status, code, enhanced, at) VALUES
		($1, 'M', 'a@x.example', 'failed', 550, '5.1.1', $3), ($1, 'M', 'a@x.example', 'failed', 550, '5.1.1', $3), ($1, 'M', 'c@x.example', 'delivered', 250, '', $3),
		($2, 'M', 'b@x.example', 'failed', 550, '5.1.1', $3)`, alice.ID, bob.ID, at.UnixMicro()); err != nil {
		t.Fatal(err)
	}
	got := get[MonthReport](r, token, "/reports/2026-02")
	want := MonthReport{Month: "2026-02", Plan: "Standard", From: time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC),
		Emails: 150, Bytes: 6_000_000, Average: 40_000, Percent: 1, EmailsLimit: 50_000, BytesLimit: 500_000_000,
		Days: []UsageDay{{"2026-02-01", 100, 2_000_000}, {"2026-02-28", 50, 4_000_000}}, Failed: 1, Kinds: []KindCount{{"no-address", 1}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for path, status := range map[string]int{"/reports/2026-01": http.StatusNotFound, "/reports/2026-13": http.StatusUnprocessableEntity, "/reports/x": http.StatusUnprocessableEntity} {
		resp, text := r.do("GET", path, "", bearer(token))
		r.wantProblem(resp, text, status)
	}
	resp, text := r.do("GET", "/reports/2026-02", "", nil)
	r.wantProblem(resp, text, http.StatusUnauthorized)
}

// A month is read, too, while no plan has begun, and when the plan that is over
// is in no catalogue any more.
func TestReportWithoutAPlan(t *testing.T) {
	r := start(t, t.TempDir())
	alice := r.addAccount("alice")
	token := r.token("alice")
	exec := func(query string, args ...any) {
		t.Helper()
		if _, err := r.store.Writer().Exec(query, args...); err != nil {
			t.Fatal(err)
		}
	}
	exec(`INSERT INTO usage_days (account_id, day, emails, bytes) VALUES ($1, '2026-02-01', 100, 2000000)`, alice.ID)
	exec(`UPDATE subscriptions SET plan = 'gone', ends_at = starts_at + 1`)
	if got := get[MonthReport](r, token, "/reports/2026-02"); got.Plan != "gone" || got.Emails != 100 || got.Percent != 0 {
		t.Errorf("got %+v", got)
	}
	exec(`DELETE FROM subscriptions`)
	resp, text := r.do("GET", "/reports/2026-02", "", bearer(token))
	r.wantProblem(resp, text, http.StatusNotFound)
}
