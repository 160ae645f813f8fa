package spool

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/internal/durable"
)

// Names in the spool's folder. A marker is there while the spool is open; found
// by Open it tells of an end without Close.
const (
	databaseName = "spool.db"
	bodiesName   = "bodies"
	lockName     = "lock"
	markerName   = "open"
	closingName  = "closing" // the marker's name while the log may be taken away
)

// markerLogged stands in a marker that promises a log with a frame at least.
const markerLogged = "logged"

// Options say where the spool is and what it may hold.
type Options struct {
	Dir         string        // made when missing
	MaxSize     mail.ByteSize // of bodies and lists of recipients that wait; 0: no limit
	KeepHistory time.Duration // how long a finished job can be looked at; 0: never pruned by itself

	// Split makes the batches of a job. Every recipient must be in exactly
	// one of them.
	Split func([]mail.Recipient) [][]mail.Recipient

	Log *slog.Logger

	// OnProblem hears of what a person must know and no caller asked for:
	// a body that is missing, a database that was damaged (a DamageError). It
	// must not call the Spool. It may be nil.
	OnProblem func(error)
}

// Spool is the open store. All methods may be called from any goroutine.
type Spool struct {
	dir    string
	split  func([]mail.Recipient) [][]mail.Recipient
	max    mail.ByteSize
	keep   time.Duration
	log    *slog.Logger
	report func(error)

	lock   *flock.Flock
	totals totals

	// gate is held for reading while the database is used, and for writing
	// while a damaged one is replaced; it guards what follows.
	gate       sync.RWMutex
	db         *sql.DB // one connection, the writer's
	conn       *sql.Conn
	pool       *sql.DB // read-only
	reads      *statements
	writer     *writer
	generation int       // of the database: one more with each replacement
	down       error     // why there is none
	healAfter  time.Time // when the next replacement may be tried

	create func(path string) (bodyFile, error) // durable.Create, but for tests of faults

	background sync.WaitGroup // the checker
	stopCheck  context.CancelFunc
	thorough   atomic.Pointer[context.CancelFunc] // ends the check that reads the whole database, for which a replacement would wait
	closed     atomic.Bool

	mu     sync.Mutex // guards opened
	opened map[mail.JobID]bool

	due chan struct{} // see ReportsDue
}

// bodyFile is a file on its way to disk: a *durable.File.
type bodyFile interface {
	Write(p []byte) (int, error)
	Commit() error
	Discard() error
}

var _ bodyFile = (*durable.File)(nil)

// Open opens the spool in o.Dir, and makes or migrates it as needed. Batches
// that were on their way when the last owner ended become unknown.
func Open(ctx context.Context, o Options) (*Spool, error) {
	return open(ctx, o, networkFS)
}

func open(ctx context.Context, o Options, network func(dir string) (string, error)) (*Spool, error) {
	if o.Split == nil || o.Log == nil {
		return nil, errors.New("open spool: Split and Log must be given")
	}
	s := &Spool{
		dir: o.Dir, split: o.Split, max: o.MaxSize, keep: o.KeepHistory, log: o.Log, report: o.OnProblem,
		opened: make(map[mail.JobID]bool), stopCheck: func() {}, due: make(chan struct{}, 1),
		create: func(path string) (bodyFile, error) { return durable.Create(path) },
	}
	if s.report == nil {
		s.report = func(error) {}
	}
	if err := s.openFolder(network); err != nil {
		return nil, fault(err)
	}
	if err := s.openStore(ctx); err != nil {
		return nil, errors.Join(fault(err), fault(s.closeDatabase()), fault(s.lock.Close()))
	}
	return s, nil
}

// openFolder makes the folder, refuses one that cannot be safe, and locks it.
func (s *Spool) openFolder(network func(dir string) (string, error)) error {
	if err := durable.MkdirAll(s.dir); err != nil {
		return fmt.Errorf("make spool folder: %w", err)
	}
	kind, err := network(s.dir)
	if err != nil {
		return err
	}
	if kind != "" {
		return fmt.Errorf("%w (%s): choose a data folder on a disk of this computer", ErrNetworkFS, kind)
	}
	s.lock = flock.New(filepath.Join(s.dir, lockName), flock.SetPermissions(0o600))
	got, err := s.lock.TryLock()
	if err != nil {
		return fmt.Errorf("lock spool: %w", err)
	}
	if !got {
		return ErrLocked
	}
	return nil
}

// openStore does the rest of Open, under the lock. A damaged database is
// replaced, once.
func (s *Spool) openStore(ctx context.Context) error {
	if err := s.swap(); err != nil {
		return err
	}
	unclean, logged, err := s.marked()
	if err != nil {
		return err
	}
	damaged, cut, err := s.lookForDamage(unclean, logged)
	if err == nil && damaged {
		err = s.salvage(ctx, cut, false)
	}
	if err != nil {
		return err
	}
	if err = s.use(ctx, false); errors.Is(fault(err), ErrDamaged) {
		err = errors.Join(s.closeDatabase(), s.salvage(ctx, false, false))
		if err == nil {
			err = s.use(ctx, false)
		}
	}
	if err != nil {
		return err
	}
	s.writer.start()
	checking, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stopCheck = stop
	s.background.Go(func() { s.check(checking, unclean) })
	return nil
}

// use opens the database and recovers. Its writer is not started.
func (s *Spool) use(ctx context.Context, running bool) error {
	if err := s.prepareFiles(); err != nil {
		return err
	}
	if err := s.openDatabase(ctx); err != nil {
		return err
	}
	if err := s.mark(ctx); err != nil {
		return err
	}
	s.writer = newWriter(s.conn, s.committed)
	return s.recover(running)
}

// Close ends the goroutines after the transaction in hand and closes the
// files. Requests that come later return ErrClosed, and so does a second Close.
func (s *Spool) Close() error {
	if s.closed.Swap(true) {
		return ErrClosed
	}
	s.stopCheck()
	s.background.Wait()
	s.gate.Lock()
	defer s.gate.Unlock()
	if s.down == nil {
		s.writer.stop()
	}
	// The last connection folds the log into the database as it closes.
	err := errors.Join(s.markClosing(), s.closeDatabase())
	if err == nil && s.down == nil {
		// Without the marker the end counts as clean, so it goes last.
		err = os.Remove(filepath.Join(s.dir, closingName))
	}
	if err != nil {
		err = fmt.Errorf("close spool: %w", fault(err))
	}
	return errors.Join(err, fault(s.lock.Close()))
}

// closeDatabase closes what openDatabase has opened, all or in part.
func (s *Spool) closeDatabase() error {
	var errs []error
	if s.reads != nil {
		errs = append(errs, s.reads.close(), s.pool.Close())
	}
	if s.writer != nil && s.conn != nil {
		errs = append(errs, s.writer.stmts.close())
	}
	if s.conn != nil {
		errs = append(errs, s.conn.Close())
	}
	if s.db != nil {
		errs = append(errs, s.db.Close())
	}
	s.reads, s.pool, s.conn, s.db = nil, nil, nil, nil
	return errors.Join(errs...)
}

func exists(path string) (bool, error) {
	switch _, err := os.Lstat(path); {
	case err == nil:
		return true, nil
	case errors.Is(err, os.ErrNotExist):
		return false, nil
	default:
		return false, fmt.Errorf("look for file: %w", err)
	}
}
