package lite

import (
	"database/sql"
	"errors"
	"path/filepath"
	"testing"
	"testing/fstest"
)

func step(sql string) *fstest.MapFile { return &fstest.MapFile{Data: []byte("-- +goose Up\n" + sql)} }

func open(t *testing.T, path string, pragmas ...string) *sql.DB {
	t.Helper()
	db, err := Open(path, 1, pragmas...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func TestMigrateForwardsOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "with space ü?.db")
	one := fstest.MapFS{"00001_a.sql": step("CREATE TABLE a (x INTEGER);")}
	two := fstest.MapFS{"00001_a.sql": one["00001_a.sql"], "00002_b.sql": step("ALTER TABLE a ADD COLUMN y INTEGER;")}
	db := open(t, path, Full)
	for _, folder := range []fstest.MapFS{one, one, two} {
		if err := Migrate(t.Context(), db, folder); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.Exec(`INSERT INTO a (x, y) VALUES (1, 2)`); err != nil {
		t.Error(err)
	}
	if err := Migrate(t.Context(), db, one); !errors.Is(err, ErrNewer) {
		t.Errorf("got %v, want ErrNewer", err)
	}
}

func TestPragmas(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.db")
	db := open(t, path, Full)
	var mode string
	var sync int
	if err := db.QueryRow(`PRAGMA journal_mode`).Scan(&mode); err != nil || mode != "wal" {
		t.Errorf("journal_mode %q %v", mode, err)
	}
	if err := db.QueryRow(`PRAGMA synchronous`).Scan(&sync); err != nil || sync != 2 {
		t.Errorf("synchronous %d %v, want 2", sync, err)
	}
	if _, err := open(t, path, ReadOnly).Exec(`CREATE TABLE t (x INTEGER)`); err == nil {
		t.Error("a read-only pool wrote")
	}
}

func TestTxRollsBack(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "t.db"), Normal)
	if _, err := db.Exec(`CREATE TABLE t (x INTEGER)`); err != nil {
		t.Fatal(err)
	}
	boom := errors.New("boom")
	for _, c := range []struct {
		fail error
		rows int
	}{{boom, 0}, {nil, 1}} {
		err := Tx(t.Context(), db, func(tx *sql.Tx) error {
			if _, err := tx.Exec(`INSERT INTO t VALUES (1)`); err != nil {
				return err
			}
			return c.fail
		})
		if !errors.Is(err, c.fail) {
			t.Errorf("got %v, want %v", err, c.fail)
		}
		var n int
		if err := db.QueryRow(`SELECT count(*) FROM t`).Scan(&n); err != nil || n != c.rows {
			t.Errorf("%d rows %v, want %d", n, err, c.rows)
		}
	}
}
