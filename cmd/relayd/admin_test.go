package main

import (
	"database/sql"
	"encoding/json"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/api"
	"servicesmtp.net/companion/server/store"
)

// furnish gives a stopped relay an account with usage, an error and mail that
// waits.
func furnish(p place) {
	p.t.Helper()
	p.must("secret-of-alice\n", "account", "add", "alice", "--plan", "standard", "--email", "alice@example.com", "--password-stdin", "--zone", "Europe/Rome", "--overage", "stop")
	st := p.open()
	defer st.Close()
	ctx := p.t.Context()
	alice, err := st.AccountByName(ctx, "alice")
	if err != nil {
		p.t.Fatal(err)
	}
	now := time.Now()
	err = st.Tx(ctx, func(tx *sql.Tx) error {
		for _, q := range []struct {
			query string
			args  []any
		}{
			{`INSERT INTO usage_days (account_id, day, emails, bytes) VALUES ($1, $2, 500, 10240000)`, []any{alice.ID, account.Day(account.Location("Europe/Rome"), now)}},
			{`INSERT INTO events (account_id, message_id, envid, recipient, status, code, enhanced, reply, at) VALUES ($1, 'M', 'sb1.01ARZ3NDEKTSV4RRFFQ69G5FAV.1', 'dead@example.org', 'failed', 550, '5.1.1', 'no such' || char(27) || 'user, "sorry"', $2)`, []any{alice.ID, store.Micros(now)}},
			{`INSERT INTO bodies (account_id, sha256, size, inline, created_at) VALUES ($1, 'b', 4, 'x', $2)`, []any{alice.ID, store.Micros(now)}},
			{`INSERT INTO messages (id, account_id, mail_from, sha256, size, received, created_at) VALUES ('01ARZ3NDEKTSV4RRFFQ69G5FAW', $1, '', 'b', 4, '', $2)`, []any{alice.ID, store.Micros(now)}},
			{`INSERT INTO deliveries (message_id, account_id, recipient, lane, status, attempts, next_at, code, enhanced, reply, created_at)
				VALUES ('01ARZ3NDEKTSV4RRFFQ69G5FAW', $1, 'slow@example.net', 'maildir', 'queued', 3, $2, 451, '4.7.1', 'greylisted', $3)`, []any{alice.ID, store.Micros(now.Add(time.Hour)), store.Micros(now)}},
		} {
			if _, err := tx.Exec(q.query, q.args...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		p.t.Fatal(err)
	}
}

// TestAdministration prints everything in both forms, from a stopped relay and
// from a running one, which must not differ.
func TestAdministration(t *testing.T) {
	for _, mode := range []string{"stopped", "running"} {
		t.Run(mode, func(t *testing.T) {
			p := newPlace(t)
			furnish(p)
			if mode == "running" {
				r := p.serve()
				defer r.end(syscall.SIGTERM)
			}
			for _, c := range []struct{ file, args string }{
				{"account-add", "account add bob --plan entry --email bob@example.com"},
				{"account-list", "account list"},
				{"account-show", "account show alice"},
				{"account-hold", "account hold alice"},
				{"account-block", "account block alice"},
				{"account-unblock", "account unblock alice"},
				{"account-release", "account release alice"},
				{"account-set-plan", "account set-plan bob mega-month --free"},
				{"account-pace", "account pace bob"},
				{"account-set-pace", "account set-pace bob --per-minute 60"},
				{"account-set-pace-none", "account set-pace bob --per-minute 0"},
				{"account-set-pace-default", "account set-pace bob --default"},
				{"account-set-password", "account set-password bob"},
				{"plan-list", "plan list"},
				{"usage", "usage alice"},
				{"errors", "errors alice"},
				{"queue-list", "queue list --account alice"},
				{"queue-hold", "queue hold --domain example.net"},
				{"queue-list-held", "queue list"},
				{"queue-drop", "queue drop --message 01ARZ3NDEKTSV4RRFFQ69G5FAW"},
				{"queue-rebuild", "queue rebuild"},
				{"node-list-none", "node list"},
			} {
				args := strings.Fields(c.args)
				golden(t, c.file+".json", p.must("", append(args, "--json")...))
				switch c.file {
				case "account-add", "account-hold", "account-block": // cannot be done twice
				default:
					golden(t, c.file+".txt", p.must("", args...))
				}
			}
			golden(t, "errors.csv", p.must("", "errors", "alice", "--csv"))
			golden(t, "queue-release.txt", p.must("", "queue", "release", "--all"))
			golden(t, "account-add.txt", p.must("", "account", "add", "carol", "--plan", "entry", "--email", "carol@example.com"))
		})
	}
}

func TestRefusals(t *testing.T) {
	p := newPlace(t)
	p.must("secret-of-alice", "account", "add", "alice", "--plan", "standard", "--email", "a@b", "--password-stdin")
	for _, c := range []struct {
		name, stdin, args string
		code              int
		say               string
	}{
		{"no command", "", "", exitUsage, "expected"},
		{"unknown command", "", "acount list", exitUsage, "acount"},
		{"unknown flag", "", "account list --jsn", exitUsage, "--jsn"},
		{"missing name", "", "account show", exitUsage, "name"},
		{"missing plan", "", "account add bob --email a@b", exitUsage, "--plan"},
		{"overage", "", "account add bob --plan entry --email a@b --overage never", exitUsage, "overage"},
		{"unknown account", "", "account show bob", exitFailed, `no account "bob"`},
		{"unknown account's usage", "", "usage bob", exitFailed, `no account "bob"`},
		{"name taken", "", "account add Alice --plan entry --email a@b", exitFailed, `an account "alice" already`},
		{"odd name", "", "account add a:b --plan entry --email a@b", exitFailed, "cannot be used"},
		{"unknown plan", "", "account add bob --plan gold --email a@b", exitFailed, "relayd plan list"},
		{"not an address", "", "account add bob --plan entry --email bob", exitFailed, "not an e-mail address"},
		{"unknown zone", "", "account add bob --plan entry --email a@b --zone Mars/Base", exitFailed, "Europe/Rome"},
		{"no password", "\n", "account add bob --plan entry --email a@b --password-stdin", exitFailed, "no password"},
		{"short password", "short\n", "account add bob --plan entry --email a@b --password-stdin", exitFailed, "at least 8"},
		{"release of one that is blocked", "", "account release blocked", exitFailed, "no account"},
		{"drop without saying what", "", "queue drop", exitFailed, "--all"},
		{"drop of all and some", "", "queue drop --all --domain x", exitFailed, "--all"},
		{"pace without saying what", "", "account set-pace alice", exitFailed, "--per-minute"},
		{"pace of two kinds", "", "account set-pace alice --per-minute 5 --default", exitUsage, "--default"},
		{"pace that cannot be", "", "account set-pace alice --per-minute=-1", exitFailed, "0 for no limit"},
		{"pace of an unknown account", "", "account set-pace bob --default", exitFailed, `no account "bob"`},
		{"queue of an unknown account", "", "queue list --account bob", exitFailed, `no account "bob"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := p.command(c.stdin, strings.Fields(c.args)...)
			if r.code != c.code || !strings.Contains(r.stderr, c.say) || r.stdout != "" {
				t.Errorf("code %d, %q, %q; want %d and %q", r.code, r.stdout, r.stderr, c.code, c.say)
			}
			if c.code == exitFailed && strings.Count(r.stderr, "\n") != 1 {
				t.Errorf("more than one sentence: %q", r.stderr)
			}
		})
	}
}

func TestStatusSteps(t *testing.T) {
	p := newPlace(t)
	p.must("secret-of-alice", "account", "add", "alice", "--plan", "standard", "--email", "a@b", "--password-stdin")
	for _, c := range []struct{ action, want string }{
		{"release", "active"}, {"hold", "held"}, {"hold", ""}, {"unblock", ""}, {"block", "blocked"}, {"block", ""}, {"release", ""}, {"unblock", "active"},
	} {
		r := p.command("", "account", c.action, "alice", "--json")
		var got api.AccountView
		if c.want == "" {
			if r.code != exitFailed || !strings.Contains(r.stderr, "possible only while") {
				t.Errorf("%s: %+v", c.action, r)
			}
			continue
		}
		if err := json.Unmarshal([]byte(r.stdout), &got); err != nil || got.Status != c.want {
			t.Errorf("%s: %q, want %s (%s)", c.action, got.Status, c.want, r.stderr)
		}
	}
	st := p.open()
	defer st.Close()
	alice, err := st.AccountByName(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	notices, err := st.Notices(t.Context(), alice.ID, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, n := range notices {
		kinds = append(kinds, n.Kind)
	}
	if got := strings.Join(kinds, " "); got != "held blocked unblocked" {
		t.Errorf("notices %q", got)
	}
}

// TestReleaseLetsHeldMailGo holds that mail accepted under a hold is due again.
func TestReleaseLetsHeldMailGo(t *testing.T) {
	p := newPlace(t)
	furnish(p)
	p.must("", "account", "hold", "alice")
	p.must("", "queue", "hold", "--account", "alice")
	var q api.QueueView
	read := func() api.QueueGroup {
		t.Helper()
		if err := json.Unmarshal([]byte(p.must("", "queue", "list", "--json")), &q); err != nil || len(q.Groups) != 1 {
			t.Fatalf("%v in %+v", err, q)
		}
		return q.Groups[0]
	}
	if g := read(); g.Held != 1 || g.Next != nil {
		t.Fatalf("not held: %+v", g)
	}
	p.must("", "account", "release", "alice")
	if g := read(); g.Held != 0 || g.Next == nil || g.Next.After(time.Now()) {
		t.Errorf("not released: %+v", g)
	}
}

// TestCommandsAtOnce takes turns on the folder of a stopped relay.
func TestCommandsAtOnce(t *testing.T) {
	p := newPlace(t)
	var wg sync.WaitGroup
	results := make([]result, 4)
	for i, name := range lines("user%d", len(results)) {
		wg.Go(func() {
			results[i] = p.command("secret-of-user\n", "account", "add", name, "--plan", "entry", "--email", "a@b", "--password-stdin")
		})
	}
	wg.Wait()
	for i, r := range results {
		if r.code != exitDone {
			t.Errorf("command %d: %+v", i, r)
		}
	}
	var all []api.AccountView
	if err := json.Unmarshal([]byte(p.must("", "account", "list", "--json")), &all); err != nil || len(all) != len(results) {
		t.Errorf("%d accounts, %v", len(all), err)
	}
}

func TestFlagsStandAnywhere(t *testing.T) {
	p := newPlace(t)
	for _, args := range [][]string{
		{"--data", p.data, "--config", p.config, "--json", "plan", "list"},
		{"plan", "--data", p.data, "list", "--config", p.config, "--json"},
		{"plan", "list", "--json", "--config=" + p.config, "--data=" + p.data},
	} {
		var out, errs strings.Builder
		if code := run(t.Context(), args, strings.NewReader(""), &out, &errs); code != exitDone || !strings.HasPrefix(out.String(), "[{") {
			t.Errorf("%v: code %d, %s%s", args, code, out.String(), errs.String())
		}
	}
}
