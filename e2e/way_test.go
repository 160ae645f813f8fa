package e2e

import (
	"encoding/csv"
	"encoding/json"
	"net/smtp"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"servicesmtp.net/companion/e2e/world"
)

// TestNewsletterGoesOutInBatches is the main job: 500 recipients that swaks
// hands in in one transaction become ten of 50, each recipient once, the body
// the same in all.
func TestNewsletterGoesOutInBatches(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	to := world.Addresses(500, "news", "dst.invalid")
	data := strings.Replace(world.Message("five hundred", 20_000), "To: readers\r\n",
		"To: readers\r\nBcc: secret1@dst.invalid,\r\n\tsecret2@dst.invalid\r\nResent-Bcc: secret3@dst.invalid\r\n", 1)
	want := world.Message("five hundred", 20_000) + "\r\n" // swaks ends a message with an empty line of its own
	w.Write("news.eml", data)
	host, port, _ := strings.Cut(w.SMTP, ":")
	out, err := exec.CommandContext(t.Context(), "swaks", "--server", host, "--port", port, "--from", "news@example.com",
		"--to", strings.Join(to, ","), "--data", "@"+w.Path("news.eml")).CombinedOutput()
	if err != nil {
		t.Fatalf("swaks: %v\n%s", err, world.Tail(string(out), 10))
	}
	if n := strings.Count(string(out), "\n -> MAIL FROM"); n != 1 {
		t.Errorf("swaks needed %d transactions", n)
	}
	w.Far.WaitRecipients(t, 500, time.Minute)
	w.Once(to)

	all := w.Far.Transactions()
	if len(all) != 10 {
		t.Errorf("%d transactions, want 10", len(all))
	}
	var atRelay int // bytes as the relay received them: what arrived, less the relay's own Received
	for _, tx := range all {
		if len(tx.Recipients) != 50 {
			t.Errorf("%d recipients in a transaction, want 50", len(tx.Recipients))
		}
		if tx.From != "news@example.com" {
			t.Errorf("reverse-path %q was touched", tx.From)
		}
		received, rest := world.Content(tx.Data)
		if len(received) != 2 {
			t.Fatalf("%d Received fields in front, want the relay's and the companion's:\n%s", len(received), tx.Data[:300])
		}
		if rest != want {
			t.Errorf("content changed: %d bytes, want %d", len(rest), len(want))
		}
		for _, r := range received {
			if strings.Contains(r, " for ") || strings.Contains(strings.ToLower(r), "servicesmtp") {
				t.Errorf("Received gives something away: %q", r)
			}
		}
		if strings.Contains(tx.Data, "secret") {
			t.Error("a Bcc address was sent")
		}
		atRelay = len(tx.Data) - len(received[0])
	}

	var u struct {
		Emails, Bytes int64
		Stale         bool
	}
	if err := json.Unmarshal([]byte(w.Must("usage", "--json")), &u); err != nil {
		t.Fatal(err)
	}
	if u.Emails != 500 || u.Bytes != int64(500*atRelay) || u.Stale {
		t.Errorf("usage says %+v, want 500 e-mails and %d bytes", u, 500*atRelay)
	}
	s := w.Until(30*time.Second, "idle", func(s world.Status) bool { return s.State == "idle" })
	if s.Accounts[0].Recipients != 0 {
		t.Errorf("%d recipients still queued", s.Accounts[0].Recipients)
	}
}

// TestMailProgramsDeliverByteForByte hands mail in with real programs, with a
// login and without, and compares what arrives with what was handed in.
func TestMailProgramsDeliverByteForByte(t *testing.T) {
	t.Parallel()
	for _, auth := range []string{"off", "required"} {
		t.Run("auth "+auth, func(t *testing.T) {
			t.Parallel()
			w := world.New(t, world.Options{Auth: auth})
			var login struct{ User, Password, Address string }
			if err := json.Unmarshal([]byte(w.Must("connect", "--json")), &login); err != nil {
				t.Fatal(err)
			}
			if (auth == "required") != (login.Password != "") {
				t.Fatalf("auth %s, login %+v", auth, login)
			}
			host, port, _ := strings.Cut(w.SMTP, ":")
			w.Write("message.eml", world.Message("from a file", 5000))
			for _, c := range mailPrograms(w, host, port, login.User, login.Password) {
				before := len(w.Far.Transactions())
				cmd := exec.CommandContext(t.Context(), c.argv[0], c.argv[1:]...)
				cmd.Stdin = strings.NewReader(c.stdin)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("%s: %v\n%s", c.name, err, out)
					continue
				}
				w.Far.Wait(t, 20*time.Second, c.name, func(all []world.Transaction) bool { return len(all) > before })
				all := w.Far.Transactions()
				tx := all[len(all)-1]
				_, rest := world.Content(tx.Data)
				if c.want != "" && rest != c.want {
					t.Errorf("%s: content changed:\n got %q\nwant %q", c.name, clip(rest), clip(c.want))
				}
				if c.contains != "" && !strings.Contains(rest, c.contains) {
					t.Errorf("%s: %q is missing in %q", c.name, c.contains, clip(rest))
				}
				if !slices.Equal(tx.Recipients, []string{c.to}) {
					t.Errorf("%s: went to %v, want %s", c.name, tx.Recipients, c.to)
				}
			}
		})
	}
}

