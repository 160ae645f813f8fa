package app

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/pace"
	"servicesmtp.net/companion/app/spool"
	"servicesmtp.net/companion/app/uplink"
)

// Connections of one account. Personal mail has some of its own, so that it
// need not wait for a newsletter's large body.
const (
	bulkSessions     = 3
	personalSessions = 2
)

// headSize is how many batches of a lane are read from the spool at a time.
const headSize = 16

// grace is what a transaction in hand gets when the engine stops.
const grace = 10 * time.Second

// sender sends the mail of one account: it asks the pace what may leave, and
// starts a session's goroutine for each batch. Its own loop never waits for
// the network.
//
// run owns every goroutine; what they share is guarded by mu or is the gate's.
type sender struct {
	account string
	spool   *spool.Spool
	gate    *gate
	relay   *relay
	connect func(context.Context) (*uplink.Session, error)
	secret  func(context.Context) (string, error) // the account's password
	probe   time.Duration                         // how often secret is asked while a refused one holds the account
	log     *slog.Logger
	changed func() // the state has changed
	handed  func() // the relay has answered to a batch
	working func() // something waits and may leave
	slowed  func() // the relay says that the account is ahead of its rate
	full    func() // the relay says that the plan is used up, and has not said so before

	wake    chan struct{} // holds a token when the loop must look again
	doubt   chan struct{} // holds a token when a batch became unknown
	workers sync.WaitGroup
	idle    *idle

	mu       sync.Mutex // guards what follows
	held     held
	paused   bool
	inflight map[batchKey]mail.Lane
	stale    bool      // the lanes must be read again
	nextDue  time.Time // when a batch that is not due yet becomes so
	endpoint string
	lost     map[batchKey]losses
	replies  uint64 // to batches, so far

	heads     map[mail.Lane][]mail.Batch // the loop's alone
	answering string                     // the store that answers about batches, resolveDoubts' alone
}

type batchKey struct {
	job    mail.JobID
	number int
}

func keyOf(b mail.Batch) batchKey { return batchKey{b.Job, b.Number} }

// poke makes the loop look again. It never blocks.
func (s *sender) poke() {
	s.mu.Lock()
	s.stale = true
	s.mu.Unlock()
	token(s.wake)
}

