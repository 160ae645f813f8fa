package app

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"servicesmtp.net/companion/app/apptest"
	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/spool"
	"servicesmtp.net/companion/app/uplink"
)

// The tests of this file hold docs/GOALS.md 2, rule by rule; their names say
// which. Format of the ENVID and the fingerprint are tested in internal/wire,
// the parameter in app/uplink, the states in app/spool.

// promise runs one rule's test with a relay that keeps keys and has an API.
func promise(t *testing.T, o apptest.Options, do func(b *senderTest, api *batchesAPI)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b, api := newRelayTest(t, o)
		b.start()
		defer func() { b.end() }()
		do(b, api)
		checkFrozen(t, b.relay.Transactions())
		if b.relay.ClearAuth() != 0 {
			t.Error("AUTH without TLS")
		}
	})
}

// loseAnswers makes the relay accept every message and hang up in place of the
// answer.
func (b *senderTest) loseAnswers() { b.relay.Script(apptest.Dot, apptest.EffectThenHangUp()) }

// dropMessages makes it hang up with no effect.
func (b *senderTest) dropMessages() { b.relay.Script(apptest.Dot, apptest.HangUp()) }

func (b *senderTest) good() { b.relay.Script(apptest.Dot) }

func TestPromiseTheAttemptIsRecordedBeforeTheDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := newRelayTest(t, apptest.Options{})
		dials := 0
		connect := b.sender.connect
		b.sender.connect = func(ctx context.Context) (*uplink.Session, error) {
			dials++
			list, err := b.spool.Attempts(ctx, "office", time.Now().Add(-time.Hour))
			if err != nil || len(list) != 1 || list[0].Result != spool.AttemptOpen || list[0].Number != 1 {
				t.Errorf("attempts at the dial: %+v, %v", list, err)
			}
			return connect(ctx)
		}
		b.start()
		defer b.end()
		b.accept(2, "dst.invalid")
		b.settleFor(time.Minute)
		if dials != 1 {
			t.Errorf("%d dials", dials)
		}
	})
}

func TestPromiseABatchIsFrozenBeforeItsFirstDial(t *testing.T) {
	promise(t, apptest.Options{}, func(b *senderTest, _ *batchesAPI) {
		b.relay.Script(apptest.Data, apptest.HangUp(), apptest.Answer(421, "4.3.2 closing"), apptest.Usual())
		b.relay.Script(apptest.Dot, apptest.HangUp(), apptest.EffectThenHangUp(), apptest.Usual())
		b.relay.ScriptRecipient("r1@dst.invalid", apptest.Answer(450, "4.2.1 later"), apptest.Answer(450, "4.2.1 later"), apptest.Usual())
		id := b.accept(60, "dst.invalid") // two batches
		b.settleFor(time.Hour)
		if c := b.job(id).Counts; c != (spool.Counts{Accepted: 60}) {
			b.t.Errorf("counts %+v", c)
		}
		if n := len(b.relay.Transactions()); n < 5 {
			b.t.Errorf("%d transactions: the troubles did not come", n)
		}
	})
}

func TestPromiseAnUnknownOutcomeIsAskedBeforeAnythingElse(t *testing.T) {
	promise(t, apptest.Options{}, func(b *senderTest, api *batchesAPI) {
		b.dropMessages()
		b.sender.relay.setStore("store-1")
		api.set(func(a *batchesAPI) { a.down = true })
		id := b.accept(2, "dst.invalid")
		b.settleFor(6 * time.Hour)
		if n := len(b.relay.Transactions()); n != 1 {
			b.t.Fatalf("%d transactions while the relay could not be asked", n)
		}
		b.good()
		api.set(func(a *batchesAPI) { a.down = false })
		b.settleFor(5 * time.Minute)
		list := b.relay.Transactions()
		if len(list) != 2 || list[0].EnvelopeID != list[1].EnvelopeID || list[1].Replayed || b.job(id).Counts != (spool.Counts{Accepted: 2}) {
			b.t.Errorf("transactions %+v, job %+v", list, b.job(id))
		}
		if q := api.questions(); !slices.Equal(q, []string{"check sb1." + string(id) + ".1"}) {
			b.t.Errorf("asked %v", q)
		}
	})
}

