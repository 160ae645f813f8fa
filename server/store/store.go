// Package store is the relay's database: SQLite in the data folder, and later
// PostgreSQL under the same SQL.
//
// It promises that a committed transaction survives a power cut (WAL with
// synchronous=FULL) and that schema changes run once, in order, before
// anything is served. It holds SQL and no rules: what may be accepted, sent or
// counted is decided by its callers. It starts no goroutine of its own.
//
// One connection writes, because SQLite has one writer and River's driver
// wants it so; a pool of read-only connections serves the API. A transaction
// must therefore never call anything that asks for the writer again, and must
// close its rows before the next statement.
package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"

	"servicesmtp.net/companion/internal/durable"
	"servicesmtp.net/companion/internal/lite"
)

//go:embed migrations
var migrations embed.FS

// ErrNotFound says that no row has that name or id.
var ErrNotFound = errors.New("not found")

// Store is an open database. All methods may be called from any goroutine.
type Store struct {
	write *sql.DB // one connection
	read  *sql.DB // read-only
	name  string  // tells companions which store an endpoint leads to
	dir   string
	terms prepared
}

// Options say where the database is.
type Options struct {
	Dir string // data folder; made when missing
	DSN string // "": SQLite in Dir; postgres://… is not supported yet
	Log *slog.Logger
}

// Open opens the database, creating and migrating it as needed.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.DSN != "" {
		return nil, errors.New("store.dsn: only SQLite is supported by this version; leave it empty")
	}
	if err := durable.MkdirAll(o.Dir); err != nil {
		return nil, fmt.Errorf("make data folder: %w", err)
	}
	path := filepath.Join(o.Dir, "relay.db")
	write, err := lite.Open(path, 1, lite.Full, "foreign_keys(1)")
	if err != nil {
		return nil, err
	}
	s := &Store{write: write, dir: o.Dir}
	if err := s.prepare(ctx, o.Log); err != nil {
		return nil, errors.Join(err, write.Close())
	}
	if s.read, err = lite.Open(path, 4, lite.ReadOnly); err != nil {
		return nil, errors.Join(err, write.Close())
	}
	return s, nil
}

// prepare brings the schema of ours and of River up to date and reads the
// store's name.
func (s *Store) prepare(ctx context.Context, log *slog.Logger) error {
	folder, err := fs.Sub(migrations, "migrations/sqlite")
	if err != nil {
		return err
	}
	if err := lite.Migrate(ctx, s.write, folder); err != nil {
		return err
	}
	rivers, err := rivermigrate.New(riversqlite.New(s.write), &rivermigrate.Config{Logger: log})
	if err != nil {
		return fmt.Errorf("read queue migrations: %w", err)
	}
	if _, err := rivers.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("migrate queue: %w", err)
	}
	if _, err := s.write.ExecContext(ctx, `INSERT INTO settings (key, value) VALUES ('store', $1) ON CONFLICT (key) DO NOTHING`,
		NewID(time.Now())); err != nil {
		return fmt.Errorf("name store: %w", err)
	}
	if err := s.write.QueryRowContext(ctx, `SELECT value FROM settings WHERE key = 'store'`).Scan(&s.name); err != nil {
		return fmt.Errorf("read store's name: %w", err)
	}
	return nil
}

// Close closes the database after the transaction in hand.
func (s *Store) Close() error { return errors.Join(s.read.Close(), s.write.Close()) }

// Name is the store's name in /v1/endpoints.
func (s *Store) Name() string { return s.name }

// Writer is the one connection that may write; River runs on it.
func (s *Store) Writer() *sql.DB { return s.write }

// Reader is the read-only pool.
func (s *Store) Reader() *sql.DB { return s.read }

// Tx runs fn in one writing transaction and commits when fn returns nil. fn
// must not use Writer.
func (s *Store) Tx(ctx context.Context, fn func(tx *sql.Tx) error) error {
	return lite.Tx(ctx, s.write, fn)
}

// Micros is how the database keeps a time.
func Micros(t time.Time) int64 { return t.UnixMicro() }

// Time reads what Micros wrote.
func Time(us int64) time.Time { return time.UnixMicro(us).UTC() }
