package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/internal/socket"
)

// calls is everything that a client can ask, once.
func calls(c *Client) []struct {
	name string
	call func(context.Context) (any, error)
	want any
} {
	none := func(f func(context.Context) error) func(context.Context) (any, error) {
		return func(ctx context.Context) (any, error) { return nil, f(ctx) }
	}
	return []struct {
		name string
		call func(context.Context) (any, error)
		want any
	}{
		{"Jobs {Account:office Open:true Cursor:c&= Limit:7}", func(ctx context.Context) (any, error) {
			return c.Jobs(ctx, app.JobQuery{Account: "office", Open: true, Cursor: "c&=", Limit: 7})
		}, page},
		{"Jobs {Account: Open:false Cursor: Limit:0}", func(ctx context.Context) (any, error) { return c.Jobs(ctx, app.JobQuery{}) }, page},
		{"Job 01K c/d 5", func(ctx context.Context) (any, error) { return c.Job(ctx, "01K", "c/d", 5) }, detail},
		{`Pause ""`, none(func(ctx context.Context) error { return c.Pause(ctx, "") }), nil},
		{`Pause "büro"`, none(func(ctx context.Context) error { return c.Pause(ctx, "büro") }), nil},
		{`Resume "büro"`, none(func(ctx context.Context) error { return c.Resume(ctx, "büro") }), nil},
		{"Retry 01K", none(func(ctx context.Context) error { return c.Retry(ctx, "01K") }), nil},
		{"Retry ", none(func(ctx context.Context) error { return c.Retry(ctx, "") }), nil},
		{"Cancel 01K", none(func(ctx context.Context) error { return c.Cancel(ctx, "01K") }), nil},
		{"Resolve 01K 3 true", none(func(ctx context.Context) error { return c.Resolve(ctx, "01K", 3, true) }), nil},
		{`Usage "büro"`, func(ctx context.Context) (any, error) { return c.Usage(ctx, "büro") }, usage},
		{"Errors {Account:office Search:a b Cursor:c Limit:9}", func(ctx context.Context) (any, error) {
			return c.Errors(ctx, app.ErrorQuery{Account: "office", Search: "a b", Cursor: "c", Limit: 9})
		}, wrong},
		{"Accounts", func(ctx context.Context) (any, error) { return c.Accounts(ctx) }, infos},
		{fmt.Sprintf("SetAccount %+v", input), none(func(ctx context.Context) error { return c.SetAccount(ctx, input) }), nil},
		{"Forget a/b", none(func(ctx context.Context) error { return c.ForgetAccount(ctx, "a/b") }), nil},
		{"Login", func(ctx context.Context) (any, error) { return c.Login(ctx) }, login},
		{"Certificate", func(ctx context.Context) (any, error) { return c.Certificate(ctx) }, cert},
		{"Stop", none(c.Stop), nil},
	}
}

