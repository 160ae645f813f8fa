//go:build linux

package hosttest

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// Session is a login session of its own: a bus, a home, and the folders that
// go with them.
type Session struct {
	t       testing.TB
	dir     string
	address string
	bus     *process
	conn    *dbus.Conn
	stop    sync.Once
}

// config of a bus that starts no services, so that a test meets only the parts
// that it asked for.
const config = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path=%s</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`

// NewSession starts a session that ends with the test.
func NewSession(t testing.TB) *Session {
	t.Helper()
	daemon := program(t, "dbus-daemon", "dbus-daemon")
	// Not t.TempDir: a socket's path is at most 107 bytes, test names are longer.
	dir, err := os.MkdirTemp("", "session")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &Session{t: t, dir: dir}
	for _, sub := range []string{s.Home(), s.runtime(), s.xdg("config"), s.xdg("data"), s.xdg("cache"), s.xdg("state")} {
		if err := os.MkdirAll(sub, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "bus.conf")
	if err := os.WriteFile(file, fmt.Appendf(nil, config, filepath.Join(s.runtime(), "bus")), 0o600); err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := exec.Command(daemon, "--config-file="+file, "--nofork", "--nopidfile", "--print-address=3")
	cmd.ExtraFiles = []*os.File{w}
	cmd.Env = s.Env()
	s.bus = launch(t, cmd)
	t.Cleanup(s.Stop)
	w.Close()
	r.SetReadDeadline(time.Now().Add(Patience))
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatalf("session bus: %v: %s", err, s.bus.diagnosis())
	}
	s.address = line[:len(line)-1]
	s.conn = s.connect()
	return s
}

// Stop ends the bus before the test does. It may be called more than once.
func (s *Session) Stop() {
	s.stop.Do(func() {
		if s.conn != nil {
			s.conn.Close()
		}
		s.bus.stop()
	})
}

// Address is where the bus listens.
func (s *Session) Address() string { return s.address }

// Home is the person's home.
func (s *Session) Home() string { return filepath.Join(s.dir, "home") }

// Dir is the folder that holds the whole session.
func (s *Session) Dir() string { return s.dir }

func (s *Session) runtime() string { return filepath.Join(s.dir, "run") }

func (s *Session) xdg(name string) string { return filepath.Join(s.Home(), "xdg", name) }

// ConfigHome is where the session's programs keep their settings.
func (s *Session) ConfigHome() string { return s.xdg("config") }

// DataHome is where the session's programs keep their data.
func (s *Session) DataHome() string { return s.xdg("data") }

// Env is the whole environment of a program in this session: nothing of the
// person's own gets in. There is no display; see [Display.Env].
func (s *Session) Env() []string {
	env := []string{
		"PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8", "TMPDIR=" + os.TempDir(), "USER=tester", "NO_AT_BRIDGE=1",
		"HOME=" + s.Home(), "XDG_RUNTIME_DIR=" + s.runtime(), "XDG_CONFIG_HOME=" + s.xdg("config"), "XDG_DATA_HOME=" + s.xdg("data"),
		"XDG_CACHE_HOME=" + s.xdg("cache"), "XDG_STATE_HOME=" + s.xdg("state"),
	}
	if s.address != "" {
		env = append(env, "DBUS_SESSION_BUS_ADDRESS="+s.address)
	}
	return env
}

// Conn is the test's own connection to the bus.
func (s *Session) Conn() *dbus.Conn { return s.conn }

// connect opens one more connection, which the caller closes.
func (s *Session) connect() *dbus.Conn {
	s.t.Helper()
	life, end := context.WithCancel(context.Background())
	timer := time.AfterFunc(Patience, end)
	conn, err := dbus.Connect(s.address, dbus.WithContext(life))
	if err != nil {
		end()
		s.t.Fatalf("connect to the session bus: %v", err)
	}
	timer.Stop()
	context.AfterFunc(conn.Context(), end)
	return conn
}

// service is a part that owns a name on the bus.
type service struct {
	session *Session
	conn    *dbus.Conn
	gate    gate
	stop    sync.Once
}

// serve exports objects (by interface) at path and takes the name.
func (s *Session) serve(v *service, name string, path dbus.ObjectPath, objects map[string]any) {
	s.t.Helper()
	v.session, v.conn = s, s.connect()
	s.t.Cleanup(v.Stop)
	for iface, object := range objects {
		if err := v.conn.Export(object, path, iface); err != nil {
			s.t.Fatal(err)
		}
	}
	reply, err := v.conn.RequestName(name, dbus.NameFlagDoNotQueue)
	if err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
		s.t.Fatalf("own %s: reply %v, %v", name, reply, err)
	}
}

// Stop ends the service: its name disappears from the bus.
func (v *service) Stop() {
	v.stop.Do(func() {
		v.gate.hang(false)
		v.conn.Close()
	})
}

// Hang makes the service take questions and answer none, until it is switched
// off again; then the open ones are answered too.
func (v *service) Hang(on bool) { v.gate.hang(on) }

// gate holds callers back.
type gate struct {
	mu     sync.Mutex
	closed chan struct{} // nil: open
}

func (g *gate) hang(on bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if on == (g.closed != nil) {
		return
	}
	if on {
		g.closed = make(chan struct{})
		return
	}
	close(g.closed)
	g.closed = nil
}

func (g *gate) pass() {
	g.mu.Lock()
	closed := g.closed
	g.mu.Unlock()
	if closed != nil {
		<-closed
	}
}

// ask calls a method of a part or of the program under test.
func (s *Session) ask(name string, path dbus.ObjectPath, method string, args ...any) *dbus.Call {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	return s.conn.Object(name, path).CallWithContext(ctx, method, 0, args...)
}

// owned says whether somebody has the name.
func (s *Session) owned(name string) bool {
	var has bool
	err := s.conn.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, name).Store(&has)
	return err == nil && has
}
