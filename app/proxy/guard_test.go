package proxy

import (
	"testing"
	"time"
)

func TestChunkSize(t *testing.T) {
	for _, c := range []struct {
		line string
		want uint64
		fine bool
	}{
		{"BDAT 0", 0, true}, {"BDAT 12 LAST", 12, true}, {"bdat 12 last", 12, true}, {"BDAT   12   Last  ", 12, true}, {"BDAT 4294967295", 4294967295, true},
		{"BDAT", 0, false}, {"BDAT ", 0, false}, {"BDAT5", 0, false}, {"BDAT\t5", 0, false}, {"BDAT x", 0, false}, {"BDAT -1", 0, false}, {"BDAT +1", 0, false},
		{"BDAT 5 FIRST", 0, false}, {"BDAT 5 LAST x", 0, false}, {"BDAT 4294967296", 0, false}, {"BDAT 5LAST", 0, false}, {"BDATA 5", 0, false},
	} {
		got, err := chunkSize(c.line)
		if (err == nil) != c.fine || err == nil && got != c.want {
			t.Errorf("%q: got %d, %v", c.line, got, err)
		}
	}
}

func TestAmend(t *testing.T) {
	for _, c := range []struct{ name, line, want string }{
		{"AUTH offered", "250-AUTH PLAIN LOGIN\r\n", "250-AUTH PLAIN LOGIN\r\n250-AUTH=PLAIN LOGIN\r\n"},
		{"another extension", "250-SIZE 5\r\n", "250-SIZE 5\r\n"},
		{"an answer to AUTH", "235 2.0.0 Authentication succeeded\r\n", "235 2.0.0 Authentication succeeded\r\n"},
		{"base64", "454 4.7.0 Invalid base64 data\r\n", "501 5.5.2 User name and password were not understood\r\n"},
		{"a chunk cut short", "554 5.0.0 Error: transaction failed: read tcp: no route\r\n", "451 4.4.2 The end of the message did not arrive; send it again\r\n"},
		{"our own 554", replyLine(bareLine), replyLine(bareLine)},
	} {
		if got := string((&conn{}).amend([]byte(c.line))); got != c.want {
			t.Errorf("%s: got %q", c.name, got)
		}
	}
}

// One who connects anew for each try is slowed down like one who stays; the
// pauses have a limit, and are forgotten in time.
func TestGuesses(t *testing.T) {
	var g guesses
	now := time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)
	for i, want := range []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 8 * time.Second} {
		pause, recent, ok := g.wrong(now)
		if pause != want || recent != i+1 || !ok {
			t.Errorf("wrong password %d: %v, %d, %v", i+1, pause, recent, ok)
		}
		g.answered()
		now = now.Add(time.Second)
	}
	now = now.Add(3 * authForget)
	if pause, recent, _ := g.wrong(now); recent != 4 || pause != 4*time.Second {
		t.Errorf("after a while: %v, %d", pause, recent)
	}
	g.answered()
	now = now.Add(1000 * time.Hour)
	if pause, recent, _ := g.wrong(now); recent != 1 || pause != 500*time.Millisecond {
		t.Errorf("much later: %v, %d", pause, recent)
	}
	g.answered()
	for range 100_000 {
		if pause, _, _ := g.wrong(now); pause < 0 || pause > maxAuthPause {
			t.Fatalf("a pause of %v", pause)
		}
	}
	if g.waiting != authWaiting {
		t.Errorf("%d wait, want %d", g.waiting, authWaiting)
	}
}
