//go:build linux

package hosttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Patience is how long a test waits for another process. It is only used up
// by what fails.
const Patience = 30 * time.Second

const moment = 20 * time.Millisecond

// Eventually waits until ok holds, or fails the test.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	if !eventually(ok) {
		t.Fatalf("waited %v in vain: %s", Patience, what)
	}
}

func eventually(ok func() bool) bool {
	for end := time.Now().Add(Patience); !ok(); time.Sleep(moment) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// program finds a program of a Debian package.
func program(t testing.TB, name, debian string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is not installed; on Debian: apt-get install %s", name, debian)
	}
	return path
}

// process is a program that runs beside the test.
type process struct {
	name string
	cmd  *exec.Cmd
	out  output
	done chan struct{} // closed when it has ended
	err  error         // of Wait; set before done is closed
}

// launch starts cmd. Whoever calls it calls stop.
func launch(t testing.TB, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{name: cmd.Path, cmd: cmd, done: make(chan struct{})}
	if cmd.Stdout == nil {
		cmd.Stdout = &p.out
	}
	cmd.Stderr = &p.out
	cmd.WaitDelay = time.Second // a child of its own may hold the output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", p.name, err)
	}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p
}

// stop ends the program and waits for it.
func (p *process) stop() {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		syscall.Kill(-p.cmd.Process.Pid, signal) // its group; gone already is fine
		select {
		case <-p.done:
			return
		case <-time.After(3 * time.Second):
		}
	}
	<-p.done
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// diagnosis is what there is to say about a program that failed.
func (p *process) diagnosis() string { return fmt.Sprintf("%s: %s", p.name, p.out.String()) }

// output is a buffer that is written and read at the same time.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// run runs a program to its end and returns what it printed.
func run(env []string, path string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append(append(os.Environ(), "LC_ALL=C.UTF-8"), env...) // titles are not ASCII only
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if e, ok := errors.AsType[*exec.ExitError](err); ok && len(e.Stderr) > 0 {
		err = fmt.Errorf("%w: %s", err, bytes.TrimSpace(e.Stderr))
	}
	return strings.TrimSpace(string(out)), err
}
