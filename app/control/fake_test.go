package control

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/internal/socket"
)

// fake is an engine that writes down what it is asked and fails on demand.
type fake struct {
	mu    sync.Mutex // guards the following
	calls []string
	err   error

	states chan app.State // what every watcher gets; nobody else reads it
	entered,
	block chan struct{} // a call that waits: Pause("slow")
}

func newFake() *fake {
	return &fake{states: make(chan app.State), entered: make(chan struct{}), block: make(chan struct{})}
}

func (f *fake) note(format string, args ...any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, fmt.Sprintf(format, args...))
	return f.err
}

var (
	now   = time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)
	state = app.State{Seq: 41, At: now, Mood: app.MoodSending, Sentence: "Sending.", Listen: []app.ListenState{}, Accounts: []app.AccountState{{
		Name: "office", Hold: &app.HoldState{Reason: mail.HoldQuota, Until: &now}, Quota: &app.QuotaState{Bytes: 7}}}, Jobs: []app.JobState{}}
	page   = app.JobPage{Jobs: []app.JobState{{ID: "J", Counts: app.Counts{Failed: 2}, FinishAt: &now}}, Next: "n"}
	detail = app.JobDetail{JobState: page.Jobs[0], List: []app.RecipientState{{Address: "ä@b.example", At: now}}, Next: "m"}
	usage  = app.Usage{Account: "office", Days: []app.UsageDay{{Day: "2026-11-25", Emails: 3}}, Stale: true}
	wrong  = app.ErrorPage{Errors: []app.AddressError{{At: now, Address: "x@y.example", Code: "550 5.1.1"}}, Next: "o"}
	infos  = []app.AccountInfo{{Name: "office", Endpoints: []string{"tls://h:1"}, Senders: []string{}}}
	cert   = app.Certificate{File: "/data/local-ca.pem", PEM: "-----BEGIN CERTIFICATE-----\n"}
	login  = app.Login{Address: "127.0.0.1:2525", All: []string{"127.0.0.1:2525"}, User: "companion", Password: "p", Auth: "required"}
	input  = app.AccountInput{Name: "büro", User: "alice", Password: "p", Endpoints: []string{"tls://h:1"}, API: "https://h", CAFile: "/ca", Senders: []string{"a.example"}, Skip: true}
)

func (f *fake) State() app.State { return state }

func (f *fake) Watch(ctx context.Context) <-chan app.State {
	out := make(chan app.State)
	go func() {
		defer close(out)
		for {
			select {
			case <-ctx.Done():
				return
			case s := <-f.states:
				select {
				case out <- s:
				case <-ctx.Done():
					return
				}
			}
		}
	}()
	return out
}

func (f *fake) Jobs(_ context.Context, q app.JobQuery) (app.JobPage, error) {
	return page, f.note("Jobs %+v", q)
}

func (f *fake) Job(_ context.Context, id mail.JobID, cursor string, limit int) (app.JobDetail, error) {
	return detail, f.note("Job %s %s %d", id, cursor, limit)
}

func (f *fake) Pause(ctx context.Context, account string) error {
	if account == "slow" {
		close(f.entered)
		select {
		case <-f.block:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return f.note("Pause %q", account)
}
func (f *fake) Resume(_ context.Context, account string) error { return f.note("Resume %q", account) }
func (f *fake) Retry(_ context.Context, id mail.JobID) error   { return f.note("Retry %s", id) }
func (f *fake) Cancel(_ context.Context, id mail.JobID) error  { return f.note("Cancel %s", id) }

func (f *fake) Resolve(_ context.Context, id mail.JobID, batch int, again bool) error {
	return f.note("Resolve %s %d %v", id, batch, again)
}

func (f *fake) Usage(_ context.Context, account string) (app.Usage, error) {
	return usage, f.note("Usage %q", account)
}

func (f *fake) Errors(_ context.Context, q app.ErrorQuery) (app.ErrorPage, error) {
	return wrong, f.note("Errors %+v", q)
}
func (f *fake) Accounts(context.Context) ([]app.AccountInfo, error) { return infos, f.note("Accounts") }
func (f *fake) SetAccount(_ context.Context, in app.AccountInput) error {
	return f.note("SetAccount %+v", in)
}
func (f *fake) ForgetAccount(_ context.Context, name string) error { return f.note("Forget %s", name) }
func (f *fake) Login(context.Context) (app.Login, error)           { return login, f.note("Login") }
func (f *fake) Certificate(context.Context) (app.Certificate, error) {
	return cert, f.note("Certificate")
}
func (f *fake) Stop() { f.note("Stop") }

// running is a server on a real socket.
type running struct {
	*fake
	server *Server
	client *Client
	path   string
	log    *bytes.Buffer // to be read after stop
	stop   func()        // ends the server and waits; may be called twice
}

func start(t *testing.T) *running {
	t.Helper()
	r := &running{fake: newFake(), path: filepath.Join(t.TempDir(), "control.sock"), log: new(bytes.Buffer)}
	r.server = New(r.fake, slog.New(slog.NewTextHandler(r.log, nil)))
	ln, err := socket.Listen(r.path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.server.Run(ctx, ln) }()
	r.client = Dial(r.path)
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		r.client.Close()
	})
	t.Cleanup(r.stop)
	return r
}
