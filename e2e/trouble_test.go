package e2e

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"servicesmtp.net/companion/e2e/world"
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
func logHas(w *world.World, parts ...string) bool {
	text, err := os.ReadFile(w.Companion.Log)
	if err != nil {
		w.T.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if containsAll(line, parts...) {
			return true
		}
	}
	return false
}

// factsKnown waits for what a companion that is to be cut off must know: a batch
// that is begun before it has learned the name of the relay's store, and cut
// off, is left to a person.
func factsKnown(w *world.World) {
	w.T.Helper()
	w.Until(time.Minute, "the relay's facts", func(world.Status) bool { return logHas(w, "the relay's reports are read", "part=facts") })
}

// trouble hands one message in, expects the hold with its own sentence, mends
// the cause, and expects the message to leave once.
func trouble(w *world.World, reason, sentence string, mend func()) {
	w.T.Helper()
	to := []string{"kept@dst.invalid"}
	w.MustSend("me@example.com", to, world.Message(reason, 300))
	s := w.Until(20*time.Second, reason, func(s world.Status) bool { return s.HoldReason() == reason })
	a := s.Accounts[0]
	if !strings.Contains(a.Sentence, sentence) || a.Action == "" || a.Messages != 1 {
		w.T.Errorf("%s: sentence %q, action %q, %d messages; want %q", reason, a.Sentence, a.Action, a.Messages, sentence)
	}
	if !strings.Contains(s.Sentence, sentence) {
		w.T.Errorf("%s: the whole says %q", reason, s.Sentence)
	}
	if !logHas(w, "reason="+reason) {
		w.T.Errorf("%s: no log line", reason)
	}
	if n := len(w.Far.Transactions()); n != 0 {
		w.T.Errorf("%s: %d transactions at the far server", reason, n)
	}
	mend()
	w.Far.WaitRecipients(w.T, 1, time.Minute)
	w.UntilIdle(10 * time.Second)
	w.Once(to)
}

func TestWrongPassword(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	w.Write("password", "not-the-password")
	trouble(w, "credentials", "does not accept this account's name or password", func() { w.Write("password", w.Password) })
}

func TestUnreachableRelay(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	w.Relay.Kill()
	trouble(w, "unreachable", "cannot be reached", w.StartRelay)
}

func TestUntrustedCertificate(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	w.Companion.Stop(t)
	trust := w.Distrust()
	w.Opts.Listen = w.SMTP // StartCompanion must not write the file again
	w.StartCompanion()
	trouble(w, "certificate", "certificate is not trusted", trust)
	if relayUsage(w) != 1 {
		t.Errorf("usage %d", relayUsage(w))
	}
}

func relayUsage(w *world.World) int {
	w.T.Helper()
	var n int
	out := w.Relayd("usage", "alice", "--json")
	i := strings.Index(out, `"emails":`)
	if i < 0 {
		w.T.Fatalf("relayd usage: %q", out)
	}
	fmt.Sscanf(strings.TrimSpace(out[i+len(`"emails":`):]), "%d", &n)
	return n
}

func TestFullQuota(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{Plan: "unlimited-entry-month"}) // 9,000 e-mails, then cut off
	big := world.Addresses(8990, "big", "dst.invalid")
	w.MustSend("news@example.com", big, world.Message("fills the plan", 300))
	w.Far.WaitRecipients(t, len(big), 3*time.Minute)
	held := world.Addresses(11, "held", "dst.invalid") // one more than is left
	w.MustSend("news@example.com", held, world.Message("too many", 300))
	s := w.Until(20*time.Second, "quota", func(s world.Status) bool { return s.HoldReason() == "quota" })
	a := s.Accounts[0]
	if !strings.Contains(a.Sentence, "plan's volume is used up") || a.Recipients != 11 || a.Hold.Until == nil || !strings.Contains(a.Hold.Reply, "SSMTP-QUOTA") {
		t.Errorf("account %+v hold %+v", a, a.Hold)
	}
	if !logHas(w, "reason=quota") {
		t.Error("no log line")
	}
	if relayUsage(w) != 8990 {
		t.Errorf("usage %d: a refused batch was counted", relayUsage(w))
	}
	w.Relayd("account", "set-plan", "alice", "unlimited-standard", "--free")
	w.Must("queue", "retry")
	w.Far.WaitRecipients(t, len(big)+len(held), time.Minute)
	w.Once(append(big, held...))
}

func TestBusyPort(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", world.Free(t))
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	w := world.New(t, world.Options{Listen: taken.Addr().String()})
	s := w.Until(30*time.Second, "busy port", func(s world.Status) bool { return s.State == "attention" })
	l := s.Listen[0]
	if l.OK || !strings.Contains(l.Sentence, "in use") || l.Action == "" || l.Offered == "" || l.Offered == taken.Addr().String() {
		t.Errorf("listener %+v", l)
	}
	if !logHas(w, "level=ERROR", "in use") {
		t.Error("no log line")
	}
	taken.Close()
	w.Until(20*time.Second, "port free again", func(s world.Status) bool { return s.Listen[0].OK })
	w.SMTP = taken.Addr().String()
	w.MustSend("me@example.com", []string{"a@dst.invalid"}, world.Message("after all", 100))
	w.Far.WaitRecipients(t, 1, 20*time.Second)
}

// TestFullDisk: the spool lies on a disk of 5 MB.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	var o world.Options
	mounted := o.SmallDisk(t)
	w := world.New(t, o)
	w.Must("queue", "pause")
	var kept []string
	var refused error
	for i := range 40 {
		to := fmt.Sprintf("full%d@dst.invalid", i)
		if err := w.Send("me@example.com", []string{to}, world.Message("filling", 400_000)); err != nil {
			refused = err
			break
		}
		kept = append(kept, to)
	}
	if refused == nil || !strings.Contains(refused.Error(), "452") || len(kept) == 0 {
		t.Fatalf("%d taken, then %v; want 452", len(kept), refused)
	}
	s := w.Until(30*time.Second, "full", func(s world.Status) bool { return !s.Spool.OK })
	want := "The spool is full"
	if mounted {
		want = "The disk is full"
	}
	t.Logf("on a file system of its own: %v; %d messages taken before 452", mounted, len(kept))
	if s.State != "attention" || !strings.Contains(s.Spool.Sentence, want) || s.Action == "" {
		t.Errorf("status %+v", s)
	}
	if !logHas(w, "level=ERROR", "spool") {
		t.Error("no log line")
	}
	w.Must("queue", "resume")
	w.Far.WaitRecipients(t, len(kept), time.Minute)
	w.Once(kept)
	for _, tx := range w.Far.Transactions() {
		if _, rest := world.Content(tx.Data); rest != world.Message("filling", 400_000) {
			t.Errorf("a kept message has changed: %d bytes", len(rest))
		}
	}
	w.Until(20*time.Second, "fine again by itself", func(s world.Status) bool { return s.Spool.OK && s.State == "idle" })
	if err := w.Send("me@example.com", []string{"after@dst.invalid"}, world.Message("there is room again", 100_000)); err != nil {
		t.Errorf("after the queue has left: %v", err)
	}
	w.Far.WaitRecipients(t, len(kept)+1, 20*time.Second)
}
