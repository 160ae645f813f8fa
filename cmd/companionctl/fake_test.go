package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/control"
	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/internal/socket"
)

var (
	zone = time.FixedZone("CET", 3600)
	now  = time.Date(2026, 11, 25, 10, 0, 0, 0, zone)
	soon = now.Add(35 * time.Second)
	next = now.Add(4 * time.Second)
)

// fakeEngine answers what a test wants and writes down what it is asked.
type fakeEngine struct {
	state    app.State
	states   []app.State // what Watch sends after state, before the engine "stops"
	jobs     []app.JobPage
	detail   app.JobDetail
	usage    map[string]app.Usage
	errors   map[string]app.ErrorPage // by cursor
	accounts []app.AccountInfo
	login    app.Login
	cert     app.Certificate
	err      error // of every call that changes something

	runErr  error
	ready   chan struct{}
	stopped chan struct{}
	stop    sync.Once

	mu    sync.Mutex // guards calls
	calls []string
}

func newFake() *fakeEngine {
	return &fakeEngine{ready: make(chan struct{}), stopped: make(chan struct{}), usage: map[string]app.Usage{}, errors: map[string]app.ErrorPage{}}
}

func (f *fakeEngine) note(format string, args ...any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, fmt.Sprintf(format, args...))
	return f.err
}

func (f *fakeEngine) asked() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}

func (f *fakeEngine) State() app.State { return f.state }

func (f *fakeEngine) Watch(context.Context) <-chan app.State {
	out := make(chan app.State, 1+len(f.states))
	out <- f.state
	for _, s := range f.states {
		out <- s
	}
	close(out)
	return out
}

func (f *fakeEngine) Jobs(_ context.Context, q app.JobQuery) (app.JobPage, error) {
	err := f.note("Jobs %+v", q)
	if len(f.jobs) == 0 {
		return app.JobPage{}, err
	}
	return f.jobs[0], err
}

func (f *fakeEngine) Job(_ context.Context, id mail.JobID, cursor string, limit int) (app.JobDetail, error) {
	f.note("Job %s %q %d", id, cursor, limit)
	if id != f.detail.ID {
		return app.JobDetail{}, &app.UserError{Sentence: "There is no such message.", Err: app.ErrNotFound}
	}
	return f.detail, nil
}
func (f *fakeEngine) Pause(_ context.Context, account string) error {
	return f.note("Pause %q", account)
}
func (f *fakeEngine) Resume(_ context.Context, account string) error {
	return f.note("Resume %q", account)
}
func (f *fakeEngine) Retry(_ context.Context, id mail.JobID) error  { return f.note("Retry %q", id) }
func (f *fakeEngine) Cancel(_ context.Context, id mail.JobID) error { return f.note("Cancel %q", id) }
func (f *fakeEngine) Resolve(_ context.Context, id mail.JobID, batch int, again bool) error {
	return f.note("Resolve %q %d %v", id, batch, again)
}

func (f *fakeEngine) Usage(_ context.Context, account string) (app.Usage, error) {
	return f.usage[account], f.note("Usage %q", account)
}

func (f *fakeEngine) Errors(_ context.Context, q app.ErrorQuery) (app.ErrorPage, error) {
	return f.errors[q.Cursor], f.note("Errors %+v", q)
}
func (f *fakeEngine) Accounts(context.Context) ([]app.AccountInfo, error) { return f.accounts, nil }
func (f *fakeEngine) SetAccount(_ context.Context, in app.AccountInput) error {
	return f.note("SetAccount %+v", in)
}
func (f *fakeEngine) ForgetAccount(_ context.Context, name string) error {
	return f.note("Forget %q", name)
}
func (f *fakeEngine) Login(context.Context) (app.Login, error) { return f.login, f.err }
func (f *fakeEngine) Certificate(context.Context) (app.Certificate, error) {
	return f.cert, f.err
}
func (f *fakeEngine) Stop() { f.stop.Do(func() { close(f.stopped) }) }

func (f *fakeEngine) Run(ctx context.Context) error {
	if f.runErr != nil {
		return f.runErr
	}
	close(f.ready)
	select {
	case <-ctx.Done():
	case <-f.stopped:
	}
	return f.note("ended")
}
func (f *fakeEngine) Ready() <-chan struct{} { return f.ready }
func (f *fakeEngine) SMTPAddrs() []string    { return []string{"127.0.0.1:2525", "[::1]:2525"} }
func (f *fakeEngine) Close() error           { return f.note("closed") }

// session is a data folder with an engine behind a real socket, and the person
// in front of it.
type session struct {
	t      *testing.T
	data   string
	fake   *fakeEngine
	person *console
	in     string // what the person types
	secret string // what the person types unseen
}

// newSession serves fake; with nil nobody runs.
func newSession(t *testing.T, fake *fakeEngine) *session {
	t.Helper()
	s := &session{t: t, data: t.TempDir(), fake: fake, person: &console{
		width: func() int { return 80 },
		now:   func() time.Time { return now },
	}}
	s.person.secretly = func() (string, error) { return s.secret, nil }
	if fake == nil {
		return s
	}
	ln, err := socket.Listen(filepath.Join(s.data, "control.sock"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- control.New(fake, slog.New(slog.DiscardHandler)).Run(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s
}

// ctl runs a command line as main does.
func (s *session) ctl(args ...string) (out, errs string, code int) {
	s.t.Helper()
	var stdout, stderr bytes.Buffer
	c := *s.person
	c.in, c.out, c.err = strings.NewReader(s.in), &stdout, &stderr
	noEngine := func(context.Context, app.Config) (engine, error) { return nil, errors.New("no engine in this test") }
	code = run(s.t.Context(), append([]string{"--data", s.data}, args...), &invocation{console: &c, open: noEngine})
	return stdout.String(), stderr.String(), code
}

// must is ctl that has to end with code and without words on standard error.
func (s *session) must(code int, args ...string) string {
	s.t.Helper()
	out, errs, got := s.ctl(args...)
	if got != code || errs != "" {
		s.t.Errorf("companionctl %s: exit code %d, want %d; %s", strings.Join(args, " "), got, code, errs)
	}
	return out
}

// golden compares with a file of testdata; UPDATE_GOLDEN=1 writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}
