//go:build unix && !darwin

package host

import (
	"context"
	"errors"
	"time"

	"github.com/godbus/dbus/v5"
)

// The specification names org.freedesktop; every desktop uses KDE's name.
const (
	watcherName     = "org.kde.StatusNotifierWatcher"
	watcherPath     = dbus.ObjectPath("/StatusNotifierWatcher")
	propertiesIface = "org.freedesktop.DBus.Properties"
)

// TrayAvailable says whether somebody shows tray icons now. No bus, no watcher
// and a watcher without a panel are all "no"; [ErrTimeout] is a panel that
// hangs.
func TrayAvailable(ctx context.Context) (bool, error) { return trayAvailable(ctx, patience) }

func trayAvailable(ctx context.Context, patience time.Duration) (bool, error) {
	conn, err := connect(ctx, patience)
	if err != nil {
		return false, unlessAbsent(err)
	}
	defer conn.Close()
	shown, err := trayShown(ctx, conn, patience)
	return shown, unlessAbsent(err)
}

func unlessAbsent(err error) error {
	if errors.Is(err, ErrNoService) {
		return nil
	}
	return err
}

// trayShown asks the watcher without starting one: a watcher that nobody runs
// shows nothing.
func trayShown(ctx context.Context, conn *dbus.Conn, patience time.Duration) (bool, error) {
	var shown bool
	err := call(ctx, conn.Object(watcherName, watcherPath), patience, propertiesIface+".Get", dbus.FlagNoAutoStart,
		watcherName, "IsStatusNotifierHostRegistered").Store(&shown)
	return shown, err
}

// WatchTray sends whether somebody shows tray icons: at once, and whenever it
// changes. A panel may start after the program at login, crash and return. The
// channel holds the newest state only; it closes when ctx has ended and
// everything that this call started is over.
func WatchTray(ctx context.Context) <-chan bool { return startWatch(ctx, patience) }

func startWatch(ctx context.Context, patience time.Duration) <-chan bool {
	states := make(chan bool, 1)
	go func() {
		defer close(states)
		watchTray(ctx, patience, newest(states))
		<-ctx.Done() // the bus is gone, or never was: the last word is said
	}()
	return states
}

// newest sends changes into a channel of one place and replaces what nobody
// has fetched yet. It must have a single caller.
func newest(states chan bool) func(bool) {
	said, last := false, false
	return func(now bool) {
		if said && now == last {
			return
		}
		said, last = true, now
		select {
		case <-states:
		default:
		}
		states <- now
	}
}

func watchTray(ctx context.Context, patience time.Duration, say func(bool)) {
	conn, err := connect(ctx, patience)
	if err != nil {
		say(false)
		return
	}
	defer conn.Close()
	signals, err := listen(ctx, conn, patience, trayRules)
	if err != nil {
		say(false)
		return
	}
	for {
		// Subscribed first, asked then, so no change is missed. What a signal
		// says does not matter: the property is the truth, whatever the order.
		shown, err := trayShown(ctx, conn, patience)
		if ctx.Err() != nil {
			return
		}
		say(shown)
		var retry <-chan time.Time
		if errors.Is(err, ErrTimeout) {
			// It may be busy starting, and need not signal anything afterwards.
			retry = time.After(patience)
		}
		select {
		case _, ok := <-signals:
			if !ok { // the bus ended, and the session with it
				say(false)
				return
			}
		case <-retry:
		case <-ctx.Done():
			return
		}
	}
}

// trayRules are all the ways in which watchers announce a change. Some send
// only the generic signal of a changed property.
var trayRules = [][]dbus.MatchOption{
	{dbus.WithMatchSender("org.freedesktop.DBus"), dbus.WithMatchInterface("org.freedesktop.DBus"),
		dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, watcherName)},
	{dbus.WithMatchSender(watcherName), dbus.WithMatchInterface(watcherName), dbus.WithMatchMember("StatusNotifierHostRegistered")},
	{dbus.WithMatchSender(watcherName), dbus.WithMatchInterface(watcherName), dbus.WithMatchMember("StatusNotifierHostUnregistered")},
	{dbus.WithMatchSender(watcherName), dbus.WithMatchInterface(propertiesIface), dbus.WithMatchMember("PropertiesChanged"),
		dbus.WithMatchArg(0, watcherName)},
}
