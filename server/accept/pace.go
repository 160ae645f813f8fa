package accept

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/pace"
	"servicesmtp.net/companion/server/store"
)

// PaceError says that the account is ahead of its rate. At Admit it is for the
// client, of whom nothing was received yet; Accept waits itself.
type PaceError struct {
	Retry time.Duration // when at least one recipient may be let through
}

// Error implements error.
func (e *PaceError) Error() string { return "account is ahead of its rate" }

// ErrSlow says that a message waited for its account's pace in vain. Nothing of
// it was stored; the client hears of the pace at its next MAIL.
var ErrSlow = errors.New("account is ahead of its rate for too long")

// SlowError is ErrSlow with the time after which trying again may go well.
type SlowError struct{ Retry time.Duration }

// Error implements error.
func (e *SlowError) Error() string { return ErrSlow.Error() }

// Is makes it an ErrSlow.
func (e *SlowError) Is(target error) bool { return target == ErrSlow }

// How long Accept holds back an answer for the pace. Mail programs give up
// sooner than RFC 5321 §4.5.3.2.6 asks (Thunderbird after 100 seconds), and who
// has given up sends again: where a key makes that harmless, the wait may be
// longer.
const (
	longestWait      = time.Minute
	longestWaitKeyed = 2 * time.Minute
)

// RateSource says who set the rate that holds for an account.
type RateSource string

// The sources, as they are printed.
const (
	RateAccount RateSource = "account" // the operator, for this account alone
	RatePlan    RateSource = "plan"    // the catalogue
	RateRelay   RateSource = "relay"   // the relay's settings, for all accounts
	RateNone    RateSource = "none"    // nobody: there is no rate
)

// RateOf is the rate that holds for an account, in recipients a minute, 0: none.
// Its own comes first, whatever it is. Otherwise the smaller of the plan's and
// the relay's general one holds, of those that are one: a fast plan does not
// outrun a relay that is told to be slow.
func RateOf(plan account.Plan, own *int64, general int64) (int64, RateSource) {
	switch {
	case own != nil:
		return max(*own, 0), RateAccount
	case plan.PerMinute > 0 && (general <= 0 || plan.PerMinute <= general):
		return plan.PerMinute, RatePlan
	case general > 0:
		return general, RateRelay
	}
	return 0, RateNone
}

// paced says whether the pace refuses a message of n recipients.
func (t terms) paced(b pace.Bucket, n int, now time.Time) *PaceError {
	if wait := b.Wait(t.perMinute, n, store.Micros(now)); wait > 0 {
		return &PaceError{Retry: wait}
	}
	return nil
}

// pass counts a message of an account with a rate, or says how long it must
// wait.
func (l *ledger) pass(r *request, now time.Time) *PaceError {
	if l.perMinute <= 0 {
		return nil
	}
	n := int(r.charge.Emails)
	if no := l.paced(l.bucket, n, now); no != nil {
		if l.bucket.Turned(store.Micros(now)) { // what it owes is waited for from here on
			l.bucket = l.bucket.Now(l.perMinute, store.Micros(now))
		}
		return no
	}
	if r.behind {
		return &PaceError{} // its turn has not come, and will be told
	}
	l.bucket = l.bucket.Charge(l.perMinute, n, store.Micros(now))
	return nil
}

// countPace stores what accounts with a rate owe now, where that has changed.
func (t *transaction) countPace(ctx context.Context, id string, l *ledger) error {
	if l.bucket == l.Pace {
		return nil
	}
	ok, err := t.rows.SetPace(ctx, id, l.Pace, l.bucket)
	if err == nil && !ok {
		err = errCounted
	}
	return err
}

// queues are the messages that wait for the pace, account by account. Whoever
// came first goes first, but messages of a few recipients pass the others by:
// those are what people write. So that a stream of them cannot keep a batch
// out for ever, a batch that was first for patience closes the road to them.
type queues struct {
	mu   sync.Mutex // guards all
	all  map[string]*lineup
	rest time.Duration // patience; tests shorten it
}

const patience = 15 * time.Second

// lineup is one account's. Index 0 of lines is of few recipients.
type lineup struct {
	lines   [2][]*place
	changed chan struct{} // closed and replaced when somebody left
}

// place is one message's.
type place struct {
	line  int
	first time.Time // when it came to the head of its line; zero: it has not
}

