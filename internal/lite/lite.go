// Package lite opens SQLite databases as this project wants them, and brings
// their schemas up to date.
//
// It promises WAL, a busy time-out that outlasts another process's backup, and
// that a schema of a newer version is refused rather than guessed at. How
// durable a commit is, the caller says. It knows no table and starts no
// goroutine.
package lite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"servicesmtp.net/companion/internal/schema"
)

// ErrNewer says that the database was written by a newer version.
var ErrNewer = schema.ErrNewer

// Pragmas that are worth a name.
const (
	Full     = "synchronous(FULL)"   // a commit is on disk when it returns
	Normal   = "synchronous(NORMAL)" // a power cut may take the last commits, never half of one
	ReadOnly = "query_only(1)"
)

// Open makes a pool of so many connections on the file at path, each with the
// pragmas given. Transactions take the write lock when they begin, so that they
// wait at their first statement and not in their middle.
func Open(path string, conns int, pragmas ...string) (*sql.DB, error) {
	query := "_txlock=immediate"
	for _, p := range append([]string{"busy_timeout(10000)", "journal_mode(WAL)", "temp_store(MEMORY)"}, pragmas...) {
		query += "&_pragma=" + p
	}
	u := url.URL{Scheme: "file", Opaque: url.PathEscape(path), RawQuery: query}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return db, nil
}

// Migrate runs the migrations in folder that the database has not seen. A
// schema from the future is ErrNewer: this program would not know what its
// columns mean.
func Migrate(ctx context.Context, db *sql.DB, folder fs.FS) error {
	return schema.Up(ctx, db, schema.SQLite, folder)
}

// Tx runs fn in one transaction and commits when fn returns nil.
func Tx(ctx context.Context, db *sql.DB, fn func(tx *sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if err := fn(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}
