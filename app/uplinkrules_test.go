package app

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"servicesmtp.net/companion/app/apptest"
	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/pace"
	"servicesmtp.net/companion/app/spool"
	"servicesmtp.net/companion/app/uplink"
)

func TestOneConnectionServesTwentyBatchesInARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSenderTest(t, apptest.Options{}, quick)
		defer b.end()
		for range 20 {
			b.accept(1, "dst.invalid")
			b.settleFor(2 * time.Second)
		}
		if n, c, l := len(b.relay.Accepted()), b.relay.Connections(), b.relay.Logins(); n != 20 || c != 1 || l != 1 {
			t.Errorf("%d batches, %d connections, %d logins", n, c, l)
		}
		b.settleFor(2 * idleLife) // it is not kept for ever
		b.accept(1, "dst.invalid")
		b.settleFor(2 * time.Second)
		if c := b.relay.Connections(); c != 2 {
			t.Errorf("%d connections after a rest", c)
		}
	})
}

func TestANewsletterUsesNoMoreConnectionsThanItsLaneHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSenderTest(t, apptest.Options{}, quick)
		defer b.end()
		id := b.accept(1000, "dst.invalid")
		b.settleFor(time.Hour)
		if n, c := len(b.relay.Accepted()), b.relay.Connections(); n != 20 || c > bulkSessions || b.job(id).State != spool.JobDone {
			t.Errorf("%d batches, %d connections, job %+v", n, c, b.job(id))
		}
	})
}

// dialled is a sender that notes when it dials, and fails as long as away is
// set.
func dialled(t *testing.T, away func(context.Context) error) (b *senderTest, dials func() []time.Time) {
	b = prepareSenderTest(t, apptest.NewPipeRelay(t, apptest.Options{}), quick)
	var mu sync.Mutex // guards times
	var times []time.Time
	endpoint, err := uplink.ParseEndpoint(b.relay.StartTLS())
	if err != nil {
		t.Fatal(err)
	}
	b.sender.connect = func(ctx context.Context) (*uplink.Session, error) {
		return uplink.Connect(ctx, uplink.Config{
			Endpoints: []uplink.Endpoint{endpoint}, RootCAs: b.relay.CertPool(), User: "alice", Password: b.sender.secret,
			Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
				mu.Lock()
				times = append(times, time.Now())
				mu.Unlock()
				if err := away(ctx); err != nil {
					return nil, err
				}
				return b.relay.Dial(ctx, network, address)
			},
		})
	}
	b.start()
	return b, func() []time.Time {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(times)
	}
}

// gapsAre says whether times lie apart as want says, each ± 20 %.
func gapsAre(t *testing.T, what string, times []time.Time, want ...time.Duration) {
	t.Helper()
	if len(times) < len(want)+1 {
		t.Fatalf("%s: %d tries, want %d", what, len(times), len(want)+1)
	}
	for i, w := range want {
		if gap := times[i+1].Sub(times[i]); gap < w-w/5 || gap > w+w/5 {
			t.Errorf("%s: gap %d is %v, want %v ± 20 %%", what, i, gap, w)
		}
	}
}

func TestReconnectionsBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
		var away atomic.Bool
		away.Store(true)
		b, dials := dialled(t, func(context.Context) error {
			if away.Load() {
				return refused
			}
			return nil
		})
		defer b.end()
		full := []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second,
			16 * time.Second, 32 * time.Second, time.Minute, time.Minute, time.Minute}
		id := b.accept(1, "dst.invalid")
		b.settleFor(6 * time.Minute)
		gapsAre(t, "doubled and capped", dials(), full...)

		n := len(dials())
		b.sender.retryNow()
		b.settleFor(10 * time.Second)
		gapsAre(t, "after “retry now”", dials()[n:], full[:3]...)

		away.Store(false)
		b.settleFor(2 * time.Minute)
		if b.job(id).State != spool.JobDone || b.sender.holdState() != nil {
			t.Fatalf("job %+v, hold %+v", b.job(id), b.sender.holdState())
		}
		b.settleFor(2 * idleLife)
		away.Store(true)
		n = len(dials())
		b.accept(1, "dst.invalid")
		b.settleFor(10 * time.Second)
		gapsAre(t, "after a success", dials()[n:], full[:3]...)
		if a := len(b.relay.Accepted()); a != 1 {
			t.Errorf("accepted %d times", a)
		}
		away.Store(false)
		b.settleFor(2 * time.Minute)
	})
}

