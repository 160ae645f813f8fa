package main

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/mail"
)

func newsletter() app.JobState {
	return app.JobState{
		ID: "01KABCDEFGHJKMNPQRSTVWXYZ0", Account: "office", Lane: "bulk", From: "news@example.com", Size: 20480,
		AcceptedAt: now.Add(-30 * time.Second), Recipients: 500, Batches: 10, BatchesDone: 3,
		Counts: app.Counts{Queued: 350, Accepted: 150}, State: "sending", FinishAt: &soon,
	}
}

// sending is the example of docs/json.md.
func sending() app.State {
	return app.State{
		Seq: 41, At: now.UTC(), Version: "0.1.0", Mood: app.MoodSending,
		Sentence: "Sending: 350 recipients are left, done at 10:00.",
		Listen:   []app.ListenState{{Address: "127.0.0.1:2525", OK: true}, {Address: "[::1]:2525", OK: true}},
		Accounts: []app.AccountState{{
			Name: "office", User: "alice", Mood: app.MoodSending, Sentence: "Sending: 350 recipients are left.",
			Messages: 1, Recipients: 350, Sending: 1, Pace: app.PaceState{PerMinute: 600, NextAt: &next}, FinishAt: &soon,
			Endpoint: "starttls://relay.example:587",
			Quota:    &app.QuotaState{Plan: "standard", Emails: 150, EmailsLimit: 50000, Bytes: 3_000_000, BytesLimit: 500_000_000, Reset: now.AddDate(0, 0, 6), AsOf: now.Add(-20 * time.Second)},
		}},
		Spool: app.SpoolState{OK: true, Bytes: 20480, MaxBytes: 5_000_000_000},
		Jobs:  []app.JobState{newsletter()},
	}
}

// trouble is a state in which a person must act, with words from outside.
func trouble() app.State {
	s := sending()
	s.Seq, s.Mood, s.Sentence, s.Action = 42, app.MoodAttention, "Port 2525 is taken by another program.", "End it, or choose another port in the settings."
	s.Listen = []app.ListenState{{Address: "127.0.0.1:2525", Sentence: "Port 2525 is taken by another program.", Offered: "127.0.0.1:2526"}}
	until := now.AddDate(0, 0, 6)
	s.Accounts[0].Mood, s.Accounts[0].Sentence, s.Accounts[0].Action = app.MoodAttention, "The plan's volume is used up.", "Upgrade the plan."
	s.Accounts[0].Hold = &app.HoldState{Reason: mail.HoldQuota, Since: now, Until: &until, Reply: "550 5.7.1 SSMTP-QUOTA \x1b[31mred"}
	s.Accounts = append(s.Accounts, app.AccountState{Name: "Büro", User: "bob", Mood: app.MoodIdle, Sentence: "Everything is sent."})
	s.Spool = app.SpoolState{Sentence: "The disk is full.", Action: "Make room."}
	s.LastMail = &app.LastMail{At: now.Add(-time.Hour), Recipients: 1}
	s.Certificate = &app.CertificateState{File: "/data/local-ca.pem", ValidUntil: now.AddDate(10, 0, 0), Sentence: "The certificate was renewed.", Action: "Give it on."}
	s.Refused = &app.Refused{At: now, Reason: "wrong_password", Address: "127.0.0.1:2525", Family: "ipv4", Hello: "pc\x1b", Sentence: "“pc\x1b” came with a wrong password, at 10:00.", Action: "Enter the right one."}
	s.Jobs[0].From = ""
	return s
}

func TestStatus(t *testing.T) {
	f := newFake()
	f.state = sending()
	s := newSession(t, f)
	golden(t, "status.txt", s.must(exitDone, "status"))
	golden(t, "status.json", s.must(exitDone, "status", "--json"))
	f.state = trouble()
	golden(t, "trouble.txt", s.must(exitAttention, "status"))
	golden(t, "trouble.json", s.must(exitAttention, "status", "--json"))
	f.state = app.State{Mood: app.MoodAttention, Sentence: "No account is set up yet.", Action: "Enter your account with: companionctl account set", Spool: app.SpoolState{OK: true}}
	golden(t, "empty.txt", s.must(exitAttention, "status"))
}

func TestColoursAreNeverAlone(t *testing.T) {
	f := newFake()
	f.state = trouble()
	s := newSession(t, f)
	plain := s.must(exitAttention, "status")
	s.person.colour = true
	coloured := s.must(exitAttention, "status")
	if strings.Contains(plain, "\x1b") || !strings.Contains(coloured, "\x1b[1;31m") {
		t.Errorf("plain %q\ncoloured %q", plain, coloured)
	}
	if got := strings.NewReplacer("\x1b[1;31m", "", "\x1b[0m", "").Replace(coloured); got != plain {
		t.Errorf("without its colours the text differs:\n%q\n%q", got, plain)
	}
}

