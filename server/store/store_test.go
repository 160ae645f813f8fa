package store

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"servicesmtp.net/companion/server/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

func openTest(t *testing.T, dsn, dir string) *Store {
	t.Helper()
	s, err := Open(context.Background(), Options{Dir: dir, DSN: dsn, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestOpenTwiceKeepsNameAndRows(t *testing.T) { storetest.Each(t, testOpenTwiceKeepsNameAndRows) }

func testOpenTwiceKeepsNameAndRows(t *testing.T, dsn string) {
	dir := filepath.Join(t.TempDir(), "with space ü")
	s := openTest(t, dsn, dir)
	name := s.Name()
	if err := s.Tx(context.Background(), func(tx *sql.Tx) error {
		_, err := tx.Exec(`INSERT INTO settings (key, value) VALUES ($1, $2)`, "k", "v")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := openTest(t, dsn, dir)
	if again.Name() != name || name == "" {
		t.Errorf("name %q, then %q", name, again.Name())
	}
	var v string
	if err := again.Reader().QueryRow(`SELECT value FROM settings WHERE key = $1`, "k").Scan(&v); err != nil || v != "v" {
		t.Errorf("got %q %v", v, err)
	}
}

func TestTxRollsBack(t *testing.T) { storetest.Each(t, testTxRollsBack) }

func testTxRollsBack(t *testing.T, dsn string) {
	s := openTest(t, dsn, t.TempDir())
	boom := errors.New("boom")
	err := s.Tx(context.Background(), func(tx *sql.Tx) error {
		if _, err := tx.Exec(`INSERT INTO settings (key, value) VALUES ('x', 'y')`); err != nil {
			return err
		}
		return boom
	})
	if !errors.Is(err, boom) {
		t.Fatalf("got %v, want boom", err)
	}
	var n int
	if err := s.Reader().QueryRow(`SELECT count(*) FROM settings WHERE key = 'x'`).Scan(&n); err != nil || n != 0 {
		t.Errorf("%d rows after rollback, %v", n, err)
	}
}

func TestReaderCannotWrite(t *testing.T) { storetest.Each(t, testReaderCannotWrite) }

func testReaderCannotWrite(t *testing.T, dsn string) {
	s := openTest(t, dsn, t.TempDir())
	if _, err := s.Reader().Exec(`INSERT INTO settings (key, value) VALUES ('x', 'y')`); err == nil {
		t.Error("the read-only pool wrote")
	}
}

func TestDurabilityPragmas(t *testing.T) {
	s := openTest(t, "", t.TempDir())
	var mode string
	var sync int
	if err := s.Writer().QueryRow(`PRAGMA journal_mode`).Scan(&mode); err != nil || mode != "wal" {
		t.Errorf("journal_mode %q %v, want wal", mode, err)
	}
	if err := s.Writer().QueryRow(`PRAGMA synchronous`).Scan(&sync); err != nil || sync != 2 {
		t.Errorf("synchronous %d %v, want 2 (FULL)", sync, err)
	}
}

func TestIDsAndTimes(t *testing.T) {
	now := time.Date(2026, 11, 25, 1, 2, 3, 4000, time.UTC)
	if got := Time(Micros(now)); !got.Equal(now) {
		t.Errorf("got %v, want %v", got, now)
	}
	if a, b := NewID(now), NewID(now.Add(time.Second)); len(a) != 26 || a >= b {
		t.Errorf("ids %q, %q", a, b)
	}
}
