package app

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"servicesmtp.net/companion/app/apptest"
	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/pace"
	"servicesmtp.net/companion/app/spool"
)

// What the companion remembers of the store behind the endpoints may be another
// relay's: an account was given other servers, or its relay another database.
// Only the store that answers now speaks for a batch, when it does not know the
// key and when it closes it.
func TestPromiseAStoreThatWasToldBeforeSpeaksForNoBatch(t *testing.T) {
	for _, c := range []struct {
		name   string
		cancel bool
		now    string // the store that answers
		state  spool.JobState
	}{
		{"the same store", false, "store-1", spool.JobDone},
		{"another store", false, "store-2", spool.JobUncertain},
		{"the same store, taken back", true, "store-1", spool.JobDone},
		{"another store, taken back", true, "store-2", spool.JobUncertain},
	} {
		t.Run(c.name, func(t *testing.T) {
			promise(t, apptest.Options{}, func(b *senderTest, api *batchesAPI) {
				b.relay.Script(apptest.Dot, apptest.HangUp(), apptest.Usual())
				b.sender.relay.setStore("store-1")
				api.set(func(a *batchesAPI) { a.down = true })
				id := b.accept(2, "dst.invalid")
				b.settleFor(time.Minute)
				if c.cancel {
					if _, err := b.spool.Cancel(b.t.Context(), id, time.Now()); err != nil {
						b.t.Fatal(err)
					}
				}
				api.set(func(a *batchesAPI) { a.down, a.store = false, c.now })
				b.settleFor(time.Hour)
				if j := b.job(id); j.State != c.state {
					b.t.Errorf("job %+v, want %v", j, c.state)
				}
				if n := len(b.relay.Transactions()); c.state == spool.JobUncertain && n != 1 {
					b.t.Errorf("%d transactions", n)
				}
			})
		})
	}
}

// An answer that makes no sense holds up neither the other batches in doubt nor
// those that were taken back.
func TestOneAnswerHoldsUpNoOther(t *testing.T) {
	promise(t, apptest.Options{}, func(b *senderTest, api *batchesAPI) {
		b.loseAnswers()
		b.sender.relay.setStore("store-1")
		api.set(func(a *batchesAPI) { a.down = true })
		bad, good, back := b.accept(1, "dst.invalid"), b.accept(1, "dst.invalid"), b.accept(1, "dst.invalid")
		b.settleFor(10 * time.Minute)
		if _, err := b.spool.Cancel(b.t.Context(), back, time.Now()); err != nil {
			b.t.Fatal(err)
		}
		api.set(func(a *batchesAPI) { a.down, a.wrong = false, "sb1."+string(bad)+".1" })
		b.settleFor(10 * time.Minute)
		for _, id := range []mail.JobID{good, back} {
			if j := b.job(id); j.Counts != (spool.Counts{Accepted: 1}) {
				b.t.Errorf("job %+v", j)
			}
		}
		api.set(func(a *batchesAPI) { a.wrong = "" })
		b.settleFor(10 * time.Minute)
		if j := b.job(bad); j.Counts != (spool.Counts{Accepted: 1}) {
			b.t.Errorf("job %+v", j)
		}
	})
}

// An address that cannot be given to the server costs the others no time, and
// is no sign of a server that wants less.
func TestAnAddressThatTheServerCannotTakeDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSenderTest(t, apptest.Options{Omit: []string{"SMTPUTF8"}}, pace.Limits{Batch: 50, PersonalBurst: 5, Adaptive: true})
		defer b.end()
		id := b.jobID(1)
		in, err := b.spool.Create(t.Context(), id, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := in.Write([]byte("Subject: test\r\n\r\nhello\r\n")); err != nil {
			t.Fatal(err)
		}
		env := mail.Envelope{Job: id, Account: "office", Lane: mail.Bulk, From: "news@example.com", AcceptedAt: time.Now(), Recipients: []mail.Recipient{{Address: "jürgen@dst.invalid"}}}
		for i := range 40 {
			env.Recipients = append(env.Recipients, mail.Recipient{Address: fmt.Sprintf("r%d@dst.invalid", i)})
		}
		if err := in.Commit(t.Context(), env); err != nil {
			t.Fatal(err)
		}
		b.sender.poke()
		b.settleFor(2 * time.Second)
		if c := b.job(id).Counts; c != (spool.Counts{Accepted: 40, Failed: 1}) {
			t.Errorf("counts %+v", c)
		}
		if s := b.sender.gate.state.Explain(time.Now()); s.Percent != 100 {
			t.Errorf("slowed to %d %%: %s", s.Percent, s.Cause)
		}
	})
}

// A filter on the way takes DSN out of the relay's answer, so that the relay
// never hears the key: that it does not know it says nothing then.
func TestPromiseAKeyThatWasNotSentIsAskedOfNobody(t *testing.T) {
	t.Run("the companion is killed before the answer", func(t *testing.T) {
		promise(t, apptest.Options{Omit: []string{"DSN"}}, func(b *senderTest, _ *batchesAPI) {
			b.relay.Script(apptest.Dot, apptest.Silent(), apptest.Usual())
			id := b.accept(2, "dst.invalid")
			b.settleFor(time.Second)
			if err := b.spool.Close(); err != nil { // nothing can be written down any more
				b.t.Fatal(err)
			}
			b.stop()
			var err error
			if b.spool, err = spool.Open(b.t.Context(), b.options); err != nil {
				b.t.Fatal(err)
			}
			b.sender.spool = b.spool
			b.start()
			b.settleFor(time.Hour)
			if n := len(b.relay.Transactions()); n != 1 || b.job(id).State != spool.JobUncertain {
				b.t.Errorf("%d transactions, job %+v", n, b.job(id))
			}
		})
	})
	t.Run("the filter comes before the replay", func(t *testing.T) {
		promise(t, apptest.Options{}, func(b *senderTest, api *batchesAPI) {
			b.dropMessages()
			b.sender.relay.setStore("store-1")
			api.set(func(a *batchesAPI) { a.down = true })
			id := b.accept(2, "dst.invalid")
			b.settleFor(time.Minute)
			b.good()
			b.relay.Change(func(o *apptest.Options) { o.Omit = []string{"DSN"} })
			api.set(func(a *batchesAPI) { a.down = false })
			b.settleFor(time.Hour)
			if n := len(b.relay.Transactions()); n != 1 || b.job(id).State != spool.JobUncertain || b.sender.holdState() != nil {
				b.t.Errorf("%d transactions, job %+v, hold %+v", n, b.job(id), b.sender.holdState())
			}
		})
	})
}
