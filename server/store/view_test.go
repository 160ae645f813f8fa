package store

import (
	"context"
	"database/sql"
	"testing"

	"servicesmtp.net/companion/server/store/storetest"
)

// What is committed in between is not seen, and does not wait.
func TestView(t *testing.T) { storetest.Each(t, testView) }

func testView(t *testing.T, dsn string) {
	s := openTest(t, dsn, t.TempDir())
	count := func(q interface {
		QueryRowContext(context.Context, string, ...any) *sql.Row
	}) (n int) {
		t.Helper()
		if err := q.QueryRowContext(t.Context(), `SELECT count(*) FROM settings WHERE key = 'seen'`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	err := s.View(t.Context(), func(tx *sql.Conn) error {
		before := count(tx)
		if _, err := s.Writer().Exec(`INSERT INTO settings (key, value) VALUES ('seen', '')`); err != nil {
			return err
		}
		if after := count(tx); before != 0 || after != 0 {
			t.Errorf("%d, then %d", before, after)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := count(s.Reader()); n != 1 {
		t.Errorf("%d afterwards", n)
	}
}
