package secret

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	ss "github.com/zalando/go-keyring/secret_service"
)

// The tests here talk to real session buses. Each runs this test program again
// inside one, because the D-Bus library keeps one connection per process.

const scenarioEnv = "COMPANION_SECRET_SCENARIO"

// scenarios run in a session of their own; an error fails the test.
var scenarios = map[string]func(*Store) error{
	"unlocked": unlocked,
	"locked":   locked,
	"no login": noLogin,
	"nobody":   nobody,
	"hangs":    hangs,
	"vanishes": vanishes,
}

func TestMain(m *testing.M) {
	run, ok := scenarios[os.Getenv(scenarioEnv)]
	if !ok {
		os.Exit(m.Run())
	}
	d := deadline
	if os.Getenv(scenarioEnv) == "hangs" {
		d = 300 * time.Millisecond // of a service that never answers
	}
	s := open(Config{Dir: os.Getenv("HOME") + "/secrets", Log: slog.New(slog.DiscardHandler)}, systemKeyring{}, d)
	if err := run(s); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

// bareBus is a session bus that starts no services by itself, for a folder.
const bareBus = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:tmpdir=%s</listen>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`

func TestSessions(t *testing.T) {
	for _, program := range []string{"dbus-run-session", "dbus-daemon", "gnome-keyring-daemon"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%s is not installed; scripts/setup installs it on Debian (packages dbus, dbus-daemon, gnome-keyring)", program)
		}
	}
	for name := range scenarios {
		t.Run(name, func(t *testing.T) {
			home := t.TempDir()
			args := []string{"--", os.Args[0]}
			if name != "unlocked" && name != "locked" && name != "no login" {
				config := filepath.Join(home, "bus.conf")
				if err := os.WriteFile(config, fmt.Appendf(nil, bareBus, home), 0o600); err != nil {
					t.Fatal(err)
				}
				args = append([]string{"--config-file=" + config}, args...)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, "dbus-run-session", args...)
			cmd.Env = append(sessionEnv(home), scenarioEnv+"="+name)
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // the bus too
			cmd.WaitDelay = time.Second                                                          // the keyring's daemon may hold the output a moment longer
			if out, err := cmd.CombinedOutput(); err != nil && !errors.Is(err, exec.ErrWaitDelay) {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// sessionEnv has no display, so that nobody can answer a prompt.
func sessionEnv(home string) []string {
	return []string{"HOME=" + home, "XDG_RUNTIME_DIR=" + home, "PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
}

func unlocked(s *Store) error {
	if err := unlock(); err != nil {
		return err
	}
	return errors.Join(roundTrip(s), s.Close())
}

func roundTrip(s *Store) error {
	ctx := context.Background()
	for _, key := range []string{RelayKey("büro"), TokenKey("büro"), LocalKey} {
		if _, err := s.Get(ctx, key); !errors.Is(err, ErrNotFound) {
			return fmt.Errorf("before set: %w", err)
		}
		for _, value := range []string{"first", "pässword 漢 '\"\\", strings.Repeat("x", 2000)} {
			if err := s.Set(ctx, key, value); err != nil {
				return fmt.Errorf("set: %w", err)
			}
			if got, err := s.Get(ctx, key); err != nil || got != value {
				return fmt.Errorf("get: %q, %w", got, err)
			}
		}
		if err := s.Delete(ctx, key); err != nil {
			return fmt.Errorf("delete: %w", err)
		}
		if _, err := s.Get(ctx, key); !errors.Is(err, ErrNotFound) {
			return fmt.Errorf("after delete: %w", err)
		}
	}
	if names, err := os.ReadDir(s.dir); err == nil {
		return fmt.Errorf("files beside a working keyring: %v", names)
	}
	return nil
}

// locked: nothing can be read or changed, nothing is lost, and the local
// password goes into a file.
func locked(s *Store) error {
	if err := unlock(); err != nil {
		return err
	}
	ctx := context.Background()
	key := RelayKey("office")
	if err := s.Set(ctx, key, "kept"); err != nil {
		return err
	}
	bus, err := dbus.SessionBus()
	if err != nil {
		return err
	}
	if err := bus.Object("org.freedesktop.secrets", "/org/freedesktop/secrets").
		Call("org.freedesktop.Secret.Service.Lock", 0, collections[:1]).Err; err != nil {
		return err
	}
	_, err = s.Get(ctx, key)
	for what, err := range map[string]error{"get": err, "set": s.Set(ctx, key, "other"), "delete": s.Delete(ctx, key)} {
		if !errors.Is(err, ErrLocked) {
			return fmt.Errorf("%s: got %w, want %w", what, err, ErrLocked)
		}
	}
	if _, err := s.Keep(ctx, "office", "other"); !errors.Is(err, ErrLocked) {
		return fmt.Errorf("keep: %w", err)
	}
	if err := s.Set(ctx, LocalKey, "local"); err != nil {
		return err
	}
	if got, err := s.Get(ctx, LocalKey); err != nil || got != "local" {
		return fmt.Errorf("local: %q, %w", got, err)
	}
	if err := unlockAgain(bus); err != nil {
		return err
	}
	if got, err := s.Get(ctx, key); err != nil || got != "kept" {
		return fmt.Errorf("after unlocking: %q, %w", got, err)
	}
	return s.Close()
}

// noLogin: a keyring service that the user never set up.
func noLogin(s *Store) error {
	_, err := s.Get(context.Background(), RelayKey("office"))
	if !errors.Is(err, ErrAbsent) && !errors.Is(err, ErrLocked) {
		return fmt.Errorf("got %w", err)
	}
	return s.Close()
}

// nobody: a session bus without a keyring service.
func nobody(s *Store) error {
	ctx := context.Background()
	if _, err := s.Get(ctx, RelayKey("office")); !errors.Is(err, ErrAbsent) {
		return fmt.Errorf("get: %w", err)
	}
	credential, err := s.Keep(ctx, "office", "kept")
	if err != nil || !strings.HasPrefix(credential, "file:") {
		return fmt.Errorf("keep: %q, %w", credential, err)
	}
	return s.Close()
}

// silent is a Secret Service that takes every question and answers none until
// it is released.
type silent struct{ release chan struct{} }

func (s silent) Get(string, string) (dbus.Variant, *dbus.Error) { return dbus.Variant{}, s.wait() }

func (s silent) Unlock([]dbus.ObjectPath) ([]dbus.ObjectPath, dbus.ObjectPath, *dbus.Error) {
	return nil, "/", s.wait()
}

func (s silent) wait() *dbus.Error {
	<-s.release
	return dbus.NewError("org.freedesktop.DBus.Error.ServiceUnknown", nil)
}

// serve offers a Secret Service of our own at the bus.
func serve(v any) (*dbus.Conn, error) {
	bus, err := dbus.ConnectSessionBus()
	if err != nil {
		return nil, err
	}
	for iface, path := range map[string]dbus.ObjectPath{
		"org.freedesktop.DBus.Properties": "/org/freedesktop/secrets",
		"org.freedesktop.Secret.Service":  "/org/freedesktop/secrets",
		"org.freedesktop.Secret.Prompt":   "/prompt",
	} {
		if err := bus.Export(v, path, iface); err != nil {
			return nil, err
		}
	}
	reply, err := bus.RequestName("org.freedesktop.secrets", dbus.NameFlagDoNotQueue)
	if err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
		return nil, fmt.Errorf("name: %v, %w", reply, err)
	}
	return bus, nil
}

func hangs(s *Store) error {
	fake := silent{make(chan struct{})}
	bus, err := serve(fake)
	if err != nil {
		return err
	}
	ctx := context.Background()
	if _, err := s.Get(ctx, RelayKey("office")); !errors.Is(err, ErrTimeout) {
		return fmt.Errorf("first: %w", err)
	}
	if _, err := s.Get(ctx, RelayKey("office")); !errors.Is(err, ErrBusy) {
		return fmt.Errorf("second: %w", err)
	}
	if err := s.Set(ctx, LocalKey, "local"); err != nil {
		return fmt.Errorf("local: %w", err)
	}
	close(fake.release)
	for { // the late answer frees the worker
		_, err := s.Get(ctx, RelayKey("office"))
		if errors.Is(err, ErrAbsent) {
			break
		}
		if !errors.Is(err, ErrBusy) && !errors.Is(err, ErrTimeout) {
			return fmt.Errorf("after the answer: %w", err)
		}
	}
	return errors.Join(s.Close(), bus.Close())
}

// prompting asks the user, who never answers.
type prompting struct {
	bus   *dbus.Conn
	shown chan struct{}
}

func (*prompting) Get(string, string) (dbus.Variant, *dbus.Error) {
	return dbus.MakeVariant([]dbus.ObjectPath{}), nil
}

func (*prompting) Unlock([]dbus.ObjectPath) ([]dbus.ObjectPath, dbus.ObjectPath, *dbus.Error) {
	return nil, "/prompt", nil
}

// Prompt answers by hand, so that the answer is on its way when shown is sent.
func (p *prompting) Prompt(question dbus.Message, _ string) *dbus.Error {
	err := p.bus.Send(&dbus.Message{Type: dbus.TypeMethodReply, Headers: map[dbus.HeaderField]dbus.Variant{
		dbus.FieldDestination: question.Headers[dbus.FieldSender],
		dbus.FieldReplySerial: dbus.MakeVariant(question.Serial()),
	}}, nil).Err
	if err != nil {
		panic(err)
	}
	p.shown <- struct{}{}
	return nil
}

// vanishes: the session bus ends while a prompt is open. The library panics
// then, and the next question finds no bus.
func vanishes(s *Store) error {
	bus := exec.Command("dbus-daemon", "--config-file="+os.Getenv("HOME")+"/bus.conf", "--nofork", "--print-address=1")
	out, err := bus.StdoutPipe()
	if err != nil {
		return err
	}
	if err := bus.Start(); err != nil {
		return err
	}
	var address string
	if _, err := fmt.Fscanln(out, &address); err != nil {
		return err
	}
	if err := os.Setenv("DBUS_SESSION_BUS_ADDRESS", address); err != nil {
		return err
	}
	fake := &prompting{shown: make(chan struct{})}
	if fake.bus, err = serve(fake); err != nil {
		return err
	}
	client, err := dbus.SessionBus() // the connection that the library uses
	if err != nil {
		return err
	}
	answered := make(chan error)
	go func() {
		_, err := s.Get(context.Background(), RelayKey("office"))
		answered <- err
	}()
	<-fake.shown
	for _, conn := range []*dbus.Conn{fake.bus, client} { // the answer has passed the bus, then reached the library
		if err := conn.BusObject().Call("org.freedesktop.DBus.Peer.Ping", 0).Err; err != nil {
			return err
		}
	}
	if err := bus.Process.Kill(); err != nil {
		return err
	}
	if err := <-answered; !errors.Is(err, ErrAbsent) {
		return fmt.Errorf("open prompt: %w", err)
	}
	bus.Wait() // it was killed
	if _, err := s.Get(context.Background(), RelayKey("office")); !errors.Is(err, ErrAbsent) {
		return fmt.Errorf("no bus: %w", err)
	}
	return s.Close()
}

const loginPassword = "login password"

// unlock starts the keyring's daemon with an open login keyring.
func unlock() error {
	cmd := exec.Command("gnome-keyring-daemon", "--unlock", "--components=secrets")
	cmd.Stdin = strings.NewReader(loginPassword)
	cmd.Stderr = io.Discard // it complains about missing capabilities
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("gnome-keyring-daemon: %w", err)
	}
	return nil
}

// unlockAgain does what a login does to a daemon that runs.
func unlockAgain(bus *dbus.Conn) error {
	service := bus.Object("org.freedesktop.secrets", "/org/freedesktop/secrets")
	var none dbus.Variant
	var session dbus.ObjectPath
	if err := service.Call("org.freedesktop.Secret.Service.OpenSession", 0, "plain", dbus.MakeVariant("")).Store(&none, &session); err != nil {
		return err
	}
	return service.Call("org.gnome.keyring.InternalUnsupportedGuiltRiddenInterface.UnlockWithMasterPassword", 0,
		collections[0], ss.NewSecret(session, loginPassword)).Err
}

func TestWithoutASessionBus(t *testing.T) {
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path="+filepath.Join(t.TempDir(), "none"))
	s := testStore(t, systemKeyring{})
	_, err := s.Get(t.Context(), RelayKey("office"))
	wantKind(t, err, ErrAbsent)
}

// TestNoBusIsStarted: the library would run dbus-launch.
func TestNoBusIsStarted(t *testing.T) {
	with := t.TempDir()
	if err := os.WriteFile(filepath.Join(with, "bus"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		address, dir string
		want         error
	}{
		{"", t.TempDir(), ErrAbsent},
		{"autolaunch:", t.TempDir(), ErrAbsent},
		{"unix:path=/x", t.TempDir(), nil},
		{"", with, nil},
	} {
		if got := reachableAt(c.address, c.dir); !errors.Is(got, c.want) {
			t.Errorf("%q: got %v, want %v", c.address, got, c.want)
		}
	}
}