// The old session may still commit after the relay has said "unknown": the
// replay is then answered as what it is.
func TestPromiseAReplayMeetsALateCommit(t *testing.T) {
	promise(t, apptest.Options{}, func(b *senderTest, _ *batchesAPI) {
		b.relay.Script(apptest.Dot, apptest.HangUp(), apptest.EffectThenHangUp(), apptest.Usual())
		id := b.accept(2, "dst.invalid")
		b.settleFor(time.Hour)
		if n := len(b.relay.Accepted()); n != 1 || b.job(id).Counts != (spool.Counts{Accepted: 2}) {
			b.t.Errorf("accepted %d times, job %+v", n, b.job(id))
		}
	})
}

func TestPromiseACancelledBatchIsClosedFirst(t *testing.T) {
	for _, c := range []struct {
		name   string
		lose   func(*senderTest)
		counts spool.Counts
	}{
		{"the relay had it", (*senderTest).loseAnswers, spool.Counts{Accepted: 2}},
		{"the relay had it not", (*senderTest).dropMessages, spool.Counts{Cancelled: 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			promise(t, apptest.Options{}, func(b *senderTest, api *batchesAPI) {
				c.lose(b)
				b.sender.relay.setStore("store-1")
				api.set(func(a *batchesAPI) { a.down = true })
				id := b.accept(2, "dst.invalid")
				b.settleFor(time.Minute)
				if _, err := b.spool.Cancel(b.t.Context(), id, time.Now()); err != nil {
					b.t.Fatal(err)
				}
				token(b.sender.doubt)
				b.settleFor(time.Hour)
				if b.job(id).State == spool.JobDone {
					b.t.Error("it was taken back without the relay's word")
				}
				b.good()
				api.set(func(a *batchesAPI) { a.down = false })
				b.settleFor(5 * time.Minute)
				if q := api.questions(); !slices.Equal(q, []string{"close sb1." + string(id) + ".1"}) || b.job(id).Counts != c.counts {
					b.t.Errorf("asked %v, counts %+v", q, b.job(id).Counts)
				}
				if n := len(b.relay.Transactions()); n != 1 {
					b.t.Errorf("%d transactions", n)
				}
			})
		})
	}
}

func TestPromiseAReplayGoesToTheSameStoreOnly(t *testing.T) {
	for _, c := range []struct {
		name          string
		before, after string // stores behind the endpoints
		state         spool.JobState
	}{
		{"the same", "store-1", "store-1", spool.JobDone},
		{"another", "store-1", "store-2", spool.JobUncertain},
		{"several, before", "store-1,store-2", "store-1", spool.JobUncertain},
		{"several, afterwards", "store-1", "store-1,store-2", spool.JobUncertain},
	} {
		t.Run(c.name, func(t *testing.T) {
			promise(t, apptest.Options{}, func(b *senderTest, api *batchesAPI) {
				api.set(func(a *batchesAPI) { a.store = c.before })
				b.relay.Script(apptest.Dot, apptest.HangUp(), apptest.Usual())
				b.sender.setPaused(true)
				id := b.accept(2, "dst.invalid")
				b.sender.relay.learnStore(b.t.Context())
				b.sender.setPaused(false)
				api.set(func(a *batchesAPI) { a.down = true })
				b.settleFor(time.Minute)
				b.sender.relay.setStore(c.after)
				if strings.Contains(c.after, ",") {
					b.sender.relay.setStore("") // as storeOf says of several
				}
				api.set(func(a *batchesAPI) { a.down, a.store = false, c.after })
				b.settleFor(time.Hour)
				want := 1
				if c.state == spool.JobDone {
					want = 2
				}
				if n := len(b.relay.Transactions()); n != want || b.job(id).State != c.state {
					b.t.Errorf("%d transactions, job %+v", n, b.job(id))
				}
			})
		})
	}
}

