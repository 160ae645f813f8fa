package proxy

import (
	"io"
	"testing"
	"testing/synctest"
	"time"
)

const (
	wrongPlain = "AUTH PLAIN AGxvY2FsAHdyb25n"
	rightPlain = "AUTH PLAIN AGxvY2FsAHMzY3JldA=="
)

// A guesser gains nothing by connecting anew, and nobody with the right
// password waits for him.
func TestGuesserOverConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig(&memory{})
		cfg.RequireAuth = true
		client, stop := pipeServer(t, cfg)
		greet := func() *pipeClient {
			c := client()
			c.expect("220")
			c.say("EHLO client", "250")
			return c
		}
		for i, want := range []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 8 * time.Second} {
			c := greet()
			began := time.Now()
			if got := c.say(wrongPlain, "535 5.7.8").Sub(began); got != want {
				t.Errorf("guess %d was answered after %v, want %v", i+1, got, want)
			}
			c.say("QUIT", "221")
			c.ends()
			good := greet()
			began = time.Now()
			if got := good.say(rightPlain, "235").Sub(began); got != 0 {
				t.Errorf("the right password waited %v", got)
			}
			good.Close()
		}

		// So many at once that not all can be kept waiting.
		var waiting []*pipeClient
		for range authWaiting {
			c := greet()
			io.WriteString(c.Conn, wrongPlain+"\r\n")
			waiting = append(waiting, c)
		}
		synctest.Wait()
		over := greet()
		over.say(wrongPlain, "421 4.7.0")
		over.ends()
		good := greet()
		began := time.Now()
		if got := good.say(rightPlain, "235").Sub(began); got != 0 {
			t.Errorf("the right password waited %v", got)
		}
		good.Close()
		for _, c := range waiting {
			c.expect("535 5.7.8")
			c.Close()
		}
		stop()
	})
}

// What a wrong and a right password tell the engine.
func TestPasswordsAreTold(t *testing.T) {
	told := newStumbles()
	signedIn := 0
	cfg := testConfig(&memory{})
	cfg.RequireAuth = true
	cfg.Stumbled = told.add
	cfg.SignedIn = func() { signedIn++ }
	s := start(t, cfg)
	nc := dial(t, s)
	c := &pipeClient{t: t, Conn: nc, r: newReader(nc)}
	c.expect("220")
	c.say("EHLO office-pc", "250")
	c.say(wrongPlain, "535")
	if got := told.list; len(got) != 1 || got[0].Reason != StumblePassword || got[0].Client.Hello != "office-pc" || got[0].Client.Family != "ipv4" || got[0].Address != address(t, s) || signedIn != 0 {
		t.Errorf("told %+v, %d signed in", got, signedIn)
	}
	c.say(rightPlain, "235")
	if signedIn != 1 || len(told.list) != 1 {
		t.Errorf("told %+v, %d signed in", told.list, signedIn)
	}
}
