// Package store is the relay's database: SQLite in the data folder, or
// PostgreSQL under the same SQL.
//
// It promises that a committed transaction survives a power cut (WAL with
// synchronous=FULL; synchronous_commit and fsync on, or it does not open) and that schema changes run once, in order, before
// anything is served. It holds SQL and no rules: what may be accepted, sent or
// counted is decided by its callers. It starts no goroutine of its own.
//
// One connection writes, because SQLite has one writer and River's driver
// wants it so; a pool of read-only connections serves the API. A transaction
// must therefore never call anything that asks for the writer again, and must
// close its rows before the next statement. On PostgreSQL it is the same within
// a process, but other processes write too: a transaction may lose against one
// and is then run again (Tx).
//
// A migration is added to migrations/sqlite and migrations/postgres under the
// same number and name; the first of the latter says how one becomes the other.
package store

import (
	"cmp"
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"

	"servicesmtp.net/companion/internal/durable"
	"servicesmtp.net/companion/internal/lite"
	"servicesmtp.net/companion/internal/schema"
)

//go:embed migrations
var migrations embed.FS

// databaseFile is the database's name in the data folder.
const databaseFile = "relay.db"

// ErrNotFound says that no row has that name or id.
var ErrNotFound = errors.New("not found")

// Store is an open database. All methods may be called from any goroutine.
type Store struct {
	write *sql.DB // one connection
	read  *sql.DB // read-only
	name  string  // tells companions which store an endpoint leads to
	dir   string
	files string       // holds the folders of bodies and uploads
	kept  atomic.Int32 // how many want no body removed; see KeepBodies

	dialect dialect

	config *pgx.ConnConfig // PostgreSQL's
	leases *sql.DB         // of the node; nil: this program is none
	node   string          // its id
	lease  time.Duration

	// What every message asks before its transaction.
	terms, used, key prepared
}

// Options say where the database is.
type Options struct {
	Dir string // data folder; made when missing
	DSN string // "": SQLite in Dir; postgres://… for PostgreSQL
	Log *slog.Logger

	Bodies string // folder of large bodies and uploads; "": Dir; see TakeFolder
}

// Open opens the database, creating and migrating it as needed.
func Open(ctx context.Context, o Options) (*Store, error) {
	if err := durable.MkdirAll(o.Dir); err != nil {
		return nil, fmt.Errorf("make data folder: %w", err)
	}
	s := &Store{dir: o.Dir, files: cmp.Or(o.Bodies, o.Dir), dialect: dialect{name: "sqlite"}}
	if o.DSN != "" {
		s.dialect = dialect{name: "postgres", postgres: true}
	}
	if err := s.open(ctx, o); err != nil {
		return nil, err
	}
	if err := s.locked(ctx, lockSchema, func() error { return s.prepare(ctx, o.Log) }); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// open makes the two pools.
func (s *Store) open(ctx context.Context, o Options) (err error) {
	if s.dialect.postgres {
		s.write, s.read, s.config, err = openPostgres(ctx, o.DSN)
		return err
	}
	path := filepath.Join(o.Dir, databaseFile)
	if s.write, err = lite.Open(path, 1, lite.Full, "foreign_keys(1)"); err != nil {
		return err
	}
	if s.read, err = lite.Open(path, 4, lite.ReadOnly); err != nil {
		return errors.Join(err, s.write.Close())
	}
	return nil
}

func sqliteDriver(db *sql.DB) riverdriver.Driver[*sql.Tx] { return riversqlite.New(db) }

// prepare brings the schema of ours and of River up to date and reads the
// store's name.
func (s *Store) prepare(ctx context.Context, log *slog.Logger) error {
	folder, err := fs.Sub(migrations, "migrations/"+s.dialect.name)
	if err != nil {
		return err
	}
	kind := schema.SQLite
	if s.dialect.postgres {
		kind = schema.Postgres
	}
	if err := schema.Up(ctx, s.write, kind, folder); err != nil {
		return err
	}
	rivers, err := rivermigrate.New(s.Driver(), &rivermigrate.Config{Logger: log})
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

// Driver is River's driver on the writing connection.
func (s *Store) Driver() riverdriver.Driver[*sql.Tx] { return s.dialect.driver(s.write) }

// Writer is the one connection that may write; River runs on it.
func (s *Store) Writer() *sql.DB { return s.write }

// Reader is the read-only pool.
func (s *Store) Reader() *sql.DB { return s.read }

// Tx runs fn in one writing transaction and commits when fn returns nil. fn
// must not use Writer. On PostgreSQL fn runs again when another node's
// transaction made this one fail, so it must begin anew each time.
func (s *Store) Tx(ctx context.Context, fn func(tx *sql.Tx) error) error {
	if s.dialect.postgres {
		return repeat(ctx, func() error { return lite.Tx(ctx, s.write, fn) })
	}
	return lite.Tx(ctx, s.write, fn)
}

// Micros is how the database keeps a time.
func Micros(t time.Time) int64 { return t.UnixMicro() }

// Time reads what Micros wrote.
func Time(us int64) time.Time { return time.UnixMicro(us).UTC() }