type handIn struct {
	name     string
	argv     []string
	stdin    string
	to       string
	want     string // the whole content, where the program sends a given file
	contains string // else a part of it
}

const smtplibScript = `
import smtplib, sys
host, port, user, password, to, path = sys.argv[1:]
s = smtplib.SMTP(host, int(port), timeout=30)
if password: s.login(user, password)
refused = s.sendmail("me@example.com", [to], open(path, "rb").read(), mail_options=["BODY=8BITMIME"])
s.quit()
sys.exit(1 if refused else 0)
`

// mailPrograms are the ways in that people use; each sends one message. The
// login is left out where there is none.
func mailPrograms(w *world.World, host, port, user, password string) []handIn {
	file, err := os.ReadFile(w.Path("message.eml"))
	if err != nil {
		w.T.Fatal(err)
	}
	text := string(file)
	swaks := []string{"swaks", "--silent", "2", "--server", host, "--port", port, "--from", "me@example.com", "--to", "swaks@dst.invalid", "--data", "@" + w.Path("message.eml")}
	msmtp := []string{"msmtp", "--file=/dev/null", "--host=" + host, "--port=" + port, "--from=me@example.com", "--tls=off", "--set-date-header=off", "--set-msgid-header=off"}
	curl := []string{"curl", "--silent", "--show-error", "smtp://" + host + ":" + port, "--mail-from", "me@example.com", "--mail-rcpt", "curl@dst.invalid", "--upload-file", w.Path("message.eml")}
	python := []string{"python3", "-c", smtplibScript, host, port, user, password, "smtplib@dst.invalid", w.Path("message.eml")}
	list := []handIn{
		{name: "swaks", argv: swaks, to: "swaks@dst.invalid", contains: "end of from a file\r\n"},
		{name: "msmtp", argv: append(msmtp, "--auth=off", "msmtp@dst.invalid"), stdin: strings.ReplaceAll(text, "\r\n", "\n"), to: "msmtp@dst.invalid", want: text},
		{name: "curl", argv: curl, to: "curl@dst.invalid", want: text},
		{name: "smtplib", argv: python, to: "smtplib@dst.invalid", want: text},
	}
	if password == "" {
		return append(list, handIn{name: "smtp-source", to: "source@dst.invalid", contains: "From: <src@example.com>",
			argv: []string{"smtp-source", "-m", "1", "-l", "3000", "-f", "src@example.com", "-t", "source@dst.invalid", host + ":" + port}})
	}
	list[0].argv = append(swaks, "--auth", "LOGIN", "--auth-user", user, "--auth-password", password)
	list[1].argv = append(msmtp, "--auth=plain", "--user="+user, "--passwordeval=printf %s '"+password+"'", "msmtp@dst.invalid")
	list[2].argv = append(curl, "--user", user+":"+password, "--login-options", "AUTH=PLAIN")
	return list
}

func clip(s string) string {
	if len(s) > 300 {
		return s[:150] + " … " + s[len(s)-150:]
	}
	return s
}

// TestWrongLocalPassword: a program that guesses gets nothing in.
func TestWrongLocalPassword(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{Auth: "required"})
	if err := w.Send("me@example.com", []string{"a@dst.invalid"}, world.Message("no login", 10)); err == nil || !strings.Contains(err.Error(), "530") {
		t.Errorf("without a login: got %v, want 530", err)
	}
	host, _, _ := strings.Cut(w.SMTP, ":")
	err := smtp.SendMail(w.SMTP, smtp.PlainAuth("", "companion", "wrong", host), "me@example.com", []string{"a@dst.invalid"}, []byte(world.Message("bad login", 10)))
	if err == nil || !strings.Contains(err.Error(), "535") {
		t.Errorf("wrong password: got %v, want 535", err)
	}
}