// Neither a resolver nor a network that never answers holds a batch for longer
// than the time-out for connecting, and the queue goes on when they do.
func TestAHungNetworkIsGivenUpAndTriedAgain(t *testing.T) {
	for _, c := range []struct {
		name, detail string
		away         func(context.Context) error
		gap          time.Duration // of the first two tries
	}{
		{"dial", "There was no answer in time.", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, 30*time.Second + 500*time.Millisecond},
		{"resolver", "The name of the server could not be looked up.", func(ctx context.Context) error {
			<-ctx.Done()
			return &net.OpError{Op: "dial", Err: &net.DNSError{Err: "i/o timeout", Name: "relay.test", IsTimeout: true}}
		}, 30*time.Second + 500*time.Millisecond},
		{"no such name", "The name of the server could not be looked up.", func(context.Context) error {
			return &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "relay.test", IsNotFound: true}}
		}, 500 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var down atomic.Bool
				down.Store(true)
				b, dials := dialled(t, func(ctx context.Context) error {
					if down.Load() {
						return c.away(ctx)
					}
					return nil
				})
				defer b.end()
				id := b.accept(2, "dst.invalid")
				b.settleFor(31 * time.Second)
				h := b.sender.holdState()
				if h == nil || h.Reason != mail.HoldUnreachable || h.Detail != c.detail {
					t.Errorf("hold %+v", h)
				}
				gapsAre(t, c.name, dials(), c.gap)
				down.Store(false)
				b.settleFor(3 * time.Minute)
				if n := len(b.relay.Accepted()); n != 1 || b.job(id).Counts != (spool.Counts{Accepted: 2}) {
					t.Errorf("accepted %d times, job %+v", n, b.job(id))
				}
			})
		})
	}
}

// Each answer to RCPT comes in time, and all of them together do not.
func TestTheWatchdogEndsAnEnvelopeThatTakesHours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSenderTest(t, apptest.Options{}, quick)
		defer b.end()
		b.relay.Script(apptest.Rcpt, apptest.Slow(4*time.Minute))
		id := b.accept(40, "dst.invalid") // 160 minutes
		b.settleFor(offerLimit - time.Minute)
		if h := b.sender.holdState(); h != nil {
			t.Fatalf("held too early: %+v", h)
		}
		b.settleFor(time.Minute)
		if h := b.sender.holdState(); h == nil || !strings.Contains(h.Detail, "so slowly") {
			t.Errorf("hold %+v", h)
		}
		b.relay.Script(apptest.Rcpt)
		b.settleFor(2 * time.Hour)
		if n := len(b.relay.Accepted()); n != 1 || b.job(id).Counts != (spool.Counts{Accepted: 40}) {
			t.Errorf("accepted %d times, job %+v", n, b.job(id))
		}
	})
}