func TestWatch(t *testing.T) {
	f := newFake()
	f.state = sending()
	half := sending()
	half.Seq, half.Jobs[0].Counts = 42, app.Counts{Queued: 100, Accepted: 390, Deferred: 10}
	done := sending()
	done.Seq, done.Mood, done.Sentence, done.Jobs = 43, app.MoodIdle, "Ready. Nothing waits to be sent.", []app.JobState{}
	f.states = []app.State{half, done, done}
	s := newSession(t, f)
	golden(t, "watch.txt", s.must(exitDone, "status", "--watch"))

	var lines []string
	for line := range strings.Lines(s.must(exitDone, "status", "--watch", "--json")) {
		var state app.State
		if err := json.Unmarshal([]byte(line), &state); err != nil {
			t.Errorf("%v in %q", err, line)
		}
		lines = append(lines, line)
	}
	if len(lines) != 4 {
		t.Errorf("%d lines for 4 states", len(lines))
	}

	s.person.moves = true
	moving := s.must(exitDone, "status", "--watch")
	golden(t, "watch-terminal.txt", strings.ReplaceAll(strings.ReplaceAll(moving, "\x1b[K", "<clear>"), "\r", "<return>"))
	s.person.width = func() int { return 24 }
	for part := range strings.SplitSeq(s.must(exitDone, "status", "--watch"), "\r\x1b[K") {
		if line, _, _ := strings.Cut(part, "\n"); len([]rune(line)) > 23 {
			t.Errorf("%q does not fit 24 columns and would scroll", line)
		}
	}
}

func TestQueue(t *testing.T) {
	f := newFake()
	s := newSession(t, f)
	golden(t, "queue-empty.txt", s.must(exitDone, "queue", "list")+s.must(exitDone, "queue", "list", "--all"))
	if got := s.must(exitDone, "queue", "list", "--json"); got != "{\"jobs\":[]}\n" {
		t.Errorf("an empty list must be a list: %s", got)
	}
	old := newsletter()
	old.ID, old.From, old.State, old.FinishAt = "01KABCDEFGHJKMNPQRSTVWXYZ1", "täglich@example.com", "done", nil
	old.Counts = app.Counts{Accepted: 490, Failed: 10}
	report := newsletter()
	report.ID, report.From, report.ReportTo, report.ReportOf, report.Lane = "01KABCDEFGHJKMNPQRSTVWXYZ9", "", "news@example.com", old.ID, "personal"
	f.jobs = []app.JobPage{{Jobs: []app.JobState{report, newsletter(), old}, Next: "c2"}}
	golden(t, "queue.txt", s.must(exitDone, "queue", "list"))
	golden(t, "queue.json", s.must(exitDone, "queue", "list", "--json", "--account", "office", "--limit", "2", "--cursor", "c1"))

	f.detail = app.JobDetail{JobState: newsletter(), Next: "c2", List: []app.RecipientState{
		{Address: "a@b.example", Batch: 1, Status: "accepted", Code: "250 2.0.0", Reply: "250 2.0.0 queued as 7", At: now},
		{Address: "x\x1b]0;owned\x07@b.example", Batch: 2, Status: "failed", Code: "550 5.1.1", Reply: "no such\r\nuser", At: now.AddDate(-1, 0, 0)},
		{Address: "c@b.example", Batch: 3, Status: "queued"},
	}}
	f.detail.Report = &app.ReportState{Job: "01KABCDEFGHJKMNPQRSTVWXYZ9", At: now}
	f.detail.Counts, f.detail.LastReply = app.Counts{Queued: 348, Accepted: 150, Failed: 1, Uncertain: 1}, "451 later"
	id := string(f.detail.ID)
	golden(t, "job.txt", s.must(exitDone, "queue", "show", id))
	golden(t, "job.json", s.must(exitDone, "queue", "show", "--json", id))
	if _, errs, code := s.ctl("queue", "show", "01KNONE"); code != exitFailed || errs != "There is no such message.\n" {
		t.Errorf("exit code %d, %q", code, errs)
	}
	want := []string{
		"Jobs {Account: Open:true Cursor: Limit:100}", "Jobs {Account: Open:false Cursor: Limit:100}", "Jobs {Account: Open:true Cursor: Limit:100}",
		"Jobs {Account: Open:true Cursor: Limit:100}", "Jobs {Account:office Open:true Cursor:c1 Limit:2}",
		"Job " + id + ` "" 100`, "Job " + id + ` "" 100`, `Job 01KNONE "" 100`,
	}
	if diff := cmp.Diff(want, f.asked()); diff != "" {
		t.Error(diff)
	}
}