func TestPromiseAnOldKeyIsLeftToAPerson(t *testing.T) {
	for _, c := range []struct {
		name    string
		replays bool // the relay had permitted a replay before the year passed
		off     time.Duration
		state   spool.JobState
	}{
		{"asked in time", false, 399 * 24 * time.Hour, spool.JobDone},
		{"asked too late", false, 401 * 24 * time.Hour, spool.JobUncertain},
		{"replayed in time", true, 399 * 24 * time.Hour, spool.JobDone},
		{"replayed too late", true, 401 * 24 * time.Hour, spool.JobUncertain},
	} {
		t.Run(c.name, func(t *testing.T) {
			promise(t, apptest.Options{}, func(b *senderTest, api *batchesAPI) {
				b.dropMessages()
				b.sender.relay.setStore("store-1")
				api.set(func(a *batchesAPI) { a.down = true })
				id := b.accept(2, "dst.invalid")
				b.settleFor(time.Minute)
				if c.replays {
					b.relay.Script(apptest.Banner, apptest.HangUp())
					api.set(func(a *batchesAPI) { a.down = false })
					b.settleFor(5 * time.Minute)
				}
				b.stop()
				b.settleFor(c.off)
				b.relay.Reissue(b.t, apptest.GoodCertificate) // the old one has expired meanwhile
				b.good()
				b.relay.Script(apptest.Banner)
				api.set(func(a *batchesAPI) { a.down = false })
				b.start()
				b.settleFor(time.Hour)
				if b.job(id).State != c.state {
					b.t.Errorf("job %+v, want %v", b.job(id), c.state)
				}
			})
		})
	}
}

func TestPromiseWithoutKeysAPersonDecides(t *testing.T) {
	for _, c := range []struct {
		name         string
		dsn, again   bool
		transactions int
		counts       spool.Counts
	}{
		{"foreign relay, send again", true, true, 2, spool.Counts{Accepted: 2}},
		{"foreign relay, take as sent", true, false, 1, spool.Counts{Uncertain: 2}},
		{"no DSN, send again", false, true, 2, spool.Counts{Accepted: 2}},
		{"no DSN, take as sent", false, false, 1, spool.Counts{Uncertain: 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := prepareSenderTest(t, apptest.NewPipeRelay(t, apptest.Options{}), quick)
				if !c.dsn {
					b.relay.Change(func(o *apptest.Options) { o.Omit, o.Keys = []string{"DSN"}, true })
					b.withAPI()
				}
				b.start()
				defer b.end()
				b.loseAnswers()
				id := b.accept(2, "dst.invalid")
				b.settleFor(24 * time.Hour)
				if n := len(b.relay.Transactions()); n != 1 || b.job(id).State != spool.JobUncertain {
					t.Fatalf("%d transactions, job %+v", n, b.job(id))
				}
				b.good()
				if err := b.spool.Resolve(t.Context(), id, 1, c.again, time.Now()); err != nil {
					t.Fatal(err)
				}
				b.sender.poke()
				b.settleFor(time.Hour)
				if n := len(b.relay.Transactions()); n != c.transactions || b.job(id).Counts != c.counts || b.job(id).State != spool.JobDone {
					t.Errorf("%d transactions, job %+v", n, b.job(id))
				}
			})
		})
	}
}

func TestPromiseAConflictIsLoudAndForAPerson(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, api := newRelayTest(t, apptest.Options{})
		var log bytes.Buffer // written by the one worker, read when it has ended
		b.sender.log = slog.New(slog.NewTextHandler(&log, nil))
		b.start()
		defer b.end()
		b.relay.Script(apptest.Dot, apptest.Answer(554, "5.5.4 SSMTP-CONFLICT"), apptest.Usual())
		id := b.accept(2, "dst.invalid")
		b.settleFor(24 * time.Hour)
		if n := len(b.relay.Transactions()); n != 1 || b.job(id).State != spool.JobUncertain || len(api.questions()) != 0 {
			t.Fatalf("%d transactions, job %+v, asked %v", n, b.job(id), api.questions())
		}
		if !strings.Contains(log.String(), "level=ERROR") || !strings.Contains(log.String(), "this is a defect") {
			t.Errorf("the log does not say it: %s", log.String())
		}
		if err := b.spool.Resolve(t.Context(), id, 1, true, time.Now()); err != nil {
			t.Fatal(err)
		}
		b.sender.poke()
		b.settleFor(time.Minute)
		list := b.relay.Transactions()
		if len(list) != 2 || list[1].EnvelopeID != (mail.Batch{Job: id, Number: 2}).EnvelopeID().Key() {
			t.Errorf("transactions %+v", list)
		}
	})
}
