//go:build unix && !darwin

package host

import (
	"slices"

	"github.com/godbus/dbus/v5"
)

var noteRules = [][]dbus.MatchOption{
	{dbus.WithMatchSender(notesName), dbus.WithMatchInterface(notesName), dbus.WithMatchObjectPath(notesPath)},
	{dbus.WithMatchSender("org.freedesktop.DBus"), dbus.WithMatchInterface("org.freedesktop.DBus"),
		dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, notesName)},
}

// listen ends when the connection closes, which closes the channel.
func (n *Notifier) listen(signals <-chan *dbus.Signal) {
	for s := range signals {
		switch s.Name {
		case notesName + ".ActionInvoked":
			// Services tell everybody about everybody's notes: ours only.
			number, key, ok := pressed(s.Body)
			if id, ours := n.id(number); ok && ours && n.config.OnAction != nil && n.life.Err() == nil {
				n.config.OnAction(id, key)
			}
		case notesName + ".NotificationClosed":
			if len(s.Body) > 0 {
				if number, ok := s.Body[0].(uint32); ok {
					n.closed(number)
				}
			}
		case "org.freedesktop.DBus.NameOwnerChanged":
			if len(s.Body) > 1 && s.Body[1] != "" { // a service that starts for our note must not lose it
				n.forget(s.Sequence)
			}
		}
	}
}

func pressed(body []any) (number uint32, key string, ok bool) {
	if len(body) < 2 {
		return 0, "", false
	}
	number, ok = body[0].(uint32)
	key, text := body[1].(string)
	return number, key, ok && text
}

// reset drops all that was known on a connection that is gone.
func (n *Notifier) reset() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.capabilities = answer[[]string]{}
	n.shown, n.ids, n.order = map[string]uint32{}, map[uint32]answer[string]{}, nil
}

// forget drops what the service said that left then: the next one may have
// other capabilities, and its numbers start anew. It may have spoken already,
// before we get to hear of the change.
func (n *Notifier) forget(then dbus.Sequence) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.capabilities.at < then {
		n.capabilities = answer[[]string]{}
	}
	n.order = slices.DeleteFunc(n.order, func(number uint32) bool {
		old := n.ids[number].at < then
		if old {
			n.remove(number)
		}
		return old
	})
}

// remove needs mu.
func (n *Notifier) remove(number uint32) {
	if id := n.ids[number].value; n.shown[id] == number {
		delete(n.shown, id)
	}
	delete(n.ids, number)
}

func (n *Notifier) remember(id string, number uint32, at dbus.Sequence) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if id != "" {
		n.shown[id] = number
	}
	if _, known := n.ids[number]; !known {
		n.order = append(n.order, number)
	}
	n.ids[number] = answer[string]{id, at}
	if len(n.order) > remembered {
		n.remove(n.order[0])
		n.order = n.order[1:]
	}
}

// closed: the next note of that ID is a new one, so that it is seen. A press
// may still arrive.
func (n *Notifier) closed(number uint32) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if id, ok := n.ids[number]; ok && n.shown[id.value] == number {
		delete(n.shown, id.value)
	}
}

func (n *Notifier) replaces(id string) uint32 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.shown[id]
}

func (n *Notifier) id(number uint32) (string, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	id, ok := n.ids[number]
	return id.value, ok
}
