package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"servicesmtp.net/companion/e2e/world"
)

// TestSyncsBeforeEvery250 watches the system calls: before the companion says
// 250 to a message, its body is synced, named and the folder synced where it is
// a file, and in each case the log that holds its row is.
func TestSyncsBeforeEvery250(t *testing.T) {
	t.Parallel()
	o := world.Options{Trace: filepath.Join(t.TempDir(), "trace")}
	w := world.New(t, o)
	w.Must("queue", "pause")
	sizes := []int{500, 20_000, 100_000, 200_000, 1_000_000}
	const connections = 4
	var sending sync.WaitGroup
	for c := range connections {
		sending.Go(func() {
			for i, size := range sizes {
				subject := fmt.Sprintf("traced-%d-%d", c, i)
				if err := w.Send("me@example.com", []string{subject + "@dst.invalid"}, world.Message(subject, size)); err != nil {
					t.Errorf("hand in %s: %v", subject, err)
				}
			}
		})
	}
	sending.Wait()
	if code := w.Companion.Stop(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	calls := readTrace(t, o.Trace)
	ids := acknowledged(calls)
	if want := connections * len(sizes); len(ids) != want {
		t.Fatalf("%d messages were acknowledged, want %d", len(ids), want)
	}
	files := 0
	for id, at := range ids {
		inFile, err := synced(calls[:at], id)
		if err != nil {
			t.Errorf("message %s: %v before its 250", id, err)
		}
		if inFile {
			files++
		}
	}
	if want := connections * 2; files != want {
		t.Errorf("%d bodies in files, want %d", files, want)
	}
}

// call is a system call. A call that others overlap stands twice: where it
// began, and where it ended.
type call struct {
	name, args   string
	begun, ended bool
}

var (
	traceLine    = regexp.MustCompile(`^(\d+) +(\w+)\((.*)$`)
	traceResumed = regexp.MustCompile(`^(\d+) +<\.\.\. (\w+) resumed>(.*)$`)
)

// readTrace reads what strace -f wrote, in order.
func readTrace(t *testing.T, path string) (calls []call) {
	t.Helper()
	var text []byte
	for end := time.Now().Add(30 * time.Second); !strings.Contains(lastLine(text), "+++ exited"); time.Sleep(50 * time.Millisecond) {
		var err error
		if text, err = os.ReadFile(path); err != nil || time.Now().After(end) {
			t.Fatalf("the trace does not end: %v", err)
		}
	}
	open := make(map[string]string) // arguments of what has not ended, by thread
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if m := traceResumed.FindStringSubmatch(line); m != nil {
			if strings.Contains(m[3], "= -1 ") {
				continue
			}
			calls = append(calls, call{name: m[2], args: open[m[1]] + m[3], ended: true})
			continue
		}
		m := traceLine.FindStringSubmatch(line)
		if m == nil || strings.Contains(m[3], "= -1 ") {
			continue
		}
		c := call{name: m[2], args: m[3], begun: true, ended: true}
		if args, unfinished := strings.CutSuffix(c.args, "<unfinished ...>"); unfinished {
			open[m[1]] = args
			c.ended = false
		}
		calls = append(calls, c)
	}
	return calls
}

func lastLine(text []byte) string { return world.Tail(string(text), 1) }

var queued = regexp.MustCompile(`250 2\.0\.0 queued as (\w+)`)

// acknowledged finds where each message's 250 was written.
func acknowledged(calls []call) map[string]int {
	ids := make(map[string]int)
	for i, c := range calls {
		if m := queued.FindStringSubmatch(c.args); m != nil && c.begun && strings.Contains(c.args, "<socket:") {
			ids[m[1]] = i
		}
	}
	return ids
}

// synced follows a message through the calls up to its 250, backwards from the
// sync of the log: everything that it needs has ended before the next begins.
func synced(calls []call, id string) (inFile bool, err error) {
	part, body := "/bodies/"+id+".part", "/bodies/"+id
	find := func(from int, ok func(c call) bool) int {
		for i := from; i < len(calls); i++ {
			if ok(calls[i]) {
				return i
			}
		}
		return -1
	}
	at := 0
	if find(0, func(c call) bool { return c.name == "openat" && strings.Contains(c.args, part) }) >= 0 {
		inFile = true
		for i, c := range calls {
			if isWrite(c) && c.ended && strings.Contains(c.args, part+">") {
				at = i // its last write
			}
		}
		for _, step := range []struct {
			what string
			ok   func(c call) bool
		}{
			{"no sync of its body", func(c call) bool { return isSync(c) && strings.Contains(c.args, part+">") }},
			{"no name for its body", func(c call) bool {
				return strings.HasPrefix(c.name, "rename") && strings.Contains(c.args, part+`"`) && strings.Contains(c.args, body+`"`)
			}},
			{"no sync of the folder", func(c call) bool { return isSync(c) && strings.Contains(c.args, "/bodies>") }},
		} {
			if at = find(at+1, func(c call) bool { return c.begun && step.ok(c) }); at < 0 {
				return inFile, fmt.Errorf("%s", step.what)
			}
			if at = find(at, func(c call) bool { return c.ended && step.ok(c) }); at < 0 {
				return inFile, fmt.Errorf("%s", step.what)
			}
		}
	}
	isLog := func(c call) bool { return strings.Contains(c.args, "/spool.db-wal>") }
	if at = find(at, func(c call) bool { return isWrite(c) && c.ended && isLog(c) && strings.Contains(c.args, id) }); at < 0 {
		return inFile, fmt.Errorf("no row in the log after its body")
	}
	if at = find(at+1, func(c call) bool { return c.begun && isSync(c) && isLog(c) }); at < 0 {
		return inFile, fmt.Errorf("no sync of the log")
	}
	if find(at, func(c call) bool { return c.ended && isSync(c) && isLog(c) }) < 0 {
		return inFile, fmt.Errorf("no end of the log's sync")
	}
	return inFile, nil
}

func isWrite(c call) bool { return c.name == "write" || c.name == "pwrite64" || c.name == "writev" }

func isSync(c call) bool { return c.name == "fsync" || c.name == "fdatasync" }