func lineOf(r *request) int {
	if r.charge.Emails <= pace.Burst {
		return 0
	}
	return 1
}

// behind says whether a newcomer must let others go first.
func (q *queues) behind(accountID string, line int, now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.all[accountID]
	return l != nil && (len(l.lines[line]) > 0 || line == 0 && q.shut(l, now))
}

// shut says that messages of few recipients must wait for the batch at the head.
// The caller holds mu.
func (q *queues) shut(l *lineup, now time.Time) bool {
	return len(l.lines[1]) > 0 && now.Sub(l.lines[1][0].first) >= q.rest
}

// join takes the last place of a line.
func (q *queues) join(accountID string, line int, now time.Time) *place {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.all[accountID]
	if l == nil {
		l = &lineup{changed: make(chan struct{})}
		q.all[accountID] = l
	}
	p := &place{line: line}
	if len(l.lines[line]) == 0 {
		p.first = now
	}
	l.lines[line] = append(l.lines[line], p)
	return p
}

// leave gives a place up.
func (q *queues) leave(accountID string, p *place, now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.all[accountID]
	l.lines[p.line] = slices.DeleteFunc(l.lines[p.line], func(o *place) bool { return o == p })
	if len(l.lines[p.line]) > 0 && l.lines[p.line][0].first.IsZero() {
		l.lines[p.line][0].first = now
	}
	close(l.changed)
	l.changed = make(chan struct{})
	if len(l.lines[0])+len(l.lines[1]) == 0 {
		delete(q.all, accountID)
	}
}

// turn says whether it is p's turn, and otherwise what to wait for.
func (q *queues) turn(accountID string, p *place, now time.Time) (bool, <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.all[accountID]
	return l.lines[p.line][0] == p && (p.line == 1 || !q.shut(l, now)), l.changed
}

// paceWait hands a request to the writer, and again when its turn has come, for
// as long as the pace refuses it. It ends with ctx, with the acceptor, and with
// ErrSlow. Every way in comes here, through Accept.
func (a *Acceptor) paceWait(ctx context.Context, s Submission, r *request) (Receipt, error) {
	id, line := r.message.AccountID, lineOf(r)
	r.behind = a.queues.behind(id, line, time.Now())
	receipt, err := a.hand(ctx, r)
	no, ok := errors.AsType[*PaceError](err)
	if !ok {
		return receipt, err
	}
	r.behind = false
	if s.Held != nil {
		var done func()
		ctx, done = s.Held(ctx)
		defer done()
	}
	p := a.queues.join(id, line, time.Now())
	defer func() { a.queues.leave(id, p, time.Now()) }()
	end := time.Now().Add(s.patience(r.key != ""))
	for {
		if err := a.untilTurn(ctx, id, p, no.Retry, end); err != nil {
			return Receipt{}, err
		}
		if receipt, err = a.hand(ctx, r); err == nil {
			return receipt, nil
		}
		if no, ok = errors.AsType[*PaceError](err); !ok {
			return Receipt{}, err
		}
	}
}

// untilTurn waits for as long as the pace asks, and then until p is at the
// head. A wait that would outlast end is not begun.
func (a *Acceptor) untilTurn(ctx context.Context, id string, p *place, wait time.Duration, end time.Time) error {
	at := time.Now().Add(wait)
	if at.After(end) {
		return &SlowError{Retry: wait}
	}
	for {
		now := time.Now()
		mine, changed := a.queues.turn(id, p, now)
		next := at
		if !at.After(now) {
			if mine {
				return nil
			}
			next = end
		}
		if !now.Before(end) { // others of its account went first
			return &SlowError{Retry: time.Second}
		}
		timer := time.NewTimer(next.Sub(now))
		select {
		case <-timer.C:
		case <-changed:
		case <-a.stopped:
		case <-ctx.Done():
		}
		timer.Stop()
		select {
		case <-a.stopped:
			return ErrStopped
		default:
		}
		if ctx.Err() != nil {
			return fmt.Errorf("wait for the pace: %w", context.Cause(ctx))
		}
	}
}

// patience is how long the answer may be held back.
func (s Submission) patience(keyed bool) time.Duration {
	longest := longestWait
	if keyed {
		longest = longestWaitKeyed
	}
	if s.Patience > 0 {
		longest = min(longest, s.Patience)
	}
	return longest
}
