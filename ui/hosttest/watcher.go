//go:build linux

package hosttest

import (
	"slices"
	"strings"
	"sync"

	"github.com/godbus/dbus/v5"
)

const (
	watcherName = "org.kde.StatusNotifierWatcher"
	watcherPath = dbus.ObjectPath("/StatusNotifierWatcher")
	properties  = "org.freedesktop.DBus.Properties"
)

// Watcher is a panel with a tray: it takes items, and says that it shows them.
type Watcher struct {
	service
	mu    sync.Mutex // guards what follows
	host  bool
	items []*Item
	calls int
}

// NewWatcher starts a tray with a host.
func NewWatcher(s *Session) *Watcher {
	s.t.Helper()
	w := &Watcher{host: true}
	s.serve(&w.service, watcherName, watcherPath, map[string]any{watcherName: watcherMethods{w}, properties: watcherProperties{w}})
	return w
}

// SetHost says whether a panel shows the items, and announces the change.
func (w *Watcher) SetHost(on bool) {
	w.mu.Lock()
	changed := w.host != on
	w.host = on
	w.mu.Unlock()
	switch {
	case changed && on:
		w.emit("StatusNotifierHostRegistered")
	case changed:
		w.emit("StatusNotifierHostUnregistered")
	}
}

func (w *Watcher) emit(signal string, values ...any) {
	if err := w.conn.Emit(watcherPath, watcherName+"."+signal, values...); err != nil {
		w.session.t.Errorf("tray: %s: %v", signal, err)
	}
}

// Registrations counts how often a program has registered an item.
func (w *Watcher) Registrations() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls
}

// Items are the items of the programs that run.
func (w *Watcher) Items() []*Item {
	w.mu.Lock()
	all := slices.Clone(w.items)
	w.mu.Unlock()
	return slices.DeleteFunc(all, func(i *Item) bool { return !w.session.owned(i.Service) })
}

// WaitItem waits for the first item.
func (w *Watcher) WaitItem() *Item {
	w.session.t.Helper()
	var items []*Item
	Eventually(w.session.t, "an icon in the tray", func() bool { items = w.Items(); return len(items) > 0 })
	return items[0]
}

// watcherMethods is the interface that programs call.
type watcherMethods struct{ w *Watcher }

// RegisterStatusNotifierItem takes a bus name, or only the item's path on the
// caller's connection, as the known watchers do.
func (m watcherMethods) RegisterStatusNotifierItem(service string, sender dbus.Sender) *dbus.Error {
	m.w.gate.pass()
	item := &Item{session: m.w.session, Service: service, Path: "/StatusNotifierItem"}
	if strings.HasPrefix(service, "/") {
		item.Service, item.Path = string(sender), dbus.ObjectPath(service)
	}
	m.w.mu.Lock()
	m.w.calls++
	known := slices.ContainsFunc(m.w.items, func(i *Item) bool { return i.Service == item.Service && i.Path == item.Path })
	if !known {
		m.w.items = append(m.w.items, item)
	}
	m.w.mu.Unlock()
	if !known {
		m.w.emit("StatusNotifierItemRegistered", item.Service+string(item.Path))
	}
	return nil
}

func (m watcherMethods) RegisterStatusNotifierHost(string) *dbus.Error {
	m.w.gate.pass()
	m.w.SetHost(true)
	return nil
}

type watcherProperties struct{ w *Watcher }

func (p watcherProperties) all() map[string]dbus.Variant {
	names := []string{}
	for _, i := range p.w.Items() {
		names = append(names, i.Service+string(i.Path))
	}
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	return map[string]dbus.Variant{
		"RegisteredStatusNotifierItems":  dbus.MakeVariant(names),
		"IsStatusNotifierHostRegistered": dbus.MakeVariant(p.w.host),
		"ProtocolVersion":                dbus.MakeVariant(int32(0)),
	}
}

func (p watcherProperties) Get(iface, name string) (dbus.Variant, *dbus.Error) {
	p.w.gate.pass()
	v, ok := p.all()[name]
	if !ok || iface != watcherName {
		return dbus.Variant{}, dbus.NewError("org.freedesktop.DBus.Error.UnknownProperty", []any{name})
	}
	return v, nil
}

func (p watcherProperties) GetAll(string) (map[string]dbus.Variant, *dbus.Error) {
	p.w.gate.pass()
	return p.all(), nil
}
