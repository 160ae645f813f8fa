package app

import (
	"testing"
	"time"

	"servicesmtp.net/companion/app/apptest"
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
