package app

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"servicesmtp.net/companion/app/apptest"
	"servicesmtp.net/companion/app/batch"
	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/pace"
	"servicesmtp.net/companion/app/settings"
	"servicesmtp.net/companion/app/spool"
	"servicesmtp.net/companion/app/uplink"
)

// senderTest is a sender with a real spool and a scripted relay, all in one bubble
// of virtual time.
type senderTest struct {
	t        *testing.T
	relay    *apptest.Relay
	spool    *spool.Spool
	sender   *sender
	password atomic.Value // string
	jobs     int
	body     string // "": a short one
	end      func()
	stop     func() // ends the sender alone
	options  spool.Options
}

func newSenderTest(t *testing.T, o apptest.Options, l pace.Limits) *senderTest {
	t.Helper()
	b := prepareSenderTest(t, apptest.NewPipeRelay(t, o), l)
	b.start()
	return b
}

// prepareSenderTest makes one that does not run yet.
func prepareSenderTest(t *testing.T, r *apptest.Relay, l pace.Limits) *senderTest {
	t.Helper()
	b := &senderTest{t: t, relay: r}
	b.password.Store("right")
	log := slog.New(slog.DiscardHandler)
	var err error
	b.options = spool.Options{
		Dir: t.TempDir(), Log: log,
		Split: func(r []mail.Recipient) [][]mail.Recipient { return batch.Split(r, 50) },
	}
	b.spool, err = spool.Open(t.Context(), b.options)
	if err != nil {
		t.Fatal(err)
	}
	e := &Engine{log: log, spool: b.spool, pub: newPublisher(func(context.Context) State { return State{} })}
	a := &account{settings: settings.Account{Name: "office", User: "alice", Credential: "file:x"}, relay: &relay{}}
	b.sender = e.newSender(a, pace.New(l))
	b.sender.secret = func(context.Context) (string, error) { return b.password.Load().(string), nil }
	endpoint, err := uplink.ParseEndpoint(b.relay.StartTLS())
	if err != nil {
		t.Fatal(err)
	}
	b.sender.connect = func(ctx context.Context) (*uplink.Session, error) {
		return uplink.Connect(ctx, uplink.Config{
			Endpoints: []uplink.Endpoint{endpoint}, RootCAs: b.relay.CertPool(), User: "alice", Password: b.sender.secret, Dial: b.relay.Dial, Encrypted: &e.encrypted,
		})
	}
	return b
}

// start runs the sender until end is called.
func (b *senderTest) start() {
	ctx, cancel := context.WithCancel(b.t.Context())
	done := make(chan struct{})
	go func() { defer close(done); b.sender.run(ctx) }()
	b.stop = func() { cancel(); <-done }
	b.end = func() {
		b.stop()
		b.relay.Close()
		if err := b.spool.Close(); err != nil {
			b.t.Error(err)
		}
	}
}

// accept stores a message to n recipients, as the listener would.
func (b *senderTest) accept(n int, domain string) mail.JobID {
	b.t.Helper()
	b.jobs++
	id := b.jobID(b.jobs)
	in, err := b.spool.Create(b.t.Context(), id, 0)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := in.Write([]byte("Subject: test\r\n\r\n.hello\r\n" + b.body)); err != nil {
		b.t.Fatal(err)
	}
	env := mail.Envelope{Job: id, Account: "office", Lane: mail.Bulk, From: "news@example.com", AcceptedAt: time.Now()}
	if n <= 10 {
		env.Lane = mail.Personal
	}
	for i := range n {
		env.Recipients = append(env.Recipients, mail.Recipient{Address: fmt.Sprintf("r%d@%s", i, domain)})
	}
	if err := in.Commit(b.t.Context(), env); err != nil {
		b.t.Fatal(err)
	}
	b.sender.poke()
	return id
}

