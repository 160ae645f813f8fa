//go:build unix && !darwin

package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

// patience is how long a service of the desktop may take for one answer. A
// panel answers in milliseconds; during login it may be busy for a second.
const patience = 2 * time.Second

const (
	busVariable = "DBUS_SESSION_BUS_ADDRESS"
	// noBus is what the D-Bus libraries agree on for "there is none": they
	// fail at once and launch nothing.
	noBus = "disabled:"
)

// PinBus settles which session bus this process and its children use, and says
// whether there is one. Call it before anything else touches D-Bus: without an
// address the library, and with it the window's tray, would run dbus-launch
// and leave a daemon behind.
func PinBus() bool { return pinBus(systemRuntimeDir()) }

func pinBus(systemDir string) bool {
	address := busAddress(os.Getenv, systemDir)
	if address == "" {
		address = noBus
	}
	_ = os.Setenv(busVariable, address) // fails for malformed names only
	return address != noBus
}

func systemRuntimeDir() string { return filepath.Join("/run/user", strconv.Itoa(os.Getuid())) }

// busAddress is where the session bus listens, or "" when there is none. The
// library looks into /run/user only, the others into XDG_RUNTIME_DIR.
func busAddress(env func(string) string, systemDir string) string {
	switch address := env(busVariable); address {
	case "", "autolaunch:":
	case noBus:
		return ""
	default:
		return address
	}
	for _, dir := range []string{env("XDG_RUNTIME_DIR"), systemDir} {
		if dir == "" {
			continue
		}
		if socket := filepath.Join(dir, "bus"); exists(socket) {
			return "unix:path=" + dbus.EscapeBusAddressValue(socket)
		}
		// Written by older sessions, one line "DBUS_SESSION_BUS_ADDRESS=…".
		text, err := os.ReadFile(filepath.Join(dir, "dbus-session"))
		if address, ok := strings.CutPrefix(strings.TrimSpace(string(text)), busVariable+"="); err == nil && ok {
			return address
		}
	}
	return ""
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// connect opens a connection of its own to the session bus. It ends with life,
// or by Close; the deadline holds for connecting only.
func connect(life context.Context, deadline time.Duration) (*dbus.Conn, error) {
	address := busAddress(os.Getenv, systemRuntimeDir())
	if address == "" {
		return nil, fmt.Errorf("%w: no session bus", ErrNoService)
	}
	life, end := context.WithCancel(life)
	timer := time.AfterFunc(deadline, end)
	conn, err := dbus.Connect(address, dbus.WithContext(life))
	if !timer.Stop() && err == nil {
		conn.Close()
		err = context.DeadlineExceeded
	}
	switch {
	case err == nil:
		context.AfterFunc(conn.Context(), end) // frees life's child when the connection closes
		return conn, nil
	case life.Err() != nil:
		end()
		return nil, fmt.Errorf("%w: session bus", ErrTimeout)
	default:
		end()
		return nil, fmt.Errorf("%w: connect to the session bus: %w", ErrNoService, err)
	}
}

// listen subscribes to signals, which arrive in the channel until the
// connection closes; that closes the channel too.
func listen(ctx context.Context, conn *dbus.Conn, deadline time.Duration, rules [][]dbus.MatchOption) (<-chan *dbus.Signal, error) {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	signals := make(chan *dbus.Signal, 16)
	conn.Signal(signals)
	for _, rule := range rules {
		if err := conn.AddMatchSignalContext(ctx, rule...); err != nil {
			return nil, kind("listen for signals", err)
		}
	}
	return signals, nil
}

// call asks one question of a service and waits no longer than the deadline.
func call(ctx context.Context, object dbus.BusObject, deadline time.Duration, method string, flags dbus.Flags, args ...any) *dbus.Call {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	c := object.CallWithContext(ctx, method, flags, args...)
	if c.Err != nil {
		c.Err = kind(method, c.Err)
	}
	return c
}

// kind puts a failure into our words: nobody there, no answer, or the
// service's own complaint.
func kind(what string, err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %s", ErrTimeout, what)
	}
	if e, ok := errors.AsType[dbus.Error](err); ok {
		switch name := strings.TrimPrefix(e.Name, "org.freedesktop.DBus.Error."); {
		case name == "ServiceUnknown", name == "NameHasNoOwner", name == "Disconnected", strings.HasPrefix(name, "Spawn."):
			return fmt.Errorf("%w: %s: %w", ErrNoService, what, err)
		case name == "NoReply", name == "Timeout", name == "TimedOut":
			return fmt.Errorf("%w: %s: %w", ErrTimeout, what, err)
		}
	}
	if _, ok := errors.AsType[*net.OpError](err); ok || errors.Is(err, dbus.ErrClosed) {
		return fmt.Errorf("%w: %s: %w", ErrNoService, what, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}
