package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func containsAll(s string, parts ...string) bool {
	for _, p := range parts {
		if !strings.Contains(s, p) {
			return false
		}
	}
	return true
}

// logHas says whether a log line of the companion has all the parts.
func (w *world) logHas(parts ...string) bool {
	text, err := os.ReadFile(w.companion.log)
	if err != nil {
		w.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if containsAll(line, parts...) {
			return true
		}
	}
	return false
}

// trouble hands one message in, expects the hold with its own sentence, mends
// the cause, and expects the message to leave once.
func (w *world) trouble(reason, sentence string, mend func()) {
	w.t.Helper()
	to := []string{"kept@dst.invalid"}
	w.mustSend("me@example.com", to, message(reason, 300))
	s := w.until(20*time.Second, reason, func(s status) bool { return s.holdReason() == reason })
	a := s.Accounts[0]
	if !strings.Contains(a.Sentence, sentence) || a.Action == "" || a.Messages != 1 {
		w.t.Errorf("%s: sentence %q, action %q, %d messages; want %q", reason, a.Sentence, a.Action, a.Messages, sentence)
	}
	if !strings.Contains(s.Sentence, sentence) {
		w.t.Errorf("%s: the whole says %q", reason, s.Sentence)
	}
	if !w.logHas("reason=" + reason) {
		w.t.Errorf("%s: no log line", reason)
	}
	if n := len(w.far.transactions()); n != 0 {
		w.t.Errorf("%s: %d transactions at the far server", reason, n)
	}
	mend()
	w.far.waitRecipients(w.t, 1, time.Minute)
	w.until(10*time.Second, "idle", func(s status) bool { return s.State == "idle" })
	w.once(to)
}

func TestWrongPassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	w.write("password", "not-the-password")
	w.trouble("credentials", "does not accept this account's name or password", func() { w.write("password", w.password) })
}

func TestUnreachableRelay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	w.relay.kill()
	w.trouble("unreachable", "cannot be reached", w.startRelay)
}

func TestUntrustedCertificate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	good, err := os.ReadFile(w.path("relay/ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	w.companion.stop(t)
	stranger := &world{t: t, dir: t.TempDir(), far: w.far}
	stranger.writeRelayConfig(free(t), free(t), free(t))
	stranger.startRelay() // another authority
	other, err := os.ReadFile(stranger.path("relay/ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	w.write("ca.pem", string(other))
	text, _ := os.ReadFile(w.path("companion.toml"))
	w.write("companion.toml", strings.Replace(string(text), w.path("relay/ca.pem"), w.path("ca.pem"), 1))
	w.opts.listen = w.smtp // startCompanion must not write the file again
	w.startCompanion()
	w.trouble("certificate", "certificate is not trusted", func() { w.write("ca.pem", string(good)) })
	if w.relayUsage() != 1 {
		t.Errorf("usage %d", w.relayUsage())
	}
}

func (w *world) relayUsage() int {
	w.t.Helper()
	var n int
	out := w.relayd("usage", "alice", "--json")
	i := strings.Index(out, `"emails":`)
	if i < 0 {
		w.t.Fatalf("relayd usage: %q", out)
	}
	fmt.Sscanf(strings.TrimSpace(out[i+len(`"emails":`):]), "%d", &n)
	return n
}

func TestFullQuota(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{plan: "unlimited-entry-month"}) // 9,000 e-mails, then cut off
	big := addresses(8990, "big", "dst.invalid")
	w.mustSend("news@example.com", big, message("fills the plan", 300))
	w.far.waitRecipients(t, len(big), 3*time.Minute)
	held := addresses(11, "held", "dst.invalid") // one more than is left
	w.mustSend("news@example.com", held, message("too many", 300))
	s := w.until(20*time.Second, "quota", func(s status) bool { return s.holdReason() == "quota" })
	a := s.Accounts[0]
	if !strings.Contains(a.Sentence, "plan's volume is used up") || a.Recipients != 11 || a.Hold.Until == nil || !strings.Contains(a.Hold.Reply, "SSMTP-QUOTA") {
		t.Errorf("account %+v hold %+v", a, a.Hold)
	}
	if !w.logHas("reason=quota") {
		t.Error("no log line")
	}
	if w.relayUsage() != 8990 {
		t.Errorf("usage %d: a refused batch was counted", w.relayUsage())
	}
	w.relayd("account", "set-plan", "alice", "unlimited-standard")
	w.must("queue", "retry")
	w.far.waitRecipients(t, len(big)+len(held), time.Minute)
	w.once(append(big, held...))
}

func TestBusyPort(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	w := newWorld(t, options{listen: taken.Addr().String()})
	s := w.until(10*time.Second, "busy port", func(s status) bool { return s.State == "attention" })
	l := s.Listen[0]
	if l.OK || !strings.Contains(l.Sentence, "in use") || l.Action == "" || l.Offered == "" || l.Offered == taken.Addr().String() {
		t.Errorf("listener %+v", l)
	}
	if !w.logHas("level=ERROR", "in use") {
		t.Error("no log line")
	}
	taken.Close()
	w.until(20*time.Second, "port free again", func(s status) bool { return s.Listen[0].OK })
	w.smtp = taken.Addr().String()
	w.mustSend("me@example.com", []string{"a@dst.invalid"}, message("after all", 100))
	w.far.waitRecipients(t, 1, 20*time.Second)
}

// TestFullDisk: the spool lies on a file system of 5 MB. Mounting needs root,
// as in CI; elsewhere a limit of the spool's size gives the same answers.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	o := options{data: t.TempDir()}
	mounted := os.Geteuid() == 0 && exec.Command("mount", "-t", "tmpfs", "-o", "size=5m", "tmpfs", o.data).Run() == nil
	if mounted {
		t.Cleanup(func() { exec.Command("umount", "-l", o.data).Run() })
	} else {
		o.settings = "[spool]\nmax_size = \"5MB\"\n"
	}
	w := newWorld(t, o)
	w.must("queue", "pause")
	var kept []string
	var refused error
	for i := range 40 {
		to := fmt.Sprintf("full%d@dst.invalid", i)
		if err := w.send("me@example.com", []string{to}, message("filling", 400_000)); err != nil {
			refused = err
			break
		}
		kept = append(kept, to)
	}
	if refused == nil || !strings.Contains(refused.Error(), "452") || len(kept) == 0 {
		t.Fatalf("%d taken, then %v; want 452", len(kept), refused)
	}
	s := w.until(10*time.Second, "full", func(s status) bool { return !s.Spool.OK })
	want := "The spool is full"
	if mounted {
		want = "The disk is full"
	}
	t.Logf("on a file system of its own: %v; %d messages taken before 452", mounted, len(kept))
	if s.State != "attention" || !strings.Contains(s.Spool.Sentence, want) || s.Action == "" {
		t.Errorf("status %+v", s)
	}
	if !w.logHas("level=ERROR", "spool") {
		t.Error("no log line")
	}
	w.must("queue", "resume")
	w.far.waitRecipients(t, len(kept), time.Minute)
	w.once(kept)
	if err := w.send("me@example.com", []string{"after@dst.invalid"}, message("there is room again", 100_000)); err != nil {
		t.Errorf("after the queue has left: %v", err)
	}
	w.far.waitRecipients(t, len(kept)+1, 20*time.Second)
	w.until(20*time.Second, "fine again", func(s status) bool { return s.Spool.OK && s.State == "idle" })
}