func TestTheRelaysRetryIsHonoured(t *testing.T) {
	for _, c := range []struct {
		text     string
		min, max time.Duration // until the next MAIL
	}{
		{"retry=120", 120 * time.Second, 125 * time.Second},
		{"retry=7", 7 * time.Second, 12 * time.Second},
		{"retry=3600", time.Hour, time.Hour + 5*time.Second},
		{"retry=9999999999", 30 * 24 * time.Hour, 30*24*time.Hour + 5*time.Second}, // no relay asks for more
		{"", busyWait, time.Minute},
		{"retry=0", busyWait, time.Minute},
		{"retry=-5", busyWait, time.Minute},
		{"retry=soon", busyWait, time.Minute},
		{"later=120", busyWait, time.Minute},
	} {
		t.Run(c.text, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newSenderTest(t, apptest.Options{}, pace.Limits{Batch: 50, PersonalBurst: 5})
				defer b.end()
				b.relay.Script(apptest.Mail, apptest.Answer(451, strings.TrimSpace("4.7.1 SSMTP-PACE "+c.text)), apptest.Usual())
				b.accept(1, "dst.invalid")
				b.settleFor(time.Second)
				if h := b.sender.holdState(); h == nil || h.Reason != mail.HoldPace {
					t.Fatalf("hold %+v", h)
				}
				if c.min > 24*time.Hour { // longer than the relay's certificate is valid
					if got := time.Until(*b.sender.holdState().Until); got != c.min-time.Second {
						t.Errorf("again in %v", got)
					}
					return
				}
				b.settleFor(c.max)
				list := b.relay.Transactions()
				if len(list) != 2 {
					t.Fatalf("%d transactions, hold %+v", len(list), b.sender.holdState())
				}
				if gap := list[1].MailAt.Sub(list[0].MailAt); gap < c.min || gap > c.max {
					t.Errorf("again after %v, want %v to %v", gap, c.min, c.max)
				}
				if list[0].EnvelopeID != list[1].EnvelopeID || b.relay.Accepted()[0].EnvelopeID != list[0].EnvelopeID {
					t.Error("the batch went under another key")
				}
			})
		})
	}
}

// A key stands for one list of recipients for ever, however often what was
// put off is split anew.
func TestANumberIsNeverUsedForOtherRecipients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSenderTest(t, apptest.Options{Keys: true}, quick)
		defer b.end()
		later := apptest.Answer(451, "4.7.1 greylisted")
		for i, r := range []string{"r1", "r52", "r53", "r101"} {
			list := slices.Repeat([]apptest.Behaviour{later}, i+1)
			b.relay.ScriptRecipient(r+"@dst.invalid", append(list, apptest.Usual())...)
		}
		id := b.accept(120, "dst.invalid")
		b.settleFor(24 * time.Hour)
		if c := b.job(id).Counts; c != (spool.Counts{Accepted: 120}) {
			t.Errorf("counts %+v", c)
		}
		checkFrozen(t, b.relay.Transactions())
		offered := map[string]int{}
		for _, tx := range b.relay.Transactions() {
			offered[tx.EnvelopeID]++
		}
		if len(offered) < 3+4 {
			t.Errorf("%d keys for three batches and four rounds: %v", len(offered), offered)
		}
		for key, n := range offered {
			if n != 1 {
				t.Errorf("%s was offered %d times, though no answer was lost", key, n)
			}
		}
	})
}

// The parameter holds 100 characters at most (RFC 3461 §4.4): a mail program's
// own ENVID goes behind the key where it fits, and is left out where not.
func TestAMailProgramsOwnEnvelopeID(t *testing.T) {
	for _, c := range []struct{ name, own, behind string }{
		{"none", "", ""},
		{"fits", "QQ314159", ".QQ314159"},
		{"does not fit", strings.Repeat("x", 90), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEngineTest(t, engineOptions{settings: authOff})
			e.run()
			params := ""
			if c.own != "" {
				params = " ENVID=" + c.own
			}
			id := e.hand(mailed{from: "alice@example.com", params: params, to: []string{"<bob@dst.invalid>"}})
			e.until("the message is sent", func(State) bool { return e.done(id) })
			if got, want := e.relay.Accepted()[0].EnvelopeID, "sb1."+string(id)+".1"+c.behind; got != want || len(got) > 100 {
				t.Errorf("ENVID %q, want %q", got, want)
			}
		})
	}
}
