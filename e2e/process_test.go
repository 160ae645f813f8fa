package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// process is a program that runs until the end of the test.
type process struct {
	cmd   *exec.Cmd
	ready struct {
		Event   string   `json:"event"`
		SMTP    []string `json:"smtp"`
		API     string   `json:"api"`
		Control string   `json:"control"`
	}
	done chan struct{}
	err  error
	log  string // path
}

// start runs a program until the end of the test and waits for its ready line.
func (w *world) start(program string, args ...string) *process {
	w.t.Helper()
	p := &process{cmd: exec.Command(filepath.Join(bin, program), args...), done: make(chan struct{}), log: w.path(program + ".log")}
	logFile, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		w.t.Fatal(err)
	}
	p.cmd.Stderr = logFile
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	line := make(chan string, 1)
	go func() {
		defer close(p.done)
		defer logFile.Close()
		s := bufio.NewScanner(out)
		if s.Scan() {
			line <- s.Text()
		}
		for s.Scan() { // nothing else is promised on standard output
			w.t.Errorf("%s printed more than its ready line: %q", program, s.Text())
		}
		p.err = p.cmd.Wait()
	}()
	w.t.Cleanup(func() {
		p.kill()
		if w.t.Failed() {
			text, _ := os.ReadFile(p.log)
			w.t.Logf("log of %s:\n%s", program, tail(string(text), 40))
		}
	})
	select {
	case text := <-line:
		if err := json.Unmarshal([]byte(text), &p.ready); err != nil || p.ready.Event != "ready" {
			w.t.Fatalf("%s: ready line %q: %v", program, text, err)
		}
	case <-p.done:
		text, _ := os.ReadFile(p.log)
		w.t.Fatalf("%s ended at once: %v\n%s", program, p.err, tail(string(text), 10))
	case <-time.After(30 * time.Second):
		w.t.Fatalf("%s was not ready within 30 s", program)
	}
	return p
}

func tail(text string, lines int) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// kill is kill -9.
func (p *process) kill() {
	p.cmd.Process.Kill() // it may have ended already
	<-p.done
}

// stop asks with SIGTERM and gives the exit code.
func (p *process) stop(t *testing.T) int {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.done:
	case <-time.After(30 * time.Second):
		t.Fatal("not stopped 30 s after SIGTERM")
	}
	return p.cmd.ProcessState.ExitCode()
}

// command runs a program to its end.
func command(ctx context.Context, program string, args ...string) (stdout, stderr string, code int) {
	cmd := exec.CommandContext(ctx, filepath.Join(bin, program), args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return out.String(), err.Error(), -1
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}
