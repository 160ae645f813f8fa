package app

import (
	"testing"
	"testing/synctest"
	"time"

	"servicesmtp.net/companion/app/apptest"
	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/spool"
)

// A server that ends the connection at one message does so each time: the other
// mail goes on all the same (bruceg/nullmailer#75), and that message is tried
// more seldom.
func TestOneMessageDoesNotHoldUpTheOthers(t *testing.T) {
	for _, c := range []struct {
		name string
		does apptest.Behaviour
	}{
		{"the server hangs up", apptest.HangUp()},
		{"the server says later", apptest.Answer(421, "4.3.2 later")},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newSenderTest(t, apptest.Options{}, quick)
				defer b.end()
				b.relay.ScriptRecipient("r0@poison.invalid", c.does)
				poison := b.accept(1, "poison.invalid")
				b.settleFor(time.Second)
				others := []mail.JobID{b.accept(1, "dst.invalid"), b.accept(60, "dst.invalid")}
				b.settleFor(2 * time.Minute)
				for _, id := range others {
					if j := b.job(id); j.State != spool.JobDone {
						t.Errorf("it waits behind the other message: %+v", j)
					}
				}
				before := len(b.relay.Transactions())
				for range 36 { // others get through all the time
					b.accept(1, "dst.invalid")
					b.settleFor(10 * time.Minute)
				}
				if n := len(b.relay.Transactions()) - before - 36; n > 40 { // each may take a kept connection and a new one
					t.Errorf("tried %d times in six hours", n)
				}
				b.relay.ScriptRecipient("r0@poison.invalid")
				b.settleFor(3 * time.Hour)
				if j := b.job(poison); j.Counts != (spool.Counts{Accepted: 1}) {
					t.Errorf("job %+v", j)
				}
			})
		})
	}
}

// In an outage no message is to blame, and all leave soon after it.
func TestAnOutageIsNoMessagesFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSenderTest(t, apptest.Options{}, quick)
		defer b.end()
		b.relay.Script(apptest.Data, apptest.HangUp())
		var ids []mail.JobID
		for range 5 {
			ids = append(ids, b.accept(1, "dst.invalid"))
		}
		b.settleFor(6 * time.Hour)
		b.relay.Script(apptest.Data)
		b.settleFor(3 * time.Minute)
		for _, id := range ids {
			if j := b.job(id); j.Counts != (spool.Counts{Accepted: 1}) {
				t.Errorf("job %+v", j)
			}
		}
	})
}
