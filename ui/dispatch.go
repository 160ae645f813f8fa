package ui

import (
	"sync"
	"sync/atomic"

	"fyne.io/fyne/v2"
)

// Dispatcher runs functions on the UI goroutine, in the order in which they
// were given.
type Dispatcher interface {
	Do(f func())
}

// FyneDispatcher is the Dispatcher of the real window.
type FyneDispatcher struct{ ended atomic.Bool }

// Do gives f to the UI goroutine and does not wait. After the end of the event
// loop it does nothing: Fyne would run f on the caller's goroutine then, or
// panic on its closed queue when a signal has ended the loop just now.
func (d *FyneDispatcher) Do(f func()) {
	defer func() {
		if recover() != nil {
			d.ended.Store(true)
		}
	}()
	if d.ended.Load() {
		return
	}
	fyne.Do(func() {
		if !d.ended.Load() {
			f()
		}
	})
}

// End says that the event loop has ended.
func (d *FyneDispatcher) End() { d.ended.Store(true) }

// latest hands values to the UI goroutine so that it sees the last one: while
// it is busy, newer values replace the one that waits.
type latest[T any] struct {
	ui    Dispatcher
	apply func(T) // on the UI goroutine

	mu      sync.Mutex // guards what follows
	value   T
	waiting bool // apply is on its way
}

func (l *latest[T]) put(v T) {
	l.mu.Lock()
	l.value = v
	first := !l.waiting
	l.waiting = true
	l.mu.Unlock()
	if first {
		l.ui.Do(l.take)
	}
}

func (l *latest[T]) take() {
	l.mu.Lock()
	v := l.value
	l.waiting = false
	l.mu.Unlock()
	l.apply(v)
}
