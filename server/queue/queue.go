// Package queue decides when mail leaves the relay.
//
// The table deliveries is the truth. River jobs are only the right to drain a
// lane: one job for each (lane, slot), unique while it waits or runs. A job
// keeps one connection and sends until its lane is empty or its budget ends.
// Losing a job loses no mail: Rebuild makes them again from the table, and so
// do the start and a sweeper.
//
// # States of a recipient
//
//	queued ── content about to leave (committed) ──▶ in_data
//	queued, in_data ── answer (committed at once) ──▶ delivered | failed | queued, later
//	in_data ── the program died ──▶ queued, maybe_dup, 10 s later
//	queued ── hold ──▶ queued, parked (due for nobody) ── release ──▶ queued
//	queued ── drop ──▶ failed
//
// # Invariants
//
//  1. No content leaves for a recipient who is not in_data on disk: what a
//     crash may have doubled is known afterwards, and is flagged. (kill test)
//
//  2. Two connections never send to the same recipient. In this process a set
//     of claims sees to it; over nodes the step to in_data does, which only one
//     can make, and only while its lease lasts. (race test, TestNodesRace)
//
//  3. Whoever commits a due recipient after Enqueue in the same transaction,
//     and then calls Wake, has it looked at without waiting for a timer. A slot
//     gives up its right in the transaction that finds the lane empty; a
//     transaction of Enqueue comes wholly before that (then its rows are found)
//     or wholly after (then it inserts a new job), because the store has one
//     writer in each process. Between nodes the job's row does it: finish
//     completes it before it looks, and an insert that meets it locks it, so
//     that each waits for the other's commit. (wake-up test, TestNodesRace)
//
//  4. A lane whose next host is dead opens no more than one connection per
//     pause, and all who wait there keep their own attempts, times and reasons.
//
//  5. A recipient that was due is delivered or failed within MaxAge, or parked.
//
//  6. What a node that died had in hand is flagged and tried again once its
//     lease is over, and so are its lanes. (TestTakeOver)
//
// Several nodes on PostgreSQL share the lanes: a slot is one job, and runs at
// one of them. Where Enqueue counts on a slot of this process, that slot will
// look, because it cannot give up before the commit; if the node dies first,
// the slot's job is taken over.
//
// Run owns all goroutines: River's, the recorder, the sweeper and, where nodes
// share the lanes, one that tells the others and one that hears them. It never
// logs an address.
package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/riverqueue/river"

	"servicesmtp.net/companion/server/delivery"
	"servicesmtp.net/companion/server/store"
)

// Bodies opens the content of messages.
type Bodies interface {
	OpenBody(ctx context.Context, accountID, sha256 string) (io.ReadCloser, int64, error)
}

// Config of a Queue. Zero values of times and numbers mean the defaults.
type Config struct {
	Store  *store.Store
	Bodies Bodies // default Store
	Route  delivery.Route
	Slots  int                    // connections of a lane at once; default the route's
	News   func(accountID string) // called when there are new events of an account; may be nil
	Log    *slog.Logger

	Workers  int           // connections at once; default 64
	Linger   time.Duration // how long a connection waits for more mail; default 5 s
	Budget   time.Duration // how long a slot works before others get a turn; default 10 min
	MaxAge   time.Duration // then a recipient fails; default 5 days (RFC 5321 §4.5.4.1)
	Settle   time.Duration // how long the far server gets to settle after a crash; default 10 s
	Sweep    time.Duration // how often the table is looked through without a reason; default 30 s
	StopWait time.Duration // how long a stop waits for transactions in hand; default 30 s

	poll time.Duration // how often River looks for jobs without being told; default 1 s
}

func (c Config) withDefaults() Config {
	for _, v := range []struct {
		d *time.Duration
		o time.Duration
	}{{&c.Linger, 5 * time.Second}, {&c.Budget, 10 * time.Minute}, {&c.MaxAge, 5 * 24 * time.Hour}, {&c.Settle, 10 * time.Second},
		{&c.Sweep, 30 * time.Second}, {&c.StopWait, 30 * time.Second}, {&c.poll, time.Second}} {
		if *v.d <= 0 {
			*v.d = v.o
		}
	}
	if c.Workers <= 0 {
		c.Workers = 64
	}
	if c.Slots <= 0 {
		c.Slots = max(1, c.Route.Plan().Slots)
	}
	if c.News == nil {
		c.News = func(string) {}
	}
	if c.Bodies == nil {
		c.Bodies = c.Store
	}
	return c
}

