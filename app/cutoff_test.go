package app

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"servicesmtp.net/companion/app/apptest"
	"servicesmtp.net/companion/app/spool"
)

// An account is replaced when its settings change, while the spool stays open:
// what was cut off in its transaction must not stay "on its way".
func TestWhatIsCutOffWithItsAccountGoesOn(t *testing.T) {
	for _, c := range []struct {
		name string
		step apptest.Step
		does apptest.Behaviour
		asks bool
	}{
		{"while the message goes out", apptest.Body, apptest.StopReading(), false},
		{"before the answer to the dot", apptest.Dot, apptest.Silent(), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, api := newRelayTest(t, apptest.Options{})
				b.body = strings.Repeat(strings.Repeat("x", 62)+"\r\n", 4096)
				b.relay.Script(c.step, c.does, apptest.Usual())
				b.start()
				defer func() { b.end() }()
				id := b.accept(2, "dst.invalid")
				b.settleFor(time.Second)
				b.stop()
				list, err := b.spool.Attempts(t.Context(), "office", time.Time{})
				if err != nil || len(list) != 1 || list[0].Result == spool.AttemptOpen {
					t.Fatalf("attempts %+v, %v", list, err)
				}
				b.start()
				b.settleFor(time.Minute)
				if j := b.job(id); j.Counts != (spool.Counts{Accepted: 2}) || len(b.relay.Accepted()) != 1 {
					t.Errorf("job %+v, accepted %d times", j, len(b.relay.Accepted()))
				}
				if asked := len(api.questions()) > 0; asked != c.asks {
					t.Errorf("asked %v", api.questions())
				}
			})
		})
	}
}

// A job that is taken back while its batch is on its way ends with the session,
// not with the next event of another job.
func TestTakenBackOnItsWay(t *testing.T) {
	for _, c := range []struct {
		name string
		step apptest.Step
		does apptest.Behaviour
	}{
		{"no connection", apptest.Banner, apptest.Silent()},
		{"the connection is lost", apptest.Rcpt, apptest.Silent()},
		{"the relay is busy", apptest.Mail, apptest.ThenHangUp(apptest.Slow(time.Minute))},
	} {
		t.Run(c.name, func(t *testing.T) {
			promise(t, apptest.Options{}, func(b *senderTest, api *batchesAPI) {
				b.relay.Script(c.step, c.does)
				id := b.accept(2, "dst.invalid")
				b.settleFor(time.Second)
				if _, err := b.spool.Cancel(b.t.Context(), id, time.Now()); err != nil {
					b.t.Fatal(err)
				}
				token(b.sender.doubt) // as Engine.Cancel does
				b.settleFor(20 * time.Minute)
				if j := b.job(id); j.Counts != (spool.Counts{Cancelled: 2}) || j.State != spool.JobDone {
					b.t.Errorf("job %+v", j)
				}
				if q := api.questions(); !slices.Equal(q, []string{"close sb1." + string(id) + ".1"}) {
					b.t.Errorf("asked %v", q)
				}
			})
		})
	}
}
