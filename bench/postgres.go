package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// postgres is PostgreSQL in a private folder, as a machine has it that was
// just installed: synced commits, nothing tuned.
type postgres struct {
	dir, bin, host, port string
	made                 int // databases so far
}

func startPostgres(ctx context.Context, dir string) (*postgres, error) {
	bin, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output()
	if err != nil {
		return nil, fmt.Errorf("find PostgreSQL: %w", err)
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	p := &postgres{dir: dir, bin: strings.TrimSpace(string(bin))}
	if p.host, p.port, err = net.SplitHostPort(address); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if out, err := exec.CommandContext(ctx, "chown", "postgres", dir).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("chown: %w: %s", err, out)
	}
	if err := p.run(ctx, "initdb", "-D", filepath.Join(dir, "data"), "-A", "trust", "-E", "UTF8", "--no-locale"); err != nil {
		return nil, err
	}
	return p, p.run(ctx, "pg_ctl", "-w", "-D", filepath.Join(dir, "data"), "-l", filepath.Join(dir, "log"), "-o",
		fmt.Sprintf("-h %s -p %s -k %s", p.host, p.port, dir), "start")
}

// run runs one of its programs as its user: as root it refuses to start.
func (p *postgres) run(ctx context.Context, name string, args ...string) error {
	args = append([]string{"-u", "postgres", "--", filepath.Join(p.bin, name)}, args...)
	cmd := exec.CommandContext(ctx, "runuser", args...)
	cmd.Dir = p.dir
	log, err := os.CreateTemp(p.dir, "out") // a pipe would stay open as long as the server runs
	if err != nil {
		return err
	}
	defer os.Remove(log.Name())
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Run(); err != nil {
		text, _ := os.ReadFile(log.Name())
		return fmt.Errorf("%s: %w: %s", name, err, text)
	}
	return nil
}

// database makes an empty one.
func (p *postgres) database(ctx context.Context) (string, error) {
	p.made++
	name := fmt.Sprintf("bench%d", p.made)
	if err := p.run(ctx, "createdb", "-h", p.host, "-p", p.port, name); err != nil {
		return "", err
	}
	return fmt.Sprintf("postgres://postgres@%s/%s?sslmode=disable", net.JoinHostPort(p.host, p.port), name), nil
}

func (p *postgres) close() {
	if err := p.run(context.Background(), "pg_ctl", "-D", filepath.Join(p.dir, "data"), "-m", "fast", "stop"); err != nil {
		fmt.Fprintln(os.Stderr, "stop PostgreSQL:", err)
	}
}
