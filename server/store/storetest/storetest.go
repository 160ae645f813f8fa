// Package storetest lets a test run on every database that the store knows.
//
// The first test that asks starts one PostgreSQL server for the test binary,
// in a folder of its own and on a Unix socket only; every test gets a database
// of its own. The server ends with the binary, also when that is killed: it
// hangs on a pipe. A package that uses it calls Main in its TestMain. It needs
// the package postgresql (scripts/setup test).
package storetest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
)

// Each runs fn as subtests sqlite and postgres. dsn is what Options.DSN of the
// store takes; the database behind it is new.
func Each(t *testing.T, fn func(t *testing.T, dsn string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { fn(t, "") })
	t.Run("postgres", func(t *testing.T) { fn(t, Database(t)) })
}

// Database makes a new PostgreSQL database and returns its address. options
// follow CREATE DATABASE.
func Database(t testing.TB, options ...string) string {
	t.Helper()
	if err := shared.start(); err != nil {
		t.Fatalf("start PostgreSQL: %v", err)
	}
	name, err := shared.create(options)
	if err != nil {
		t.Fatalf("make database: %v", err)
	}
	return shared.dsn(name)
}

// Main runs the tests and ends the server.
func Main(m *testing.M) int {
	return max(m.Run(), Stop())
}

// Stop ends the server, for a TestMain that runs the tests in another way. It
// is 1 when that fails.
func Stop() int {
	if err := shared.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stop PostgreSQL:", err)
		return 1
	}
	return 0
}

// shared is the one server of a test binary.
var shared server

type server struct {
	once sync.Once
	err  error

	dir  string
	cmd  *exec.Cmd
	pipe *os.File // the server ends when this is closed

	mu        sync.Mutex // guards databases
	databases int
}

func (s *server) start() error {
	s.once.Do(func() { s.err = s.launch() })
	return s.err
}

func (s *server) launch() error {
	bin, err := programs()
	if err != nil {
		return err
	}
	if s.dir, err = os.MkdirTemp("", "pg"); err != nil {
		return err
	}
	if err := giveAway(s.dir); err != nil {
		return err
	}
	data := filepath.Join(s.dir, "data")
	if out, err := run(s.dir, filepath.Join(bin, "initdb"), "-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-locale", "-N").CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	s.pipe = w
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	s.cmd = run(s.dir, "sh", "-c", `"$1" -D "$2" -k "$3" -c listen_addresses= -c max_connections=200 & cat; kill -INT $!; wait $!`,
		"sh", filepath.Join(bin, "postgres"), data, s.dir)
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = r, log, log // files: no goroutine copies
	if err := s.cmd.Start(); err != nil {
		return err
	}
	return s.wait()
}

// wait returns when the server answers.
func (s *server) wait() error {
	db, err := sql.Open("pgx", s.dsn("postgres"))
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // of a test; nothing was written through it
	for range 300 {
		if err = db.PingContext(context.Background()); err == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	return fmt.Errorf("no answer: %w: %s", err, log)
}

func (s *server) create(options []string) (string, error) {
	s.mu.Lock()
	s.databases++
	name := "t" + strconv.Itoa(s.databases)
	s.mu.Unlock()
	db, err := sql.Open("pgx", s.dsn("postgres"))
	if err != nil {
		return "", err
	}
	defer db.Close() //nolint:errcheck // of a test; nothing was written through it
	statement := "CREATE DATABASE " + name
	for _, o := range options {
		statement += " " + o
	}
	_, err = db.ExecContext(context.Background(), statement)
	return name, err
}

func (s *server) dsn(database string) string {
	return "postgres://postgres@/" + database + "?" + url.Values{"host": {s.dir}}.Encode()
}

func (s *server) stop() error {
	if s.pipe == nil {
		return nil
	}
	err := s.pipe.Close()
	if s.cmd.Process != nil {
		err = errors.Join(err, s.cmd.Wait())
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

// programs finds the folder of PostgreSQL's programs, the newest first. Debian
// has them outside of PATH.
func programs() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	if p, err := exec.LookPath("initdb"); err == nil {
		found = append(found, p)
	}
	if len(found) == 0 {
		return "", errors.New("there is no initdb: run scripts/setup test")
	}
	return filepath.Dir(slices.Max(found)), nil
}

// run prepares a program that works in dir, as user postgres for root, for whom
// the server refuses to run.
func run(dir, name string, args ...string) *exec.Cmd {
	if os.Getuid() == 0 {
		name, args = "runuser", append([]string{"-u", "postgres", "--", name}, args...)
	}
	cmd := exec.Command(name, args...) //nolint:noctx // it ends with the test binary, see Main
	cmd.Dir = dir
	return cmd
}

// giveAway makes dir the server's own.
func giveAway(dir string) error {
	if os.Getuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return err
	}
	return os.Chown(dir, uid, gid)
}
