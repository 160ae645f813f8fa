package spool

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"

	"servicesmtp.net/companion/app/mail"
)

// maxGroup bounds the requests that share a COMMIT, and with it the time that
// the first of them waits for the others.
const maxGroup = 256

// op is one request to the writer. run may be called twice (see serve), so it
// starts from nothing each time and leaves its results only where the caller
// reads them after done.
type op struct {
	run  func(t *tx) error
	err  error
	done chan error
}

// write hands a change to the writer and waits for its COMMIT. Once the writer
// has the request, ctx no longer matters: the answer says what is on disk. One
// that meets damage is made again in the rebuilt database.
func (s *Spool) write(ctx context.Context, run func(t *tx) error) error {
	return s.healing(func() error { return s.writeOnce(ctx, run) })
}

// writeOnce is called with gate held.
func (s *Spool) writeOnce(ctx context.Context, run func(t *tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	o := &op{run: run, done: make(chan error, 1)}
	select {
	case s.writer.ops <- o:
		return <-o.done
	case <-s.writer.closing:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// writer makes every change to the database, on one connection.
type writer struct {
	stmts     *statements
	ops       chan *op      // unbuffered: a request is taken or it is not
	closing   chan struct{} // closed by stop
	committed func(t *tx)   // called after each COMMIT, before the answers
	ended     sync.WaitGroup
}

func newWriter(conn *sql.Conn, committed func(t *tx)) *writer {
	return &writer{stmts: newStatements(conn), ops: make(chan *op), closing: make(chan struct{}), committed: committed}
}

// start begins to take requests. Until then, transact may be called directly.
func (w *writer) start() { w.ended.Go(w.loop) }

// stop ends the writer after the transaction in hand.
func (w *writer) stop() {
	close(w.closing)
	w.ended.Wait()
}

func (w *writer) loop() {
	for {
		select {
		case o := <-w.ops:
			w.serve([]*op{o})
		case <-w.closing:
			return
		}
	}
}

// serve answers the requests of group and what waits behind it. Where the
// transaction as a whole fails, each request is tried again by itself: a small
// one may still fit where a large one does not. A doubt about the first try is
// one about the request, unless the second is stored: that writes over what may
// have been left in the log.
func (w *writer) serve(group []*op) {
	group, err := w.transact(group, maxGroup)
	switch {
	case err != nil && len(group) == 1:
		group[0].err = err
	case err != nil:
		for _, o := range group {
			if _, again := w.transact([]*op{o}, 1); again != nil {
				o.err = again
			}
			var doubt inDoubt
			if o.err != nil && errors.As(err, &doubt) {
				o.err = inDoubt{o.err}
			}
		}
	}
	for _, o := range group {
		o.done <- fault(o.err)
	}
}

// transact runs the requests, and those that come meanwhile up to limit, in
// one transaction. It returns all that it took. An error means that nothing of
// the transaction is stored; otherwise each request has its own.
func (w *writer) transact(group []*op, limit int) ([]*op, error) {
	t := &tx{stmts: w.stmts}
	if err := t.do("BEGIN IMMEDIATE"); err != nil {
		return group, fmt.Errorf("begin: %w", err)
	}
	for i := 0; i < len(group); i++ {
		if err := t.apply(group[i]); err != nil {
			t.abandon()
			return group, err
		}
		if len(group) < limit {
			select {
			case o := <-w.ops:
				group = append(group, o)
			default:
			}
		}
	}
	if err := t.do("COMMIT"); err != nil {
		err = fmt.Errorf("commit: %w", err)
		// Without space the last frame was not written; any other failure,
		// above all of the sync, may have come after it.
		if !errors.Is(fault(err), ErrDiskFull) {
			err = inDoubt{err}
		}
		t.abandon()
		return group, err
	}
	w.committed(t)
	return group, nil
}

// tx is the transaction of one group, as its requests see it.
type tx struct {
	stmts *statements
	// Both are taken back with the request that asked for them, and carried
	// out after COMMIT.
	counts []count
	gone   []mail.JobID // bodies to remove
	due    bool         // a report may be due; said once too often does no harm
}

// apply runs one request in a savepoint. An error of the request is the
// request's; the error that apply returns means that the transaction is lost:
// SQLite rolls all of it back by itself after some failures (no space, no
// memory, I/O), and then there is no savepoint to return to.
func (t *tx) apply(o *op) error {
	counts, gone := len(t.counts), len(t.gone)
	if err := t.do("SAVEPOINT request"); err != nil {
		return err
	}
	if o.err = o.run(t); o.err == nil {
		return t.do("RELEASE request")
	}
	t.counts, t.gone = t.counts[:counts], t.gone[:gone]
	if t.do("ROLLBACK TO request") != nil || t.do("RELEASE request") != nil {
		return o.err
	}
	return nil
}

// abandon rolls back. SQLite may have done so already: then ROLLBACK fails, and
// that says nothing new.
func (t *tx) abandon() { _ = t.do("ROLLBACK") }

func (t *tx) do(query string) error {
	_, err := t.exec(query)
	return err
}

func (t *tx) exec(query string, args ...any) (sql.Result, error) {
	stmt, err := t.stmts.get(context.Background(), query)
	if err != nil {
		return nil, err
	}
	return stmt.Exec(args...)
}

// row reads the first row, or returns ErrNotFound.
func (t *tx) row(query string, args []any, into ...any) error {
	found := false
	err := t.each(query, args, func(rows *sql.Rows) error {
		if found {
			return nil
		}
		found = true
		return rows.Scan(into...)
	})
	if err == nil && !found {
		return ErrNotFound
	}
	return err
}

// each calls scan for every row. The rows are closed before the next statement
// may run, so scan must not use t.
func (t *tx) each(query string, args []any, scan func(rows *sql.Rows) error) error {
	stmt, err := t.stmts.get(context.Background(), query)
	if err != nil {
		return err
	}
	rows, err := stmt.Query(args...)
	return eachRow(rows, err, scan)
}

func eachRow(rows *sql.Rows, err error, scan func(rows *sql.Rows) error) error {
	if err != nil {
		return err
	}
	for rows.Next() {
		if err := scan(rows); err != nil {
			if rows.Err() == nil && !errors.Is(err, ErrDamaged) {
				// No column may be NULL or of another type: a page was torn in
				// a way that SQLite does not notice.
				err = fmt.Errorf("%w: %w", ErrDamaged, err)
			}
			return errors.Join(err, rows.Close())
		}
	}
	return errors.Join(rows.Err(), rows.Close())
}