// settleFor lets virtual time pass.
func (b *senderTest) settleFor(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (b *senderTest) job(id mail.JobID) spool.Job {
	b.t.Helper()
	j, err := b.spool.Job(b.t.Context(), id)
	if err != nil {
		b.t.Fatal(err)
	}
	return j
}

var quick = pace.Limits{Batch: 50, PersonalBurst: 5}

func TestSenderHoldsThePaceAtDATA(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSenderTest(t, apptest.Options{Keys: true}, pace.Limits{PerMinute: 600, Batch: 50, PersonalBurst: 5})
		defer b.end()
		// Slow answers to RCPT must not move DATA away from its time.
		b.relay.Script(apptest.Rcpt, apptest.Slow(time.Millisecond))
		id := b.accept(500, "dst.invalid")
		b.settleFor(60 * time.Second)
		list := b.relay.Accepted()
		if len(list) != 10 {
			t.Fatalf("%d batches, want 10", len(list))
		}
		seen := map[string]bool{}
		for i, tx := range list {
			if i > 0 {
				if gap := tx.DataAt.Sub(list[i-1].DataAt); gap != 5*time.Second {
					t.Errorf("batch %d left %v after the one before, want 5 s", i+1, gap)
				}
			}
			if want := fmt.Sprintf("sb1.%s.%d", id, i+1); tx.EnvelopeID != want {
				t.Errorf("ENVID %q, want %q", tx.EnvelopeID, want)
			}
			for _, r := range tx.Taken {
				if seen[r] {
					t.Errorf("%s twice", r)
				}
				seen[r] = true
			}
		}
		if j := b.job(id); len(seen) != 500 || j.State != spool.JobDone || j.Counts.Accepted != 500 {
			t.Errorf("%d recipients, job %+v", len(seen), j)
		}
		if n := b.relay.Connections(); n > 2 {
			t.Errorf("%d connections for one newsletter", n)
		}
	})
}

func TestPersonalMailOvertakesANewsletter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSenderTest(t, apptest.Options{}, pace.Limits{PerMinute: 600, Batch: 50, PersonalBurst: 5})
		defer b.end()
		b.accept(500, "dst.invalid")
		b.settleFor(7 * time.Second)
		handed := time.Now()
		b.accept(1, "friend.invalid")
		b.settleFor(time.Second)
		for _, tx := range b.relay.Accepted() {
			if strings.HasSuffix(tx.Taken[0], "@friend.invalid") {
				if d := tx.DataAt.Sub(handed); d > 300*time.Millisecond {
					t.Errorf("left after %v", d)
				}
				return
			}
		}
		t.Error("the personal message waits behind the newsletter")
	})
}

func TestDeferredRecipientsGoIntoANewBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSenderTest(t, apptest.Options{}, quick)
		defer b.end()
		b.relay.ScriptRecipient("r3@dst.invalid", apptest.Answer(451, "4.7.1 greylisted"), apptest.Usual())
		b.relay.ScriptRecipient("r4@dst.invalid", apptest.Answer(550, "5.1.1 no such user"))
		id := b.accept(20, "dst.invalid")
		b.settleFor(5 * time.Minute)
		list := b.relay.Accepted()
		if len(list) != 2 || len(list[0].Taken) != 18 || len(list[1].Offered) != 1 || list[1].Offered[0] != "r3@dst.invalid" {
			t.Fatalf("transactions %+v", list)
		}
		if list[1].EnvelopeID != fmt.Sprintf("sb1.%s.2", id) {
			t.Errorf("ENVID %q: a number was used again", list[1].EnvelopeID)
		}
		if gap := list[1].DataAt.Sub(list[0].DataAt); gap < 48*time.Second {
			t.Errorf("tried again after %v", gap)
		}
		if j := b.job(id); j.Counts.Accepted != 19 || j.Counts.Failed != 1 || j.State != spool.JobDone {
			t.Errorf("job %+v", j)
		}
	})
}

func TestAWrongPasswordIsNotTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSenderTest(t, apptest.Options{User: "alice", Password: "right"}, quick)
		defer b.end()
		b.password.Store("wrong")
		id := b.accept(1, "dst.invalid")
		b.settleFor(4 * time.Minute)
		if n := b.relay.Logins(); n != 1 {
			t.Errorf("%d logins with a password that was refused", n)
		}
		if h := b.sender.holdState(); h == nil || h.Reason != mail.HoldCredentials || !strings.HasPrefix(h.Reply, "535") {
			t.Fatalf("hold %+v", h)
		}
		b.password.Store("right") // the user enters it where it is kept
		b.settleFor(10 * time.Second)
		if j := b.job(id); j.State != spool.JobDone || b.sender.holdState() != nil {
			t.Errorf("job %+v, hold %+v", j, b.sender.holdState())
		}
	})
}

func TestQuotaHoldsUntilItsReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSenderTest(t, apptest.Options{}, quick)
		defer b.end()
		reset := time.Now().Add(3 * time.Minute).UTC().Truncate(time.Second)
		b.relay.Script(apptest.Dot, apptest.Answer(550, "5.7.1 SSMTP-QUOTA reset="+reset.Format(time.RFC3339)+" The plan is used up."), apptest.Usual())
		id := b.accept(1, "dst.invalid")
		b.settleFor(2 * time.Minute)
		h := b.sender.holdState()
		if h == nil || h.Reason != mail.HoldQuota || h.Until == nil || !h.Until.Equal(reset) {
			t.Fatalf("hold %+v, want until %v", h, reset)
		}
		if j := b.job(id); j.Counts.Queued != 1 {
			t.Errorf("job %+v: a full plan fails nobody", j)
		}
		b.settleFor(2 * time.Minute)
		if j := b.job(id); j.State != spool.JobDone || b.sender.holdState() != nil {
			t.Errorf("job %+v, hold %+v", j, b.sender.holdState())
		}
		if n := len(b.relay.Transactions()); n != 2 {
			t.Errorf("%d transactions, want 2", n)
		}
	})
}

