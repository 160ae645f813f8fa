package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/internal/socket"
)

// daemon is `companionctl run` with a fake engine.
type daemon struct {
	*session
	ready  chan string // the first line on standard output
	ended  chan int
	cancel context.CancelFunc
	log    bytes.Buffer // to be read after ended
	config app.Config
}

func startDaemon(t *testing.T, fake *fakeEngine) *daemon {
	t.Helper()
	d := &daemon{session: newSession(t, nil), ready: make(chan string, 1), ended: make(chan int, 1)}
	r, w := io.Pipe()
	go func() {
		text, _ := io.ReadAll(r)
		d.ready <- string(text)
	}()
	c := *d.person
	c.out, c.err = firstLine{w}, &d.log
	ctx, cancel := context.WithCancel(context.Background())
	d.cancel = cancel
	t.Cleanup(cancel)
	inv := &invocation{console: &c, open: func(_ context.Context, config app.Config) (engine, error) {
		d.config = config
		if fake == nil {
			return nil, &app.UserError{Sentence: "The companion is already running with this data folder.", Action: "Use it."}
		}
		return fake, nil
	}}
	go func() { code := run(ctx, []string{"run", "--data", d.data}, inv); w.Close(); d.ended <- code }()
	return d
}

// firstLine ends the pipe behind the first line, so that a reader of
// everything has it at once.
type firstLine struct{ w *io.PipeWriter }

func (f firstLine) Write(p []byte) (int, error) {
	n, err := f.w.Write(p)
	if bytes.HasSuffix(p, []byte("\n")) {
		f.w.Close()
	}
	return n, err
}

func TestReadyLine(t *testing.T) {
	fake := newFake()
	d := startDaemon(t, fake)
	line := <-d.ready
	path := filepath.Join(d.data, "control.sock")
	control, err := json.Marshal(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"event":"ready","smtp":["127.0.0.1:2525","[::1]:2525"],"api":null,"control":` + string(control) + "}\n"; line != want {
		t.Errorf("got  %s\nwant %s", line, want)
	}
	if d.config.DataDir != d.data || d.config.SettingsPath != filepath.Join(d.data, "companion.toml") || d.config.Version != version || d.config.Settings.Pace.Batch != 50 {
		t.Errorf("the engine was given %+v", d.config)
	}
	fake.state = sending()
	d.must(exitDone, "status")
	d.cancel() // SIGTERM
	if code := <-d.ended; code != exitDone {
		t.Errorf("exit code %d\n%s", code, d.log.String())
	}
	if got := strings.Join(fake.asked(), " "); got != "ended" {
		t.Errorf("the engine was asked %q", got)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is left: %v", err)
	}
}

func TestStopWaitsForTheEnd(t *testing.T) {
	fake := newFake()
	d := startDaemon(t, fake)
	<-d.ready
	if out := d.must(exitDone, "stop"); out != "The companion has stopped.\n" {
		t.Errorf("says %q", out)
	}
	if got := strings.Join(fake.asked(), " "); got != "ended" {
		t.Errorf("stop returned before the engine had ended: %q", got)
	}
	if code := <-d.ended; code != exitDone {
		t.Errorf("exit code %d", code)
	}
	if _, _, code := d.ctl("stop"); code != exitNotRunning {
		t.Errorf("stopping twice: exit code %d", code)
	}
}

func TestStopWithoutWaiting(t *testing.T) {
	d := startDaemon(t, newFake())
	<-d.ready
	d.must(exitDone, "stop", "--no-wait")
	if code := <-d.ended; code != exitDone {
		t.Errorf("exit code %d", code)
	}
}

func TestSecondRunIsRefused(t *testing.T) {
	d := startDaemon(t, nil)
	code := <-d.ended
	if got := d.log.String(); code != exitFailed || got != "The companion is already running with this data folder. Use it.\n" {
		t.Errorf("exit code %d, %q", code, got)
	}
}

func TestRunFailsWithTheEngine(t *testing.T) {
	fake := newFake()
	fake.runErr = errors.New("broken")
	d := startDaemon(t, fake)
	if code := <-d.ended; code != exitFailed || !strings.HasSuffix(d.log.String(), "broken\n") {
		t.Errorf("exit code %d, %q", code, d.log.String())
	}
	if line := <-d.ready; line != "" {
		t.Errorf("said it was ready: %q", line)
	}
}

func TestRunGivesUpTheEngineWithoutASocket(t *testing.T) {
	fake := newFake()
	s := newSession(t, nil)
	// A folder in the socket's place cannot be replaced.
	if err := os.MkdirAll(filepath.Join(s.data, "control.sock", "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	var out, log bytes.Buffer
	c := *s.person
	c.out, c.err = &out, &log
	inv := &invocation{console: &c, open: func(context.Context, app.Config) (engine, error) { return fake, nil }}
	if code := run(t.Context(), []string{"--data", s.data, "run"}, inv); code != exitFailed || out.Len() > 0 {
		t.Errorf("exit code %d, %q", code, out.String())
	}
	if got := strings.Join(fake.asked(), " "); got != "closed" {
		t.Errorf("the engine was asked %q, want it closed", got)
	}
}

// TestReadyEngineIsReachable: the socket answers before the ready line comes.
func TestReadyEngineIsReachable(t *testing.T) {
	fake := newFake()
	d := startDaemon(t, fake)
	<-d.ready
	resp, err := socket.Client(filepath.Join(d.data, "control.sock")).Get("http://companion/v1/state")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	d.cancel()
	<-d.ended
}
