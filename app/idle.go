package app

import (
	"context"
	"sync"
	"time"

	"servicesmtp.net/companion/app/uplink"
)

// Idle connections: kept a while for the next batch, asked before use when
// they have been idle for long enough to have been cut.
const (
	idleLife  = 30 * time.Second
	idleCheck = 5 * time.Second
	checkWait = 5 * time.Second
)

// idle keeps sessions between batches.
type idle struct {
	mu       sync.Mutex // guards what follows
	sessions []*resting // newest last
	closed   bool
	closing  sync.WaitGroup
}

type resting struct {
	session *uplink.Session
	since   time.Time
	expiry  *time.Timer
}

// put keeps a session for the next batch, for a while.
func (i *idle) put(s *uplink.Session) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed {
		i.closeSession(s)
		return
	}
	r := &resting{session: s, since: time.Now().Round(0)} // the computer's sleep must count
	r.expiry = time.AfterFunc(idleLife, func() { i.expire(r) })
	i.sessions = append(i.sessions, r)
}

// expire closes a session that nobody took.
func (i *idle) expire(r *resting) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for k, other := range i.sessions {
		if other == r {
			i.sessions = append(i.sessions[:k], i.sessions[k+1:]...)
			i.closeSession(r.session)
			return
		}
	}
}

// closeSession says good-bye without holding anybody up. The caller holds mu.
func (i *idle) closeSession(s *uplink.Session) {
	i.closing.Go(func() { s.Close() })
}

// take is the session used last that still works, or nil.
func (i *idle) take(ctx context.Context) *uplink.Session {
	for {
		i.mu.Lock()
		n := len(i.sessions)
		if n == 0 {
			i.mu.Unlock()
			return nil
		}
		r := i.sessions[n-1]
		i.sessions = i.sessions[:n-1]
		i.mu.Unlock()
		r.expiry.Stop()
		if rested := time.Now().Round(0).Sub(r.since); (rested >= 0 && rested < idleCheck) || check(ctx, r.session) == nil {
			return r.session
		}
	}
}

// check asks whether a connection still works. It is cheaper to make a new one
// than to wait for one that a router has forgotten.
func check(ctx context.Context, s *uplink.Session) error {
	ctx, cancel := context.WithTimeout(ctx, checkWait)
	defer cancel()
	return s.Check(ctx)
}

// closeAll closes what rests and whatever is put later, and waits.
func (i *idle) closeAll() {
	i.mu.Lock()
	i.closed = true
	for _, r := range i.sessions {
		r.expiry.Stop()
		i.closeSession(r.session)
	}
	i.sessions = nil
	i.mu.Unlock()
	i.closing.Wait()
}
