package spool

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/pressly/goose/v3"

	"servicesmtp.net/companion/internal/durable"
)

//go:embed migrations
var migrations embed.FS

// pragmas of every connection. fullfsync matters on macOS only, where fsync
// alone leaves the data in the drive's cache. The log is cut back after a
// burst, so that it does not keep the size of the largest one.
const pragmas = "_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)" +
	"&_pragma=fullfsync(1)&_pragma=checkpoint_fullfsync(1)&_pragma=temp_store(MEMORY)&_pragma=journal_size_limit(16777216)"

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
		// Bodies without a database mean that the database was taken away.
		// They are mail; the sweep must not take them for leftovers.
		if err := s.setBodiesAside(); err != nil {
			return err
		}
		f, err := os.OpenFile(database, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return fmt.Errorf("make database: %w", err)
		}
		if err := errors.Join(f.Close(), durable.SyncDir(s.dir)); err != nil {
			return fmt.Errorf("make database: %w", err)
		}
	}
	if err := durable.MkdirAll(filepath.Join(s.dir, bodiesName)); err != nil {
		return fmt.Errorf("make folder of bodies: %w", err)
	}
	return nil
}

func (s *Spool) setBodiesAside() error {
	bodies := filepath.Join(s.dir, bodiesName)
	names, err := os.ReadDir(bodies)
	if errors.Is(err, os.ErrNotExist) || err == nil && len(names) == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read folder of bodies: %w", err)
	}
	aside := bodies + ".without-database-" + time.Now().UTC().Format("20060102T150405.000000000")
	if err := errors.Join(os.Rename(bodies, aside), durable.SyncDir(s.dir)); err != nil {
		return fmt.Errorf("set bodies aside: %w", err)
	}
	s.report(fmt.Errorf("%w: its database is gone, %d stored messages were set aside in %q", ErrDamaged, len(names), filepath.Base(aside)))
	return nil
}

// openDatabase opens both pools and brings the schema up to date.
func (s *Spool) openDatabase(ctx context.Context) error {
	path := filepath.Join(s.dir, databaseName)
	var err error
	if s.db, err = connect(path, "", 1); err != nil {
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
	s.pool, err = connect(path, "&_pragma=query_only(1)&_pragma=cache_size(-512)", readers)
	if err != nil {
		return err
	}
	s.reads = newStatements(s.pool)
	return nil
}

func connect(path, extra string, conns int) (*sql.DB, error) {
	u := url.URL{Scheme: "file", Opaque: url.PathEscape(path), RawQuery: pragmas + extra}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return db, nil
}

// migrate runs what is new in migrations, and refuses a schema from the
// future: an older program would not know what its columns mean.
func migrate(ctx context.Context, db *sql.DB) error {
	folder, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	steps, err := goose.NewProvider(goose.DialectSQLite3, db, folder, goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	present, target, err := steps.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read version of schema: %w", err)
	}
	if present > target {
		return fmt.Errorf("%w (schema %d, this one knows %d): install the newer version again", ErrNewer, present, target)
	}
	if _, err := steps.Up(ctx); err != nil {
		return fmt.Errorf("migrate database: %w", err)
	}
	return nil
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