func TestWithoutEnvelopeIDsALostAnswerIsForAPerson(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSenderTest(t, apptest.Options{Omit: []string{"DSN"}}, quick)
		defer b.end()
		b.relay.Script(apptest.Dot, apptest.EffectThenHangUp(), apptest.Usual())
		id := b.accept(1, "dst.invalid")
		b.settleFor(time.Hour)
		if j := b.job(id); j.State != spool.JobUncertain || j.Counts.Uncertain != 1 {
			t.Errorf("job %+v, want uncertain", j)
		}
		if n := len(b.relay.Transactions()); n != 1 {
			t.Errorf("%d transactions: it was sent again without being asked to", n)
		}
	})
}

func TestALossBeforeTheDotIsTriedAgainUnderTheSameKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSenderTest(t, apptest.Options{Keys: true}, quick)
		defer b.end()
		b.relay.Script(apptest.Data, apptest.HangUp(), apptest.HangUp(), apptest.Usual())
		id := b.accept(1, "dst.invalid")
		b.settleFor(time.Minute)
		list := b.relay.Transactions()
		if len(list) != 3 || list[0].EnvelopeID != list[2].EnvelopeID || !list[2].Accepted {
			t.Errorf("transactions %+v", list)
		}
		if j := b.job(id); j.State != spool.JobDone {
			t.Errorf("job %+v", j)
		}
	})
}

func TestPauseTakesBackWhatWaitsAtTheGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSenderTest(t, apptest.Options{}, pace.Limits{PerMinute: 60, Batch: 50, PersonalBurst: 5})
		defer b.end()
		id := b.accept(150, "dst.invalid")
		b.settleFor(49*time.Second + 900*time.Millisecond) // the second batch is prepared and waits
		b.sender.setPaused(true)
		b.settleFor(time.Hour)
		if n := len(b.relay.Accepted()); n != 1 {
			t.Errorf("%d batches left, want the one before the pause", n)
		}
		if b.sender.sending() != 0 {
			t.Error("a batch is still at work in a pause")
		}
		b.sender.setPaused(false)
		b.settleFor(3 * time.Minute)
		if j := b.job(id); j.State != spool.JobDone || j.Counts.Accepted != 150 {
			t.Errorf("job %+v", j)
		}
	})
}

func TestNothingWorksWhileNothingWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSenderTest(t, apptest.Options{}, quick)
		defer b.end()
		b.accept(1, "dst.invalid")
		b.settleFor(10 * time.Minute)
		commands := len(b.relay.Commands())
		b.settleFor(24 * time.Hour)
		if n := len(b.relay.Commands()); n != commands {
			t.Errorf("%d commands in a day without mail", n-commands)
		}
	})
}

func TestAFullDiskDoesNotLoseAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSenderTest(t, apptest.Options{}, quick)
		defer b.end()
		tries := 0
		b.sender.persist(t.Context(), func(context.Context) error {
			if tries++; tries < 4 {
				return fmt.Errorf("write: %w", spool.ErrDiskFull)
			}
			return nil
		})
		if h := b.sender.holdState(); tries != 4 || h == nil || h.Reason != mail.HoldStorage {
			t.Errorf("%d tries, hold %+v", tries, h)
		}
		b.sender.persist(t.Context(), func(context.Context) error { tries++; return spool.ErrState })
		if tries != 5 {
			t.Error("what cannot succeed was tried again")
		}
		id := b.accept(1, "dst.invalid") // it goes on when there is room
		b.settleFor(time.Minute)
		if b.job(id).State != spool.JobDone || b.sender.holdState() != nil {
			t.Errorf("job %+v, hold %+v", b.job(id), b.sender.holdState())
		}
	})
}

// nextJob is the id of the message that accept stores next.
func (b *senderTest) nextJob() mail.JobID { return b.jobID(b.jobs + 1) }

func (b *senderTest) jobID(n int) mail.JobID {
	return mail.JobID(fmt.Sprintf("01ARZ3NDEKTSV4RRFFQ69G%04d", n))
}
