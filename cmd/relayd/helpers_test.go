package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"servicesmtp.net/companion/server/store"
	"servicesmtp.net/companion/server/store/storetest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// asProgram makes the test binary be relayd.
const asProgram = "RELAYD_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(storetest.Main(m))
}

const settings = `
[submission]
starttls = ["127.0.0.1:0"]
tls = ["127.0.0.1:0"]
hostname = "localhost"
[api]
listen = "127.0.0.1:0"
[notify]
mail = false # the tests of it ask for it
[delivery]
route = "maildir:out"
`

// place is a data folder with settings beside it.
type place struct {
	t            *testing.T
	data, config string
}

func newPlace(t *testing.T) place {
	t.Helper()
	dir := t.TempDir()
	p := place{t: t, data: filepath.Join(dir, "data"), config: filepath.Join(dir, "relay.toml")}
	if err := os.WriteFile(p.config, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

// result is what a command left behind.
type result struct {
	stdout, stderr string
	code           int
}

// command runs a command line in this process.
func (p place) command(stdin string, args ...string) result {
	p.t.Helper()
	var out, errs bytes.Buffer
	code := run(context.Background(), append([]string{"--data", p.data, "--config", p.config}, args...), strings.NewReader(stdin), &out, &errs)
	return result{out.String(), errs.String(), code}
}

// must runs a command that has to succeed.
func (p place) must(stdin string, args ...string) string {
	p.t.Helper()
	r := p.command(stdin, args...)
	if r.code != exitDone || r.stderr != "" {
		p.t.Fatalf("%v: code %d, %s%s", args, r.code, r.stdout, r.stderr)
	}
	return r.stdout
}

// process is a relay that serves as a program of its own.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	ready readyLine
	line  string        // as printed
	rest  chan string   // what it printed after the ready line
	log   *bytes.Buffer // to be read after the end
}

// serve starts a relay and waits until it is ready.
func (p place) serve() *process {
	p.t.Helper()
	cmd := exec.Command(os.Args[0], "--data", p.data, "--config", p.config, "serve")
	cmd.Env = append(os.Environ(), asProgram+"=1")
	r := &process{t: p.t, cmd: cmd, rest: make(chan string, 1), log: &bytes.Buffer{}}
	cmd.Stderr = r.log
	pipe, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		if cmd.ProcessState == nil { // the test has failed already
			cmd.Process.Kill()
			<-r.rest
			r.wait()
		}
	})
	out := bufio.NewReader(pipe)
	r.line, err = out.ReadString('\n')
	go func() {
		more, _ := io.ReadAll(out) // ends with the process
		r.rest <- string(more)
	}()
	if err == nil {
		err = json.Unmarshal([]byte(r.line), &r.ready)
	}
	if err != nil {
		<-r.rest
		r.wait()
		p.t.Fatalf("ready line %q: %v\n%s", r.line, err, r.log)
	}
	return r
}

func (r *process) wait() int {
	var exit *exec.ExitError
	if err := r.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		r.t.Errorf("wait: %v", err)
	}
	return r.cmd.ProcessState.ExitCode()
}

// end sends a signal and tells the exit code and what else was printed.
func (r *process) end(sig syscall.Signal) (code int, printed string) {
	r.t.Helper()
	if err := r.cmd.Process.Signal(sig); err != nil {
		r.t.Fatal(err)
	}
	return r.finish()
}

// finish waits for the end.
func (r *process) finish() (code int, printed string) {
	r.t.Helper()
	timer := time.AfterFunc(time.Minute, func() { r.cmd.Process.Kill() })
	defer timer.Stop()
	printed = <-r.rest
	return r.wait(), printed
}

// trust is a TLS configuration that trusts the relay's authority alone.
func (p place) trust() *tls.Config {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join(p.data, "ca.pem"))
	if err != nil {
		p.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		p.t.Fatal("ca.pem holds no certificate")
	}
	return &tls.Config{RootCAs: pool, ServerName: "localhost"}
}

// open opens the store of a stopped relay.
func (p place) open() *store.Store {
	p.t.Helper()
	st, err := store.Open(context.Background(), store.Options{Dir: p.data, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		p.t.Fatal(err)
	}
	return st
}

// What differs from run to run.
var varying = []struct {
	find *regexp.Regexp
	put  string
}{
	{regexp.MustCompile(`\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b`), "ULID"},
	{regexp.MustCompile(`"schema": [0-9]+`), `"schema": 1`}, // goes up with every migration
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`), "TIME"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d`), "DATE"},
	{regexp.MustCompile(`\b([2-9a-z]{4}-){6}[2-9a-z]{4}\b`), "PASSWORD"},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "ADDRESS"},
}

func steady(text string) string {
	for _, v := range varying {
		text = v.find.ReplaceAllString(text, v.put)
	}
	return text
}

// golden compares with a file in testdata; -update writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	got = steady(got)
	if *update {
		if err := errors.Join(os.MkdirAll("testdata", 0o755), os.WriteFile(path, []byte(got), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s: %s", path, d)
	}
}

func lines(format string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(format, i)
	}
	return all
}