func TestRoundTrips(t *testing.T) {
	r := start(t)
	got, err := r.client.State(t.Context())
	if diff := cmp.Diff(state, got); err != nil || diff != "" {
		t.Errorf("State: %v\n%s", err, diff)
	}
	for _, c := range calls(r.client) {
		t.Run(c.name, func(t *testing.T) {
			r.calls = nil
			got, err := c.call(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{c.name}, r.calls); diff != "" {
				t.Errorf("the engine was asked:\n%s", diff)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestErrorsCrossTheSocket(t *testing.T) {
	r := start(t)
	disk := &app.UserError{Sentence: "The disk is full.", Action: "Make room.", Err: errors.New("ENOSPC")}
	for name, c := range map[string]struct {
		err              error
		is               error
		sentence, action string
	}{
		"user":            {disk, nil, "The disk is full.", "Make room."},
		"wrapped":         {fmt.Errorf("set account: %w", disk), nil, "The disk is full.", "Make room."},
		"not found":       {fmt.Errorf("job: %w", app.ErrNotFound), app.ErrNotFound, "There is nothing of that name.", ""},
		"user, not found": {&app.UserError{Sentence: "No such job.", Err: app.ErrNotFound}, app.ErrNotFound, "No such job.", ""},
		"stopped":         {app.ErrStopped, app.ErrStopped, "The companion is stopping.", ""},
		"cancelled":       {context.Canceled, app.ErrStopped, "The companion stopped before this was done.", ""},
		"anything":        {errors.New("open /home/x: secret"), nil, "The companion could not do this.", "Its log says why."},
	} {
		t.Run(name, func(t *testing.T) {
			r.err = c.err
			for _, call := range calls(r.client) {
				if call.name == "Stop" {
					continue // cannot fail
				}
				_, err := call.call(t.Context())
				user, ok := errors.AsType[*app.UserError](err)
				if !ok {
					t.Fatalf("%s: got %v, want an *app.UserError", call.name, err)
				}
				if user.Sentence != c.sentence || user.Action != c.action {
					t.Errorf("%s: got %q %q", call.name, user.Sentence, user.Action)
				}
				for _, kind := range []error{app.ErrNotFound, app.ErrStopped} {
					if errors.Is(err, kind) != (kind == c.is) {
						t.Errorf("%s: is %v: %v", call.name, kind, errors.Is(err, kind))
					}
				}
			}
		})
	}
	r.err = disk
	if err := r.client.Pause(t.Context(), ""); err.(*app.UserError).Err.Error() != "ENOSPC" {
		t.Errorf("the technical cause is lost: %v", err)
	}
}

func TestNobodyListens(t *testing.T) {
	c := Dial(filepath.Join(t.TempDir(), "control.sock"))
	for _, call := range calls(c) {
		if _, err := call.call(t.Context()); !errors.Is(err, socket.ErrNotRunning) {
			t.Errorf("%s: got %v", call.name, err)
		}
	}
	if err := c.Watch(t.Context(), nil); !errors.Is(err, socket.ErrNotRunning) {
		t.Errorf("watch: got %v", err)
	}
}

// noneLeft waits for goroutines in the named functions to end. They have been
// told to, and their last instructions may still run.
func noneLeft(t *testing.T, functions ...string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; runtime.Gosched() {
		buf := make([]byte, 1<<20)
		stacks := string(buf[:runtime.Stack(buf, true)])
		if !slices.ContainsFunc(functions, func(f string) bool { return strings.Contains(stacks, f+".") }) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("goroutines are left:\n%s", stacks)
		}
	}
}

// raw sends a request that our client would not.
func raw(t *testing.T, r *running, method, path, body string) (status int, text string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://companion"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := r.client.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestRequestsThatAreNotOurs(t *testing.T) {
	r := start(t)
	for name, c := range map[string]struct {
		method, path, body string
		want               int
	}{
		"no JSON":      {"POST", "/v1/pause", "x", 400},
		"new field":    {"POST", "/v1/pause", `{"account":"a","until":"x"}`, 400},
		"two values":   {"POST", "/v1/pause", `{"account":"a"}{}`, 400},
		"empty":        {"POST", "/v1/pause", "", 400},
		"huge":         {"POST", "/v1/accounts", `{"name":"` + strings.Repeat("x", maxBody) + `"}`, 400},
		"huge, spaces": {"POST", "/v1/pause", `{"account":"a"}` + strings.Repeat(" ", maxBody), 400},
		"limit":        {"GET", "/v1/jobs?limit=x", "", 400},
		"negative":     {"GET", "/v1/errors?limit=-1", "", 400},
		"other limit":  {"GET", "/v1/job?limit=x", "", 400},
		"other path":   {"GET", "/v2/state", "", 404},
		"other method": {"GET", "/v1/stop", "", 405},
		"raise":        {"POST", "/raise", "{}", 422},
	} {
		t.Run(name, func(t *testing.T) {
			if got, text := raw(t, r, c.method, c.path, c.body); got != c.want {
				t.Errorf("got %d %s, want %d", got, text, c.want)
			}
		})
	}
	if len(r.calls) > 0 {
		t.Errorf("the engine was asked: %q", r.calls)
	}
	_, err := get[nothing](t.Context(), r.client, "/v2/state", nil)
	if user, ok := errors.AsType[*app.UserError](err); !ok || user.Sentence != otherVersion().Sentence {
		t.Errorf("a client of another version is told %v", err)
	}
}

func TestRaise(t *testing.T) {
	r := start(t)
	if err := r.client.Raise(t.Context()); err == nil {
		t.Error("raised without a window")
	}
	raised := false
	r.server.Raise = func() { raised = true }
	if err := r.client.Raise(t.Context()); err != nil || !raised {
		t.Errorf("raised %v, %v", raised, err)
	}
}

// TestWatchEndsWithTheServer: many watchers, one of which never reads.
func TestWatchEndsWithTheServer(t *testing.T) {
	r := start(t)
	deaf, err := net.Dial("unix", r.path)
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	if _, err := io.WriteString(deaf, "GET /v1/watch HTTP/1.1\r\nHost: companion\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	const watchers = 10
	seen, ended := make(chan uint64), make(chan error)
	for range watchers {
		go func() {
			ended <- r.client.Watch(context.Background(), func(s app.State) error { seen <- s.Seq; return nil })
		}()
	}
	// Far more than a socket buffers: the deaf watcher's handler blocks.
	big := state
	big.Sentence = strings.Repeat("x", 1<<18)
	reached := map[uint64]bool{}
	for seq := uint64(1); len(reached) < 3*watchers; seq++ {
		big.Seq = seq
		select {
		case r.states <- big:
		case n := <-seen:
			reached[n] = true
		}
	}
	stopped := make(chan struct{})
	go func() { r.stop(); close(stopped) }()
	for left := watchers; left > 0; {
		select {
		case <-seen:
		case err := <-ended:
			left--
			if err != nil {
				t.Errorf("watch: %v", err)
			}
		}
	}
	<-stopped
	if strings.Contains(r.log.String(), "cut off") {
		t.Error("the end waited for the watcher that does not read")
	}
	noneLeft(t, "net/http.(*conn)", "control.(*Server)", "control.(*fake)", "net/http.(*persistConn)")
	if _, err := r.client.State(t.Context()); !errors.Is(err, socket.ErrNotRunning) {
		t.Errorf("after the end: %v", err)
	}
}

func TestWatchEndsWithTheClient(t *testing.T) {
	r := start(t)
	enough := errors.New("enough")
	go func() { r.states <- state }()
	if err := r.client.Watch(t.Context(), func(s app.State) error {
		if diff := cmp.Diff(state, s); diff != "" {
			t.Error(diff)
		}
		return enough
	}); !errors.Is(err, enough) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.client.Watch(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestStopWithACallInHand: it is cancelled, answered, and Run returns.
func TestStopWithACallInHand(t *testing.T) {
	r := start(t)
	result := make(chan error)
	go func() { result <- r.client.Pause(context.Background(), "slow") }()
	<-r.entered
	go r.stop()
	if err := <-result; !errors.Is(err, app.ErrStopped) {
		t.Errorf("got %v", err)
	}
	r.stop()
}
