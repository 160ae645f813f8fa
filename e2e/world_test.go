package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// bin is the folder of the built programs.
var bin string

// TestMain builds the programs unless COMPANION_BIN names a folder with them.
func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if bin = os.Getenv("COMPANION_BIN"); bin != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "companion-e2e")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	bin = dir
	cmd := exec.Command("go", "build", "-o", dir, "servicesmtp.net/companion/cmd/companionctl", "servicesmtp.net/companion/cmd/relayd")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// world is a relay and a companion with a far mail server behind them.
type world struct {
	t    *testing.T
	dir  string
	opts options
	far  *far

	relay, companion *process
	submission       []string // relay's STARTTLS and TLS address
	api              string
	smtp             string // companion's address
	password         string
}

type options struct {
	rpm      int    // recipients per minute; 0: as good as unlimited
	plan     string // "": standard
	auth     string // "": off
	route    string // "": smtp:// to the far server
	listen   string // "": a free port on 127.0.0.1
	settings string // more lines for companion.toml
	data     string // "": a folder of the test's
}

// newWorld starts everything.
func newWorld(t *testing.T, o options) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), opts: o, far: startFar(t)}
	w.writeRelayConfig(free(t), free(t), free(t))
	w.startRelay()
	w.addAccount("alice")
	w.writeCompanionConfig()
	w.startCompanion()
	return w
}

