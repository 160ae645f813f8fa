// Package schema brings a database's tables up to date, on SQLite and on
// PostgreSQL.
//
// It promises that a schema of a newer version is refused rather than guessed
// at. It knows no table and starts no goroutine. Two programs must not call Up
// on one database at once; the stores see to that.
package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

// ErrNewer says that the database was written by a newer version.
var ErrNewer = errors.New("database of a newer version")

// Dialect is the kind of a database.
type Dialect = goose.Dialect

// The kinds there are.
const (
	SQLite   = goose.DialectSQLite3
	Postgres = goose.DialectPostgres
)

// Up runs the migrations in folder that the database has not seen. A schema
// from the future is ErrNewer: this program would not know what its columns
// mean.
func Up(ctx context.Context, db *sql.DB, d Dialect, folder fs.FS) error {
	steps, err := goose.NewProvider(d, db, folder, goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	present, target, err := steps.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read version of schema: %w", err)
	}
	if present > target {
		return fmt.Errorf("schema %d, this program knows %d: %w", present, target, ErrNewer)
	}
	if _, err := steps.Up(ctx); err != nil {
		return fmt.Errorf("migrate database: %w", err)
	}
	return nil
}
