package main

import (
	"encoding/json"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// withMail is a place whose relay writes to customers.
func withMail(t *testing.T) place {
	t.Helper()
	p := newPlace(t)
	text := strings.Replace(settings, "mail = false", "mail = true\nfrom = \"Relay <reports@relay.example>\"", 1)
	if err := os.WriteFile(p.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

// mails waits for so many messages in the maildir and reads them.
func (p place) mails(n int) (all []*mail.Message) {
	p.t.Helper()
	var files []string
	for end := time.Now().Add(time.Minute); len(files) < n; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatalf("%d mails, want %d", len(files), n)
		}
		var err error
		if files, err = filepath.Glob(filepath.Join(filepath.Dir(p.config), "out", "new", "*")); err != nil {
			p.t.Fatal(err)
		}
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			p.t.Fatal(err)
		}
		m, err := mail.ReadMessage(strings.NewReader(string(text)))
		if err != nil {
			p.t.Fatalf("%v in %s", err, text)
		}
		all = append(all, m)
	}
	return all
}

// TestNoticesLeaveAsMail: one written by a command while no relay runs leaves
// with the next one; one written while it runs leaves at once; each once.
func TestNoticesLeaveAsMail(t *testing.T) {
	p := withMail(t)
	p.must("secret-of-alice\n", "account", "add", "alice", "--plan", "standard", "--email", "alice@kunde.example", "--zone", "Europe/Rome", "--password-stdin")
	p.must("", "account", "hold", "alice")
	if list := p.must("", "account", "list"); strings.Contains(list, "service") {
		t.Errorf("the service's account is listed: %s", list)
	}
	r := p.serve()
	p.mails(1)
	p.must("", "account", "release", "alice")
	p.mails(2)
	r.end(syscall.SIGTERM)
	r = p.serve()
	r.end(syscall.SIGTERM)
	subjects := make(map[string]int)
	for _, m := range p.mails(2) {
		subjects[m.Header.Get("Subject")]++
		if m.Header.Get("Return-Path") != "<>" || m.Header.Get("From") != `"Relay" <reports@relay.example>` || m.Header.Get("To") != "<alice@kunde.example>" {
			t.Errorf("header %v", m.Header)
		}
	}
	if len(subjects) != 2 || subjects["Your mail is held (alice)"] != 1 || subjects["Your mail is delivered again (alice)"] != 1 {
		t.Errorf("mails %v", subjects)
	}
	if list := p.must("", "usage", "alice"); !strings.Contains(list, "0 of 50000") {
		t.Errorf("a notice was charged: %s", list)
	}
}

// TestTheServiceAccountStaysAsItIs: it cannot be logged in to, changed or
// named; its errors can be read.
func TestTheServiceAccountStaysAsItIs(t *testing.T) {
	p := newPlace(t)
	for _, c := range []struct{ args, say string }{
		{"account set-password @service", "own account"},
		{"account set-plan @service entry", "own account"},
		{"account hold @service", "own account"},
		{"account block @service", "own account"},
		{"usage @service", "own account"},
		{"account add @service --plan entry --email a@b.example", "cannot be used"},
	} {
		if r := p.command("", strings.Fields(c.args)...); r.code != exitFailed || !strings.Contains(r.stderr, c.say) {
			t.Errorf("%s: %+v", c.args, r)
		}
	}
	p.must("", "errors", "@service")
	p.must("", "account", "show", "@service")
}

