package ui

import (
	"context"
	"errors"
	"sync"
	"time"
)

// work runs what may wait (the façade, the disk, the desktop) off the UI
// goroutine, and brings answers back to it. It owns the goroutines.
type work struct {
	ctx    context.Context // ends with stop; here because views ask without one
	cancel context.CancelFunc
	ui     Dispatcher
	all    sync.WaitGroup
}

func newWork(ui Dispatcher) *work {
	ctx, cancel := context.WithCancel(context.Background())
	return &work{ctx: ctx, cancel: cancel, ui: ui}
}

// start runs f until it returns; it must do so when its context ends.
func (w *work) start(f func(context.Context)) {
	w.all.Go(func() { f(w.ctx) })
}

// stop ends everything and waits for it.
func (w *work) stop() {
	w.cancel()
	w.all.Wait()
}

// ask calls off the UI goroutine and hands the answer to then on it. After the
// end then is not called.
func ask[T any](w *work, call func(context.Context) (T, error), then func(T, error)) {
	w.start(func(ctx context.Context) {
		v, err := call(ctx)
		if ctx.Err() != nil {
			return
		}
		w.ui.Do(func() { then(v, err) })
	})
}

// do is ask for a call without an answer.
func (w *work) do(call func(context.Context) error, then func(error)) {
	ask(w, func(ctx context.Context) (struct{}, error) { return struct{}{}, call(ctx) },
		func(_ struct{}, err error) { then(err) })
}

// every calls f on the UI goroutine now and then again at an interval, until
// the returned function is called.
func (w *work) every(d time.Duration, f func()) (end func()) {
	ctx, cancel := context.WithCancel(w.ctx)
	w.start(func(context.Context) {
		tick := time.NewTicker(d)
		defer tick.Stop()
		for {
			w.ui.Do(func() {
				if ctx.Err() == nil {
					f()
				}
			})
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
	return cancel
}

// asker lets a view ask the same question again and again, for example while
// a search is typed: only the answer to the last one is shown, and questions
// that nobody waits for any more are ended.
type asker[T any] struct {
	work   *work
	cancel context.CancelFunc // of the question before; UI goroutine only
}

func (a *asker[T]) ask(call func(context.Context) (T, error), then func(T, error)) {
	a.end()
	ctx, cancel := context.WithCancel(a.work.ctx)
	a.cancel = cancel
	a.work.start(func(context.Context) {
		v, err := call(ctx)
		if ctx.Err() != nil || errors.Is(err, context.Canceled) {
			return
		}
		a.work.ui.Do(func() {
			if ctx.Err() == nil {
				cancel()
				then(v, err)
			}
		})
	})
}

// end gives up the question that is open.
func (a *asker[T]) end() {
	if a.cancel != nil {
		a.cancel()
		a.cancel = nil
	}
}
