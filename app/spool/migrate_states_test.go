package spool

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestMigrateEveryState migrates a batch in every state from every schema, by
// Open and by a salvage: no row is lost or changed, but those on their way,
// which nobody can speak for any more.
func TestMigrateEveryState(t *testing.T) {
	steps, err := fs.Glob(migrations, "migrations/*.sql")
	must(t, err)
	for version := 1; version <= len(steps); version++ {
		schema := fmt.Sprintf("schema%d-states.sql", version)
		text, err := os.ReadFile(filepath.Join("testdata", schema))
		if err != nil {
			t.Fatalf("every schema has a fixture: %v", err)
		}
		for _, way := range []string{"open", "salvage"} {
			t.Run(way+" "+schema, func(t *testing.T) {
				dir := t.TempDir()
				before := restore(t, dir, string(text))
				if way == "salvage" {
					must(t, os.WriteFile(filepath.Join(dir, damagedName), nil, 0o600))
				}
				s := openAt(t, options(dir))
				for table, want := range before {
					if d := cmp.Diff(want, allRows(t, s.pool, table, columnsOf(want))); d != "" {
						t.Errorf("%s:\n%s", table, d)
					}
				}
				checkDebts(t, s)
				s.background.Wait()
				if list, err := s.Damages(); err != nil || len(list) != map[string]int{"open": 0, "salvage": 1}[way] {
					t.Errorf("reports %+v, %v", list, err)
				}
			})
		}
	}
}

// restore makes a database from a dump and gives its rows, as Open must leave
// them.
func restore(t *testing.T, dir, dump string) map[string][]string {
	t.Helper()
	db, err := connect(filepath.Join(dir, databaseName), 1)
	must(t, err)
	_, err = db.Exec(dump)
	must(t, err)
	out := make(map[string][]string)
	for _, table := range salvaged {
		out[table] = allRows(t, db, table, "*")
	}
	for i, row := range out["batches"] {
		if strings.Contains(row, "\nstate=2\n") { // what a start does
			out["batches"][i] = strings.NewReplacer("\nstate=2\n", "\nstate=3\n", "\nbound=0\n", "\nbound=1\n").Replace(row)
		}
	}
	must(t, db.Close())
	return out
}

// allRows reads a table in a form that can be compared. Values are quoted, so
// that only the names stand before a "=" at the begin of a line.
func allRows(t *testing.T, db *sql.DB, table, columns string) (out []string) {
	t.Helper()
	rows, err := db.Query("SELECT " + columns + " FROM " + table + " ORDER BY rowid") //nolint:gosec // names of the test's own
	must(t, err)
	names, err := rows.Columns()
	must(t, err)
	for rows.Next() {
		values, into := make([]any, len(names)), make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		must(t, rows.Scan(into...))
		var line strings.Builder
		for i, v := range values {
			if b, ok := v.([]byte); ok {
				v = string(b)
			}
			fmt.Fprintf(&line, "%s=%#v\n", names[i], v)
		}
		out = append(out, line.String())
	}
	must(t, errors.Join(rows.Err(), rows.Close()))
	return out
}

// columnsOf are the names in a row that allRows gave.
func columnsOf(rows []string) string {
	var names []string
	for line := range strings.Lines(rows[0]) {
		name, _, _ := strings.Cut(line, "=")
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}
