package main

import (
	"errors"
	"strings"
	"testing"
)

// TestExitCodes is the table of docs/json.md.
func TestExitCodes(t *testing.T) {
	f := newFake()
	f.state = sending()
	f.err = errors.New("anything")
	running, stopped := newSession(t, f), newSession(t, nil)
	for _, c := range []struct {
		s    *session
		args string
		code int
		says string
	}{
		{running, "status", exitDone, ""},
		{running, "queue pause", exitFailed, "The companion could not do this. Its log says why.\n"},
		{running, "", exitUsage, "companionctl --help"},
		{running, "nonsense", exitUsage, "nonsense"},
		{running, "status --nonsense", exitUsage, "nonsense"},
		{running, "queue list --limit x", exitUsage, "--limit"},
		{running, "queue resolve 01K 1", exitUsage, "--send-again"},
		{running, "errors --csv --json", exitUsage, "together"},
		{stopped, "status", exitNotRunning, "companionctl run"},
		{stopped, "status --watch", exitNotRunning, "companionctl run"},
		{stopped, "stop", exitNotRunning, "companionctl run"},
		{stopped, "queue list", exitNotRunning, "companionctl run"},
		{stopped, "queue cancel 01K --yes", exitNotRunning, "companionctl run"},
		{stopped, "usage --json", exitNotRunning, "companionctl run"},
		{stopped, "errors", exitNotRunning, "companionctl run"},
		{stopped, "connect", exitNotRunning, "companionctl run"},
	} {
		out, errs, code := c.s.ctl(strings.Fields(c.args)...)
		if code != c.code || !strings.Contains(errs, c.says) || (code != exitDone) != (errs != "") {
			t.Errorf("%q: exit code %d, want %d; %q", c.args, code, c.code, errs)
		}
		if code == exitNotRunning && out != "" {
			t.Errorf("%q: %q on standard output", c.args, out)
		}
	}
}

func TestFlagsStandAnywhere(t *testing.T) {
	f := newFake()
	f.state = sending()
	s := newSession(t, f)
	elsewhere := t.TempDir()
	for _, args := range [][]string{{"--data", s.data, "status"}, {"status", "--data", s.data}, {"status", "--data=" + s.data, "--json"}} {
		other := *s
		other.data = elsewhere
		if _, errs, code := other.ctl(args...); code != exitDone {
			t.Errorf("%v: exit code %d, %s", args, code, errs)
		}
	}
}

func TestHelpExplainsEveryFlag(t *testing.T) {
	s := newSession(t, nil)
	for _, command := range []string{"", "run", "stop", "status", "connect", "usage", "errors", "queue", "queue list", "queue show", "queue pause",
		"queue resume", "queue retry", "queue cancel", "queue resolve", "account", "account list", "account set", "account forget"} {
		help := s.must(exitDone, append(strings.Fields(command), "--help")...)
		for line := range strings.Lines(help) {
			line = strings.TrimRight(line, "\n")
			if flag := strings.TrimSpace(line); (strings.HasPrefix(flag, "--") || strings.HasPrefix(flag, "-")) && len(line) < 25 {
				t.Errorf("%s: no words for %q", command, flag)
			}
		}
		if !strings.Contains(help, "Usage: companionctl") {
			t.Errorf("%s: %q", command, help)
		}
	}
	if out := s.must(exitDone, "--version"); out != version+"\n" {
		t.Errorf("version: %q", out)
	}
}
