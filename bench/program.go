package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// program is one that prints a ready line.
type program struct {
	cmd   *exec.Cmd
	log   string
	ready struct {
		SMTP []string
		API  string
	}
}

func start(ctx context.Context, dir, name string, args ...string) (*program, error) {
	p := &program{cmd: exec.CommandContext(ctx, name, args...), log: filepath.Join(dir, filepath.Base(name)+".log")}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p.cmd.Stderr = log
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	s := bufio.NewScanner(out)
	if !s.Scan() {
		return nil, fmt.Errorf("%s did not start, see %s: %w", filepath.Base(name), p.log, p.cmd.Wait())
	}
	if err := json.Unmarshal(s.Bytes(), &p.ready); err != nil || len(p.ready.SMTP) == 0 {
		return nil, fmt.Errorf("ready line %q: %w", s.Text(), err)
	}
	return p, nil
}

// stop ends the program in good order.
func (p *program) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return p.cmd.Wait()
}

func (p *program) addr() string { return p.ready.SMTP[0] }

// peak is the most memory that was resident so far, in MB.
func (p *program) peak() float64 { return statusMB(p.cmd.Process.Pid, "VmHWM") }

// resident is what is resident now, in MB.
func (p *program) resident() float64 { return statusMB(p.cmd.Process.Pid, "VmRSS") }

// statusMB is NaN where it cannot be read.
func statusMB(pid int, key string) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return math.NaN()
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == key+":" {
			kb, _ := strconv.Atoi(f[1])
			return float64(kb) / 1024
		}
	}
	return math.NaN()
}
