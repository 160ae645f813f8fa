// Package world is what surrounds the built programs in an end-to-end test: a
// relay with its companion, and behind them a far mail server that remembers
// what it got. Only commands, settings, SMTP and the API are used.
//
// It promises that everything lies in a folder of the test's own, listens on
// 127.0.0.1 and has ended when the test ends; the logs are shown when it fails.
// Functions without an error result fail the test, so they belong on its
// goroutine. Only tests import it.
package world

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// World is a relay and a companion with a far mail server behind them.
type World struct {
	T    testing.TB
	Dir  string
	Opts Options
	Far  *Far

	Relay, Companion *Process
	Submission       []string // relay's STARTTLS and TLS address
	API              string
	SMTP             string // companion's address
	Password         string // of the account alice
}

// Options differ from test to test.
type Options struct {
	RPM      int    // recipients per minute; 0: as good as unlimited
	Plan     string // "": standard
	Auth     string // "": off
	Route    string // "": smtp:// to the far server
	Listen   string // "": a free port on 127.0.0.1
	TLS      string // the companion's address with TLS; "": none
	Settings string // more lines for companion.toml
	Store    string // lines of the relay's [store]
	Limits   string // lines of the relay's [limits]
	Relay    string // more of relay.toml
	Data     string // "": a folder of the test's

	Window string   // start this build of the desktop app, not companionctl
	Args   []string // more arguments for it
	Env    []string // its environment instead of the test's
	Fresh  bool     // the companion has no account yet
	Trace  string   // what strace writes of the companion's system calls; "": it is not traced
}

// New starts everything.
func New(t testing.TB, o Options) *World {
	t.Helper()
	w := Relay(t, o)
	w.WriteCompanionConfig()
	w.StartCompanion()
	return w
}

// Foreign starts a companion whose relay is somebody else's, at these addresses
// and with this authority. It has no API, and takes any password.
func Foreign(t testing.TB, o Options, starttls, tls string, ca []byte) *World {
	t.Helper()
	w := &World{T: t, Dir: t.TempDir(), Opts: o, Submission: []string{starttls, tls}, Password: "right"}
	if err := os.Mkdir(w.Path("relay"), 0o700); err != nil {
		t.Fatal(err)
	}
	w.Write("relay/ca.pem", string(ca))
	w.Write("password", w.Password)
	w.WriteCompanionConfig()
	w.StartCompanion()
	return w
}

// Relay starts a relay with the account alice, and no companion.
func Relay(t testing.TB, o Options) *World {
	t.Helper()
	w := &World{T: t, Dir: t.TempDir(), Opts: o, Far: StartFar(t)}
	w.WriteRelayConfig(Free(t), Free(t), Free(t))
	w.StartRelay()
	w.AddAccount("alice")
	return w
}

// Free is an address that nobody listens on, kept for the test until it ends.
// Ports must stay the same over a restart, so port 0 does not do: whoever asks
// for that, or dials, may get a port that is free for the moment. These lie
// below those that a system gives by itself, and the UDP port of the same
// number tells other tests that one is taken.
func Free(t testing.TB) string {
	t.Helper()
	for range 1000 {
		address := fmt.Sprintf("127.0.0.1:%d", 20_000+rand.IntN(12_000))
		kept, err := net.ListenPacket("udp", address)
		if err != nil {
			continue
		}
		ln, err := net.Listen("tcp", address)
		if err != nil {
			kept.Close()
			continue
		}
		ln.Close()
		t.Cleanup(func() { kept.Close() })
		return address
	}
	t.Fatal("no port is free")
	return ""
}

// Path is a file in the test's folder.
func (w *World) Path(name string) string { return filepath.Join(w.Dir, name) }

// Write writes a file in the test's folder. A program that reads it meanwhile
// finds what was there, or all of it.
func (w *World) Write(name, text string) {
	w.T.Helper()
	part := w.Path(name) + ".part"
	if err := os.WriteFile(part, []byte(text), 0o600); err != nil {
		w.T.Fatal(err)
	}
	if err := os.Rename(part, w.Path(name)); err != nil {
		w.T.Fatal(err)
	}
}

// WriteRelayConfig settles the relay's addresses.
func (w *World) WriteRelayConfig(starttls, tls, api string) {
	route := w.Opts.Route
	if route == "" {
		route = "smtp://" + w.Far.Addr
	}
	w.Submission, w.API = []string{starttls, tls}, api
	w.Write("relay.toml", fmt.Sprintf(`
[submission]
starttls = [%q]
tls = [%q]
hostname = "localhost"
[tls]
mode = "internal"
[api]
listen = %q
[delivery]
route = %q
[inbound]
listen = []
[store]
%s
[limits]
%s
%s
`, starttls, tls, api, route, w.Opts.Store, w.Opts.Limits, w.Opts.Relay))
}

