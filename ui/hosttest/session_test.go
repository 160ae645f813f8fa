//go:build linux

package hosttest

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/godbus/dbus/v5"
)

// The session of the person who runs the test stays out of it.
func TestSessionIsPrivate(t *testing.T) {
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")
	t.Setenv("HOME", "/nowhere")
	s := NewSession(t)
	cmd := exec.Command("env")
	cmd.Env = s.Env()
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(out), "/nowhere") {
		t.Errorf("the outer session leaks in:\n%s", out)
	}
	for _, want := range []string{"DBUS_SESSION_BUS_ADDRESS=" + s.Address(), "HOME=" + s.Home(), "XDG_CONFIG_HOME=" + s.ConfigHome(), "XDG_DATA_HOME=" + s.DataHome()} {
		if !slices.Contains(strings.Split(string(out), "\n"), want) {
			t.Errorf("no %s in\n%s", want, out)
		}
	}
	for _, name := range []string{notesName, secretsName} {
		err := s.Conn().Object(name, "/").Call("org.freedesktop.DBus.Peer.Ping", 0).Err
		if e, ok := err.(dbus.Error); !ok || !strings.HasSuffix(e.Name, ".ServiceUnknown") {
			t.Errorf("%s: got %v, want no such service", name, err)
		}
	}
}

func TestSessionEnds(t *testing.T) {
	var dir string
	var pid int
	t.Run("inner", func(t *testing.T) {
		s := NewSession(t)
		dir, pid = s.Dir(), s.bus.cmd.Process.Pid
		if err := syscall.Kill(pid, 0); err != nil {
			t.Fatalf("the bus does not run: %v", err)
		}
	})
	if err := syscall.Kill(pid, 0); err == nil {
		t.Error("the bus still runs")
	}
	if _, err := os.Stat(dir); err == nil {
		t.Errorf("%s is left", dir)
	}
}
