package queue

import (
	"context"
	"sync"
	"time"
)

// abroad are the lanes with new mail that other nodes are to be told of, for
// their slots that linger. What is lost on the way, the end of their linger and
// the sweepers find.
type abroad struct {
	c chan struct{}

	mu    sync.Mutex // guards lanes
	lanes map[string]bool
}

func newAbroad() *abroad { return &abroad{c: make(chan struct{}, 1), lanes: make(map[string]bool)} }

// add notes lanes. It never waits.
func (a *abroad) add(lanes []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, l := range lanes {
		a.lanes[l] = true
	}
	select {
	case a.c <- struct{}{}:
	default:
	}
}

// take empties it.
func (a *abroad) take() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := make([]string, 0, len(a.lanes))
	for l := range a.lanes {
		all = append(all, l)
	}
	clear(a.lanes)
	return all
}

// tellLoop tells other nodes. What comes while it tells goes with the next.
func (q *Queue) tellLoop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-q.abroad.c:
		}
		if err := q.c.Store.Announce(ctx, q.abroad.take()); err != nil && ctx.Err() == nil {
			q.log.Warn("other nodes are not told of new mail; their sweepers will find it", "err", err)
		}
	}
}

// relisten is the pause before a lost connection is made anew.
const relisten = time.Second

// hearLoop is told by other nodes.
func (q *Queue) hearLoop(ctx context.Context) {
	for {
		err := q.c.Store.Hear(ctx, func(names []string) {
			q.lanes.heard(names)
			q.bell.ring()
		})
		if ctx.Err() != nil {
			return
		}
		q.log.Warn("other nodes are not heard; will retry", "err", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(relisten):
		}
	}
}
