//go:build linux

package hosttest

import (
	"maps"
	"slices"
	"sync"

	"github.com/godbus/dbus/v5"
)

const (
	notesName = "org.freedesktop.Notifications"
	notesPath = dbus.ObjectPath("/org/freedesktop/Notifications")
)

// Action is a button of a note.
type Action struct{ Key, Label string }

// Note is a notification as the service got it.
type Note struct {
	ID, Replaces             uint32
	App, Icon, Summary, Body string
	Actions                  []Action
	Hints                    map[string]dbus.Variant
	Expire                   int32
}

// Notifications is a notification service that shows nothing and remembers
// everything.
type Notifications struct {
	service
	mu           sync.Mutex // guards what follows
	capabilities []string
	last         uint32
	notes        []Note
	open         map[uint32]bool
}

// NewNotifications starts a service. Without capabilities it has those of most
// desktops: body, body-markup and actions.
func NewNotifications(s *Session, capabilities ...string) *Notifications {
	s.t.Helper()
	if len(capabilities) == 0 {
		capabilities = []string{"body", "body-markup", "actions"}
	}
	n := &Notifications{capabilities: capabilities, open: map[uint32]bool{}}
	s.serve(&n.service, notesName, notesPath, map[string]any{notesName: noteMethods{n}})
	return n
}

// Notes are all notes so far, each replacement as one more.
func (n *Notifications) Notes() []Note {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.notes)
}

// Open are the numbers of the notes on the screen, in order.
func (n *Notifications) Open() []uint32 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Sorted(maps.Keys(n.open))
}

// WaitNote waits for a note and returns the first that is as wanted.
func (n *Notifications) WaitNote(what string, ok func(Note) bool) Note {
	n.session.t.Helper()
	var found Note
	Eventually(n.session.t, what, func() bool {
		notes := n.Notes()
		i := slices.IndexFunc(notes, ok)
		if i >= 0 {
			found = notes[i]
		}
		return i >= 0
	})
	return found
}

// Invoke presses a button, or with "default" the note itself; as most services
// do, it closes the note.
func (n *Notifications) Invoke(id uint32, key string) {
	n.emit("ActionInvoked", id, key)
	n.Dismiss(id)
}

// Dismiss closes a note as a person does.
func (n *Notifications) Dismiss(id uint32) { n.close(id, 2) }

func (n *Notifications) close(id, reason uint32) bool {
	n.mu.Lock()
	was := n.open[id]
	delete(n.open, id)
	n.mu.Unlock()
	if was {
		n.emit("NotificationClosed", id, reason)
	}
	return was
}

func (n *Notifications) emit(signal string, values ...any) {
	if err := n.conn.Emit(notesPath, notesName+"."+signal, values...); err != nil {
		n.session.t.Errorf("notifications: %s: %v", signal, err)
	}
}

// noteMethods is the interface that programs call.
type noteMethods struct{ n *Notifications }

func (m noteMethods) GetCapabilities() ([]string, *dbus.Error) {
	m.n.gate.pass()
	return m.n.capabilities, nil
}

func (m noteMethods) GetServerInformation() (name, vendor, version, spec string, err *dbus.Error) {
	m.n.gate.pass()
	return "hosttest", "test", "1", "1.2", nil
}

func (m noteMethods) Notify(app string, replaces uint32, icon, summary, body string, actions []string,
	hints map[string]dbus.Variant, expire int32) (uint32, *dbus.Error) {
	m.n.gate.pass()
	if len(actions)%2 != 0 {
		return 0, dbus.NewError("org.freedesktop.DBus.Error.InvalidArgs", []any{"actions are pairs"})
	}
	m.n.mu.Lock()
	defer m.n.mu.Unlock()
	note := Note{ID: replaces, Replaces: replaces, App: app, Icon: icon, Summary: summary, Body: body, Hints: hints, Expire: expire}
	for pair := range slices.Chunk(actions, 2) {
		note.Actions = append(note.Actions, Action{pair[0], pair[1]})
	}
	if !m.n.open[replaces] {
		m.n.last++
		note.ID = m.n.last
	}
	m.n.open[note.ID] = true
	m.n.notes = append(m.n.notes, note)
	return note.ID, nil
}

// CloseNotification complains about a note that is not there, as the
// specification wants it.
func (m noteMethods) CloseNotification(id uint32) *dbus.Error {
	m.n.gate.pass()
	if !m.n.close(id, 3) {
		return dbus.NewError("org.freedesktop.DBus.Error.Failed", nil)
	}
	return nil
}
