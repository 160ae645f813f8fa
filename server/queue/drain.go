package queue

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riversqlite"

	"servicesmtp.net/companion/server/delivery"
	"servicesmtp.net/companion/server/store"
)

// laneWorker works River's lane jobs.
type laneWorker struct {
	river.WorkerDefaults[laneArgs]
	q *Queue
}

// Work implements river.Worker. It never returns nil but after finish has
// completed the job: River would complete it without a look at the lane.
func (w *laneWorker) Work(ctx context.Context, job *river.Job[laneArgs]) error {
	w.q.working.Add(1)
	defer w.q.working.Done()
	// What others took over is theirs: a snooze of this node's would keep them
	// from it.
	if err := w.q.c.Store.Alive(ctx); err != nil {
		w.q.noteFence(err)
		return river.JobSnooze(0)
	}
	l, ok := w.q.lanes.start(job.Args.Lane, job.Args.Slot)
	if !ok {
		return river.JobSnooze(time.Minute)
	}
	d := &drain{q: w.q, job: job, lane: l, single: w.q.c.Route.Plan().Single, until: time.Now().Add(w.q.c.Budget)}
	defer d.end()
	err := d.run(ctx)
	w.q.noteFence(err)
	var snooze *river.JobSnoozeError
	if err != nil && !errors.As(err, &snooze) {
		w.q.log.Error("a lane cannot go on; will retry", "err", err)
	}
	return err
}

// drain is one slot at work.
type drain struct {
	q      *Queue
	job    *river.Job[laneArgs]
	lane   *lane
	single bool
	until  time.Time
	conn   delivery.Conn // nil: none
	left   bool          // the slot was given back
}

func (d *drain) end() {
	d.disconnect()
	if !d.left {
		d.q.lanes.leave(d.lane, d.job.Args.Slot)
	}
}

func (d *drain) disconnect() {
	if d.conn != nil {
		d.q.lanes.connected(d.lane, -1)
		_ = d.conn.Close() // all that was promised over it is written down already
		d.conn = nil
	}
}

func (d *drain) run(ctx context.Context) error {
	for {
		if d.q.isStopping() || ctx.Err() != nil || time.Now().After(d.until) {
			return river.JobSnooze(0) // others get a turn, or the next start goes on
		}
		if until := d.q.lanes.pausedUntil(d.lane.name, time.Now()); d.conn == nil && !until.IsZero() {
			_, err := d.finish(ctx, until)
			return err
		}
		due, err := d.claim(ctx)
		switch {
		case errors.Is(err, store.ErrNotFound):
			if d.linger(ctx) {
				continue
			}
			if done, err := d.finish(ctx, time.Time{}); done || err != nil {
				return err
			}
		case err != nil:
			return err
		default:
			if err := d.send(ctx, due); err != nil {
				return err
			}
		}
	}
}

func (q *Queue) isStopping() bool { return q.stopping.Err() != nil }

// claim takes the message that has waited longest, if nobody holds it.
func (d *drain) claim(ctx context.Context) (*store.Due, error) {
	c := &d.lane.claims
	c.mu.Lock()
	defer c.mu.Unlock()
	query := c.query(d.lane.name, time.Now(), d.single)
	if d.q.c.Store.Shared() {
		query.Part, query.Parts = d.job.Args.Slot, d.q.c.Slots
	}
	due, err := d.q.c.Store.NextDue(ctx, query)
	if err == nil && !due.Held {
		c.add(due, d.single)
	}
	return due, err
}

// linger waits, with the connection, for more mail. It is true when there may
// be some.
func (d *drain) linger(ctx context.Context) bool {
	slot := d.job.Args.Slot
	if !d.q.lanes.linger(d.lane, slot, d.q.c.Workers) {
		return false
	}
	defer d.q.lanes.lingered(d.lane, slot)
	t := time.NewTimer(d.q.c.Linger)
	defer t.Stop()
	select {
	case <-d.lane.token:
		return true
	case <-d.q.stopping.Done():
		return true
	case <-ctx.Done():
		return true
	case <-t.C:
		return false
	}
}

var errNotEmpty = errors.New("lane is not empty")

// finish completes the job if nothing is due, in one transaction: a row that
// was committed before is seen by it, and one that is committed later finds
// the job completed and the slot free. During a pause (until when, or zero)
// what is due stays: the sweeper comes when it ends.
func (d *drain) finish(ctx context.Context, pause time.Time) (done bool, err error) {
	d.disconnect() // it may take a while to say goodbye
	err = d.q.c.Store.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := river.JobCompleteTx[*riversqlite.Driver](ctx, tx, d.job); err != nil {
			return err
		}
		if pause.IsZero() {
			c := &d.lane.claims
			c.mu.Lock()
			query := c.query(d.lane.name, time.Now(), d.single)
			c.mu.Unlock()
			if due, err := d.q.c.Store.AnyDue(ctx, tx, query); err != nil {
				return err
			} else if due {
				return errNotEmpty
			}
		}
		if !d.left { // the store may run this again
			d.left = true
			d.q.lanes.leave(d.lane, d.job.Args.Slot)
		}
		return nil
	})
	if errors.Is(err, errNotEmpty) {
		return false, nil
	}
	// After the commit: a sweep that came before saw a slot that still ran.
	d.q.alarm.set(pause)
	return err == nil, err
}

