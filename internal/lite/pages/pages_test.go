package pages

import (
	"bytes"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"servicesmtp.net/companion/internal/lite"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// sample makes a database with rows of all sizes, an index, and pages that were
// given back. It is closed after the test.
func sample(t *testing.T) (db *sql.DB, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "a.db")
	db, err := lite.Open(path, 1, lite.Full, "wal_autocheckpoint(0)")
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	for _, query := range []string{
		`CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, s TEXT, b BLOB)`,
		`CREATE INDEX i ON t (s)`,
		`WITH RECURSIVE k(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM k WHERE i < 300) INSERT INTO t SELECT i, 1000000007 * i * i - 500, 'old', zeroblob(3000) FROM k`,
		`DELETE FROM t`,
	} {
		_, err := db.Exec(query)
		must(t, err)
	}
	for i := range 200 {
		// From nothing to several pages of overflow, and every width of a number.
		_, err := db.Exec(`INSERT INTO t VALUES (?, ?, ?, ?)`, 1000+i*i*i, int64(1)<<(i%63)-int64(i), fmt.Sprintf("row %d", i), bytes.Repeat([]byte{byte(i)}, i*i))
		must(t, err)
	}
	return db, path
}

// stored are the rows of t as SQLite reads them.
func stored(t *testing.T, db *sql.DB) map[int64]string {
	t.Helper()
	rows, err := db.Query(`SELECT id, n, s, b FROM t`)
	must(t, err)
	out := make(map[int64]string)
	for rows.Next() {
		var id, n int64
		var s string
		var b []byte
		must(t, rows.Scan(&id, &n, &s, &b))
		out[id] = fmt.Sprint(n, s, b)
	}
	must(t, errors.Join(rows.Err(), rows.Close()))
	return out
}

// found are those that this package finds. Four columns that begin with the
// rowid's NULL are a row of t.
func found(t *testing.T, path string) (map[int64]string, *Database) {
	t.Helper()
	d, err := Open(path)
	must(t, err)
	t.Cleanup(func() { must(t, d.Close()) })
	out := make(map[int64]string)
	d.Cells(func(c Cell) {
		v, err := Values(c.Payload)
		if err != nil || c.Index || len(v) != 4 || v[0] != nil {
			return
		}
		if _, twice := out[c.Rowid]; twice {
			t.Errorf("row %d twice", c.Rowid)
		}
		for i := range len(v) + 1 {
			if got, want := Column(c.Payload, i), append(v, nil)[i]; !reflect.DeepEqual(got, want) {
				t.Errorf("row %d, column %d: %v, want %v", c.Rowid, i, got, want)
			}
		}
		b, _ := v[3].([]byte)
		out[c.Rowid] = fmt.Sprint(v[1], v[2], b)
	})
	return out, d
}

func TestReadsWhatSQLiteReads(t *testing.T) {
	db, path := sample(t)
	want := stored(t, db)
	got, d := found(t, path) // much of it from the log
	if diff := cmp.Diff(want, got); diff != "" || d.Log().Broken || d.Log().Frames == 0 || !d.FreeKnown() || d.Short() {
		t.Errorf("with a log %+v, free pages known %v, short %v:\n%s", d.Log(), d.FreeKnown(), d.Short(), diff)
	}
	_, err := db.Exec(`PRAGMA wal_checkpoint(TRUNCATE)`)
	must(t, err)
	got, d = found(t, path)
	if diff := cmp.Diff(want, got); diff != "" || d.Log() != (Log{}) || !d.FreeKnown() || d.Short() {
		t.Errorf("without a log %+v:\n%s", d.Log(), diff)
	}
	entries := 0
	d.Cells(func(c Cell) {
		if v, err := Values(c.Payload); err == nil && c.Index && len(v) == 2 {
			entries++
		}
	})
	if entries != len(want) {
		t.Errorf("%d entries of the index, want %d", entries, len(want))
	}
}

// copyTo copies database and log as they are now.
func copyTo(t *testing.T, path string, change func(log []byte) []byte) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "b.db")
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(path + suffix)
		must(t, err)
		if suffix != "" {
			data = change(data)
		}
		must(t, os.WriteFile(to+suffix, data, 0o600))
	}
	return to
}

func TestLog(t *testing.T) {
	db, path := sample(t)
	const frame = frameHead + usualSize
	want := stored(t, db)
	_, err := db.Exec(`UPDATE t SET n = 0 WHERE id = 1000`) // one more transaction at the end
	must(t, err)
	last := stored(t, db)
	for _, c := range []struct {
		name   string
		change func(log []byte) []byte
		broken bool
		rows   map[int64]string // nil: those of the file alone or less
	}{
		{"whole", func(log []byte) []byte { return log }, false, last},
		{"half a frame at the end", func(log []byte) []byte { return append(log, log[len(log)-frame:len(log)-100]...) }, false, last},
		// What a power cut leaves of a transaction nobody was told of.
		{"end torn off", func(log []byte) []byte { return log[:len(log)-1] }, false, want},
		{"last frame zero", func(log []byte) []byte { clear(log[len(log)-frame:]); return log }, false, want},
		{"one in the middle zero", func(log []byte) []byte { clear(log[logHead+5*frame : logHead+6*frame]); return log }, true, last},
		{"its sum only", func(log []byte) []byte { log[logHead+5*frame+16]++; return log }, true, last},
		{"its head", func(log []byte) []byte { clear(log[:logHead]); return log }, true, last},
		{"nothing", func([]byte) []byte { return nil }, false, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, d := found(t, copyTo(t, path, c.change))
			if d.Log().Broken != c.broken {
				t.Errorf("log %+v", d.Log())
			}
			if c.rows == nil {
				return
			}
			lost := 0
			for id, row := range c.rows {
				if got[id] != row {
					lost++
				}
			}
			if lost > 0 && !c.broken || lost > len(c.rows)/10 {
				t.Errorf("%d of %d rows are lost", lost, len(c.rows))
			}
		})
	}
}

