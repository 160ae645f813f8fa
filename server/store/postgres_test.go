package store

import (
	"context"
	"database/sql"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"servicesmtp.net/companion/server/store/storetest"
)

func TestPostgresRefusals(t *testing.T) {
	good := storetest.Database(t)
	slack := storetest.Database(t)
	exec := func(dsn, statement string) {
		t.Helper()
		db, err := sql.Open("pgx", dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	name := slack[strings.LastIndex(slack, "@/")+2 : strings.Index(slack, "?")]
	exec(good, `ALTER DATABASE `+name+` SET synchronous_commit = off`)
	for _, c := range []struct{ name, dsn, want string }{
		{"not an address", "mysql://u:hunter2@h/d", "must be postgres://"},
		{"bad escape", "postgres://u:hunter2%zz@h/d", "must be postgres://"},
		{"bad port", "postgres://u:hunter2@h:99999999/d", "cannot be read"},
		{"unreachable", "postgres://u:hunter2@127.0.0.1:1/d", "cannot be reached"},
		{"no such database", strings.Replace(good, "@/", ":hunter2@/no", 1), "there is no database"},
		{"no such user", strings.Replace(good, "postgres@", "nobody:hunter2@", 1), "refuses user"},
		{"other encoding", storetest.Database(t, "ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'"), "server_encoding of the database is LATIN1"},
		{"slack commits", slack, "synchronous_commit of the database is off"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := Open(context.Background(), Options{Dir: t.TempDir(), DSN: c.dsn, Log: slog.New(slog.DiscardHandler)})
			if err == nil {
				s.Close()
				t.Fatal("opened")
			}
			if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %q, want %q in it, and no password", err, c.want)
			}
		})
	}
}

// Both folders of migrations make the same tables and columns.
func TestSameSchema(t *testing.T) {
	columns := func(s *Store, query string) (all []string) {
		t.Helper()
		rows, err := s.Reader().Query(query)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var c string
			if err := rows.Scan(&c); err != nil {
				t.Fatal(err)
			}
			all = append(all, c)
		}
		slices.Sort(all)
		return all
	}
	lite := columns(openTest(t, "", t.TempDir()), `SELECT m.name || '.' || c.name FROM sqlite_schema m, pragma_table_info(m.name) c
		WHERE m.type = 'table' AND m.name NOT LIKE 'river%' AND m.name NOT LIKE 'sqlite%' AND m.name NOT LIKE 'goose%'`)
	postgres := columns(openTest(t, storetest.Database(t), t.TempDir()), `SELECT table_name || '.' || column_name FROM information_schema.columns
		WHERE table_schema = 'public' AND table_name NOT LIKE 'river%' AND table_name NOT LIKE 'goose%'`)
	if len(lite) == 0 || !slices.Equal(lite, postgres) {
		t.Errorf("SQLite has\n%q\nPostgreSQL has\n%q", lite, postgres)
	}
}
