package reports

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"servicesmtp.net/companion/internal/lite"
	"servicesmtp.net/companion/relayclient"
)

// A notice that is seen while the relay does not answer is seen here, and the
// relay hears of it later, once, after a restart of the companion too.
func TestSeenIsToldLater(t *testing.T) {
	dir := t.TempDir()
	r := newRelay()
	a := overTCP(t, r)
	r.notices = []relayclient.Notice{{ID: 7, At: time.Now(), Severity: relayclient.NoticeSeverityAction, Subject: "held"}, {ID: 8, At: time.Now()}}
	c := openCache(t, dir)
	f := c.Follower(Account{Name: "office", Client: a.client})
	if err := f.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := f.Seen(t.Context(), 99); !errors.Is(err, ErrNoNotice) {
		t.Errorf("a notice that is none: %v", err)
	}
	r.set(func(r *relay) {
		r.fault = func(w http.ResponseWriter, req *http.Request) bool {
			if strings.HasSuffix(req.URL.Path, "/ack") {
				problem(w, http.StatusServiceUnavailable)
				return true
			}
			return false
		}
	})
	for range 2 { // again is no mistake
		if err := f.Seen(t.Context(), 7); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Refresh(t.Context()); err != nil {
		t.Errorf("a word that cannot be passed on makes the reports stale: %v", err)
	}
	if n, err := c.Notices(t.Context(), "office", true); err != nil || len(n) != 1 || n[0].ID != 8 {
		t.Errorf("unseen %+v, %v", n, err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	r.set(func(r *relay) { r.fault = nil })
	c = openCache(t, dir)
	defer c.Close()
	f = c.Follower(Account{Name: "office", Client: a.client})
	for range 2 {
		if err := f.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := r.count("ack"); n != 1 {
		t.Errorf("the relay was told %d times, want once", n)
	}
}

func TestMigrateSchema1(t *testing.T) {
	dir := t.TempDir()
	first, err := migrations.ReadFile("migrations/00001_reports.sql")
	if err != nil {
		t.Fatal(err)
	}
	db, err := connect(dbPath(dir), 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := lite.Migrate(t.Context(), db, fstest.MapFS{"00001_reports.sql": {Data: first}}); err != nil {
		t.Fatal(err)
	}
	for _, row := range []string{
		`INSERT INTO notices VALUES ('office', 1, 5, 'held', 'action', 's', 'b', 0), ('office', 2, 6, 'quota', 'info', 's', 'b', 9)`,
		`INSERT INTO events VALUES (1, 'office', 'J', 1, 'm', 'r@dst.example', 'failed', 550, '5.1.1', 'no', 7)`,
	} {
		if _, err := db.Exec(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	c := openCache(t, dir)
	defer c.Close()
	if n, err := c.Notices(t.Context(), "office", true); err != nil || len(n) != 1 || n[0].ID != 1 {
		t.Errorf("notices %+v, %v", n, err)
	}
	if ids, err := c.untold(t.Context(), "office"); err != nil || len(ids) != 0 {
		t.Errorf("untold %v, %v", ids, err)
	}
	if got, err := c.Latest(t.Context(), "office", "J", []string{"r@Dst.example"}); err != nil || got["r@Dst.example"].Status != "failed" {
		t.Errorf("latest %+v, %v", got, err)
	}
}
