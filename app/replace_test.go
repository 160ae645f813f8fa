package app

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/reports"
	"servicesmtp.net/companion/app/secret"
	"servicesmtp.net/companion/app/spool"
)

// again are the account's settings as they are.
func (e *engineTest) again() AccountInput {
	return AccountInput{
		Name: "office", User: "alice", Endpoints: []string{e.relay.TLS()}, API: e.accounts["office"].settings.API,
		CAFile: filepath.Join(e.dir, "ca.pem"), Skip: true,
	}
}

// sent waits until a job is done.
func (e *engineTest) sent(id mail.JobID) {
	e.t.Helper()
	e.until("the end of "+string(id), func(State) bool {
		j, err := e.spool.Job(e.t.Context(), id)
		return err == nil && j.State == spool.JobDone
	})
}

// Whoever changes an account and does not wait for the end leaves one that
// sends, not one that waits for the next start.
func TestAnAccountIsReplacedAlthoughNobodyWaits(t *testing.T) {
	e := newEngineTest(t, engineOptions{settings: authOff})
	e.run()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := e.SetAccount(ctx, e.again()); err != nil {
		t.Error(err)
	}
	e.sent(e.hand(mailed{from: "alice@example.com", to: []string{"<bob@example.net>"}}))
}

// Token and answers are of one login at one relay: another one neither sees the
// token nor is believed to be the store that the first one named.
func TestAnotherRelayUnderTheSameName(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(in *AccountInput)
		kept   bool
	}{
		{"another password only", func(in *AccountInput) {}, true},
		{"another relay", func(in *AccountInput) { in.API = "" }, false},
		{"another user", func(in *AccountInput) { in.User = "bob" }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			api := newRestAPI(t)
			e := newEngineTest(t, engineOptions{api: api, settings: authOff})
			e.run()
			e.until("the store is known", func(State) bool {
				_, err := e.Engine.reports.Endpoints(t.Context(), "office")
				return err == nil
			})
			api.set(func(a *restAPI) { a.down = true }) // nothing new is learnt
			in := e.again()
			c.change(&in)
			if err := e.SetAccount(t.Context(), in); err != nil {
				t.Fatal(err)
			}
			_, err := e.Engine.reports.Endpoints(t.Context(), "office")
			if got := !errors.Is(err, reports.ErrUnknown); got != c.kept {
				t.Errorf("answers kept: %v", err)
			}
			_, err = e.cfg.Secrets.Get(t.Context(), secret.TokenKey("office"))
			if got := err == nil; got != c.kept {
				t.Errorf("token kept: %v", err)
			}
		})
	}
}

// listener hears what is logged.
type listener struct {
	slog.Handler
	heard chan string
}

func (l listener) Enabled(context.Context, slog.Level) bool { return true }

func (l listener) Handle(_ context.Context, r slog.Record) error {
	select {
	case l.heard <- r.Message:
	default:
	}
	return nil
}

// A report that became due while its account was being replaced is made
// afterwards, not after the next start.
func TestAReportIsDueWhileItsAccountIsReplaced(t *testing.T) {
	e := newEngineTest(t, engineOptions{settings: authOff})
	heard := make(chan string, 100)
	e.log = slog.New(listener{slog.DiscardHandler, heard})
	e.refuse("nobody@example.net")
	e.run()
	e.sent(e.hand(mailed{from: "alice@example.com", to: []string{"<bob@example.net>"}})) // the account has begun
	e.mu.Lock()
	office := e.accounts["office"]
	delete(e.accounts, "office")
	e.mu.Unlock()
	id := e.hand(mailed{from: "alice@example.com", to: []string{"<nobody@example.net>"}})
	office.sender.poke()
	for end := time.After(time.Minute); ; {
		select {
		case text := <-heard:
			if !strings.Contains(text, "waits for its account") {
				continue
			}
		case <-end:
			t.Fatal("the report never became due")
		}
		break
	}
	e.mu.Lock()
	e.accounts["office"] = office
	e.mu.Unlock()
	if err := e.SetAccount(t.Context(), e.again()); err != nil {
		t.Fatal(err)
	}
	e.told(id)
}

// While the transactions in hand of an account that is replaced come to their
// end, there still is that account: State shows it, and a pause is obeyed.
func TestAnAccountIsThereWhileItIsReplaced(t *testing.T) {
	e := newEngineTest(t, engineOptions{settings: authOff})
	e.run()
	e.sent(e.hand(mailed{from: "alice@example.com", to: []string{"<bob@example.net>"}})) // the account has begun
	stopping, ended := make(chan struct{}), make(chan struct{})
	e.mu.Lock()
	office := e.accounts["office"]
	slow := &account{settings: office.settings, sender: office.sender, relay: office.relay, follower: office.follower, news: office.news, done: ended,
		stop: func() { office.stop(); close(stopping) }}
	e.accounts["office"] = slow
	in := AccountInput{Name: "office", User: "alice", Endpoints: []string{e.relay.TLS()}, CAFile: filepath.Join(e.dir, "ca.pem"), Skip: true}
	e.mu.Unlock()
	done := make(chan error, 1)
	go func() { done <- e.SetAccount(context.Background(), in) }()
	<-stopping
	if err := e.Pause(t.Context(), "office"); err != nil {
		t.Error(err)
	}
	if s := e.State(); len(s.Accounts) != 1 {
		t.Errorf("state %+v", s)
	}
	close(ended)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	a, err := e.account("office")
	if err != nil || a == slow || !a.sender.paused {
		t.Errorf("the pause was forgotten: %v", err)
	}
}

// An account may be changed while the engine starts: the new one is then found
// among those that there are and comes as one that is new. It has one sender.
func TestAnAccountIsReplacedWhileTheEngineStarts(t *testing.T) {
	e := newEngineTest(t, engineOptions{settings: authOff})
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
	e.sent(e.hand(mailed{from: "alice@example.com", to: []string{"<bob@example.net>"}})) // and the end of the engine would end the second one's account again
}

// Nor does one begin that was taken away before its turn came.
func TestAReplacedAccountDoesNotStart(t *testing.T) {
	e := newEngineTest(t, engineOptions{settings: authOff})
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
