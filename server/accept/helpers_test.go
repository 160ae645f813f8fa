package accept

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"servicesmtp.net/companion/internal/units"
	"servicesmtp.net/companion/internal/wire"
	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/billing"
	"servicesmtp.net/companion/server/store"

	"servicesmtp.net/companion/server/store/storetest"
)

const job = "01ARZ3NDEKTSV4RRFFQ69G5FAV"

func envid(n int) string { return wire.EnvelopeID{Job: job, Number: n}.String() }

// lanes stands for the queue: it writes a row within the transaction, so that
// tests see whether jobs share the transaction's fate.
type lanes struct {
	mu     sync.Mutex // guards woken
	woken  []string
	poison string // a lane that makes Enqueue fail
	panics bool   // ... by a panic
}

var errPoison = errors.New("poisoned lane")

func (l *lanes) Enqueue(ctx context.Context, tx *sql.Tx, names []string) error {
	for _, n := range names {
		if l.poison != "" && n == l.poison {
			if l.panics {
				panic("poisoned lane")
			}
			return errPoison
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO settings (key, value) VALUES ($1, '') ON CONFLICT (key) DO NOTHING`, "lane:"+n); err != nil {
			return err
		}
	}
	return nil
}

func (l *lanes) Wake(names []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.woken = append(l.woken, names...)
}

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// world is an acceptor on a real store.
type world struct {
	*Acceptor
	t     testing.TB
	dir   string
	lanes *lanes
	stop  func()
}

// newWorld is a new one on the kind of database that dsn is.
func newWorld(t testing.TB, dsn string) *world {
	t.Helper()
	if dsn != "" {
		dsn = storetest.Database(t)
	}
	return openWorld(t, dsn, t.TempDir())
}

func openWorld(t testing.TB, dsn, dir string, change ...func(*Options)) *world {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	s, err := store.Open(context.Background(), store.Options{Dir: dir, DSN: dsn, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, dir: dir, lanes: &lanes{}}
	o := Options{Store: s, Catalogue: account.Default(), Lanes: w.lanes, Route: wire.Domain, Log: log}
	for _, c := range change {
		c(&o)
	}
	w.Acceptor = New(o)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(w.stop)
	return w
}

// account adds an account; the plan decides what it may send.
func (w *world) account(id, plan string, change ...func(*billing.NewAccount)) string {
	w.t.Helper()
	n := billing.NewAccount{Plan: plan, Account: store.Account{ID: id, Name: id, Email: id + "@example.com", Zone: "Europe/Rome", Status: "active",
		Overage: "surcharge", PasswordHash: "x"}}
	for _, c := range change {
		c(&n)
	}
	b := billing.Billing{Store: w.Store, Plans: w.Catalogue, Now: w.Now}
	if _, _, err := b.Open(context.Background(), n); err != nil {
		w.t.Fatal(err)
	}
	return id
}

func status(s string) func(*billing.NewAccount) {
	return func(n *billing.NewAccount) { n.Account.Status = s }
}

func offers(addresses ...string) []Offer {
	var all []Offer
	for _, a := range addresses {
		all = append(all, Offer{Decision: Decision{Address: a, Code: 250, Enhanced: "2.0.0"}})
	}
	return all
}

func many(n int, tag string) []Offer {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("%s%d@d%d.example", tag, i, i%5))
	}
	return offers(all...)
}

func message(text string) string {
	return "From: a@example.com\r\nTo: list@example.com\r\nSubject: test\r\n\r\n" + text + "\r\n"
}

// send receives and accepts text as the session would.
func (w *world) send(accountID, envelopeID string, offered []Offer, text string) (Receipt, error) {
	body, err := w.Receive(context.Background(), accountID, strings.NewReader(text), 0)
	if err != nil {
		return Receipt{}, err
	}
	defer body.Close(context.Background())
	return w.Accept(context.Background(), Submission{ID: store.NewID(time.Now()), AccountID: accountID, EnvelopeID: envelopeID,
		From: "a@example.com", Offered: offered, Body: body, Received: "Received: by localhost\r\n"})
}

func (w *world) mustSend(accountID, envelopeID string, offered []Offer, text string) Receipt {
	w.t.Helper()
	r, err := w.send(accountID, envelopeID, offered, text)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// count runs a query that answers one number.
func (w *world) count(query string, args ...any) (n int64) {
	w.t.Helper()
	if err := w.Store.Reader().QueryRow(query, args...).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// rows is how many rows each table of acceptance has.
func (w *world) rows() map[string]int64 {
	all := map[string]int64{}
	for _, table := range []string{"messages", "deliveries", "bodies", "envelope_keys", "usage_periods", "usage_days", "settings"} {
		all[table] = w.count(`SELECT count(*) FROM ` + table)
	}
	return all
}

func (w *world) used(accountID string) account.Charge {
	w.t.Helper()
	var emails, bytes, dayEmails, dayBytes int64
	if err := w.Store.Reader().QueryRow(`SELECT coalesce(sum(emails), 0), coalesce(sum(bytes), 0) FROM usage_periods WHERE account_id = $1`,
		accountID).Scan(&emails, &bytes); err != nil {
		w.t.Fatal(err)
	}
	if err := w.Store.Reader().QueryRow(`SELECT coalesce(sum(emails), 0), coalesce(sum(bytes), 0) FROM usage_days WHERE account_id = $1`,
		accountID).Scan(&dayEmails, &dayBytes); err != nil {
		w.t.Fatal(err)
	}
	if emails != dayEmails || bytes != dayBytes {
		w.t.Errorf("period says %d e-mails and %d bytes, days say %d and %d", emails, bytes, dayEmails, dayBytes)
	}
	return account.Charge{Emails: emails, Bytes: units.ByteSize(bytes)}
}

// files lists the large bodies, by their hash.
func (w *world) files() []string {
	w.t.Helper()
	var names []string
	err := filepath.WalkDir(filepath.Join(w.dir, "bodies"), func(p string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			sum, _, _ := strings.Cut(d.Name(), ".")
			names = append(names, sum)
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	slices.Sort(names)
	return names
}

// block blocks an account, as an operator would.
func (w *world) block(id string) error {
	_, err := w.Store.Writer().Exec(`UPDATE accounts SET status = 'blocked' WHERE id = $1`, id)
	return err
}
