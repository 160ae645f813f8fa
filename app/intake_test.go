package app

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"servicesmtp.net/companion/app/mail"
)

// A mail program may be in the middle of a message when its account is taken
// away. It must not hear 250 to what nobody would ever send.
func TestAnAccountIsForgottenWhileAMessageIsHandedIn(t *testing.T) {
	e := newEngineTest(t, engineOptions{settings: authOff})
	e.run()
	c := dial(t, e.SMTPAddrs()[0])
	c.say("MAIL FROM:<alice@example.com>", "250")
	c.say("RCPT TO:<bob@dst.invalid>", "250")
	c.say("DATA", "354")
	io.WriteString(c.Conn, "Subject: in the middle\r\n\r\nhe")
	if err := e.ForgetAccount(t.Context(), "office"); err != nil {
		t.Fatal(err)
	}
	c.say("llo\r\n.", "550 5.7.1")
	c.say("MAIL FROM:<alice@example.com>", "550 5.7.1")
	totals, err := e.spool.Totals(t.Context(), time.Now())
	if err != nil || len(totals.Lanes) != 0 {
		t.Errorf("mail waits that nobody sends: %+v, %v", totals.Lanes, err)
	}
}

// The end of a connection or of the engine is no trouble of the spool.
func TestALostConnectionIsNoTroubleOfTheSpool(t *testing.T) {
	e := newEngineTest(t, engineOptions{})
	e.closed()
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	if _, err := (intake{e.Engine}).Create(gone, mail.JobID("01ARZ3NDEKTSV4RRFFQ69G5F01"), 0); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if s := e.State(); !s.Spool.OK {
		t.Errorf("spool %+v", s.Spool)
	}
	if e.problem != nil {
		t.Errorf("the problem is %v", e.problem)
	}
}

// Mail of an account that was taken out of the settings file by hand, or renamed
// there, waits until it is back. Somebody must be told.
func TestMailOfAnAccountThatIsNotThereIsShown(t *testing.T) {
	e := newEngineTest(t, engineOptions{})
	e.closed()
	e.store("01ARZ3NDEKTSV4RRFFQ69G5F01", "alice@example.com", time.Now(), "bob@dst.invalid")
	if s := e.compose(t.Context()); strings.Contains(s.Sentence, "not in the settings") {
		t.Errorf("said too early: %q", s.Sentence)
	}
	e.settings.Accounts[0].Name = "renamed"
	e.accounts["renamed"] = e.accounts["office"]
	close(e.ready) // as if it ran
	s := e.compose(t.Context())
	if s.Mood != MoodAttention || s.Sentence != "Mail waits for the account office, which is not in the settings." || s.Action == "" {
		t.Errorf("state %s %q %q", s.Mood, s.Sentence, s.Action)
	}
}
