// Package accept is the relay's one act of taking responsibility for a
// message: key, quota, message, recipients and queue jobs in one transaction.
//
// It promises that what Accept answered without an error is in the store,
// synced, exactly once, and that what it refused left nothing behind: no key,
// no charge, no body. A key (docs/protocol.md) is accepted once; a repetition
// gets the first answer. A plan that cuts off is never passed by one e-mail,
// however many sessions send at once, because the only counter is the one in
// the database. It never sends anything, and never looks into a message
// beyond cutting out Bcc.
//
// One goroutine, in Run, owns accepting: it gathers the submissions that wait
// while the disk syncs, and commits them in one transaction (group commit).
// What is refused (quota, conflict, closed, blocked) is found by reading,
// before anything is written for that submission, so a refusal needs no
// savepoint. Anything unexpected rolls the whole transaction back, and its
// submissions are then tried one by one, so that one of them cannot take the
// others down. Whoever handed a submission over always waits for the answer:
// leaving early could remove a body that a commit has come to need.
//
// Bodies are taken in before the transaction (Receive): synced files when
// large, pinned by store.Bodies until the answer is known.
//
// Standards: RFC 3461 §4.4 (ENVID), RFC 5321 §4.2.5 (what 250 promises).
package accept

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/billing"
	"servicesmtp.net/companion/server/store"
)

var (
	// ErrConflict says that the key was accepted for another content.
	ErrConflict = errors.New("same key, other content")
	// ErrClosed says that the key's owner closed it.
	ErrClosed = errors.New("key is closed")
	// ErrBlocked says that the account's mail is refused.
	ErrBlocked = errors.New("account is blocked")
	// ErrEnded says that the account, or its monthly plan, is over.
	ErrEnded = errors.New("account has ended")
	// ErrAgain says that the same submission will be answered well if it is
	// made again: another session was in between.
	ErrAgain = errors.New("another session was faster")
	// ErrStopped says that nothing is accepted any more by this process.
	ErrStopped = errors.New("accepting has stopped")
)

// QuotaError says that the plan is used up.
type QuotaError struct {
	Reset time.Time // when counters start again; zero: they do not
}

// Error implements error.
func (e *QuotaError) Error() string { return "plan is used up" }

// Lanes are the queue's, woken for the recipients of new messages.
type Lanes interface {
	// Enqueue adds jobs for the lanes within the transaction.
	Enqueue(ctx context.Context, tx *sql.Tx, lanes []string) error
	// Wake tells that a transaction with jobs for the lanes was committed.
	Wake(lanes []string)
}

// Options are what an Acceptor needs.
type Options struct {
	Store     *store.Store
	Catalogue account.Catalogue
	Lanes     Lanes
	Route     func(recipient string) (lane string)
	Later     func(at time.Time)  // told when mail that may not leave yet may; nil: nobody asks
	Observe   func(o Observation) // told what became of every submission; nil: nobody asks
	PerMinute int64               // recipients of an account that has no rate of its own; 0: no rate
	Now       func() time.Time    // what is accepted is stored and counted at; nil: time.Now
	Log       *slog.Logger
}

// Observation is one submission's outcome, for counting.
type Observation struct {
	Reason     string // see Reason
	Replayed   bool
	Recipients int // that are charged
	Bytes      int64
	Took       time.Duration
}

// Acceptor accepts. All methods may be called from any goroutine, while Run
// runs.
type Acceptor struct {
	Options
	billing  *billing.Billing
	bodies   *store.Bodies
	buffers  sync.Pool // of *[]byte, for copying bodies
	zones    sync.Map  // name to *time.Location
	requests chan *request
	stopped  chan struct{} // closed when Run is over
	queues   queues
	limit    time.Duration // commitLimit; tests shorten it
}

// New makes an acceptor. There must be one for each store.
func New(o Options) *Acceptor {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Acceptor{
		Options:  o,
		billing:  &billing.Billing{Store: o.Store, Plans: o.Catalogue, Now: o.Now},
		bodies:   o.Store.Bodies(),
		buffers:  sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }},
		requests: make(chan *request),
		stopped:  make(chan struct{}),
		queues:   queues{all: make(map[string]*lineup), rest: patience},
		limit:    commitLimit,
	}
}

// maxBatch is the most submissions in one transaction. It bounds how long
// others, such as delivery results, wait for the writer.
const maxBatch = 64

// Run accepts until ctx ends and the transaction in hand is committed. It is
// called once. Stop whoever calls Accept first: what comes later is refused
// with ErrStopped.
func (a *Acceptor) Run(ctx context.Context) error {
	defer close(a.stopped)
	work := context.WithoutCancel(ctx) // a transaction that has begun is finished
	intake, err := a.Store.Intake(work)
	if err != nil {
		return fmt.Errorf("start accepting: %w", err)
	}
	for {
		select {
		case r := <-a.requests:
			a.commit(work, intake, a.gather(r))
		case <-ctx.Done():
			return intake.Close()
		}
	}
}

// gather adds those that wait already.
func (a *Acceptor) gather(first *request) []*request {
	batch := []*request{first}
	for len(batch) < maxBatch {
		select {
		case r := <-a.requests:
			batch = append(batch, r)
		default:
			return batch
		}
	}
	return batch
}

// Accept takes responsibility for a message, or says why not: ErrConflict,
// ErrClosed, ErrBlocked, ErrEnded, ErrAgain, ErrSlow, ErrStopped, *QuotaError;
// any other error is ctx's or the store's. For the pace of the account it waits
// some time. The body stays the caller's to close.
func (a *Acceptor) Accept(ctx context.Context, s Submission) (receipt Receipt, err error) {
	if a.Observe != nil {
		defer func(began time.Time) { a.observe(s, receipt, err, time.Since(began)) }(time.Now())
	}
	r, err := a.prepare(s)
	if err != nil {
		return Receipt{}, err
	}
	return a.paceWait(ctx, s, r)
}

// hand gives a request to the writer and waits for its answer.
func (a *Acceptor) hand(ctx context.Context, r *request) (Receipt, error) {
	select {
	case a.requests <- r:
	case <-a.stopped:
		return Receipt{}, ErrStopped
	case <-ctx.Done():
		return Receipt{}, fmt.Errorf("wait for the writer: %w", context.Cause(ctx))
	}
	answer := <-r.answer // always comes, see commit
	return answer.receipt, answer.err
}

func (a *Acceptor) observe(s Submission, receipt Receipt, err error, took time.Duration) {
	o := Observation{Reason: Reason(err), Replayed: receipt.Replayed, Took: took}
	if s.Body != nil && err == nil && !receipt.Replayed {
		o.Recipients = len(accepted(decisions(s.Offered)))
		o.Bytes = int64(s.Body.Size)
	}
	a.Observe(o)
}

// Sweep removes bodies that a crash left without a message and tells how many.
func (a *Acceptor) Sweep(ctx context.Context) (int, error) { return a.bodies.Sweep(ctx) }

// zone finds an account's zone; loading one reads files.
func (a *Acceptor) zone(name string) *time.Location {
	if z, ok := a.zones.Load(name); ok {
		return z.(*time.Location)
	}
	z := account.Location(name)
	a.zones.Store(name, z)
	return z
}