// free is an address that nobody listens on at the moment. The relay's ports
// must stay the same over a restart, so port 0 does not do.
func free(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

func (w *world) write(name, text string) {
	w.t.Helper()
	if err := os.WriteFile(w.path(name), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) writeRelayConfig(starttls, tls, api string) {
	route := w.opts.route
	if route == "" {
		route = "smtp://" + w.far.addr
	}
	w.submission, w.api = []string{starttls, tls}, api
	w.write("relay.toml", fmt.Sprintf(`
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
`, starttls, tls, api, route))
}

func (w *world) writeCompanionConfig() {
	auth, listen, rpm := w.opts.auth, w.opts.listen, w.opts.rpm
	if auth == "" {
		auth = "off"
	}
	if listen == "" {
		listen = "127.0.0.1:0"
		if w.smtp != "" { // the same port after a restart, as a user would have it
			listen = w.smtp
		}
	}
	if rpm == 0 {
		rpm = 600000
	}
	w.write("companion.toml", fmt.Sprintf(`
[[account]]
name = "alice"
user = "alice"
credential = "file:%s"
endpoints = ["starttls://%s", "tls://%s"]
api = "https://%s"
ca_file = "%s"
[listen]
addresses = [%q]
auth = %q
[pace]
recipients_per_minute = %d
%s
`, w.path("password"), w.submission[0], w.submission[1], w.api, w.path("relay/ca.pem"), listen, auth, rpm, w.opts.settings))
}

func (w *world) addAccount(name string) {
	w.t.Helper()
	plan := w.opts.plan
	if plan == "" {
		plan = "standard"
	}
	out := w.relayd("account", "add", name, "--plan", plan, "--email", name+"@example.com", "--json")
	var account struct{ Password string }
	if err := json.Unmarshal([]byte(out), &account); err != nil || account.Password == "" {
		w.t.Fatalf("relayd account add: %v, %q", err, out)
	}
	w.password = account.Password
	w.write("password", account.Password)
}

func (w *world) startRelay() {
	w.t.Helper()
	w.relay = w.start("relayd", "--data", w.path("relay"), "--config", w.path("relay.toml"), "serve")
}

func (w *world) dataDir() string {
	if w.opts.data != "" {
		return w.opts.data
	}
	return w.path("companion")
}

func (w *world) startCompanion() {
	w.t.Helper()
	w.companion = w.start("companionctl", "--data", w.dataDir(), "--config", w.path("companion.toml"), "run")
	if len(w.companion.ready.SMTP) > 0 {
		w.smtp = w.companion.ready.SMTP[0]
	}
	if w.opts.listen == "" {
		w.writeCompanionConfig() // keeps the port over restarts
	}
}

func (w *world) relayd(args ...string) string {
	w.t.Helper()
	out, errs, code := command(w.t.Context(), "relayd", append([]string{"--data", w.path("relay"), "--config", w.path("relay.toml")}, args...)...)
	if code != 0 {
		w.t.Fatalf("relayd %s: exit code %d: %s", strings.Join(args, " "), code, errs)
	}
	return out
}

// ctl runs companionctl and gives its exit code too.
func (w *world) ctl(args ...string) (stdout, stderr string, code int) {
	return command(w.t.Context(), "companionctl", append([]string{"--data", w.dataDir(), "--config", w.path("companion.toml")}, args...)...)
}

// must is ctl that has to succeed.
func (w *world) must(args ...string) string {
	w.t.Helper()
	out, errs, code := w.ctl(args...)
	if code != 0 {
		w.t.Fatalf("companionctl %s: exit code %d: %s%s", strings.Join(args, " "), code, out, errs)
	}
	return out
}

type status struct {
	State    string
	Sentence string
	Action   string
	Listen   []struct {
		Address, Sentence, Action, Offered string
		OK                                 bool
	}
	Accounts []struct {
		Name, State, Sentence, Action string
		Messages                      int `json:"queued_messages"`
		Recipients                    int `json:"queued_recipients"`
		Hold                          *struct {
			Reason, Reply string
			Until         *time.Time
		}
	}
	Spool struct {
		OK       bool
		Sentence string
	}
}

func (w *world) status() status {
	w.t.Helper()
	out, errs, code := w.ctl("status", "--json")
	if code != 0 && code != 4 {
		w.t.Fatalf("companionctl status: exit code %d: %s", code, errs)
	}
	var s status
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		w.t.Fatalf("companionctl status: %v in %q", err, out)
	}
	return s
}

// until polls status, as a person who looks again would, until ok.
func (w *world) until(limit time.Duration, what string, ok func(status) bool) status {
	w.t.Helper()
	end := time.Now().Add(limit)
	for {
		s := w.status()
		if ok(s) {
			return s
		}
		if time.Now().After(end) {
			w.t.Fatalf("%s: not within %v; status: %+v", what, limit, s)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// holdReason is the first account's hold, or "".
func (s status) holdReason() string {
	if len(s.Accounts) == 0 || s.Accounts[0].Hold == nil {
		return ""
	}
	return s.Accounts[0].Hold.Reason
}

// addresses makes n recipients r0.<id>@<domain>.
func addresses(n int, id, domain string) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("r%d.%s@%s", i, id, domain)
	}
	return out
}

// message is a small newsletter; lines of it begin with dots.
func message(subject string, size int) string {
	head := "From: News <news@example.com>\r\nTo: readers\r\nSubject: " + subject + "\r\n\r\n"
	line := ".A line that begins with a dot, and Grüße in UTF-8.\r\n"
	return head + strings.Repeat(line, max(1, size/len(line))) + "..\r\n.\t\r\nend of " + subject + "\r\n"
}

// send hands a message in with the standard library's client.
func (w *world) send(from string, to []string, data string) error {
	return smtp.SendMail(w.smtp, nil, from, to, []byte(data))
}

func (w *world) mustSend(from string, to []string, data string) {
	w.t.Helper()
	if err := w.send(from, to, data); err != nil {
		w.t.Fatalf("hand in: %v", err)
	}
}

// once fails unless every recipient got exactly one copy.
func (w *world) once(to []string) {
	w.t.Helper()
	counts := w.far.counts()
	for _, r := range to {
		if counts[r] != 1 {
			w.t.Errorf("%s got %d copies", r, counts[r])
		}
		delete(counts, r)
	}
	for r := range counts {
		w.t.Errorf("%s got a message and was never written to", r)
	}
}
