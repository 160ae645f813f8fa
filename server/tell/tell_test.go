package tell

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"log/slog"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"servicesmtp.net/companion/internal/units"
	"servicesmtp.net/companion/internal/wire"
	"servicesmtp.net/companion/server/accept"
	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/billing"
	"servicesmtp.net/companion/server/notify"
	"servicesmtp.net/companion/server/store"
)

// lanes stands for the queue.
type lanes struct {
	mu    sync.Mutex // guards woken
	woken []string
	fail  error // of Enqueue
}

func (l *lanes) Enqueue(ctx context.Context, tx *sql.Tx, names []string) error { return l.fail }

func (l *lanes) Wake(names []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.woken = append(l.woken, names...)
}

// node is one process on the store.
type node struct {
	*Teller
	t     *testing.T
	dir   string
	lanes *lanes
	woken []string
}

func open(t *testing.T, dir string) *node {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	s, err := store.Open(t.Context(), store.Options{Dir: dir, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	n := &node{t: t, dir: dir, lanes: &lanes{}}
	a := accept.New(accept.Options{Store: s, Catalogue: account.Default(), Lanes: n.lanes, Route: wire.Domain, Log: log})
	n.Teller = New(Options{Store: s, Post: a, Hostname: "relay.example", From: "postmaster@relay.example", Mail: true,
		Wake: func(id string) { n.woken = append(n.woken, id) }, Log: log})
	return n
}

func (n *node) alice() store.Account {
	n.t.Helper()
	b := billing.Billing{Store: n.Store, Plans: account.Default()}
	a, _, err := b.Open(n.t.Context(), billing.NewAccount{Plan: "standard", Account: store.Account{Name: "alice", Email: "alice@kunde.example",
		Zone: "Europe/Rome", Status: "active", Overage: "surcharge", PasswordHash: "x"}})
	if err != nil {
		n.t.Fatal(err)
	}
	return a
}

var (
	start = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	usage = notify.UsageStep{Step: 30, Use: notify.Use{Plan: "Standard", Used: notify.Volume{Emails: 100, Bytes: units.MB},
		Allowance: notify.Volume{Emails: 50_000, Bytes: 500 * units.MB}, Percent: 30, Start: start, End: start.AddDate(0, 1, 0)}}
)

// counts is how much of everything there is.
type counts struct{ Notices, Messages, Deliveries, Bodies, Told int }

func (n *node) counts() (c counts) {
	n.t.Helper()
	if err := n.Store.Reader().QueryRow(`SELECT (SELECT count(*) FROM notices), (SELECT count(*) FROM messages), (SELECT count(*) FROM deliveries),
		(SELECT count(*) FROM bodies), (SELECT count(*) FROM reports_sent)`).Scan(&c.Notices, &c.Messages, &c.Deliveries, &c.Bodies, &c.Told); err != nil {
		n.t.Fatal(err)
	}
	return c
}

func (n *node) files() (all []string) {
	n.t.Helper()
	err := filepath.WalkDir(filepath.Join(n.dir, "bodies"), func(p string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			all = append(all, p)
		}
		return nil
	})
	if err != nil {
		n.t.Fatal(err)
	}
	return all
}

// TestTold: notice and mail are there, from nobody, and nobody is charged.
func TestTold(t *testing.T) {
	n := open(t, t.TempDir())
	alice := n.alice()
	if told, err := n.Tell(t.Context(), News{Account: alice, Notice: usage}); err != nil || !told {
		t.Fatalf("%v, %v", told, err)
	}
	if got, want := n.counts(), (counts{1, 1, 1, 1, 0}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	notices, err := n.Store.Notices(t.Context(), alice.ID, 0, 10)
	if err != nil || len(notices) != 1 || notices[0].Kind != "usage" || notices[0].Key != "steps" || !strings.Contains(notices[0].Body, "100 e-mails") {
		t.Errorf("notices %+v, %v", notices, err)
	}
	due, err := n.Store.NextDue(t.Context(), store.DueQuery{Lane: "kunde.example", Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	if due.AccountID != store.ServiceID || due.MailFrom != "" || len(due.Recipients) != 1 || due.Recipients[0].Recipient != "alice@kunde.example" ||
		due.Recipients[0].Notify != "NEVER" || !strings.HasPrefix(due.Received, "Received: by relay.example id ") {
		t.Errorf("due %+v", due)
	}
	body, _, err := n.Store.OpenBody(t.Context(), due.AccountID, due.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	m, err := mail.ReadMessage(body)
	if err != nil || m.Header.Get("From") != "<postmaster@relay.example>" || m.Header.Get("To") != "<alice@kunde.example>" || m.Header.Get("Auto-Submitted") != "auto-generated" {
		t.Errorf("mail %v, %v", m, err)
	}
	if len(n.woken) != 1 || n.woken[0] != alice.ID || len(n.lanes.woken) != 1 || n.lanes.woken[0] != "kunde.example" {
		t.Errorf("woken %q, lanes %q", n.woken, n.lanes.woken)
	}
	var used int
	if err := n.Store.Reader().QueryRow(`SELECT count(*) FROM usage_periods`).Scan(&used); err != nil || used != 0 {
		t.Errorf("%d periods charged, %v", used, err)
	}
}

// TestOnceOverNodes races two nodes for every step of a month.
func TestOnceOverNodes(t *testing.T) {
	dir := t.TempDir()
	a, b := open(t, dir), open(t, dir)
	alice := a.alice()
	a.Wake, b.Wake = func(string) {}, func(string) {}
	var mu sync.Mutex // guards told
	told := make(map[int]int)
	var all sync.WaitGroup
	for step := 10; step <= 100; step += 10 {
		for _, n := range []*node{a, b, a, b} {
			all.Go(func() {
				news := News{Account: alice, Notice: notify.UsageStep{Step: step, Use: usage.Use}, Once: &Once{PeriodStart: start, Step: step}}
				ok, err := n.Tell(context.Background(), news)
				if err != nil {
					t.Error(err)
				}
				if ok {
					mu.Lock()
					told[step]++
					mu.Unlock()
				}
			})
		}
	}
	all.Wait()
	for step := 10; step <= 100; step += 10 {
		if told[step] != 1 {
			t.Errorf("step %d was told %d times", step, told[step])
		}
	}
	if got, want := a.counts(), (counts{10, 10, 10, 10, 10}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	list, err := a.Store.Told(t.Context(), alice.ID)
	if err != nil || len(list) != 10 {
		t.Errorf("told %+v, %v", list, err)
	}
	if ok, err := b.Tell(t.Context(), News{Account: alice, Notice: usage, Once: &Once{PeriodStart: start.AddDate(0, 1, 0), Step: 30}}); !ok || err != nil {
		t.Errorf("the same step of another month: %v, %v", ok, err)
	}
}

// TestAllOrNothing breaks the transaction in each of its places.
func TestAllOrNothing(t *testing.T) {
	broken := errors.New("broken")
	for name, set := range map[string]func(n *node, news *News){
		"what is written with it": func(_ *node, news *News) { news.With = func(context.Context, *sql.Tx) error { return broken } },
		"the queue":               func(n *node, _ *News) { n.lanes.fail = broken },
		"the notice": func(n *node, news *News) {
			news.With = func(ctx context.Context, tx *sql.Tx) error {
				_, err := tx.ExecContext(ctx, `DROP TABLE notices`)
				return err
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := open(t, t.TempDir())
			alice := n.alice()
			news := News{Account: alice, Notice: large(), Once: &Once{PeriodStart: start}}
			set(n, &news)
			if told, err := n.Tell(t.Context(), news); told || err == nil {
				t.Fatalf("%v, %v", told, err)
			}
			if got := n.counts(); got != (counts{}) {
				t.Errorf("left behind: %+v", got)
			}
			if f := n.files(); len(f) != 0 || len(n.woken)+len(n.lanes.woken) != 0 {
				t.Errorf("files %q, woken %q %q", f, n.woken, n.lanes.woken)
			}
			n.lanes.fail = nil
			news.With = func(ctx context.Context, tx *sql.Tx) error {
				return n.Store.SetAccountStatus(ctx, tx, alice.ID, "active", "blocked")
			}
			if told, err := n.Tell(t.Context(), news); !told || err != nil {
				t.Fatalf("again: %v, %v", told, err)
			}
			if got, want := n.counts(), (counts{1, 1, 1, 1, 1}); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
			if f := n.files(); len(f) != 1 {
				t.Errorf("files %q", f)
			}
			// What comes with it is not written a second time either.
			news.With = func(context.Context, *sql.Tx) error { t.Error("written again"); return nil }
			if told, err := n.Tell(t.Context(), news); told || err != nil {
				t.Errorf("a second time: %v, %v", told, err)
			}
			if f := n.files(); len(f) != 1 {
				t.Errorf("files %q", f)
			}
		})
	}
}

// large is a report whose mail is a file, not a row.
func large() notify.MonthReport {
	r := notify.MonthReport{Use: usage.Use, Failed: 10_000}
	for range 10_000 {
		r.Addresses = append(r.Addresses, notify.FailedAddress{Address: "somebody@dst.example", Kind: notify.NoAddress, Reply: "550 5.1.1 no", At: start, Times: 1})
	}
	return r
}

func TestWithoutMail(t *testing.T) {
	n := open(t, t.TempDir())
	n.Mail = false
	if told, err := n.Tell(t.Context(), News{Account: n.alice(), Notice: usage}); err != nil || !told {
		t.Fatalf("%v, %v", told, err)
	}
	if got, want := n.counts(), (counts{1, 0, 0, 0, 0}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestABounceMakesNoMail: what became of a report is an event of the service's
// account, and nothing more is sent.
func TestABounceMakesNoMail(t *testing.T) {
	n := open(t, t.TempDir())
	if _, err := n.Tell(t.Context(), News{Account: n.alice(), Notice: usage}); err != nil {
		t.Fatal(err)
	}
	due, err := n.Store.NextDue(t.Context(), store.DueQuery{Lane: "kunde.example", Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	err = n.Store.Tx(t.Context(), func(tx *sql.Tx) error {
		_, err := n.Store.WriteOutcome(t.Context(), tx, store.Outcome{IDs: due.IDs(), Status: "failed", Code: 550, Enhanced: "5.1.1", Reply: "no", At: time.Now()})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := n.counts(), (counts{1, 1, 1, 1, 0}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	failures, err := n.Store.Failures(t.Context(), store.ServiceID, 0, 10)
	if err != nil || len(failures) != 1 || failures[0].Recipient != "alice@kunde.example" {
		t.Errorf("failures %+v, %v", failures, err)
	}
}

func TestWhatCannotBeWrittenIsNotTold(t *testing.T) {
	n := open(t, t.TempDir())
	alice := n.alice()
	alice.Email = "nobody"
	if told, err := n.Tell(t.Context(), News{Account: alice, Notice: usage}); !told || err != nil {
		t.Errorf("an address that is none: %v, %v", told, err)
	}
	if got, want := n.counts(), (counts{Notices: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if told, err := n.Tell(t.Context(), News{Account: alice, Notice: notify.PaymentRequest{}}); told || err == nil {
		t.Errorf("a request for nothing: %v, %v", told, err)
	}
	if got, want := n.counts(), (counts{Notices: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if _, err := n.Post.Write(t.Context(), accept.Letter{Content: io.LimitReader(nil, 0)}); err == nil {
		t.Error("a letter to nobody was written")
	}
}
