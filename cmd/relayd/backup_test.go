package main

import (
	"database/sql"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"servicesmtp.net/companion/internal/socket"
	"servicesmtp.net/companion/server/config"
)

// sizes and sums differ from run to run.
func (p place) backupGolden(name, got string) {
	p.t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(got), &m); err != nil {
		p.t.Fatalf("%v in %q", err, got)
	}
	m["file"], m["file_size"] = "FILE", "SIZE"
	for _, f := range m["files"].([]any) {
		f.(map[string]any)["size"], f.(map[string]any)["sha256"] = "SIZE", "SUM"
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		p.t.Fatal(err)
	}
	golden(p.t, name, string(text)+"\n")
}

func (p place) anew() place {
	return place{t: p.t, data: filepath.Join(p.t.TempDir(), "anew"), config: p.config}
}

// TestBackupAndRestore goes there and back, from a stopped relay and from a
// running one, which must not differ.
func TestBackupAndRestore(t *testing.T) {
	for _, mode := range []string{"stopped", "running"} {
		t.Run(mode, func(t *testing.T) {
			p := newPlace(t)
			furnish(p)
			r := p.serve() // makes the authority
			if mode == "stopped" {
				r.end(syscall.SIGTERM)
			} else {
				defer r.end(syscall.SIGTERM)
			}
			file := filepath.Join(t.TempDir(), "relay.backup")
			p.backupGolden("backup.json", p.must("", "backup", file, "--json"))
			info, err := os.Stat(file)
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Fatalf("%v, %v", info, err)
			}
			if again := p.command("", "backup", file); again.code != exitFailed || !strings.Contains(again.stderr, "--force") {
				t.Errorf("over a file: %+v", again)
			}
			p.must("", "backup", file, "--force")
			onlyFile(t, file)

			golden(t, "restore.json", p.anew().must("", "restore", file, "--json"))
			n := p.anew()
			golden(t, "restore.txt", n.must("", "restore", file))
			if again := n.command("", "restore", file); again.code != exitFailed || !strings.Contains(again.stderr, "not empty") {
				t.Errorf("again: %+v", again)
			}
			if before, after := readFile(t, filepath.Join(p.data, "ca.pem")), readFile(t, filepath.Join(n.data, "ca.pem")); before != after {
				t.Error("the authority is another one")
			}
			restored := n.serve()
			golden(t, "queue-list-restored.json", n.must("", "queue", "list", "--json"))
			golden(t, "queue-release-restored.json", n.must("", "queue", "release", "--all", "--json"))
			restored.end(syscall.SIGTERM)
		})
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func onlyFile(t *testing.T, file string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(file))
	if err != nil || len(entries) != 1 {
		t.Errorf("beside the backup: %v, %v", entries, err)
	}
}

func TestBackupThroughPipes(t *testing.T) {
	p := newPlace(t)
	furnish(p)
	r := p.command("", "backup", "-")
	if r.code != exitDone || !strings.Contains(r.stderr, "recipients that wait") {
		t.Fatalf("code %d, %s", r.code, r.stderr)
	}
	if got := p.anew().command(r.stdout, "restore", "-"); got.code != exitDone || !strings.Contains(got.stdout, "queue release --all") {
		t.Errorf("%+v", got)
	}
}

// TestUnfinishedRestoreIsNotServed holds that every command but restore keeps
// its hands off.
func TestUnfinishedRestoreIsNotServed(t *testing.T) {
	p := newPlace(t)
	if err := os.MkdirAll(filepath.Join(p.data, "restoring"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, args := range []string{"account list", "backup " + filepath.Join(t.TempDir(), "x"), "store renew-name", "serve"} {
		r := p.command("", strings.Fields(args)...)
		if r.code != exitFailed || !strings.Contains(r.stderr, "relayd restore again") || strings.Count(r.stderr, "\n") != 1 {
			t.Fatalf("%s: %+v", args, r) // serve would serve
		}
	}
	full := newPlace(t)
	furnish(full)
	file := filepath.Join(t.TempDir(), "b")
	full.must("", "backup", file)
	p.must("", "restore", file)
	p.must("", "account", "show", "alice")
}

func TestBackupRefusals(t *testing.T) {
	p := newPlace(t)
	furnish(p)
	if r := p.command("", "backup", filepath.Join(t.TempDir(), "no", "such", "folder")); r.code != exitFailed {
		t.Errorf("no folder: %+v", r)
	}
	if r := p.anew().command("", "restore", p.config); r.code != exitFailed || !strings.Contains(r.stderr, "not a backup") {
		t.Errorf("no backup: %+v", r)
	}
	relay := p.serve()
	defer relay.end(syscall.SIGTERM)
	if r := p.command("", "restore", p.config); r.code != exitFailed || !strings.Contains(r.stderr, "in use") {
		t.Errorf("under a running relay: %+v", r)
	}
	if r := p.command("", "store", "renew-name"); r.code != exitFailed || !strings.Contains(r.stderr, "stop it first") {
		t.Errorf("under a running relay: %+v", r)
	}
}

// TestBackupOfDamagedFolder holds that what is whole is saved, and that the
// operator is told of the rest.
func TestBackupOfDamagedFolder(t *testing.T) {
	p := newPlace(t)
	furnish(p)
	st := p.open()
	err := st.Tx(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec(`INSERT INTO bodies (account_id, sha256, size, inline, created_at) SELECT id, $1, 300000, NULL, 0 FROM accounts WHERE name = 'alice'`, strings.Repeat("a", 64))
		return err
	})
	if err := errors.Join(err, st.Close()); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "b")
	if r := p.command("", "backup", file); r.code != exitAct || !strings.Contains(r.stderr, "1 bodies") {
		t.Errorf("%+v", r)
	}
	if got := p.anew().must("", "restore", file); !strings.Contains(got, "1 bodies of messages were missing") {
		t.Errorf("restore says %s", got)
	}
}

