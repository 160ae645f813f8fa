package delivery

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// upTo runs a transaction with two recipients up to a step and stops there.
func upTo(step string, then func(*script)) func(*script) {
	return func(s *script) {
		if step == "connect" {
			then(s)
			return
		}
		s.hello("PIPELINING")
		for _, at := range []struct{ name, hear, say string }{{"MAIL", "MAIL", "250 ok"}, {"RCPT1", "RCPT", "250 ok"}, {"RCPT2", "RCPT", "250 ok"},
			{"DATA", "DATA", "354 go"}} {
			s.hear(at.hear)
			if at.name == step {
				then(s)
				return
			}
			s.say(at.say)
		}
		if step == "content" {
			s.hear("Received:")
			then(s)
			return
		}
		s.content()
		then(s)
	}
}

// patience is what ends where a server is silent; otherwise there is no hurry.
func patience(name, step string) (ends Timeouts, silent bool) {
	switch {
	case strings.HasPrefix(name, "hangs") && step == "dot":
		return dotEnds, true
	case strings.HasPrefix(name, "hangs"), name == "421 at MAIL": // nothing is said to RCPT
		return commandEnds, true
	}
	return Timeouts{}, false
}

// What each recipient gets when the server closes, hangs, says 421, 450 or
// 550, or talks nonsense at each step.
func TestTroubleAtEachStep(t *testing.T) {
	closes := func(*script) {}
	hangs := func(s *script) { s.hang() }
	says := func(line string) func(*script) {
		return func(s *script) { s.say(line); s.hang() }
	}
	for _, c := range []struct {
		name, step string
		then       func(*script)
		want       string // for both recipients
		marked     bool
	}{
		{"closes at MAIL", "MAIL", closes, "deferred 451 lost", false},
		{"closes at first RCPT", "RCPT1", closes, "deferred 451 lost", false},
		{"closes at second RCPT", "RCPT2", closes, "deferred 451 lost", false},
		{"closes at DATA", "DATA", closes, "deferred 451 lost", true},
		{"closes in the content", "content", closes, "deferred 451 lost", true},
		{"closes after the dot", "dot", closes, "deferred 451 lost dup", true},
		{"hangs at MAIL", "MAIL", hangs, "deferred 451 lost", false},
		{"hangs at second RCPT", "RCPT2", hangs, "deferred 451 lost", false},
		{"hangs at DATA", "DATA", hangs, "deferred 451 lost", true},
		{"hangs after the dot", "dot", hangs, "deferred 451 lost dup", true},
		{"421 at MAIL", "MAIL", says("421 4.3.2 going away"), "deferred 421 lost", false},
		{"450 at MAIL", "MAIL", func(s *script) { s.say("450 later", "503 no", "503 no"); s.hang() }, "deferred 450", false},
		{"550 at MAIL", "MAIL", func(s *script) { s.say("550 never", "503 no", "503 no"); s.hang() }, "failed 550", false},
		{"550 at MAIL, then closes", "MAIL", func(s *script) { s.say("550 never", "503 no") }, "failed 550", false},
		{"530 at MAIL", "MAIL", func(s *script) { s.say("530 log in", "503 no", "503 no"); s.hang() }, "deferred 530", false},
		{"250 at DATA is no delivery", "DATA", says("250 ok"), "deferred 451 lost", true},
		{"451 at DATA", "DATA", says("451 later"), "deferred 451", true},
		{"554 at DATA", "DATA", says("554 no valid recipients"), "failed 554", true},
		{"421 at DATA", "DATA", says("421 going"), "deferred 421 lost", true},
		{"450 after the dot", "dot", says("450 4.7.1 greylisted"), "deferred 450", true},
		{"550 after the dot", "dot", says("550 5.7.1 spam"), "failed 550", true},
		{"421 after the dot", "dot", says("421 going"), "deferred 421 lost", true},
		{"nonsense after the dot", "dot", says("hello"), "deferred 451 lost dup", true},
		{"354 after the dot", "dot", says("354 more"), "deferred 451 lost dup", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			ends, silent := patience(c.name, c.step)
			if silent {
				t.Parallel()
			}
			conn := open(t, Config{Route: "smtp://" + newScript(t, upTo(c.step, c.then)), Timeouts: ends})
			marked := false
			// Longer than the buffers on the way, so that a server that closes in
			// the middle is noticed before the dot.
			body := strings.Repeat(strings.Repeat("x", 998)+"\r\n", 20_000)
			if c.step != "content" {
				body = "a\r\n"
			}
			got := conn.Deliver(context.Background(), message(body, "b@far.example", "c@far.example"), func([]int64) error { marked = true; return nil })
			if d := cmp.Diff(map[int64]string{1: c.want, 2: c.want}, byID(got)); d != "" {
				t.Error(d)
			}
			if marked != c.marked {
				t.Errorf("marked %v, want %v", marked, c.marked)
			}
		})
	}
}

