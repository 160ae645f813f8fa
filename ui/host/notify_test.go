//go:build linux

package host

import (
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"servicesmtp.net/companion/ui/hosttest"
)

type press struct{ id, key string }

// notifier is one under test, and what is pressed.
func notifier(t *testing.T, patience time.Duration) (*Notifier, <-chan press) {
	t.Helper()
	presses := make(chan press, 16)
	n := NewNotifier(NotifierConfig{AppName: "Büro", DesktopEntry: ID, OnAction: func(id, key string) { presses <- press{id, key} }})
	n.patience = patience
	t.Cleanup(func() { n.Close() })
	return n, presses
}

func wantPress(t *testing.T, presses <-chan press, want press) {
	t.Helper()
	select {
	case got := <-presses:
		if got != want {
			t.Errorf("got %v, want %v", got, want)
		}
	case <-time.After(long):
		t.Fatalf("%v did not arrive", want)
	}
}

func show(t *testing.T, n *Notifier, note Note) {
	t.Helper()
	if err := n.Notify(t.Context(), note); err != nil {
		t.Fatal(err)
	}
}

// last is the note that came last.
func last(t *testing.T, service *hosttest.Notifications) hosttest.Note {
	t.Helper()
	notes := service.Notes()
	if len(notes) == 0 {
		t.Fatal("no note")
	}
	return notes[len(notes)-1]
}

func TestNotify(t *testing.T) {
	s := join(t)
	service := hosttest.NewNotifications(s)
	n, _ := notifier(t, long)
	show(t, n, Note{ID: "a", Title: "Grüße & <b>", Body: "<b>1</b> & \"2\"\n漢\x00\xff", Urgent: true, Icon: "/usr/share/a b.png",
		Actions: []Action{{"show", "Show …"}}})
	want := hosttest.Note{ID: 1, App: "Büro", Icon: "file:///usr/share/a%20b.png",
		Summary: "Grüße & <b>", Body: "&lt;b&gt;1&lt;/b&gt; &amp; \"2\"\n漢\uFFFD",
		Actions: []hosttest.Action{{Key: "default", Label: "Büro"}, {Key: "show", Label: "Show …"}},
		Hints:   map[string]dbus.Variant{"urgency": dbus.MakeVariant(byte(2)), "desktop-entry": dbus.MakeVariant(ID)}, Expire: -1}
	if got := last(t, service); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	show(t, n, Note{Title: "b", Icon: "mail-send", Actions: []Action{{ClickKey, "Open"}}})
	got := last(t, service)
	if got.Icon != "mail-send" || got.Hints["urgency"].Value() != byte(1) || !reflect.DeepEqual(got.Actions, []hosttest.Action{{Key: "default", Label: "Open"}}) {
		t.Errorf("got %+v", got)
	}
}