// TestStopEndsBackup holds that a relay stops while somebody makes a backup and
// does not read on, and that the copy is gone then.
func TestStopEndsBackup(t *testing.T) {
	p := newPlace(t)
	furnish(p)
	st := p.open()
	err := st.Tx(t.Context(), func(tx *sql.Tx) error { // more than a socket takes unread
		_, err := tx.Exec(`INSERT INTO bodies (account_id, sha256, size, inline, created_at) SELECT id, 'big', 8000000, randomblob(8000000), 0 FROM accounts WHERE name = 'alice'`)
		return err
	})
	if err := errors.Join(err, st.Close()); err != nil {
		t.Fatal(err)
	}
	relay := p.serve()
	client := socket.Client(relay.ready.Control)
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://relay/backup", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if during, err := filepath.Glob(filepath.Join(p.data, "backup-*")); err != nil || len(during) != 1 {
		t.Errorf("the backup does not run: %v, %v", during, err)
	}
	if code, _ := relay.end(syscall.SIGTERM); code != exitDone {
		t.Errorf("code %d\n%s", code, relay.log)
	}
	if left, err := filepath.Glob(filepath.Join(p.data, "backup-*")); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestRenewName(t *testing.T) {
	p := newPlace(t)
	furnish(p)
	st := p.open()
	old := st.Name()
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	golden(t, "renew-name.json", p.must("", "store", "renew-name", "--json"))
	st = p.open()
	defer st.Close()
	if st.Name() == old {
		t.Error("the name is the old one")
	}
}

func TestWithoutPassword(t *testing.T) {
	for _, c := range []struct{ dsn, want string }{
		{"postgres://relay:secret@db:5432/relay?sslmode=verify-full", "postgres://relay@db:5432/relay?sslmode=verify-full"},
		{"postgres://db/relay?user=u&password=secret&sslpassword=secret", "postgres://db/relay?user=u"},
		{"postgres://db/relay?passfile=/etc/pgpass", "postgres://db/relay?passfile=%2Fetc%2Fpgpass"},
		{"postgresql:///relay", "postgresql:///relay"},
		{"postgres://u:se%zzcret@db/relay", "postgres://"},
		{"host=db password=secret user=u", "host=db user=u"},
		{`host=db Password = 'a secret\' more' user=u`, "host=db user=u"},
		{"sslpassword=secret dbname=relay", "dbname=relay"},
	} {
		got := withoutPassword(c.dsn)
		if got != c.want || strings.Contains(got, "secret") {
			t.Errorf("%s: %s, want %s", c.dsn, got, c.want)
		}
	}
}

func TestPostgresCommands(t *testing.T) {
	for _, c := range []struct {
		file    string
		restore bool
		json    bool
		bodies  string
	}{
		{"postgres-backup.txt", false, false, ""}, {"postgres-backup.json", false, true, ""}, {"postgres-backup-shared.txt", false, false, "/mnt/relays"},
		{"postgres-restore.txt", true, false, ""}, {"postgres-restore.json", true, true, ""},
	} {
		var out strings.Builder
		inv := &invocation{stdout: &out, data: "/var/lib/relay", json: c.json}
		if err := inv.sayPostgres(config.Store{DSN: "postgres://relay:secret@db/relay", Bodies: c.bodies}, c.restore); err != nil {
			t.Error(err)
		}
		golden(t, c.file, out.String())
	}
}
