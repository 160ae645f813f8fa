package secret

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestAHangingKeyringIsAskedOnce: the first question times out, further ones
// fail at once, and everything works again when the answer comes.
func TestAHangingKeyringIsAskedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		release := make(chan struct{})
		ring := newMemory()
		ring.values["k"] = "v"
		ring.before = func() { calls.Add(1); <-release }
		w := startWorker(ring, deadline)

		start := time.Now()
		_, err := w.get(t.Context(), "k")
		wantKind(t, err, ErrTimeout)
		if got := time.Since(start); got != deadline {
			t.Errorf("waited %v, want %v", got, deadline)
		}
		start = time.Now()
		for range 3 {
			_, err := w.get(t.Context(), "k")
			wantKind(t, err, ErrBusy)
		}
		if got := time.Since(start); got != 0 {
			t.Errorf("waited %v for a keyring that is known to hang", got)
		}
		if calls.Load() != 1 {
			t.Errorf("asked %d times", calls.Load())
		}
		if err := w.close(); err == nil {
			t.Error("close does not say that a question is left behind")
		}
		close(release)
		synctest.Wait()
	})
}

func TestAKeyringThatWakesUpIsUsedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		ring := newMemory()
		ring.values["k"] = "v"
		ring.before = func() { <-release }
		w := startWorker(ring, deadline)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := w.get(ctx, "k")
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
		close(release)
		synctest.Wait()
		if got, err := w.get(t.Context(), "k"); err != nil || got != "v" {
			t.Errorf("got %q, %v", got, err)
		}
		if err := w.close(); err != nil {
			t.Error(err)
		}
		_, err = w.get(t.Context(), "k")
		wantKind(t, err, ErrClosed)
	})
}

// TestQuestionsWaitTheirTurn: a keyring that is only slow refuses nobody.
func TestQuestionsWaitTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		atOnce, most := 0, 0
		ring := newMemory()
		ring.values["k"] = "v"
		ring.before = func() {
			atOnce++ // the worker is one goroutine: -race shows if it is not
			most = max(most, atOnce)
			time.Sleep(time.Second)
			atOnce--
		}
		w := startWorker(ring, deadline)
		errs := make(chan error)
		for range 5 {
			go func() { _, err := w.get(t.Context(), "k"); errs <- err }()
		}
		for range 5 {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		if most != 1 {
			t.Errorf("%d questions at once", most)
		}
		if err := w.close(); err != nil {
			t.Error(err)
		}
	})
}

func TestAPanicOfTheLibraryIsAnError(t *testing.T) {
	ring := newMemory()
	s := testStore(t, ring)
	ring.before = func() { panic("nil signal") }
	_, err := s.Get(t.Context(), RelayKey("office"))
	wantKind(t, err, ErrAbsent)
	ring.before = nil
	set(t, s, RelayKey("office"), "v")
}
