package app

import (
	"context"
	"runtime"
	"testing"
)

const withoutPassword = "[listen]\naddresses = [\"127.0.0.1:0\"]\nauth = \"off\"\n"

// sends hands a message in and waits until the relay has it.
func (e *engineTest) sends() {
	e.t.Helper()
	c := dial(e.t, e.SMTPAddrs()[0])
	c.say("MAIL FROM:<alice@example.com>", "250")
	c.say("RCPT TO:<bob@dst.invalid>", "250")
	c.say("DATA", "354")
	c.say("Subject: x\r\n.", "250")
	e.until("the message left", func(s State) bool {
		return len(e.relay.Accepted()) == 1 && len(s.Accounts) == 1 && s.Accounts[0].Messages == 0
	})
}

// The settings have changed by then: a caller that gives up, as a command in a
// terminal does while the old sender ends, must not leave an account whose mail
// is taken and never sent.
func TestAnAccountIsReplacedThoughItsCallerIsGone(t *testing.T) {
	e := newEngineTest(t, engineOptions{settings: withoutPassword})
	e.run()
	gone, giveUp := context.WithCancel(t.Context())
	giveUp()
	if err := e.replaceAccount(gone, "office", &e.current().Accounts[0]); err != nil {
		t.Error(err)
	}
	e.sends()
}

// An account may be changed while the engine starts: the new one is then found
// among those that there are and comes as one that is new. It has one sender.
func TestAnAccountIsReplacedWhileTheEngineStarts(t *testing.T) {
	e := newEngineTest(t, engineOptions{settings: withoutPassword})
	old, _ := e.account("office")
	done := make(chan error, 1)
	go func() { done <- e.replaceAccount(t.Context(), "office", &e.current().Accounts[0]) }()
	for a := old; a == nil || a == old; a, _ = e.account("office") {
		runtime.Gosched()
	}
	e.run()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	e.sends() // and the end of the engine would end the second one's account again
}

// Nor does one begin that was taken away before its turn came.
func TestAReplacedAccountDoesNotStart(t *testing.T) {
	e := newEngineTest(t, engineOptions{settings: withoutPassword})
	e.closed()
	old, err := e.account("office")
	if err != nil {
		t.Fatal(err)
	}
	if err := e.replaceAccount(t.Context(), "office", nil); err != nil {
		t.Fatal(err)
	}
	if e.begins(old, func() {}) {
		t.Error("two senders would share an account")
	}
}
