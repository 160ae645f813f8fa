package reports

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"servicesmtp.net/companion/internal/durable"
	"servicesmtp.net/companion/internal/lite"
)

//go:embed migrations
var migrations embed.FS

// Name is the cache's file in the data folder.
const Name = "reports.db"

// damagedSuffix ends the name of a file that was set aside.
const damagedSuffix = ".damaged"

// connect makes a pool. What a power cut takes with synchronous=NORMAL are whole
// transactions: cursor and events then go back together and are read again.
func connect(path string, conns int, pragmas ...string) (*sql.DB, error) {
	return lite.Open(path, conns, append(pragmas, lite.Normal, "journal_size_limit(4194304)")...)
}

// readers is how many queries can run beside the writer.
const readers = 2

// Cache holds the reports of all accounts. Its methods may be called from any
// goroutine.
type Cache struct {
	write *sql.DB // one connection
	read  *sql.DB
	log   *slog.Logger

	mu     sync.Mutex // guards health
	health map[part]Health
}

// Open opens the cache in dir, which must exist.
func Open(ctx context.Context, dir string, log *slog.Logger) (*Cache, error) {
	path := filepath.Join(dir, Name)
	c := &Cache{log: log, health: make(map[part]Health)}
	err := c.open(ctx, path)
	if useless(err) {
		log.Warn("the cache of reports cannot be read and is filled anew", "err", err)
		if err := setAside(path); err != nil {
			return nil, err
		}
		err = c.open(ctx, path)
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// useless says that no retry makes this file readable.
func useless(err error) bool {
	var damage *sqlite.Error
	if errors.As(err, &damage) {
		code := damage.Code() & 0xff // without the extended part
		return code == sqlite3.SQLITE_CORRUPT || code == sqlite3.SQLITE_NOTADB
	}
	return errors.Is(err, lite.ErrNewer)
}

// setAside keeps the latest such file, for whoever wants to look at it.
func setAside(path string) error {
	for _, suffix := range []string{"-wal", "-shm"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove log of damaged cache: %w", err)
		}
	}
	if err := os.Rename(path, path+damagedSuffix); err != nil {
		return fmt.Errorf("set damaged cache aside: %w", err)
	}
	return nil
}

func (c *Cache) open(ctx context.Context, path string) (err error) {
	if err := touch(path); err != nil {
		return err
	}
	if c.write, err = connect(path, 1); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.write.Close())
		}
	}()
	if err := migrate(ctx, c.write); err != nil {
		return err
	}
	c.read, err = connect(path, readers, lite.ReadOnly)
	return err
}

// touch makes the file for the owner only; SQLite gives its log the same
// permissions.
func touch(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("make cache: %w", err)
	}
	if err := errors.Join(f.Close(), durable.SyncDir(filepath.Dir(path))); err != nil {
		return fmt.Errorf("make cache: %w", err)
	}
	return nil
}

func migrate(ctx context.Context, db *sql.DB) error {
	folder, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	return lite.Migrate(ctx, db, folder)
}

// Close closes the cache after the transaction in hand. Followers must have
// ended.
func (c *Cache) Close() error { return errors.Join(c.read.Close(), c.write.Close()) }

// tx runs fn in one writing transaction and commits when fn returns nil.
func (c *Cache) tx(ctx context.Context, fn func(tx *sql.Tx) error) error {
	return lite.Tx(ctx, c.write, fn)
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