func TestQueueChanges(t *testing.T) {
	f := newFake()
	f.detail = app.JobDetail{JobState: newsletter()}
	id := string(f.detail.ID)
	s := newSession(t, f)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"queue", "pause"}, `Pause ""`},
		{[]string{"queue", "pause", "--account", "office"}, `Pause "office"`},
		{[]string{"queue", "resume"}, `Resume ""`},
		{[]string{"queue", "retry"}, `Retry ""`},
		{[]string{"queue", "retry", id}, `Retry "` + id + `"`},
		{[]string{"queue", "cancel", "--yes", id}, `Cancel "` + id + `"`},
		{[]string{"queue", "resolve", id, "3", "--send-again"}, `Resolve "` + id + `" 3 true`},
		{[]string{"queue", "resolve", id, "3", "--leave"}, `Resolve "` + id + `" 3 false`},
	} {
		for _, form := range [][]string{c.args, append([]string{"--json"}, c.args...)} {
			if form[0] == "--json" {
				form = append(append([]string{}, c.args...), "--json")
			}
			f.calls = nil
			out := s.must(exitDone, form...)
			if diff := cmp.Diff([]string{c.want}, f.asked()); diff != "" {
				t.Errorf("%v: %s", form, diff)
			}
			if len(form) > len(c.args) && out != "{\"ok\":true}\n" || strings.TrimSpace(out) == "" {
				t.Errorf("%v says %q", form, out)
			}
		}
	}
	f.err = &app.UserError{Sentence: "The message is done already.", Action: "See: companionctl queue show"}
	for _, verb := range []string{"cancel --yes", "retry", "resolve --leave"} {
		args := append([]string{"queue"}, strings.Fields(verb)...)
		args = append(args, id)
		if strings.HasPrefix(verb, "resolve") {
			args = append(args, "1")
		}
		if _, errs, code := s.ctl(args...); code != exitFailed || errs != "The message is done already. See: companionctl queue show\n" {
			t.Errorf("%v: exit code %d, %q", args, code, errs)
		}
	}
}

// TestNothingIsTakenBackUnasked: on a terminal a person confirms, elsewhere
// --yes does.
func TestNothingIsTakenBackUnasked(t *testing.T) {
	f := newFake()
	f.detail = app.JobDetail{JobState: newsletter()}
	f.accounts = []app.AccountInfo{{Name: "office"}}
	s := newSession(t, f)
	for _, args := range [][]string{{"queue", "cancel", string(f.detail.ID)}, {"account", "forget", "office"}} {
		for _, c := range []struct {
			asks   bool
			answer string
			code   int
		}{
			{false, "yes\n", exitUsage}, {true, "", exitFailed}, {true, "n\n", exitFailed}, {true, "\n", exitFailed}, {true, "yes\n", exitDone}, {true, "Y\n", exitDone},
		} {
			f.calls = nil
			s.person.asks, s.in = c.asks, c.answer
			_, errs, code := s.ctl(args...)
			changed := strings.Contains(strings.Join(f.asked(), " "), "Cancel") || strings.Contains(strings.Join(f.asked(), " "), "Forget")
			if code != c.code || changed != (c.code == exitDone) {
				t.Errorf("%v answered %q: exit code %d, want %d; changed %v; %s", args, c.answer, code, c.code, changed, errs)
			}
			if c.asks && !strings.Contains(errs, "[y/N]") {
				t.Errorf("%v does not ask: %q", args, errs)
			}
		}
	}
}

func TestUsage(t *testing.T) {
	f := newFake()
	s := newSession(t, f)
	golden(t, "usage-none.txt", s.must(exitDone, "usage"))
	if got := s.must(exitDone, "usage", "--json"); got != "[]\n" {
		t.Errorf("got %s", got)
	}
	f.accounts = []app.AccountInfo{{Name: "office"}}
	f.usage["office"] = app.Usage{
		Account: "office", Plan: "standard", From: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC),
		Emails: 500, Bytes: 10_240_000, EmailsLimit: 50_000, BytesLimit: 500_000_000,
		Days: []app.UsageDay{{Day: "2026-11-24", Emails: 12_345, Bytes: 1}, {Day: "2026-11-25", Emails: 500, Bytes: 10_240_000}}, AsOf: now.UTC(),
	}
	golden(t, "usage.txt", s.must(exitDone, "usage"))
	golden(t, "usage.json", s.must(exitDone, "usage", "--json"))
	f.accounts = append(f.accounts, app.AccountInfo{Name: "home"})
	f.usage["home"] = app.Usage{Account: "home", Plan: "unlimited-entry", From: now, To: now.AddDate(0, 1, 0), EmailsLimit: 9000, AsOf: now.Add(-time.Hour), Stale: true}
	golden(t, "usage-two.txt", s.must(exitDone, "usage"))
	var both []app.Usage
	if err := json.Unmarshal([]byte(s.must(exitDone, "usage", "--json")), &both); err != nil || len(both) != 2 {
		t.Errorf("several accounts must be a list: %v", err)
	}
	var one app.Usage
	if err := json.Unmarshal([]byte(s.must(exitDone, "usage", "--json", "--account", "home")), &one); err != nil || one.Account != "home" {
		t.Errorf("a named account is one value: %v", err)
	}
}

