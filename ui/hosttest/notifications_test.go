//go:build linux

package hosttest

import (
	"slices"
	"testing"

	"github.com/godbus/dbus/v5"
)

func TestNotifications(t *testing.T) {
	s := NewSession(t)
	n := NewNotifications(s, "body", "actions")
	signals := make(chan *dbus.Signal, 8)
	conn := s.connect()
	defer conn.Close()
	if err := conn.AddMatchSignal(dbus.WithMatchInterface(notesName)); err != nil {
		t.Fatal(err)
	}
	conn.Signal(signals)
	service := conn.Object(notesName, notesPath)
	var can []string
	if err := service.Call(notesName+".GetCapabilities", 0).Store(&can); err != nil || !slices.Equal(can, []string{"body", "actions"}) {
		t.Errorf("capabilities: got %q, %v", can, err)
	}
	show := func(replaces uint32) (id uint32) {
		t.Helper()
		err := service.Call(notesName+".Notify", 0, "app", replaces, "", "Grüße", "body", []string{"go", "Go"},
			map[string]dbus.Variant{"urgency": dbus.MakeVariant(byte(2))}, int32(-1)).Store(&id)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	first := show(0)
	if second, third := show(0), show(first); second == first || third != first {
		t.Errorf("numbers: got %d, %d, %d", first, second, third)
	}
	note := n.WaitNote("the replacement", func(n Note) bool { return n.Replaces == first })
	if note.Summary != "Grüße" || note.Hints["urgency"].Value() != byte(2) || !slices.Equal(note.Actions, []Action{{"go", "Go"}}) {
		t.Errorf("got %+v", note)
	}
	n.Invoke(first, "go")
	for _, want := range []string{"ActionInvoked", "NotificationClosed"} {
		for got := ""; got != notesName+"."+want; { // the bus greets a connection with signals of its own
			got = (<-signals).Name
		}
	}
	if got := n.Open(); len(got) != 1 {
		t.Errorf("open: got %v", got)
	}
	if err := service.Call(notesName+".CloseNotification", 0, first).Err; err == nil {
		t.Error("closed twice without a complaint")
	}
}

// A service that hangs answers when it is let go.
func TestHang(t *testing.T) {
	s := NewSession(t)
	n := NewNotifications(s)
	n.Hang(true)
	call := s.Conn().Object(notesName, notesPath).Go(notesName+".GetServerInformation", 0, nil)
	if err := s.Conn().Object(notesName, notesPath).Call("org.freedesktop.DBus.Peer.Ping", 0).Err; err != nil {
		t.Fatal(err) // after this, the question has arrived
	}
	select {
	case <-call.Done:
		t.Error("answered")
	default:
	}
	n.Hang(false)
	if err := (<-call.Done).Err; err != nil {
		t.Error(err)
	}
}