// A log that was begun anew has frames of its former life behind its end.
func TestLogBegunAnew(t *testing.T) {
	db, path := sample(t)
	_, err := db.Exec(`PRAGMA wal_checkpoint(RESTART)`)
	must(t, err)
	_, err = db.Exec(`UPDATE t SET n = 7 WHERE id = 1000`)
	must(t, err)
	want := stored(t, db)
	got, d := found(t, path)
	if diff := cmp.Diff(want, got); diff != "" || d.Log().Broken || d.Log().Frames > 5 {
		t.Errorf("log %+v:\n%s", d.Log(), diff)
	}
}

// The blocks of a transaction that a power cut tore reach the disk in any order.
// Nobody was told of it, so the log is not broken.
func TestTornTransaction(t *testing.T) {
	db, path := sample(t)
	former, err := os.ReadFile(path + "-wal")
	must(t, err)
	for _, query := range []string{`PRAGMA wal_checkpoint(RESTART)`, `UPDATE t SET n = 7 WHERE id = 1000`} {
		_, err = db.Exec(query)
		must(t, err)
	}
	want := stored(t, db)
	_, kept := found(t, path)
	_, err = db.Exec(`UPDATE t SET n = 8 WHERE id < 100000`) // many pages
	must(t, err)
	last := stored(t, db)
	block := (logHead+(kept.Log().Frames+1)*(frameHead+usualSize))/usualSize + 1
	torn := func(log []byte) []byte {
		copy(log[block*usualSize:], former[block*usualSize:(block+1)*usualSize])
		return log
	}
	got, d := found(t, copyTo(t, path, torn))
	if diff := cmp.Diff(want, got); diff != "" || d.Log().Broken || d.Log().Frames != kept.Log().Frames {
		t.Errorf("log %+v:\n%s", d.Log(), diff)
	}
	_, err = db.Exec(`UPDATE t SET n = 9 WHERE id = 1000`) // it was synced after all
	must(t, err)
	if got, d := found(t, copyTo(t, path, torn)); !d.Log().Broken || cmp.Equal(got, want) || cmp.Equal(got, last) {
		t.Errorf("log %+v, but it does not count as broken", d.Log())
	}
}

func TestFreePagesAreLeftOut(t *testing.T) {
	db, path := sample(t)
	_, err := db.Exec(`PRAGMA wal_checkpoint(TRUNCATE)`)
	must(t, err)
	_, err = db.Exec(`DELETE FROM t`)
	must(t, err)
	_, err = db.Exec(`PRAGMA wal_checkpoint(TRUNCATE)`)
	must(t, err)
	if got, d := found(t, path); len(got) != 0 || !d.FreeKnown() {
		t.Errorf("%d rows of pages that were given back", len(got))
	}
	data, err := os.ReadFile(path)
	must(t, err)
	if trunk := binary.BigEndian.Uint32(data[32:]); trunk == 0 {
		t.Fatal("no page was given back")
	}
	binary.BigEndian.PutUint32(data[36:], 1)
	other := filepath.Join(t.TempDir(), "b.db")
	must(t, os.WriteFile(other, data, 0o600))
	if _, d := found(t, other); d.FreeKnown() {
		t.Error("a list that does not add up counts as whole")
	}
	must(t, os.Truncate(other, int64(len(data)/2)))
	if _, d := found(t, other); !d.Short() {
		t.Error("the file is short, and nobody says so")
	}
}

func TestNothingThere(t *testing.T) {
	got, d := found(t, filepath.Join(t.TempDir(), "none.db"))
	if len(got) != 0 || d.FreeKnown() || !d.Short() {
		t.Errorf("rows %v, free pages known %v", got, d.FreeKnown())
	}
}

func FuzzCells(f *testing.F) {
	f.Add(append([]byte{leafTable, 0, 0, 0, 1, 0, 20, 0, 0, 12, 0, 0, 4, 1, 3, 0, 15, 65}, make([]byte, 494)...))
	f.Add(bytes.Repeat([]byte{leafIndex}, 512))
	f.Add(bytes.Repeat([]byte{interiorIndex, 0xff}, 256))
	f.Fuzz(func(t *testing.T, page []byte) {
		path := filepath.Join(t.TempDir(), "f.db")
		head := make([]byte, usualSize)
		copy(head, magic)
		must(t, os.WriteFile(path, append(head, page...), 0o600))
		must(t, os.WriteFile(path+"-wal", page, 0o600))
		d, err := Open(path)
		must(t, err)
		d.Cells(func(c Cell) {
			if v, err := Values(c.Payload); err == nil && len(c.Payload) == 0 && len(v) > 0 {
				t.Fatalf("%v from nothing", v)
			}
			Column(c.Payload, 3) // of whatever payload
		})
		must(t, d.Close())
	})
}