func token(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run sends until ctx ends, and returns when every session has ended.
// Transactions in hand get some time to end well.
func (s *sender) run(ctx context.Context) {
	work, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
	context.AfterFunc(ctx, func() { time.AfterFunc(grace, abandon) })
	s.workers.Go(func() { s.resolveDoubts(ctx) })
	defer s.idle.closeAll()
	defer s.workers.Wait()
	token(s.doubt)
	for {
		next := s.dispatch(ctx, work)
		if err := sleepUntil(ctx, next, s.wake); err != nil {
			return
		}
	}
}

// dispatch starts what may start now, and says when to look again; the zero
// time means when something happens.
func (s *sender) dispatch(ctx, work context.Context) time.Time {
	now := time.Now()
	if wait, ok := s.mayStart(ctx, now); !ok {
		return wait
	}
	if err := s.refill(ctx, now); err != nil {
		if ctx.Err() == nil {
			s.log.Error("queue cannot be read", "err", err)
			s.hold(mail.Hold{Reason: mail.HoldStorage, Since: now})
		}
		return now.Add(5 * time.Second)
	}
	s.forgetHold()
	for {
		w := s.firsts()
		if w.Personal+w.Bulk > 0 {
			s.working()
		}
		d := s.gate.decide(w, time.Now())
		if d.Lane == 0 {
			return earliest(d.At, s.due())
		}
		s.start(ctx, work, d.Lane)
		if err := s.refill(ctx, now); err != nil {
			return now.Add(5 * time.Second)
		}
	}
}

// firsts are the recipients of each lane's first batch, 0 where the lane is
// empty or has no connection left.
func (s *sender) firsts() (w pace.Waiting) {
	rates := s.gate.rates()
	s.mu.Lock()
	defer s.mu.Unlock()
	busy := map[mail.Lane]int{}
	for _, lane := range s.inflight {
		busy[lane]++
	}
	first := func(lane mail.Lane, sessions int) (int, pace.Counts) {
		if len(s.heads[lane]) == 0 || busy[lane] >= sessions {
			return 0, nil
		}
		b := s.heads[lane][0]
		return len(b.Recipients), counts(b, rates)
	}
	if s.paused || s.held.waits(time.Now()) {
		return w // since dispatch looked
	}
	if s.held.probing && len(s.inflight) > 0 {
		return w // after a failure one batch goes ahead of the others
	}
	w.Personal, w.PersonalTo = first(mail.Personal, personalSessions)
	w.Bulk, w.BulkTo = first(mail.Bulk, bulkSessions)
	return w
}

// refill reads the lanes that are empty, when there may be something new.
func (s *sender) refill(ctx context.Context, now time.Time) error {
	s.mu.Lock()
	due := !s.nextDue.IsZero() && !now.Before(s.nextDue)
	read := s.stale || due
	s.stale = false
	s.mu.Unlock()
	if !read && (len(s.heads[mail.Personal]) > 0 || len(s.heads[mail.Bulk]) > 0) {
		return nil
	}
	var nexts []time.Time
	for _, lane := range []mail.Lane{mail.Personal, mail.Bulk} {
		list, next, err := s.spool.Ready(ctx, s.account, lane, now, headSize)
		if err != nil {
			return err
		}
		s.mu.Lock()
		s.heads[lane] = s.heads[lane][:0]
		for _, b := range list {
			if _, taken := s.inflight[keyOf(b)]; !taken {
				s.heads[lane] = append(s.heads[lane], b)
			}
		}
		s.mu.Unlock()
		nexts = append(nexts, next)
	}
	s.mu.Lock()
	s.nextDue = earliest(nexts...)
	s.mu.Unlock()
	return nil
}

// due is when a batch that is not due yet becomes so, where the lanes that
// are waiting for it are empty.
func (s *sender) due() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.nextDue
}

// start takes the lane's first batch and hands it to a session.
func (s *sender) start(ctx, work context.Context, lane mail.Lane) {
	b := s.heads[lane][0]
	s.heads[lane] = s.heads[lane][1:]
	s.mu.Lock()
	s.inflight[keyOf(b)] = lane
	s.mu.Unlock()
	t := s.gate.prepareTo(lane, len(b.Recipients), counts(b, s.gate.rates()))
	s.workers.Go(func() {
		again := s.handOver(ctx, work, b, t)
		t.giveBack()
		s.mu.Lock()
		delete(s.inflight, keyOf(b))
		s.stale = s.stale || again || len(s.inflight) == 0
		s.mu.Unlock()
		token(s.wake)
		s.changed()
	})
}

// sending is the number of batches at work.
func (s *sender) sending() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.inflight)
}

// setPaused pauses or resumes. Batches that wait at the gate are taken back.
func (s *sender) setPaused(paused bool) {
	s.mu.Lock()
	s.paused = paused
	s.mu.Unlock()
	s.gate.setShut(paused)
	s.poke()
}

// retryNow forgets holds, so that the next look tries again at once.
func (s *sender) retryNow() {
	s.mu.Lock()
	s.held = held{}
	paused := s.paused
	s.mu.Unlock()
	s.gate.setShut(paused)
	token(s.doubt)
	s.poke()
}

// setPolicy puts limits in force.
func (s *sender) setPolicy(l pace.Limits) {
	s.gate.setLimits(l, time.Now())
	token(s.wake)
}

// earliest is the first of the times that are not zero.
func earliest(times ...time.Time) time.Time {
	var first time.Time
	for _, t := range times {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}

// stopped says that an error is only the end of ctx.
func stopped(ctx context.Context, err error) bool {
	return ctx.Err() != nil && (errors.Is(err, ctx.Err()) || errors.Is(err, context.Cause(ctx)))
}
