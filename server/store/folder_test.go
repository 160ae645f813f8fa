package store

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"servicesmtp.net/companion/server/store/storetest"
)

func openAt(t *testing.T, dsn, dir, bodies string) (*Store, error) {
	t.Helper()
	s, err := Open(t.Context(), Options{Dir: dir, DSN: dsn, Bodies: bodies, Log: slog.New(slog.DiscardHandler)})
	if err == nil {
		t.Cleanup(func() { s.Close() })
	}
	return s, err
}

// A relay serves only with the folder that is its database's.
func TestTakeFolder(t *testing.T) {
	take := func(dsn, dir, bodies string) error {
		s, err := openAt(t, dsn, dir, bodies)
		if err != nil {
			t.Fatal(err)
		}
		return s.TakeFolder(t.Context())
	}
	dsn, other, shared, dir := storetest.Database(t), storetest.Database(t), t.TempDir(), t.TempDir()
	full, empty, stale := storetest.Database(t), storetest.Database(t), t.TempDir()
	if err := os.MkdirAll(filepath.Join(stale, bodiesFolder, "acc"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(stale, bodiesFolder, "acc", sumText(nil)), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := openShelf(t, full, t.TempDir())
	s.commit(t, s.upload(t, "acc", large('x')))
	unmounted := filepath.Join(t.TempDir(), "unmounted")
	mark := filepath.Join(shared, bodiesFolder, markFile)
	for _, c := range []struct {
		name             string
		dsn, dir, bodies string
		before           func() error
		want             string // in the error; "": none
	}{
		{name: "the first marks the folder", dsn: dsn, dir: t.TempDir(), bodies: shared},
		{name: "a second shares it", dsn: dsn, dir: t.TempDir(), bodies: shared},
		{name: "again", dsn: dsn, dir: t.TempDir(), bodies: shared},
		{name: "a second with its own", dsn: dsn, dir: t.TempDir(), want: "in another folder"},
		{name: "not mounted", dsn: dsn, dir: t.TempDir(), bodies: unmounted, want: "mount it"},
		{name: "of another database", dsn: other, dir: t.TempDir(), bodies: shared, want: "holds large messages of another database"},
		{name: "in the data folder", dsn: other, dir: dir},
		{name: "of another database, both marked", dsn: other, dir: t.TempDir(), bodies: shared, want: "holds large messages of another database"},
		{name: "with files of nobody", dsn: empty, dir: stale, want: "not of this database"},
		{name: "empty folder for a database with bodies", dsn: full, dir: t.TempDir(), want: "has none"},
		{name: "database of before", dsn: full, dir: s.dir},
		{name: "the mark is lost", dsn: dsn, dir: t.TempDir(), bodies: shared, before: func() error { return os.Remove(mark) }, want: "in another folder"},
		{name: "SQLite needs no mark", dir: t.TempDir()},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.before != nil {
				if err := c.before(); err != nil {
					t.Fatal(err)
				}
			}
			err := take(c.dsn, c.dir, c.bodies)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	if _, err := os.Stat(unmounted); err == nil {
		t.Error("a folder was made where one is to be mounted")
	}
}

// A crash between mark and row leaves a folder that is taken all the same.
func TestFolderMarkedBeforeACrash(t *testing.T) {
	dsn, shared := storetest.Database(t), t.TempDir()
	s, err := openAt(t, dsn, t.TempDir(), shared)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.TakeFolder(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Writer().Exec(`DELETE FROM settings WHERE key = 'bodies'`); err != nil {
			t.Fatal(err)
		}
	}
	// A new name of the database is none of the folder.
	if err := s.TakeFolder(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Renew(t.Context(), Notice{}, noon); err != nil {
		t.Fatal(err)
	}
	if err := s.TakeFolder(t.Context()); err != nil {
		t.Error(err)
	}
}
