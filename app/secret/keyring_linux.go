package secret

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"github.com/godbus/dbus/v5"
)

// reachable makes sure that asking does not start a session bus of its own:
// without an address the library would run dbus-launch and leave a daemon.
func reachable() error {
	return reachableAt(os.Getenv("DBUS_SESSION_BUS_ADDRESS"), filepath.Join("/run/user", strconv.Itoa(os.Getuid())))
}

func reachableAt(address, dir string) error {
	if address != "" && address != "autolaunch:" {
		return nil
	}
	for _, name := range []string{"bus", "dbus-session"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return nil
		}
	}
	return fmt.Errorf("%w: no session bus", ErrAbsent)
}

// collections are where go-keyring stores, in its order.
var collections = []dbus.ObjectPath{"/org/freedesktop/secrets/collection/login", "/org/freedesktop/secrets/aliases/default"}

// systemKind tells a locked keyring from none. go-keyring has no error for
// either, so the bus is asked instead of reading its texts; this runs on the
// worker, inside the deadline of the question that failed.
func systemKind(err error) error {
	if e, ok := errors.AsType[dbus.Error](err); ok {
		switch e.Name {
		case "org.freedesktop.Secret.Error.IsLocked":
			return ErrLocked
		case "org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus.Error.NameHasNoOwner",
			"org.freedesktop.DBus.Error.NoReply", "org.freedesktop.DBus.Error.Disconnected",
			"org.freedesktop.DBus.Error.Spawn.ChildExited", "org.freedesktop.DBus.Error.Spawn.ExecFailed":
			return ErrAbsent
		}
	}
	if _, ok := errors.AsType[*net.OpError](err); ok || errors.Is(err, dbus.ErrClosed) || errors.Is(err, fs.ErrNotExist) {
		return ErrAbsent
	}
	bus, err := dbus.SessionBus()
	if err != nil {
		return ErrAbsent
	}
	for _, path := range collections {
		v, err := bus.Object("org.freedesktop.secrets", path).GetProperty("org.freedesktop.Secret.Collection.Locked")
		if locked, ok := v.Value().(bool); err == nil && ok {
			if locked {
				return ErrLocked
			}
			return ErrRefused
		}
	}
	return ErrAbsent // a service without a collection: never set up
}
