//go:build linux

package host

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

func TestBusAddress(t *testing.T) {
	write := func(name, text string) string {
		t.Helper()
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	socket, file, empty := write("bus", ""), write("dbus-session", "DBUS_SESSION_BUS_ADDRESS=unix:abstract=/x\n"), t.TempDir()
	for _, c := range []struct{ name, address, runtime, system, want string }{
		{"given", "unix:path=/x", socket, socket, "unix:path=/x"},
		{"none", "", "", empty, ""},
		{"none, two places", "", empty, empty, ""},
		{"launching asked for", "autolaunch:", empty, empty, ""},
		{"forbidden", "disabled:", socket, socket, ""},
		{"of the runtime folder", "", socket, empty, "unix:path=" + dbus.EscapeBusAddressValue(socket+"/bus")},
		{"of the system's folder", "", "", socket, "unix:path=" + dbus.EscapeBusAddressValue(socket+"/bus")},
		{"launching asked for, one there", "autolaunch:", empty, socket, "unix:path=" + dbus.EscapeBusAddressValue(socket+"/bus")},
		{"of an older session", "", empty, file, "unix:abstract=/x"},
		{"broken file", "", write("dbus-session", "x"), empty, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			env := map[string]string{busVariable: c.address, "XDG_RUNTIME_DIR": c.runtime}
			if got := busAddress(func(name string) string { return env[name] }, c.system); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// Without PinBus the library runs dbus-launch, which leaves a daemon.
func TestPinBusLaunchesNothing(t *testing.T) {
	dir := t.TempDir()
	script := "#!/bin/sh\n: >" + dir + "/launched\n"
	if err := os.WriteFile(filepath.Join(dir, "dbus-launch"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	t.Setenv("XDG_RUNTIME_DIR", dir)
	t.Setenv(busVariable, "")
	if pinBus(dir) {
		t.Error("found a bus where there is none")
	}
	if conn, err := dbus.ConnectSessionBus(); err == nil {
		conn.Close()
		t.Error("connected to a bus that is not there")
	}
	if exists(filepath.Join(dir, "launched")) {
		t.Error("dbus-launch was run")
	}
}

func TestPinBusKeepsTheBus(t *testing.T) {
	join(t)
	t.Setenv(busVariable, "") // the socket is where sessions have it
	if !pinBus(t.TempDir()) {
		t.Fatal("no bus")
	}
	conn, err := dbus.ConnectSessionBus()
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

// deaf is the address of a bus that takes connections and says nothing.
func deaf(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "bus")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	l, err := net.Listen("unix", filepath.Join(dir, "bus"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return "unix:path=" + filepath.Join(dir, "bus")
}

func TestConnect(t *testing.T) {
	for _, c := range []struct {
		name, address string
		patience      time.Duration
		want          error
	}{
		{"no bus", "disabled:", long, ErrNoService},
		{"a bus that is gone", "unix:path=" + filepath.Join(t.TempDir(), "bus"), long, ErrNoService},
		{"not an address", "nonsense", long, ErrNoService},
		{"a bus that hangs", deaf(t), short, ErrTimeout},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv(busVariable, c.address)
			if _, err := connect(t.Context(), c.patience); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}