// Queue hands accepted mail on.
type Queue struct {
	c      Config
	log    *slog.Logger
	client *river.Client[*sql.Tx]
	bell   *bell
	lanes  *lanes
	rec    *recorder
	alarm  *alarm
	abroad *abroad

	working sync.WaitGroup  // slots; River forgets one whose job it was given twice
	fenced  context.Context // ended by fence, when this node lost its lease
	fence   context.CancelFunc

	// stopping ends when no new message may be begun, nor a connection for one.
	// It is kept because Run's own context must not end what is in hand.
	stopping context.Context
	stop     context.CancelFunc
}

// New makes a queue. Enqueue, Wake, Rebuild and the operator's methods work
// from now on, delivery with Run.
func New(c Config) (*Queue, error) {
	c = c.withDefaults()
	q := &Queue{c: c, log: c.Log, bell: newBell(), lanes: newLanes(c.Slots, c.Store.Shared()), rec: newRecorder(c.Store), alarm: newAlarm(), abroad: newAbroad()}
	q.fenced, q.fence = context.WithCancel(context.Background())
	q.stopping, q.stop = context.WithCancel(context.Background())
	client, err := newClient(q)
	if err != nil {
		return nil, fmt.Errorf("make job client: %w", err)
	}
	q.client = client
	return q, nil
}

// Lane names the lane of a recipient, for its row in deliveries.
func (q *Queue) Lane(recipient string) string { return q.c.Route.Lane(recipient) }

// Enqueue makes sure, within the transaction that adds rows to these lanes,
// that somebody will look at them.
func (q *Queue) Enqueue(ctx context.Context, tx *sql.Tx, names []string) error {
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	var jobs []river.InsertManyParams
	for _, name := range names {
		if slot, ok := q.lanes.vacancy(name, time.Now()); ok {
			jobs = append(jobs, river.InsertManyParams{Args: laneArgs{Lane: name, Slot: slot}})
		}
	}
	if len(jobs) == 0 {
		return nil
	}
	if _, err := q.client.InsertManyTx(ctx, tx, jobs); err != nil {
		return fmt.Errorf("insert lane jobs: %w", err)
	}
	return nil
}

// Wake tells, after the commit, those who look at these lanes. It never waits.
func (q *Queue) Wake(names []string) {
	if q.lanes.wake(names) {
		q.bell.ring()
	}
	if q.c.Store.Shared() {
		q.abroad.add(names)
	}
}

// Fence ends Run because this node lost its lease: others send what it had in
// hand, so transmissions are broken off.
func (q *Queue) Fence() { q.fence() }

// noteFence is Fence when err says so.
func (q *Queue) noteFence(err error) {
	if errors.Is(err, store.ErrFenced) {
		q.fence()
	}
}

// Run delivers until ctx ends, then finishes the transactions in hand. It is
// store.ErrFenced, and breaks them off, when this node lost its lease.
func (q *Queue) Run(ctx context.Context) error {
	// The recorder outlives the workers: what they learn while stopping is
	// written too.
	recording, stopRecording := context.WithCancel(context.WithoutCancel(ctx))
	var recorder sync.WaitGroup
	recorder.Go(func() { q.rec.run(recording) })
	defer recorder.Wait()
	defer stopRecording()

	if err := q.recover(ctx); err != nil {
		return err
	}
	// Not ctx itself: its end would end the jobs' transactions at once.
	if err := q.client.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("start job client: %w", err)
	}
	sweeping, stopSweeping := context.WithCancel(ctx)
	var sweeper sync.WaitGroup
	sweeper.Go(func() { q.sweepLoop(sweeping) })
	if q.c.Store.Shared() {
		sweeper.Go(func() { q.tellLoop(sweeping) })
		sweeper.Go(func() { q.hearLoop(sweeping) })
	}
	select {
	case <-ctx.Done():
	case <-q.fenced.Done():
	}
	stopSweeping()
	sweeper.Wait()
	q.stop()
	// SoftStopTimeout bounds this: then the jobs' contexts end, and what is in
	// hand becomes "may have arrived".
	err := q.client.Stop(q.fenced)
	if q.fenced.Err() != nil {
		err = q.client.StopAndCancel(context.WithoutCancel(ctx))
	}
	q.working.Wait()
	if q.fenced.Err() != nil {
		return errors.Join(fmt.Errorf("deliver: %w", store.ErrFenced), err)
	}
	if err != nil {
		return fmt.Errorf("stop job client: %w", err)
	}
	return nil
}

// recover repairs what a crash left, before anything is sent.
func (q *Queue) recover(ctx context.Context) error {
	at := time.Now().Add(q.c.Settle)
	n, err := q.c.Store.RecoverInData(ctx, at)
	if err != nil {
		return err
	}
	jobs, err := q.rescueOwn(ctx)
	if err != nil {
		return err
	}
	if n > 0 || jobs > 0 {
		q.log.Warn("the last run ended in the middle", "maybe_dup", n, "jobs", jobs)
	}
	_, err = q.Rebuild(ctx)
	return err
}
