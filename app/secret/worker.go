package secret

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// keyring is what an operating system offers. A call may block for ever, and
// may panic.
type keyring interface {
	get(key string) (string, error)
	set(key, value string) error
	delete(key string) error
}

// worker asks the keyring one question at a time. A question that is not
// answered in time occupies it; until the answer comes, further questions fail
// at once instead of piling up.
type worker struct {
	ring     keyring
	deadline time.Duration
	jobs     chan *job
	quit     chan struct{} // closed by close
	done     chan struct{} // closed by loop

	closing sync.Once
	mu      sync.Mutex // guards stuck and each job's finished
	stuck   bool       // a question that nobody waits for any more is still open
}

type job struct {
	ask      func() (string, error)
	answer   chan answer // one place: the worker never waits for the asker
	finished bool
}

type answer struct {
	value string
	err   error
}

func startWorker(ring keyring, deadline time.Duration) *worker {
	w := &worker{ring: ring, deadline: deadline, jobs: make(chan *job), quit: make(chan struct{}), done: make(chan struct{})}
	go w.loop()
	return w
}

func (w *worker) loop() {
	defer close(w.done)
	for {
		select {
		case <-w.quit:
			return
		case j := <-w.jobs:
			var a answer
			a.value, a.err = calmly(j.ask)
			w.mu.Lock()
			j.finished, w.stuck = true, false
			w.mu.Unlock()
			j.answer <- a
		}
	}
}

// calmly turns a panic into an error: go-keyring takes a nil signal apart when
// the session bus goes away during a prompt, and local mail must go on.
func calmly(ask func() (string, error)) (value string, err error) {
	defer func() {
		if p := recover(); p != nil {
			value, err = "", errVanished
		}
	}()
	return ask()
}

var errVanished = fmt.Errorf("%w: it went away in the middle of a question", ErrAbsent)

func (w *worker) get(ctx context.Context, key string) (string, error) {
	return w.question(ctx, key, func() (string, error) { return w.ring.get(key) })
}

// set reads back what it wrote: go-keyring reports success when the user
// dismisses the prompt for a new entry.
func (w *worker) set(ctx context.Context, key, value string) error {
	_, err := w.question(ctx, key, func() (string, error) {
		if err := w.ring.set(key, value); err != nil {
			return "", err
		}
		switch got, err := w.ring.get(key); {
		case err != nil:
			return "", fmt.Errorf("read back: %w", err)
		case got != value:
			return "", errors.New("read back: another value")
		}
		return "", nil
	})
	return err
}

func (w *worker) delete(ctx context.Context, key string) error {
	_, err := w.question(ctx, key, func() (string, error) { return "", w.ring.delete(key) })
	return err
}

// question waits for its turn and for the answer, both within the deadline.
// The error is an *Error.
func (w *worker) question(ctx context.Context, key string, ask func() (string, error)) (string, error) {
	w.mu.Lock()
	stuck := w.stuck
	w.mu.Unlock()
	if stuck {
		return "", explained(key, ErrBusy, nil)
	}
	timer := time.NewTimer(w.deadline)
	defer timer.Stop()
	j := &job{ask: ask, answer: make(chan answer, 1)}
	select {
	case w.jobs <- j:
	case <-w.quit:
		return "", explained(key, ErrClosed, nil)
	case <-timer.C:
		return "", explained(key, ErrBusy, nil)
	case <-ctx.Done():
		return "", explained(key, ErrBusy, ctx.Err())
	}
	select {
	case a := <-j.answer:
		if a.err != nil {
			return "", explained(key, kindOf(a.err), a.err)
		}
		return a.value, nil
	case <-timer.C:
		w.abandon(j)
		return "", explained(key, ErrTimeout, nil)
	case <-ctx.Done():
		w.abandon(j)
		return "", explained(key, ErrTimeout, ctx.Err())
	}
}

// abandon notes that nobody waits for j's answer.
func (w *worker) abandon(j *job) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !j.finished {
		w.stuck = true
	}
}

// closeGrace is what a question in hand gets at the end.
const closeGrace = time.Second

func (w *worker) close() error {
	w.closing.Do(func() { close(w.quit) })
	timer := time.NewTimer(closeGrace)
	defer timer.Stop()
	select {
	case <-w.done:
		return nil
	case <-timer.C:
		return errors.New("the keyring did not answer its last question; it is left behind")
	}
}
