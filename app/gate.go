package app

import (
	"context"
	"errors"
	"sync"
	"time"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/pace"
)

// errShut is why a batch that waits at a gate is taken back.
var errShut = errors.New("the account is paused or held")

// gate is the one pacer of an account over all its connections. A session
// passes it directly before DATA: that moment is what the pace counts.
type gate struct {
	mu       sync.Mutex // guards what follows
	state    *pace.State
	pending  int           // recipients that are prepared on connections and have not left
	batches  int           // in so many batches
	to       pace.Counts   // and to so many of each provider
	shut     bool          // nothing leaves: paused or held
	reopened chan struct{} // closed and replaced when waiting sessions must look again
	passed   func()        // told after each leave
}

func newGate(state *pace.State, passed func()) *gate {
	return &gate{state: state, reopened: make(chan struct{}), passed: passed}
}

// ticket is one batch's place at the gate. It must be given back.
type ticket struct {
	g    *gate
	lane mail.Lane
	n    int
	to   pace.Counts
	left bool // guarded by g.mu
	back bool // likewise
}

// prepare counts a batch that is being prepared.
func (g *gate) prepare(lane mail.Lane, n int) *ticket { return g.prepareTo(lane, n, nil) }

// prepareTo does so for one whose providers are known.
func (g *gate) prepareTo(lane mail.Lane, n int, to pace.Counts) *ticket {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pending += n
	g.batches++
	g.to = g.to.Add(to, 1)
	return &ticket{g: g, lane: lane, n: n, to: to}
}

// pass waits until the batch may leave, and counts it. An error means that it
// did not: the account was shut, or ctx ended.
func (t *ticket) pass(ctx context.Context) error {
	g := t.g
	for {
		g.mu.Lock()
		if g.shut {
			g.mu.Unlock()
			return errShut
		}
		now := time.Now()
		ok, at := g.state.MayLeaveTo(t.lane, t.n, t.to, now)
		if ok {
			g.state.LeftTo(t.lane, t.n, t.to, now)
			t.left = true
			t.done()
			g.mu.Unlock()
			g.passed()
			return nil
		}
		reopened := g.reopened
		g.mu.Unlock()
		if err := sleepUntil(ctx, at, reopened); err != nil {
			return err
		}
	}
}

// giveBack ends the ticket of a batch that did not leave.
func (t *ticket) giveBack() {
	t.g.mu.Lock()
	defer t.g.mu.Unlock()
	t.done()
}

// done takes the batch off the pending ones, once. The caller holds g.mu.
func (t *ticket) done() {
	if t.back {
		return
	}
	t.back = true
	t.g.pending -= t.n
	t.g.batches--
	t.g.to = t.g.to.Add(t.to, -1)
}

// setShut opens or shuts the gate; sessions that wait there notice at once.
func (g *gate) setShut(shut bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = shut
	g.lookAgain()
}

// lookAgain wakes the sessions that wait. The caller holds g.mu.
func (g *gate) lookAgain() {
	close(g.reopened)
	g.reopened = make(chan struct{})
}

// decide asks which lane's first batch may be prepared now.
func (g *gate) decide(w pace.Waiting, now time.Time) pace.Decision {
	g.mu.Lock()
	defer g.mu.Unlock()
	w.Pending, w.PendingBatches, w.PendingTo = g.pending, g.batches, g.to
	return pace.Decide(g.state, w, now)
}

// rates are the providers' own.
func (g *gate) rates() map[string]int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.state.Limits().PerProvider
}

// setLimits puts new limits in force.
func (g *gate) setLimits(l pace.Limits, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.state.SetLimits(l, now)
	g.lookAgain()
}

func (g *gate) feedback(now time.Time, accepted, deferred, failed int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.state.Feedback(now, accepted, deferred, failed)
}

func (g *gate) slowDown(now time.Time, retry time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.state.SlowDown(now, retry)
	g.lookAgain()
}

// outlook is the pace as a State shows it: for so many recipients that wait.
func (g *gate) outlook(recipients int, now time.Time) (PaceState, *time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.state.Limits()
	slowed := slowedBy(g.state.Explain(now))
	p := PaceState{PerMinute: l.PerMinute, SlowedBy: slowed.String(), Slowed: slowed}
	if recipients == 0 {
		return p, nil
	}
	size := l.MaxBatch()
	if ok, at := g.state.MayLeave(mail.Bulk, min(recipients, size), now); !ok && !at.IsZero() {
		p.NextAt = &at
	}
	end := pace.Estimate(g.state, recipients, (recipients+size-1)/size, now)
	if end.IsZero() {
		return p, nil
	}
	return p, &end
}

// glance is how long a sleep goes on without a look at the clock. Timers stand
// still while the computer sleeps, and do not know that the clock was set: what
// waits for seven in the morning must not leave hours after it.
const glance = time.Minute

// sleepUntil waits for a time (zero: for ever), an event, or the end of ctx,
// which alone is an error.
func sleepUntil(ctx context.Context, at time.Time, event <-chan struct{}) error {
	if !at.IsZero() {
		return sleepWhile(ctx, func() time.Duration { return time.Until(at) }, event)
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-event:
		return nil
	}
}

// sleepWhile is sleepUntil for as long as something is left.
func sleepWhile(ctx context.Context, left func() time.Duration, event <-chan struct{}) error {
	for {
		d := left()
		t := time.NewTimer(min(d, glance))
		select {
		case <-ctx.Done():
			t.Stop()
			return context.Cause(ctx)
		case <-event:
			t.Stop()
			return nil
		case <-t.C:
			if d <= glance {
				return nil
			}
		}
	}
}