func TestErrors(t *testing.T) {
	f := newFake()
	s := newSession(t, f)
	golden(t, "errors-none.txt", s.must(exitDone, "errors"))
	f.errors[""] = app.ErrorPage{Next: "p2", Errors: []app.AddressError{
		{At: now.UTC(), Account: "office", Address: "nobody@b.example", Code: "550 5.1.1", Reason: "The address does not exist.", Action: "Check how the address is written.", Reply: "550 5.1.1 no, \"never\"\r\nhere", Source: "recipient", Job: "01K"},
		{At: now.UTC(), Account: "office", Address: "=cmd|' /C calc'!A0@b.example", Code: "554", Reason: "The server refused it for good.", Reply: "@SUM(1)", Source: "relay"},
	}}
	f.errors["p2"] = app.ErrorPage{Stale: true, Errors: []app.AddressError{{At: now.AddDate(-1, 0, 0).UTC(), Address: "+1@b.example", Reply: "-2"}}}
	golden(t, "errors.txt", s.must(exitDone, "errors", "--search", "b.ex", "--account", "office"))
	golden(t, "errors.csv", s.must(exitDone, "errors", "--csv"))
	golden(t, "errors.json", s.must(exitDone, "errors", "--json"))
	if got, want := f.asked()[1], "Errors {Account:office Search:b.ex Cursor: Limit:50}"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	rows, err := csv.NewReader(strings.NewReader(s.must(exitDone, "errors", "--csv"))).ReadAll()
	if err != nil || len(rows) != 4 {
		t.Fatalf("%v, %d rows", err, len(rows))
	}
	for _, row := range rows[1:] {
		for _, cell := range row {
			if cell != "" && strings.ContainsAny(cell[:1], "=+-@|%\t\r") {
				t.Errorf("a spreadsheet would calculate %q", cell)
			}
		}
	}
}

func TestConnect(t *testing.T) {
	f := newFake()
	s := newSession(t, f)
	if out := s.must(exitAttention, "connect"); !strings.Contains(out, "companionctl status") {
		t.Errorf("no advice: %q", out)
	}
	f.login = app.Login{Address: "127.0.0.1:2525", All: []string{"127.0.0.1:2525", "[::1]:2525"}, User: "companion", Password: "abc-def", Auth: "required"}
	golden(t, "connect.txt", s.must(exitDone, "connect"))
	golden(t, "connect.json", s.must(exitDone, "connect", "--json"))
	f.login = app.Login{Address: "127.0.0.1:2525", Auth: "off"}
	golden(t, "connect-off.txt", s.must(exitDone, "connect"))
	f.login = app.Login{Address: "127.0.0.1:2525", All: []string{"127.0.0.1:2525", "127.0.0.1:4650"}, TLS: []string{"127.0.0.1:4650"}, CAFile: "/data/local-ca.pem", User: "companion", Password: "abc-def", Auth: "required"}
	golden(t, "connect-tls.txt", s.must(exitDone, "connect"))
	golden(t, "connect-tls.json", s.must(exitDone, "connect", "--json"))
	f.login = app.Login{Address: "127.0.0.1:4650", All: []string{"127.0.0.1:4650"}, TLS: []string{"127.0.0.1:4650"}, CAFile: "/data/local-ca.pem", Auth: "off"}
	golden(t, "connect-only-tls.txt", s.must(exitDone, "connect"))
}

func TestCertificate(t *testing.T) {
	f := newFake()
	s := newSession(t, f)
	f.cert = app.Certificate{File: "/data/local-ca.pem", PEM: "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"}
	if got := s.must(exitDone, "certificate"); got != f.cert.PEM {
		t.Errorf("got %q", got)
	}
	path := filepath.Join(t.TempDir(), "ca.pem")
	out := s.must(exitDone, "certificate", "-o", path)
	if text, err := os.ReadFile(path); err != nil || string(text) != f.cert.PEM || !strings.Contains(out, "trusts") {
		t.Errorf("wrote %q, %v; said %q", text, err, out)
	}
	if _, errs, code := s.ctl("certificate", "-o", filepath.Join(path, "no-folder")); code != exitFailed || !strings.Contains(errs, "cannot be written") {
		t.Errorf("%d, %q", code, errs)
	}
	f.err = &app.UserError{Sentence: "There is no port with encryption."}
	if _, errs, code := s.ctl("certificate"); code != exitFailed || errs != "There is no port with encryption.\n" {
		t.Errorf("%d, %q", code, errs)
	}
}
