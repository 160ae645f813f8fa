package world

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The builds of the desktop app.
const (
	Release = "companion"
	Debug   = "companion-debug" // Fyne says when a widget is touched on a wrong goroutine
)

// bin is the folder of the built programs.
var bin string

// Main is for a package's TestMain: it runs the tests, and before them builds
// the programs unless COMPANION_BIN names a folder with them. window says that
// the desktop app is one of them, as it is released and as [Debug].
func Main(m *testing.M, window bool) (code int) {
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
	const module = "servicesmtp.net/companion/cmd/"
	err = build("0", module+"companionctl", module+"relayd")
	if err == nil && window {
		err = build("1", "-tags=migrated_fynedo", module+"companion")
	}
	if err == nil && window {
		err = build("1", "-o", filepath.Join(bin, Debug), module+"companion")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func build(cgo string, args ...string) error {
	cmd := exec.Command("go", append([]string{"build", "-o", bin}, args...)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED="+cgo)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	return nil
}

// Process is a program that runs until the end of the test.
type Process struct {
	Cmd   *exec.Cmd
	Ready struct {
		Event   string   `json:"event"`
		SMTP    []string `json:"smtp"`
		API     string   `json:"api"`
		Control string   `json:"control"`
	}
	Done  chan struct{} // closed when it has ended
	Log   string        // path of what it writes on standard error
	first chan string   // its first line on standard output
	err   error
}

// Start runs a program until the end of the test and waits for its ready line.
// Without env it has the test's environment.
func (w *World) Start(program string, env []string, args ...string) *Process {
	w.T.Helper()
	p := w.Launch(program, env, args...)
	w.T.Cleanup(func() {
		if w.T.Failed() {
			w.T.Logf("log of %s:\n%s", program, Tail(p.Said(), 40))
			w.T.Logf("what %s was doing:\n%s", program, p.stacks())
		}
		p.Kill()
	})
	p.WaitReady(w.T)
	return p
}

// Launch runs a program and waits for nothing. The caller ends it.
func (w *World) Launch(program string, env []string, args ...string) *Process {
	w.T.Helper()
	p := &Process{
		Cmd: w.command(program, args), Done: make(chan struct{}),
		Log: w.Path(program + ".log"), first: make(chan string, 1),
	}
	logFile, err := os.OpenFile(p.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		w.T.Fatal(err)
	}
	p.Cmd.Stderr, p.Cmd.Env = logFile, env
	out, err := p.Cmd.StdoutPipe()
	if err != nil {
		w.T.Fatal(err)
	}
	if err := p.Cmd.Start(); err != nil {
		w.T.Fatal(err)
	}
	go func() {
		defer close(p.Done)
		defer logFile.Close()
		s := bufio.NewScanner(out)
		if s.Scan() {
			p.first <- s.Text()
		}
		for s.Scan() { // nothing else is promised on standard output
			w.T.Errorf("%s printed more than its ready line: %q", program, s.Text())
		}
		p.err = p.Cmd.Wait()
	}()
	return p
}

// WaitReady waits until the program serves.
func (p *Process) WaitReady(t testing.TB) {
	t.Helper()
	program := filepath.Base(p.Cmd.Path)
	select {
	case text := <-p.first:
		if err := json.Unmarshal([]byte(text), &p.Ready); err != nil || p.Ready.Event != "ready" {
			t.Fatalf("%s: ready line %q: %v", program, text, err)
		}
	case <-p.Done:
		t.Fatalf("%s ended at once: %v\n%s", program, p.err, Tail(p.Said(), 10))
	case <-time.After(30 * time.Second):
		t.Fatalf("%s was not ready within 30 s", program)
	}
}

// command is how a program is started. A traced one stays our child: the tracer
// detaches itself and ends with it.
func (w *World) command(program string, args []string) *exec.Cmd {
	path := filepath.Join(bin, program)
	if w.Opts.Trace == "" || program != "companionctl" {
		return exec.Command(path, args...)
	}
	return exec.Command("strace", append([]string{
		"-D", "-f", "-y", "-s", "5000", "-o", w.Opts.Trace, "-e", "signal=none",
		"-e", "trace=openat,write,pwrite64,fsync,fdatasync,rename,renameat,renameat2,sendto,writev", path,
	}, args...)...)
}

// Said is what the program has written on standard error.
func (p *Process) Said() string {
	text, err := os.ReadFile(p.Log)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Tail is the last lines of a text.
func Tail(text string, lines int) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// stacks ends the program with SIGQUIT and gives what the runtime prints then:
// where each goroutine stands.
func (p *Process) stacks() string {
	before := len(p.Said())
	if err := p.Cmd.Process.Signal(syscall.SIGQUIT); err != nil {
		return err.Error() // it has ended already
	}
	select {
	case <-p.Done:
	case <-time.After(5 * time.Second):
	}
	return p.Said()[before:]
}

// Kill is kill -9.
func (p *Process) Kill() {
	p.Cmd.Process.Kill() // it may have ended already
	<-p.Done
}

// Stop asks with SIGTERM and gives the exit code.
func (p *Process) Stop(t testing.TB) int {
	t.Helper()
	if err := p.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	return p.Ended(t)
}

// Ended waits until the program has ended and gives its exit code.
func (p *Process) Ended(t testing.TB) int {
	t.Helper()
	select {
	case <-p.Done:
	case <-time.After(30 * time.Second):
		t.Fatal("not ended within 30 s")
	}
	return p.Cmd.ProcessState.ExitCode()
}

// Command runs a program to its end.
func Command(ctx context.Context, program string, args ...string) (stdout, stderr string, code int) {
	return command(ctx, nil, program, args...)
}

func command(ctx context.Context, env []string, program string, args ...string) (stdout, stderr string, code int) {
	cmd := exec.CommandContext(ctx, filepath.Join(bin, program), args...)
	var out, errs bytes.Buffer
	cmd.Env = env
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return out.String(), err.Error(), -1
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}
