package spool

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"servicesmtp.net/companion/internal/durable"
	"servicesmtp.net/companion/internal/lite"
)

//go:embed migrations
var migrations embed.FS

// connect makes a pool. fullfsync matters on macOS only, where fsync alone
// leaves the data in the drive's cache. The log is cut back after a burst, so
// that it does not keep the size of the largest one.
func connect(path string, conns int, pragmas ...string) (*sql.DB, error) {
	return lite.Open(path, conns, append(pragmas, lite.Full, "fullfsync(1)", "checkpoint_fullfsync(1)", "journal_size_limit(16777216)")...)
}

// readers is how many queries can run beside the writer.
const readers = 4

// prepareFiles makes the folder of bodies and the database's file, both for
// the owner only: SQLite gives its log the permissions of the database.
func (s *Spool) prepareFiles() error {
	database := filepath.Join(s.dir, databaseName)
	had, err := exists(database)
	if err != nil {
		return err
	}
	if !had {
		if err := errors.Join(privateFile(database), durable.SyncDir(s.dir)); err != nil {
			return fmt.Errorf("make database: %w", err)
		}
	}
	if err := durable.MkdirAll(filepath.Join(s.dir, bodiesName)); err != nil {
		return fmt.Errorf("make folder of bodies: %w", err)
	}
	return nil
}

// openDatabase opens both pools and brings the schema up to date.
func (s *Spool) openDatabase(ctx context.Context) error {
	path := filepath.Join(s.dir, databaseName)
	var err error
	if s.db, err = connect(path, 1); err != nil {
		return err
	}
	if err := probe(ctx, s.db); err != nil {
		return err
	}
	if err := migrate(ctx, s.db); err != nil {
		return err
	}
	if s.conn, err = s.db.Conn(ctx); err != nil {
		return fmt.Errorf("connect to database: %w", err)
	}
	// 512 KiB of cache for each reader: the resident size counts, and the
	// system's own cache is behind it.
	s.pool, err = connect(path, readers, lite.ReadOnly, "cache_size(-512)")
	if err != nil {
		return err
	}
	s.reads = newStatements(s.pool)
	return nil
}

// probe reads the version of the schema where there is one. What migrates takes
// a page of it that cannot be read for a database without it.
func probe(ctx context.Context, db *sql.DB) error {
	ask := func(query string) (n int64, err error) {
		rows, err := db.QueryContext(ctx, query)
		return n, eachRow(rows, err, func(rows *sql.Rows) error { return rows.Scan(&n) })
	}
	there, err := ask(`SELECT count(*) FROM sqlite_schema WHERE name = 'goose_db_version'`)
	if err == nil && there > 0 {
		_, err = ask(`SELECT max(version_id) FROM goose_db_version`)
	}
	if err != nil {
		return fmt.Errorf("read version of schema: %w", err)
	}
	return nil
}

// migrate runs what is new in migrations, and refuses a schema from the
// future.
func migrate(ctx context.Context, db *sql.DB) error {
	folder, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	if err = lite.Migrate(ctx, db, folder); errors.Is(err, lite.ErrNewer) {
		return fmt.Errorf("%w: %w: install the newer version again", ErrNewer, err)
	}
	var failed *sqlite.Error
	if errors.As(err, &failed) && failed.Code() == sqlite3.SQLITE_ERROR {
		// A step that does not fit: the schema is not what its version says.
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return err
}

// micros is how the database keeps a time; the zero time is 0.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// moment reads what micros wrote.
func moment(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}