// TestRefusedRecipientIsReported: one bad address of many is listed with the
// far server's reply, the others get their mail.
func TestRefusedRecipientIsReported(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	to := append(world.Addresses(60, "some", "dst.invalid"), "refuse.me@dst.invalid")
	w.MustSend("news@example.com", to, world.Message("one bad", 500))
	w.Far.WaitRecipients(t, 60, time.Minute)
	w.Once(to[:60])
	var rows [][]string
	end := time.Now().Add(30 * time.Second)
	for len(rows) < 2 && time.Now().Before(end) {
		var err error
		if rows, err = csv.NewReader(strings.NewReader(w.Must("errors", "--csv"))).ReadAll(); err != nil {
			t.Fatal(err)
		}
	}
	if len(rows) != 2 || !slices.Equal(rows[0], []string{"address", "reason", "code", "reply", "at", "account", "source"}) {
		t.Fatalf("errors --csv: %q", rows)
	}
	got := rows[1]
	if got[0] != "refuse.me@dst.invalid" || got[2] != "550 5.1.1" || !strings.Contains(got[3], "no such user here") || got[1] == "" || got[6] != "recipient" {
		t.Errorf("row %q", got)
	}
	if out := w.Relayd("errors", "alice", "--csv"); !strings.Contains(out, "refuse.me@dst.invalid") || !strings.Contains(out, "no such user here") {
		t.Errorf("relayd errors: %q", out)
	}
}

// TestMaildirRoute is the sandbox's way out.
func TestMaildirRoute(t *testing.T) {
	t.Parallel()
	dir := t.TempDir() + "/mail"
	w := world.New(t, world.Options{Route: "maildir:" + dir})
	w.MustSend("me@example.com", []string{"a@dst.invalid", "b@dst.invalid"}, world.Message("to a folder", 100))
	end := time.Now().Add(20 * time.Second)
	var files []os.DirEntry
	for len(files) < 2 && time.Now().Before(end) {
		files, _ = os.ReadDir(dir + "/new")
		time.Sleep(50 * time.Millisecond)
	}
	if len(files) != 2 {
		t.Fatalf("%d files, want one for each recipient", len(files))
	}
	seen := map[string]bool{}
	for _, f := range files {
		text, err := os.ReadFile(dir + "/new/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(strings.ReplaceAll(string(text), "\r\n", "\n"), strings.ReplaceAll(world.Message("to a folder", 100), "\r\n", "\n")) {
			t.Errorf("content changed: %q", clip(string(text)))
		}
		for _, r := range []string{"a@dst.invalid", "b@dst.invalid"} {
			seen[r] = seen[r] || strings.Contains(string(text), "Delivered-To: "+r)
		}
	}
	if !seen["a@dst.invalid"] || !seen["b@dst.invalid"] {
		t.Errorf("not delivered to both: %v", seen)
	}
}

// TestCommandsWithoutAnEngine: the exit code tells a script what is wrong.
func TestCommandsWithoutAnEngine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"--data", dir, "status"}, 3, "companionctl run"},
		{[]string{"status", "--data", dir, "--json"}, 3, "companionctl run"},
		{[]string{"--data", dir, "queue", "list"}, 3, "companionctl run"},
		{[]string{"--data", dir, "nonsense"}, 2, "nonsense"},
		{[]string{"--data", dir, "status", "--nonsense"}, 2, "nonsense"},
	} {
		out, errs, code := world.Command(t.Context(), "companionctl", c.args...)
		if code != c.code || !strings.Contains(errs, c.says) || out != "" {
			t.Errorf("%v: exit code %d, want %d; stdout %q, stderr %q", c.args, code, c.code, out, errs)
		}
	}
}

// TestStopAndStart: what waits leaves after the next start, and both programs
// end with 0 when they are asked to.
func TestStopAndStart(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	w.Must("queue", "pause")
	w.MustSend("me@example.com", []string{"a@dst.invalid"}, world.Message("later", 100))
	if s := w.Status(); s.State != "paused" {
		t.Errorf("state %q after pause", s.State)
	}
	w.Must("stop")
	<-w.Companion.Done
	if code := w.Companion.Cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("companion ended with %d", code)
	}
	w.StartCompanion()
	if s := w.Status(); s.State != "paused" || s.Accounts[0].Messages != 1 {
		t.Errorf("a pause must survive a restart: %+v", s)
	}
	if n := len(w.Far.Transactions()); n != 0 {
		t.Errorf("%d transactions while paused", n)
	}
	w.Must("queue", "resume")
	w.Far.WaitRecipients(t, 1, 20*time.Second)
	if code := w.Relay.Stop(t); code != 0 {
		t.Errorf("relay ended with %d", code)
	}
	if code := w.Companion.Stop(t); code != 0 {
		t.Errorf("companion ended with %d", code)
	}
}

// TestSecondEngineOnOneFolder: two engines on one spool are impossible.
func TestSecondEngineOnOneFolder(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	_, errs, code := w.Ctl("run")
	if code != 1 || !strings.Contains(errs, "already") {
		t.Errorf("second engine: exit code %d, %q", code, errs)
	}
	if w.Status().State != "idle" {
		t.Error("the first engine no longer answers")
	}
	if out := w.Must("queue", "list", "--json"); !strings.Contains(out, `"jobs"`) {
		t.Errorf("queue list: %q", out)
	}
}
