package proxy

import (
	"sync"
	"time"
)

const (
	authPause    = 500 * time.Millisecond // after the first wrong password; doubles
	maxAuthPause = 8 * time.Second
	authForget   = 30 * time.Second // after which one wrong password is forgotten
	authFailures = 5                // wrong passwords on one connection
	authWaiting  = 32               // wrong passwords that wait for their answer at once
)

// guesses slows down whoever tries passwords, over all connections: one who
// connects anew for each try gains nothing. Only the answer to a wrong password
// is held back. All clients of this computer look alike, so a right one is
// never kept waiting, however many wrong ones there are; what keeps a guesser
// out in the end is the length of the password, not this.
type guesses struct {
	mu      sync.Mutex // guards what follows
	level   int        // wrong passwords that are not forgotten
	since   time.Time  // when the level last changed
	waiting int
}

// wrong counts a wrong password and says how long its answer is to wait, and
// how many there were of late. False means that too many wait already.
func (g *guesses) wrong(now time.Time) (pause time.Duration, recent int, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if gone := int(now.Sub(g.since) / authForget); g.level > 0 && gone > 0 {
		g.level = max(0, g.level-gone)
	}
	g.level++
	g.since = now
	pause = maxAuthPause
	if shift := g.level - 1; shift < 10 {
		pause = min(authPause<<shift, maxAuthPause)
	}
	if g.waiting >= authWaiting {
		return 0, g.level, false
	}
	g.waiting++
	return pause, g.level, true
}

// answered ends a wait.
func (g *guesses) answered() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting--
}
