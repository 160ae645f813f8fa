package ui

import "context"

// saver stores values one after the other: a newer value waits until the one
// before is stored, and replaces one that waits already. So the last one wins,
// however fast a person changes their mind. All is called on the UI goroutine
// but store.
type saver[T any] struct {
	work  *work
	store func(context.Context, T) error // off the UI goroutine
	done  func(T, error)                 // what was stored last, or not

	busy    bool
	next    T
	waiting bool // next is to be stored
}

func (s *saver[T]) put(v T) {
	if s.busy {
		s.next, s.waiting = v, true
		return
	}
	s.busy = true
	s.work.do(func(ctx context.Context) error { return s.store(ctx, v) }, func(err error) {
		s.busy = false
		if s.waiting {
			s.waiting = false
			s.put(s.next)
			return
		}
		s.done(v, err)
	})
}
