package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
)

// ErrInUse says that relays work on a database that must be at rest.
var ErrInUse = errors.New("a relayd works on this database")

// Advisory locks of ours on PostgreSQL. They are apart from those of River.
const (
	lockSchema = 0x53534d5450_01 // while the schema is brought up to date
	lockIDs    = 0x53534d5450_03 // while events get ids, until they are committed
)

const (
	minPostgres    = 140000 // server_version_num
	connectTimeout = 10 * time.Second
	readers        = 8
)

// dialect holds what the SQL of both databases does not share.
type dialect struct {
	name     string // of the folder of migrations
	postgres bool
}

func (d dialect) driver(db *sql.DB) riverdriver.Driver[*sql.Tx] {
	if d.postgres {
		return riverdatabasesql.New(db)
	}
	return sqliteDriver(db)
}

// openPostgres opens both pools. Like SQLite's, the writing one has a single
// connection: the queue's third invariant rests on one writer in the process.
func openPostgres(ctx context.Context, dsn string) (write, read *sql.DB, c *pgx.ConnConfig, err error) {
	if c, err = parseDSN(dsn); err != nil {
		return nil, nil, nil, err
	}
	// A node that was stopped in a transaction must not keep others waiting
	// until its machine is given up.
	c.RuntimeParams["idle_in_transaction_session_timeout"] = "30000"
	write = stdlib.OpenDB(*c)
	write.SetMaxOpenConns(1)
	if err := checkServer(ctx, write); err != nil {
		return nil, nil, nil, errors.Join(explain(err, c), write.Close())
	}
	only := c.Copy()
	only.RuntimeParams["default_transaction_read_only"] = "on"
	read = stdlib.OpenDB(*only)
	read.SetMaxOpenConns(readers)
	read.SetMaxIdleConns(readers)
	return write, read, c, nil
}

// parseDSN reads a postgres:// address. Its errors never quote it: it may hold
// a password.
func parseDSN(dsn string) (*pgx.ConnConfig, error) {
	u, err := url.Parse(dsn)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
		return nil, errors.New("store.dsn: must be postgres://user:password@host:port/database, or empty for SQLite")
	}
	c, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, errors.New("store.dsn: cannot be read as postgres://user:password@host:port/database; special characters in the password are written as %XX")
	}
	if c.ConnectTimeout <= 0 {
		c.ConnectTimeout = connectTimeout
	}
	c.DialFunc = dialer().DialContext
	return c, nil
}

// checkServer refuses a server that could lose what it confirmed, or that this
// program was never tried on.
func checkServer(ctx context.Context, db *sql.DB) error {
	show := func(name string) (v string, err error) {
		err = db.QueryRowContext(ctx, `SELECT current_setting('`+name+`')`).Scan(&v)
		return v, err
	}
	version, err := show("server_version_num")
	if err != nil {
		return err
	}
	if n, err := strconv.Atoi(version); err != nil || n < minPostgres {
		return fmt.Errorf("PostgreSQL 14 or newer is needed; this server is version %s", version)
	}
	for _, c := range []struct {
		name, why string
		good      []string
	}{
		{"server_encoding", "make the database with ENCODING 'UTF8'", []string{"UTF8"}},
		{"synchronous_commit", "a power cut could lose mail that was accepted; set it to on", []string{"on", "remote_apply"}},
		{"fsync", "a power cut could lose mail that was accepted; set it to on", []string{"on"}},
	} {
		v, err := show(c.name)
		if err != nil {
			return err
		}
		if !strings.Contains(" "+strings.Join(c.good, " ")+" ", " "+v+" ") {
			return fmt.Errorf("%s of the database is %s: %s", c.name, v, c.why)
		}
	}
	return nil
}

// explain says in a sentence why a database cannot be opened.
func explain(err error, c *pgx.ConnConfig) error {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch e.Code {
		case "28P01", "28000":
			return fmt.Errorf("store.dsn: the database server refuses user %q: wrong password, or no entry in pg_hba.conf", c.User)
		case "3D000":
			return fmt.Errorf("store.dsn: there is no database %q on the server; make it with: createdb -E UTF8 -T template0 %s", c.Database, c.Database)
		case "53300":
			return errors.New("store.dsn: the database server has no connection left; raise max_connections")
		}
		return fmt.Errorf("open database: %s (%s)", e.Message, e.Code)
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return fmt.Errorf("store.dsn: the database server at %s, port %d, cannot be reached", c.Host, c.Port)
	}
	return fmt.Errorf("open database: %w", err)
}

// locked runs fn while no other program holds the lock.
func (s *Store) locked(ctx context.Context, lock int64, fn func() error) error {
	if !s.dialect.postgres {
		return fn() // the data folder has a lock of its own
	}
	conn, err := s.read.Conn(ctx)
	if err != nil {
		return err
	}
	if _, err := conn.ExecContext(ctx, `SELECT pg_advisory_lock($1)`, lock); err != nil {
		return errors.Join(err, conn.Close())
	}
	err = fn()
	_, unlock := conn.ExecContext(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1)`, lock)
	return errors.Join(err, unlock, conn.Close())
}

// orderIDs makes the events and notices of this transaction visible in the
// order of their ids: a cursor of the API would otherwise step over one that
// another program commits later. It lasts until the commit.
func orderIDs(ctx context.Context, d dialect, tx *sql.Tx) error {
	if !d.postgres {
		return nil // one writer
	}
	if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(lockIDs)); err != nil {
		return fmt.Errorf("order ids: %w", err)
	}
	return nil
}