// send hands one message on and writes down what became of it.
func (d *drain) send(ctx context.Context, due *store.Due) error {
	if due.Held {
		return d.q.rec.do(ctx, func(ctx context.Context, tx *sql.Tx) error { return d.q.c.Store.Park(ctx, tx, due.MessageID) })
	}
	defer d.lane.claims.release(due, d.single)
	m := d.message(due)
	if d.conn == nil {
		conn, err := d.connect(ctx)
		if err != nil {
			if d.q.isStopping() {
				return nil // nothing was tried; run sees the end
			}
			return d.unreachable(ctx, due, m, err)
		}
		d.conn = conn
		d.q.lanes.connected(d.lane, 1)
	}
	var marking error
	var unmarked []int64
	results := d.conn.Deliver(ctx, m, func(ids []int64) error {
		if marking = d.mark(ctx, ids); marking != nil {
			unmarked = append(unmarked, ids...)
		}
		return marking
	})
	if !d.conn.Alive() {
		d.disconnect()
	}
	d.judge(results)
	if err := d.record(ctx, d.outcomes(ctx, due, results)); err != nil {
		return err
	}
	if len(unmarked) > 0 && !errors.Is(marking, store.ErrFenced) {
		if err := d.unmark(ctx, unmarked); err != nil {
			return err
		}
	}
	if errors.Is(marking, errTaken) {
		return nil
	}
	return marking
}

// connect opens a connection. A stop does not wait for a host that keeps
// silent, because nothing is in hand yet.
func (d *drain) connect(ctx context.Context) (delivery.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(d.q.stopping, cancel)()
	return d.q.c.Route.Open(ctx, d.lane.name)
}

// judge draws the lane's conclusions.
func (d *drain) judge(results []delivery.Result) {
	for _, r := range results {
		if r.Lost {
			d.q.lanes.hesitate(d.lane, time.Now())
			return
		}
	}
	if len(results) > 0 {
		d.q.lanes.resume(d.lane)
	}
}

// errTaken says that a recipient was dropped or held since it was claimed.
var errTaken = errors.New("recipient is no longer queued")

// mark commits that the content is about to leave.
func (d *drain) mark(ctx context.Context, ids []int64) error {
	return d.q.rec.do(ctx, func(ctx context.Context, tx *sql.Tx) error {
		ok, err := d.q.c.Store.MarkInData(ctx, tx, ids, time.Now())
		if err == nil && !ok {
			return errTaken
		}
		return err
	})
}

// unmark puts back what was not sent because it could not be marked: the mark
// may be there all the same, where the answer to its commit was lost, and
// nobody else would look at it while this node lives.
func (d *drain) unmark(ctx context.Context, ids []int64) error {
	return d.persist(ctx, "recipients that were not tried cannot be put back", func(ctx context.Context, tx *sql.Tx) error {
		_, err := d.q.c.Store.Requeue(ctx, tx, ids, time.Now())
		return err
	})
}

// persist writes what must not be lost: it tries until it is committed, or the
// program ends.
func (d *drain) persist(ctx context.Context, trouble string, write func(context.Context, *sql.Tx) error) error {
	for {
		err := d.q.rec.do(context.WithoutCancel(ctx), write)
		if err == nil {
			return nil
		}
		d.q.log.Error(trouble+"; will retry", "err", err)
		select {
		case <-time.After(time.Second):
		case <-d.q.stopping.Done(): // the rows stay in_data: the next start flags them
			return err
		case <-ctx.Done():
			return err
		}
	}
}

func (d *drain) message(due *store.Due) delivery.Message {
	m := delivery.Message{ID: due.MessageID, From: due.MailFrom, Received: due.Received, Size: due.Size, UTF8: due.UTF8,
		EightBit: due.EightBit, Ret: due.Ret, ClientID: due.ClientID,
		Body: func(ctx context.Context) (io.ReadCloser, error) {
			body, _, err := d.q.c.Bodies.OpenBody(ctx, due.AccountID, due.SHA256)
			if err != nil {
				d.q.log.Error("a message's content cannot be read", "queue_id", due.MessageID, "err", err)
			}
			return body, err
		}}
	for _, r := range due.Recipients {
		m.Recipients = append(m.Recipients, delivery.Recipient{ID: r.ID, Address: r.Recipient, Notify: r.Notify, ORCPT: r.ORCPT})
	}
	return m
}