func TestReportShow(t *testing.T) {
	p := newPlace(t)
	p.must("secret-of-alice\n", "account", "add", "alice", "--plan", "standard", "--email", "alice@kunde.example", "--password-stdin")
	st := p.open()
	alice, err := st.AccountByName(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	for query, args := range map[string][]any{
		`INSERT INTO usage_days (account_id, day, emails, bytes) VALUES ($1, '2026-02-01', 1200, 24000000)`:                                                              {alice.ID},
		`INSERT INTO events (account_id, message_id, recipient, status, code, enhanced, reply, at) VALUES ($1, 'M', 'gone@x.example', 'failed', 550, '5.1.1', 'no', $2)`: {alice.ID, time.Date(2026, 2, 2, 0, 0, 0, 0, time.UTC).UnixMicro()},
	} {
		if _, err := st.Writer().Exec(query, args...); err != nil {
			t.Fatal(err)
		}
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	golden(t, "report-show.txt", p.must("", "report", "show", "alice", "2026-02"))
	golden(t, "report-show.json", p.must("", "report", "show", "alice", "2026-02", "--json"))
	for args, say := range map[string]string{"alice 2026-03": "sent nothing", "alice 2026-13": "2026-11", "bob 2026-02": "no account", "@service 2026-02": "own account"} {
		if r := p.command("", append([]string{"report", "show"}, strings.Fields(args)...)...); r.code != exitFailed || !strings.Contains(r.stderr, say) {
			t.Errorf("%s: %+v", args, r)
		}
	}
}

// TestReportRun: what a dry run says is what a run does, once, whether the
// relay runs or not.
func TestReportRun(t *testing.T) {
	p := newPlace(t)
	p.must("secret-of-alice\n", "account", "add", "alice", "--plan", "standard", "--email", "alice@kunde.example", "--zone", "Europe/Rome", "--password-stdin")
	st := p.open()
	alice, err := st.AccountByName(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	begin, october, november := time.Date(2025, 3, 1, 9, 0, 0, 0, time.UTC), time.Date(2025, 9, 30, 22, 0, 0, 0, time.UTC), time.Date(2025, 10, 31, 23, 0, 0, 0, time.UTC)
	for _, e := range []struct {
		query string
		args  []any
	}{
		{`UPDATE subscriptions SET since = $1, starts_at = $1, ends_at = $2 WHERE account_id = $3`, []any{begin.UnixMicro(), begin.AddDate(10, 0, 0).UnixMicro(), alice.ID}},
		{`INSERT INTO usage_periods (account_id, period_start, period_end, emails, bytes) VALUES ($1, $2, $3, 60000, 1200000000)`, []any{alice.ID, october.UnixMicro(), november.UnixMicro()}},
		{`INSERT INTO usage_days (account_id, day, emails, bytes) VALUES ($1, '2025-10-20', 60000, 1200000000)`, []any{alice.ID}},
	} {
		if _, err := st.Writer().Exec(e.query, e.args...); err != nil {
			t.Fatal(err)
		}
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	golden(t, "report-run-dry.txt", p.must("", "report", "run", "--dry-run"))
	golden(t, "report-run-dry.json", p.must("", "report", "run", "alice", "--dry-run", "--json"))
	for args, say := range map[string]string{"bob": "no account", "@service": "own account", "--month 2025-13": "2026-11", "alice --again": "name both", "--again --month 2025-10": "name both"} {
		if r := p.command("", append([]string{"report", "run"}, strings.Fields(args)...)...); r.code != exitFailed || !strings.Contains(r.stderr, say) {
			t.Errorf("%s: %+v", args, r)
		}
	}
	if out := p.must("", "report", "run", "alice", "--month", "2025-09"); !strings.Contains(out, "sent: 0.") {
		t.Errorf("another month: %s", out)
	}
	golden(t, "report-run.txt", p.must("", "report", "run", "alice", "--month", "2025-10"))
	r := p.serve()
	if out := p.must("", "report", "run"); !strings.Contains(out, "closed: 0. Notices that were sent: 0.") {
		t.Errorf("a second time: %s", out)
	}
	if out := p.must("", "report", "run", "alice", "--month", "2025-10", "--again"); !strings.Contains(out, "sent: 1.") {
		t.Errorf("again: %s", out)
	}
	var month struct {
		ClosedAt *time.Time `json:"closed_at"`
		Percent  int64
		Bill     struct{ Tier string }
	}
	if err := json.Unmarshal([]byte(p.must("", "report", "show", "alice", "2025-10", "--json")), &month); err != nil || month.ClosedAt == nil || month.Percent != 240 || month.Bill.Tier != "2 GB" {
		t.Errorf("%+v, %v", month, err)
	}
	r.end(syscall.SIGTERM)
}
