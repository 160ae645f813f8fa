package store

import (
	"database/sql"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"servicesmtp.net/companion/internal/lite"
	"servicesmtp.net/companion/server/store/storetest"
)

func addTestAccount(t *testing.T, s *Store, id string) {
	t.Helper()
	a := Account{ID: id, Name: id, Email: id + "@example.com", Zone: "UTC", Status: "active", Overage: "surcharge", PasswordHash: "x", CreatedAt: time.Now()}
	if err := s.Tx(t.Context(), func(tx *sql.Tx) error { return s.AddAccount(t.Context(), tx, a) }); err != nil {
		t.Fatal(err)
	}
}

func TestTheServiceAccount(t *testing.T) { storetest.Each(t, testTheServiceAccount) }

func testTheServiceAccount(t *testing.T, dsn string) {
	s := openTest(t, dsn, t.TempDir())
	addTestAccount(t, s, "a")
	all, err := s.Accounts(t.Context(), "")
	if err != nil || len(all) != 1 || all[0].ID != "a" {
		t.Errorf("accounts %+v, %v", all, err)
	}
	a, err := s.AccountByName(t.Context(), ServiceName)
	if err != nil || a.ID != ServiceID || a.PasswordHash != "" {
		t.Errorf("the service's account: %+v, %v", a, err)
	}
}

// TestMigrateSchema1 brings a database of the first schema up to date: notices
// of a status get their key, and nothing else changes.
func TestMigrateSchema1(t *testing.T) {
	dir := t.TempDir()
	first, err := os.ReadFile("migrations/sqlite/00001_first.sql")
	if err != nil {
		t.Fatal(err)
	}
	db, err := lite.Open(filepath.Join(dir, "relay.db"), 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := lite.Migrate(t.Context(), db, fstest.MapFS{"00001_first.sql": {Data: first}}); err != nil {
		t.Fatal(err)
	}
	for _, row := range []string{
		`INSERT INTO accounts VALUES ('a', 'service', 'a@example.com', 'entry', 'UTC', 'held', 'stop', 'x', 1, 1)`,
		`INSERT INTO notices (account_id, kind, severity, subject, body, created_at) VALUES ('a', 'held', 'action', 's', 'b', 2), ('a', 'quota', 'info', 's', 'b', 3)`,
	} {
		if _, err := db.Exec(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s := openTest(t, "", dir)
	notices, err := s.Notices(t.Context(), "a", 0, 10)
	if err != nil || len(notices) != 2 || notices[0].Key != "status" || notices[1].Key != "" {
		t.Errorf("notices %+v, %v", notices, err)
	}
	// A customer whose name is like the service's keeps it.
	if a, err := s.AccountByName(t.Context(), "service"); err != nil || a.ID != "a" {
		t.Errorf("account %+v, %v", a, err)
	}
}

func addFailure(t *testing.T, s *Store, account, to string, at time.Time) {
	t.Helper()
	if _, err := s.Writer().Exec(`INSERT INTO events (account_id, message_id, recipient, status, code, at) VALUES ($1, 'M', $2, 'failed', 550, $3)`,
		account, to, Micros(at)); err != nil {
		t.Fatal(err)
	}
}

func TestEachFailureOfASpan(t *testing.T) { storetest.Each(t, testEachFailureOfASpan) }

func testEachFailureOfASpan(t *testing.T, dsn string) {
	s := openTest(t, dsn, t.TempDir())
	at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	addFailure(t, s, "a", "second@x", at.Add(time.Hour))
	addFailure(t, s, "a", "first@x", at)
	addFailure(t, s, "a", "before@x", at.Add(-time.Microsecond))
	addFailure(t, s, "a", "after@x", at.Add(2*time.Hour))
	addFailure(t, s, "b", "other@x", at)
	var got []string
	each := func(more bool) {
		got = nil
		if err := s.EachFailure(t.Context(), "a", at, at.Add(2*time.Hour), func(e Event) bool {
			got = append(got, e.Recipient)
			return more
		}); err != nil {
			t.Fatal(err)
		}
	}
	if each(true); !slices.Equal(got, []string{"first@x", "second@x"}) {
		t.Errorf("got %q", got)
	}
	if each(false); len(got) != 1 {
		t.Errorf("went on after the end: %q", got)
	}
}

func TestNewsSince(t *testing.T) { storetest.Each(t, testNewsSince) }

func testNewsSince(t *testing.T, dsn string) {
	s := openTest(t, dsn, t.TempDir())
	look := func(e, n int64) ([]string, int64, int64) {
		t.Helper()
		all, le, ln, err := s.NewsSince(t.Context(), e, n)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(all)
		return all, le, ln
	}
	if all, e, n := look(0, 0); len(all) != 0 || e != 0 || n != 0 {
		t.Errorf("an empty store: %q %d %d", all, e, n)
	}
	addFailure(t, s, "a", "x@x", time.Now())
	addFailure(t, s, "a", "y@x", time.Now())
	if err := s.Tx(t.Context(), func(tx *sql.Tx) error {
		_, err := s.AddNotice(t.Context(), tx, Notice{AccountID: "b", CreatedAt: time.Now()})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	all, e, n := look(0, 0)
	if !slices.Equal(all, []string{"a", "b"}) || e != 2 || n != 1 {
		t.Errorf("got %q %d %d", all, e, n)
	}
	if all, _, _ := look(2, 0); !slices.Equal(all, []string{"b"}) {
		t.Errorf("notices alone: %q", all)
	}
	if all, _, _ := look(e, n); len(all) != 0 {
		t.Errorf("nothing new: %q", all)
	}
}
