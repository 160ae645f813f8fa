package app

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zalando/go-keyring"

	"servicesmtp.net/companion/app/apptest"
	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/secret"
	"servicesmtp.net/companion/app/settings"
	"servicesmtp.net/companion/relayclient"
)

// engineTest is a whole engine with a scripted relay.
type engineTest struct {
	*Engine
	t     testing.TB
	relay *apptest.Relay
	dir   string
	path  string // of the settings
}

// engineOptions say what differs from the usual.
type engineOptions struct {
	relay    apptest.Options
	pipe     bool     // the relay has no sockets, for a bubble of virtual time
	api      *restAPI // nil: none
	settings string   // more of the file
	logFile  string
}

// newEngineTest makes an engine that does not run yet. Its account "office"
// has its password in a file.
func newEngineTest(t testing.TB, o engineOptions) *engineTest {
	t.Helper()
	dir := t.TempDir()
	keyring.MockInit() // nobody's keyring learns of these tests
	if runtime.GOOS == "linux" {
		t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path="+filepath.Join(dir, "none"))
	}
	relay := apptest.NewRelay
	if o.pipe {
		relay = apptest.NewPipeRelay
	}
	e := &engineTest{t: t, relay: relay(t, o.relay), dir: dir, path: filepath.Join(dir, "companion.toml")}
	ca := e.relay.CertPEM()
	api := ""
	if o.api != nil {
		api = o.api.URL
		ca = append(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: o.api.Certificate().Raw})...)
	}
	for name, text := range map[string]string{
		"ca.pem": string(ca), "password": "right",
		"companion.toml": fmt.Sprintf("# mine\n[[account]]\nname = \"office\"\nuser = \"alice\" # me\ncredential = 'file:%s'\nendpoints = [%q]\napi = %q\nca_file = '%s'\n\n%s",
			filepath.Join(dir, "password"), e.relay.TLS(), api, filepath.Join(dir, "ca.pem"), o.settings),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := settings.Load(e.path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(o.settings, "addresses") {
		s.Listen.Addresses = []string{"127.0.0.1:0"}
	}
	log := slog.New(slog.DiscardHandler)
	secrets := secret.Open(secret.Config{Dir: filepath.Join(dir, "secrets"), Log: log})
	t.Cleanup(func() { secrets.Close() })
	e.Engine, err = New(t.Context(), Config{
		Settings: s, SettingsPath: e.path, DataDir: filepath.Join(dir, "data"), Secrets: secrets, Log: log, LogFile: o.logFile, Version: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// run runs the engine until the test ends.
func (e *engineTest) run() {
	e.t.Helper()
	done := make(chan error, 1)
	go func() { done <- e.Run(context.Background()) }()
	<-e.Ready()
	e.t.Cleanup(func() {
		e.Stop()
		if err := <-done; err != nil {
			e.t.Errorf("Run: %v", err)
		}
	})
}

// closed closes an engine that never runs, when the test ends.
func (e *engineTest) closed() {
	e.t.Cleanup(func() {
		if err := e.Close(); err != nil {
			e.t.Errorf("Close: %v", err)
		}
	})
}

// until waits for a State as wanted.
func (e *engineTest) until(what string, ok func(State) bool) State {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(e.t.Context(), time.Minute)
	defer cancel()
	var last State
	for last = range e.Watch(ctx) {
		if ok(last) {
			return last
		}
	}
	e.t.Fatalf("%s: never came, last %+v", what, last)
	return last
}

// file is the settings file as it is.
func (e *engineTest) file() string {
	e.t.Helper()
	text, err := os.ReadFile(e.path)
	if err != nil {
		e.t.Fatal(err)
	}
	return string(text)
}

// store puts a message into the spool, as the listener would.
func (e *engineTest) store(id mail.JobID, from string, at time.Time, addresses ...string) {
	e.t.Helper()
	in, err := e.spool.Create(e.t.Context(), id, 0)
	if err != nil {
		e.t.Fatal(err)
	}
	if _, err := io.WriteString(in, "Subject: x\r\n\r\n"); err != nil {
		e.t.Fatal(err)
	}
	env := mail.Envelope{Job: id, Account: "office", Lane: mail.Bulk, From: from, AcceptedAt: at}
	for _, a := range addresses {
		env.Recipients = append(env.Recipients, mail.Recipient{Address: a})
	}
	if err := in.Commit(e.t.Context(), env); err != nil {
		e.t.Fatal(err)
	}
}

// client is a mail program.
type client struct {
	t testing.TB
	net.Conn
	r *bufio.Reader
}

func dial(t testing.TB, address string) *client {
	t.Helper()
	nc, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	c := &client{t: t, Conn: nc, r: bufio.NewReader(nc)}
	c.expect("220")
	c.say("EHLO client", "250")
	return c
}

func (c *client) say(line, want string) {
	c.t.Helper()
	if _, err := io.WriteString(c.Conn, line+"\r\n"); err != nil {
		c.t.Fatal(err)
	}
	c.expect(want)
}

func (c *client) expect(want string) {
	c.t.Helper()
	for {
		line, err := c.r.ReadString('\n')
		if err != nil || len(line) < 4 {
			c.t.Fatalf("got %q, %v; want %s", line, err, want)
		}
		if line[3] == '-' {
			continue
		}
		if !strings.HasPrefix(line, want) {
			c.t.Fatalf("got %q, want %s", line, want)
		}
		return
	}
}

// restAPI answers what an account's follower asks, from memory.
type restAPI struct {
	*httptest.Server

	mu      sync.Mutex // guards what follows
	down    bool
	policy  relayclient.Policy
	events  []relayclient.Event
	notices []relayclient.Notice
	acked   []string // paths
}

func newRestAPI(t testing.TB) *restAPI {
	a := &restAPI{policy: relayclient.Policy{RcptMax: 50, ValidSeconds: 3600}}
	a.Server = httptest.NewTLSServer(http.HandlerFunc(a.serve))
	t.Cleanup(a.Close)
	return a
}

func (a *restAPI) set(change func(*restAPI)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change(a)
}

func (a *restAPI) serve(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	day := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	var answer any
	from, _ := strconv.Atoi(r.URL.Query().Get("cursor")) // how many were read
	switch path := strings.TrimPrefix(r.URL.Path, "/v1/"); {
	case a.down:
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case strings.HasSuffix(path, "/ack"):
		a.acked = append(a.acked, path)
		w.WriteHeader(http.StatusNoContent)
		return
	case path == "devices":
		w.WriteHeader(http.StatusCreated)
		answer = relayclient.Device{Account: "office", ID: "d", Name: "test", Token: "token"}
	case path == "account":
		answer = relayclient.Account{Name: "alice", Plan: "standard", Status: "active", CreatedAt: day}
	case path == "quota":
		answer = relayclient.Quota{Plan: "standard", PeriodStart: day, PeriodEnd: day, Reset: day}
	case path == "usage":
		answer = relayclient.Usage{Plan: "standard", From: day, To: day}
	case path == "policy":
		answer = a.policy
	case path == "endpoints":
		answer = relayclient.Endpoints{Endpoints: []relayclient.Endpoint{{Host: "localhost", Port: 1, Store: "S", TLS: "tls"}}}
	case path == "notices":
		answer = relayclient.Notices{Notices: append([]relayclient.Notice{}, a.notices[min(from, len(a.notices)):]...), Cursor: strconv.Itoa(max(from, len(a.notices)))}
	case path == "events":
		page := a.events[min(from, len(a.events)):]
		page = page[:min(len(page), 500)]
		answer = relayclient.Events{Events: append([]relayclient.Event{}, page...), Cursor: strconv.Itoa(from + len(page))}
	default:
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		panic(err)
	}
}

// plain is the response of AUTH PLAIN (RFC 4616).
func plain(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00" + password))
}
