//go:build linux

package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"servicesmtp.net/companion/ui/hosttest"
)

func TestTrayAvailable(t *testing.T) {
	s := join(t)
	check := func(what string, want bool) {
		t.Helper()
		if got, err := TrayAvailable(t.Context()); got != want || err != nil {
			t.Errorf("%s: got %v, %v, want %v", what, got, err, want)
		}
	}
	check("no watcher", false)
	w := hosttest.NewWatcher(s)
	check("a panel", true)
	w.SetHost(false)
	check("a watcher without a panel", false)
	w.SetHost(true)
	w.Hang(true)
	if got, err := trayAvailable(t.Context(), short); got || !errors.Is(err, ErrTimeout) {
		t.Errorf("a panel that hangs: got %v, %v", got, err)
	}
	w.Stop()
	check("a panel that is gone", false)
	s.Stop()
	check("no bus", false)
}

// watch starts watching and returns how to wait for the next state.
func watch(t *testing.T, patience time.Duration) (next func(what string, want bool)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	states := startWatch(ctx, patience)
	t.Cleanup(func() {
		cancel()
		for range states { // closes when all is over
		}
	})
	return func(what string, want bool) {
		t.Helper()
		select {
		case got, ok := <-states:
			if !ok || got != want {
				t.Fatalf("%s: got %v, %v, want %v", what, got, ok, want)
			}
		case <-time.After(long):
			t.Fatalf("%s: nothing was said", what)
		}
	}
}

func TestWatchTray(t *testing.T) {
	s := join(t)
	next := watch(t, long)
	next("before the panel", false)
	w := hosttest.NewWatcher(s)
	next("the panel starts", true)
	w.SetHost(false)
	next("its host leaves", false)
	w.SetHost(true)
	next("its host returns", true)
	w.Stop()
	next("the panel crashes", false)
	hosttest.NewWatcher(s)
	next("the panel restarts", true)
	s.Stop()
	next("the session ends", false)
}

// At login a watcher may run before its panel registers.
func TestWatchTrayHostComesLate(t *testing.T) {
	s := join(t)
	w := hosttest.NewWatcher(s)
	w.SetHost(false)
	next := watch(t, long)
	next("no host", false)
	w.SetHost(true)
	next("a host", true)
}

// A panel that is busy is asked again, without any signal.
func TestWatchTrayHangs(t *testing.T) {
	s := join(t)
	w := hosttest.NewWatcher(s)
	w.Hang(true)
	next := watch(t, short)
	next("a panel that hangs", false)
	w.Hang(false)
	next("a panel that answers", true)
}

func TestWatchTrayWithoutBus(t *testing.T) {
	t.Setenv(busVariable, noBus)
	next := watch(t, long)
	next("no bus", false)
}

// Nobody needs to fetch every state; the last one is what counts.
func TestNewestStateWins(t *testing.T) {
	states := make(chan bool, 1)
	say := newest(states)
	say(false)
	say(true)
	if got := <-states; !got {
		t.Error("got the older state")
	}
	say(true)
	select {
	case <-states:
		t.Error("the same state twice")
	default:
	}
}

// An icon whose program has stopped listening comes back, and only once.
func TestReturnToTray(t *testing.T) {
	s := join(t)
	w := hosttest.NewWatcher(s)
	if err := ReturnToTray(t.Context()); !errors.Is(err, ErrNoService) {
		t.Errorf("without an icon: got %v", err)
	}
	if _, err := s.Conn().RequestName(fmt.Sprintf("org.kde.StatusNotifierItem-%d-1", os.Getpid()), 0); err != nil {
		t.Fatal(err)
	}
	byItself := func() error {
		return s.Conn().Object(watcherName, watcherPath).Call(watcherName+".RegisterStatusNotifierItem", 0, "/StatusNotifierItem").Err
	}
	for _, register := range []func() error{func() error { return ReturnToTray(t.Context()) }, byItself, func() error { return ReturnToTray(t.Context()) }} {
		if err := register(); err != nil {
			t.Fatal(err)
		}
		items := w.Items()
		if len(items) != 1 || items[0].Service != s.Conn().Names()[0] || items[0].Path != "/StatusNotifierItem" {
			t.Fatalf("got %+v", items)
		}
	}
	w.Stop()
	if err := ReturnToTray(t.Context()); !errors.Is(err, ErrNoService) {
		t.Errorf("without a panel: got %v", err)
	}
}