// WriteCompanionConfig writes companion.toml.
func (w *World) WriteCompanionConfig() {
	auth, listen, rpm := w.Opts.Auth, w.Opts.Listen, w.Opts.RPM
	if auth == "" {
		auth = "off"
	}
	if listen == "" {
		if w.SMTP == "" { // the same port after a restart, as a user would have it
			w.SMTP = Free(w.T)
		}
		listen = w.SMTP
	}
	if rpm == 0 {
		rpm = 600000
	}
	secure := ""
	if w.Opts.TLS != "" {
		secure = fmt.Sprintf("%q", w.Opts.TLS)
	}
	api := ""
	if w.API != "" {
		api = "https://" + w.API
	}
	head := fmt.Sprintf("[[account]]\nname = \"alice\"\nuser = \"alice\"\ncredential = \"file:%s\"\n", w.Path("password"))
	if w.Opts.Fresh {
		head = "[service]\n"
	}
	w.Write("companion.toml", head+fmt.Sprintf(`
endpoints = ["starttls://%s", "tls://%s"]
api = %q
ca_file = "%s"
[listen]
addresses = [%q]
tls_addresses = [%s]
auth = %q
[pace]
recipients_per_minute = %d
%s
`, w.Submission[0], w.Submission[1], api, w.Path("relay/ca.pem"), listen, secure, auth, rpm, w.Opts.Settings))
}

// AddAccount opens an account at the relay and keeps its password.
func (w *World) AddAccount(name string) {
	w.T.Helper()
	w.Password = w.OpenAccount(name)
	w.Write("password", w.Password)
}

// OpenAccount opens an account at the relay and gives its password.
func (w *World) OpenAccount(name string) string {
	w.T.Helper()
	plan := w.Opts.Plan
	if plan == "" {
		plan = "standard"
	}
	out := w.Relayd("account", "add", name, "--plan", plan, "--email", name+"@example.com", "--json")
	var account struct{ Password string }
	if err := json.Unmarshal([]byte(out), &account); err != nil || account.Password == "" {
		w.T.Fatalf("relayd account add: %v, %q", err, out)
	}
	return account.Password
}

// StartRelay starts the relay, again too.
func (w *World) StartRelay() {
	w.T.Helper()
	w.Relay = w.Start("relayd", nil, "--data", w.Path("relay"), "--config", w.Path("relay.toml"), "serve")
}

// DataDir is the companion's folder.
func (w *World) DataDir() string {
	if w.Opts.Data != "" {
		return w.Opts.Data
	}
	return w.Path("companion")
}

// StartCompanion starts the companion, again too, and waits until it takes mail.
func (w *World) StartCompanion() {
	w.T.Helper()
	program, args := "companionctl", []string{"run"}
	if w.Opts.Window != "" {
		program, args = w.Opts.Window, w.Opts.Args
	}
	w.Companion = w.Start(program, w.Opts.Env, append(w.folders(), args...)...)
	if len(w.Companion.Ready.SMTP) > 0 {
		w.SMTP = w.Companion.Ready.SMTP[0]
	}
	if w.Opts.Listen == "" && w.Opts.Window == "" {
		w.WriteCompanionConfig() // keeps the port over restarts
	}
}

// LaunchCompanion starts companionctl run and waits for nothing, not even that
// it serves; the caller ends it.
func (w *World) LaunchCompanion() *Process {
	w.T.Helper()
	w.Companion = w.Launch("companionctl", w.Opts.Env, append(w.folders(), "run")...)
	return w.Companion
}

// Again starts the desktop app once more beside the one that runs.
func (w *World) Again() (stdout, stderr string, code int) {
	return command(w.T.Context(), w.Opts.Env, w.Opts.Window, w.folders()...)
}

func (w *World) folders() []string {
	return []string{"--data", w.DataDir(), "--config", w.Path("companion.toml")}
}

// Relayd runs a command of the relay that has to succeed.
func (w *World) Relayd(args ...string) string {
	w.T.Helper()
	out, errs, code := Command(w.T.Context(), "relayd", append([]string{"--data", w.Path("relay"), "--config", w.Path("relay.toml")}, args...)...)
	if code != 0 {
		w.T.Fatalf("relayd %s: exit code %d: %s", strings.Join(args, " "), code, errs)
	}
	return out
}

// Ctl runs companionctl and gives its exit code too.
func (w *World) Ctl(args ...string) (stdout, stderr string, code int) {
	return Command(w.T.Context(), "companionctl", append(w.folders(), args...)...)
}

// Must is Ctl that has to succeed.
func (w *World) Must(args ...string) string {
	w.T.Helper()
	out, errs, code := w.Ctl(args...)
	if code != 0 {
		w.T.Fatalf("companionctl %s: exit code %d: %s%s", strings.Join(args, " "), code, out, errs)
	}
	return out
}
