package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"servicesmtp.net/companion/e2e/world"
)

// refusedStart starts a companion that has to end at once, with exit code 1 and
// one sentence that says why and what to do, and names no file.
func refusedStart(w *world.World, parts ...string) {
	w.T.Helper()
	out, errs, code := w.Ctl("run")
	if code != 1 || out != "" {
		w.T.Errorf("exit code %d, output %q; want 1 and none", code, out)
	}
	last := world.Tail(errs, 1)
	if !containsAll(last, parts...) || strings.Contains(last, w.Dir) {
		w.T.Errorf("said %q, want %q and no path", last, parts)
	}
}

func TestReadOnlyFolderAtStart(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	w.Must("queue", "pause")
	to := []string{"kept@dst.invalid"}
	w.MustSend("me@example.com", to, world.Message("kept", 300_000))
	w.Companion.Stop(t)
	mend := w.ReadOnly(w.DataDir())
	refusedStart(w, "cannot be written", "Check the folder's permissions")
	mend()
	w.StartCompanion()
	w.Must("queue", "resume")
	w.Far.WaitRecipients(t, 1, 20*time.Second)
	w.Once(to)
}

// TestFolderBecomesReadOnly: what needs a file is refused for now, what waits
// still leaves, and all is well again by itself.
func TestFolderBecomesReadOnly(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	w.Must("queue", "pause")
	to := []string{"before@dst.invalid"}
	w.MustSend("me@example.com", to, world.Message("before", 300_000))
	mend := w.ReadOnly(w.DataDir())
	err := w.Send("me@example.com", []string{"during@dst.invalid"}, world.Message("during", 300_000))
	if err == nil || !strings.HasPrefix(err.Error(), "451") && !strings.HasPrefix(err.Error(), "452") {
		t.Fatalf("got %v, want 451 or 452", err)
	}
	s := w.Until(30*time.Second, "read-only", func(s world.Status) bool { return !s.Spool.OK })
	if s.State != "attention" || !strings.Contains(s.Spool.Sentence, "cannot be written") || s.Action == "" {
		t.Errorf("status %+v", s)
	}
	if !logHas(w, "level=ERROR", "spool") {
		t.Error("no log line")
	}
	mend()
	w.Until(20*time.Second, "well again by itself", func(s world.Status) bool { return s.Spool.OK })
	w.Must("queue", "resume")
	to = append(to, "after@dst.invalid")
	w.MustSend("me@example.com", to[1:], world.Message("after", 300_000))
	w.Far.WaitRecipients(t, 2, 20*time.Second)
	w.UntilIdle(10 * time.Second)
	w.Once(to)
}

// TestOneEnginePerSpool: a second one is refused in words while the first runs
// on, and after kill -9 the next starts at once.
func TestOneEnginePerSpool(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	refusedStart(w, "already running with this data folder", "companionctl stop")
	w.MustSend("me@example.com", []string{"first@dst.invalid"}, world.Message("first", 300))
	for i := range 3 {
		w.Companion.Kill()
		begun := time.Now()
		w.StartCompanion()
		t.Logf("start %d after kill -9: ready after %v", i+1, time.Since(begun).Round(time.Millisecond))
	}
	w.Far.WaitRecipients(t, 1, 20*time.Second)
	w.UntilIdle(10 * time.Second)
	w.Once([]string{"first@dst.invalid"})
}

// TestDamagedSpool: a database that is damaged while nobody runs is rebuilt by
// the next start, which says so until a person has seen it; what can be read is
// delivered.
func TestDamagedSpool(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	w.Must("queue", "pause")
	var to []string
	for i := range 5 {
		more := world.Addresses(60, fmt.Sprintf("d%d", i), "dst.invalid")
		w.MustSend("news@example.com", more, world.Message(fmt.Sprintf("letter %d", i), 60_000*i+500))
		to = append(to, more...)
	}
	damage := func() {
		t.Helper()
		w.Companion.Stop(t)
		path := w.DataDir() + "/spool/spool.db"
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		clear(data[:4096])
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	damage()
	w.StartCompanion()
	s := w.Status()
	if len(s.Notices) != 1 || s.Notices[0].Severity != "critical" || !containsAll(s.Notices[0].Body, "5 messages go on", "spool/quarantine/") {
		t.Errorf("notices %+v", s.Notices)
	}
	w.Must("queue", "resume")
	w.Far.WaitRecipients(t, len(to), 2*time.Minute) // a minute for what may have left before
	w.UntilIdle(20 * time.Second)
	w.Once(to)
	damage() // within minutes: the disk itself is bad
	refusedStart(w, "cannot be trusted", "Check this disk")
}
