package app

import (
	"context"
	"sync"
	"time"
)

// settle is how long changes are gathered before the next State is made, so
// that a thousand accepted messages a second are a few States a second.
const settle = 150 * time.Millisecond

// publisher makes States when something changed and hands them to watchers,
// each of which sees the latest, never a backlog.
type publisher struct {
	compose func(context.Context) State
	dirty   chan struct{} // holds one token when something changed

	mu       sync.Mutex // guards what follows
	state    State
	watchers map[chan State]struct{}
}

func newPublisher(compose func(context.Context) State) *publisher {
	return &publisher{compose: compose, dirty: make(chan struct{}, 1), watchers: make(map[chan State]struct{})}
}

// changed asks for a new State; it never blocks.
func (p *publisher) changed() {
	select {
	case p.dirty <- struct{}{}:
	default:
	}
}

// run makes States until ctx ends, then a last one.
func (p *publisher) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			p.publish(context.WithoutCancel(ctx))
			return
		case <-p.dirty:
		}
		p.publish(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(settle):
		}
	}
}

func (p *publisher) publish(ctx context.Context) {
	s := p.compose(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	s.Seq = p.state.Seq + 1
	p.state = s
	for w := range p.watchers {
		offer(w, s)
	}
}

// offer replaces what a slow watcher has not read yet.
func offer(w chan State, s State) {
	for {
		select {
		case w <- s:
			return
		default:
		}
		select {
		case <-w:
		default:
		}
	}
}

// latest is the last State made.
func (p *publisher) latest() State {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state
}

// watch sends the present State, then the latest, until ctx ends; then the
// channel is closed.
func (p *publisher) watch(ctx context.Context) <-chan State {
	w := make(chan State, 1)
	p.mu.Lock()
	w <- p.state
	p.watchers[w] = struct{}{}
	p.mu.Unlock()
	context.AfterFunc(ctx, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.watchers, w)
		close(w)
	})
	return w
}