// A service without markup would show the escapes, one without actions must
// get none.
func TestNotifyPlainService(t *testing.T) {
	s := join(t)
	service := hosttest.NewNotifications(s, "body")
	n, _ := notifier(t, long)
	show(t, n, Note{Body: "a < b & c", Actions: []Action{{"show", "Show"}}})
	if got := last(t, service); got.Body != "a < b & c" || len(got.Actions) != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestNotifyReplaces(t *testing.T) {
	s := join(t)
	service := hosttest.NewNotifications(s)
	n, presses := notifier(t, long)
	for _, c := range []struct {
		id             string
		replaces, want uint32
	}{{"a", 0, 1}, {"b", 0, 2}, {"a", 1, 1}, {"", 0, 3}, {"", 0, 4}} {
		show(t, n, Note{ID: c.id})
		if got := last(t, service); got.Replaces != c.replaces || got.ID != c.want {
			t.Errorf("%q: got number %d replacing %d, want %d, %d", c.id, got.ID, got.Replaces, c.want, c.replaces)
		}
	}
	// What the person has closed comes anew, so that it is seen.
	service.Dismiss(1)
	service.Invoke(2, "default") // arrives after the closing
	wantPress(t, presses, press{"b", "default"})
	show(t, n, Note{ID: "a"})
	if got := last(t, service); got.Replaces != 0 {
		t.Errorf("replaces %d, which is closed", got.Replaces)
	}
}

func TestNotifyActions(t *testing.T) {
	s := join(t)
	service := hosttest.NewNotifications(s)
	n, presses := notifier(t, long)
	show(t, n, Note{ID: "a", Actions: []Action{{"retry", "Try again"}}})
	show(t, n, Note{ID: "b"})
	service.Invoke(99, "default") // somebody else's note
	service.Invoke(2, "default")
	wantPress(t, presses, press{"b", "default"})
	service.Invoke(1, "retry")
	wantPress(t, presses, press{"a", "retry"})
	service.Invoke(1, "retry") // from the list of old notes
	wantPress(t, presses, press{"a", "retry"})
}

func TestWithdraw(t *testing.T) {
	s := join(t)
	service := hosttest.NewNotifications(s)
	n, _ := notifier(t, long)
	show(t, n, Note{ID: "a"})
	show(t, n, Note{ID: "b"})
	for _, id := range []string{"a", "a", "never shown"} {
		if err := n.Withdraw(t.Context(), id); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	if got := service.Open(); !reflect.DeepEqual(got, []uint32{2}) {
		t.Errorf("open: got %v", got)
	}
	service.Stop()
	if err := n.Withdraw(t.Context(), "b"); err != nil {
		t.Errorf("of a service that is gone: %v", err)
	}
}

func TestNotifyWithoutService(t *testing.T) {
	s := join(t)
	n, _ := notifier(t, long)
	for _, what := range []string{"no service", "no bus"} {
		if err := n.Notify(t.Context(), Note{Title: "a"}); !errors.Is(err, ErrNoService) {
			t.Errorf("%s: got %v", what, err)
		}
		s.Stop()
	}
}

func TestNotifyHangs(t *testing.T) {
	s := join(t)
	service := hosttest.NewNotifications(s)
	service.Hang(true)
	n, _ := notifier(t, short)
	if err := n.Notify(t.Context(), Note{Title: "a"}); !errors.Is(err, ErrTimeout) {
		t.Errorf("got %v", err)
	}
	service.Hang(false)
	n.patience = long
	show(t, n, Note{Title: "b"})
}

// Another service has other numbers and other capabilities.
func TestNotifyServiceRestarts(t *testing.T) {
	s := join(t)
	service := hosttest.NewNotifications(s)
	n, presses := notifier(t, long)
	show(t, n, Note{ID: "other"})
	show(t, n, Note{ID: "a", Body: "<"})
	service.Stop()
	if err := n.Notify(t.Context(), Note{ID: "a"}); !errors.Is(err, ErrNoService) {
		t.Errorf("in between: got %v", err)
	}
	service = hosttest.NewNotifications(s, "actions")
	hosttest.Eventually(t, "the change to be noticed", func() bool { return n.replaces("a") == 0 })
	show(t, n, Note{ID: "a", Body: "<"})
	if got := last(t, service); got.ID != 1 || got.Replaces != 0 || got.Body != "<" {
		t.Errorf("got %+v", got)
	}
	service.Invoke(1, "default")
	wantPress(t, presses, press{"a", "default"})
}

func TestNotifyBusRestarts(t *testing.T) {
	s := join(t)
	hosttest.NewNotifications(s)
	n, presses := notifier(t, long)
	show(t, n, Note{ID: "a"})
	s.Stop()
	s = join(t)
	service := hosttest.NewNotifications(s)
	hosttest.Eventually(t, "a new connection", func() bool { return n.Notify(t.Context(), Note{ID: "a"}) == nil })
	service.Invoke(last(t, service).ID, "default")
	wantPress(t, presses, press{"a", "default"})
}

func TestNotifierClose(t *testing.T) {
	s := join(t)
	service := hosttest.NewNotifications(s)
	n, _ := notifier(t, long)
	show(t, n, Note{ID: "a"})
	service.Hang(true)
	failed := make(chan error)
	go func() { failed <- n.Notify(t.Context(), Note{ID: "b"}) }()
	hosttest.Eventually(t, "a question under way", func() bool { return len(n.turn) == 0 })
	for range 2 {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := <-failed; err == nil {
		t.Error("a question that the close cut off: no error")
	}
	if err := n.Notify(t.Context(), Note{}); !errors.Is(err, dbus.ErrClosed) {
		t.Errorf("after the close: got %v", err)
	}
}

// A press that is being handled when Close comes is handled before it returns.
func TestNotifierCloseWaits(t *testing.T) {
	s := join(t)
	service := hosttest.NewNotifications(s)
	var handled atomic.Bool
	entered := make(chan struct{})
	var n *Notifier
	n = NewNotifier(NotifierConfig{OnAction: func(string, string) {
		close(entered)
		<-n.life.Done() // Close has begun
		s.Conn().BusObject().Call("org.freedesktop.DBus.GetId", 0)
		handled.Store(true)
	}})
	show(t, n, Note{ID: "a"})
	service.Invoke(1, ClickKey)
	<-entered
	n.Close()
	if !handled.Load() {
		t.Error("Close has not waited")
	}
}

// Signals with another body than expected are no reason to end.
func TestListenTakesAnything(t *testing.T) {
	n, presses := notifier(t, long)
	n.remember("a", 1, 1)
	signals := make(chan *dbus.Signal, 16)
	for _, body := range [][]any{nil, {}, {uint32(1)}, {"1", "default"}, {uint32(1), 2}, {uint32(2), "default"}, {uint32(1), "default"}} {
		signals <- &dbus.Signal{Name: notesName + ".ActionInvoked", Body: body}
	}
	for _, body := range [][]any{nil, {"1"}, {uint32(7), uint32(1)}} {
		signals <- &dbus.Signal{Name: notesName + ".NotificationClosed", Body: body}
		signals <- &dbus.Signal{Name: "org.freedesktop.DBus.NameOwnerChanged", Body: body}
	}
	close(signals)
	n.listen(signals)
	if len(presses) != 1 {
		t.Errorf("got %d presses, want the one that is complete and ours", len(presses))
	}
}

// What is remembered is bounded, and an answer of the new service survives the
// late news that the old one is gone.
func TestNotifierForgets(t *testing.T) {
	n, _ := notifier(t, long)
	for i := range uint32(3 * remembered) {
		n.remember(fmt.Sprint(i), i+1, dbus.Sequence(i))
	}
	if len(n.ids) != remembered || len(n.shown) != remembered || len(n.order) != remembered {
		t.Errorf("remembers %d, %d, %d", len(n.ids), len(n.shown), len(n.order))
	}
	n.forget(3*remembered - 2)
	if len(n.ids) != 2 || len(n.shown) != 2 || len(n.order) != 2 {
		t.Errorf("after the change: remembers %d, %d, %d, want 2", len(n.ids), len(n.shown), len(n.order))
	}
}