func TestServerThatReadsNothing(t *testing.T) {
	block := make(chan struct{})
	defer close(block)
	addr := newScript(t, upTo("DATA", func(s *script) { s.say("354 go"); <-block }))
	conn := open(t, Config{Route: "smtp://" + addr, Timeouts: blockEnds})
	body := strings.Repeat(strings.Repeat("x", 998)+"\r\n", 30_000) // 30 MB: more than the system buffers
	got := conn.Deliver(context.Background(), message(body, "b@far.example", "c@far.example"), yes)
	if d := cmp.Diff(map[int64]string{1: "deferred 451 lost", 2: "deferred 451 lost"}, byID(got)); d != "" {
		t.Error(d)
	}
	if conn.Alive() {
		t.Error("the connection counts as alive")
	}
}

// A server may answer slowly, but not for longer than the whole may take.
func TestWholeLimit(t *testing.T) {
	conn := open(t, Config{Route: "smtp://" + newScript(t, upTo("RCPT2", func(s *script) { s.hang() })), Timeouts: Timeouts{Whole: 200 * time.Millisecond}})
	got := conn.Deliver(context.Background(), message("a\r\n", "b@far.example", "c@far.example"), yes)
	if d := cmp.Diff(map[int64]string{1: "deferred 451 lost", 2: "deferred 451 lost"}, byID(got)); d != "" {
		t.Error(d)
	}
}

func TestOpenTrouble(t *testing.T) {
	for _, c := range []struct {
		name string
		then func(*script)
		code int
	}{
		{"closes", func(*script) {}, 451},
		{"hangs", func(s *script) { s.hang() }, 451},
		{"554 greeting is about us, not the recipient", func(s *script) { s.say("554 5.7.1 listed"); s.hang() }, 554},
		{"421 greeting", func(s *script) { s.say("421 busy"); s.hang() }, 421},
		{"no SMTP", func(s *script) { s.say("HTTP/1.1 400 Bad Request"); s.hang() }, 451},
		{"endless greeting", func(s *script) {
			for range 10_000 {
				s.say("220-more")
			}
		}, 451},
		{"550 to EHLO", func(s *script) { s.say("220 hi"); s.hear("EHLO"); s.say("550 no"); s.hang() }, 550},
	} {
		t.Run(c.name, func(t *testing.T) {
			var ends Timeouts
			if c.name == "hangs" {
				ends = commandEnds
			}
			_, err := route(t, Config{Route: "smtp://" + newScript(t, c.then), Timeouts: ends}).Open(context.Background(), "smarthost")
			var open *OpenError
			if !errors.As(err, &open) || open.Status != Deferred || open.Code != c.code {
				t.Fatalf("got %v", err)
			}
			for _, r := range Results(message("a\r\n", "b@far.example"), err) {
				if r.ID != 1 || r.Status != Deferred || !r.Lost || r.Code != c.code {
					t.Errorf("result %+v", r)
				}
			}
		})
	}
	t.Run("nobody listens", func(t *testing.T) {
		_, err := route(t, Config{Route: "smtp://127.0.0.1:1"}).Open(context.Background(), "smarthost")
		var open *OpenError
		if !errors.As(err, &open) || open.Enhanced != "4.4.1" {
			t.Errorf("got %v", err)
		}
	})
}
