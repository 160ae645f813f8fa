package steward

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"servicesmtp.net/companion/internal/units"
	"servicesmtp.net/companion/internal/wire"
	"servicesmtp.net/companion/server/accept"
	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/billing"
	"servicesmtp.net/companion/server/store"
	"servicesmtp.net/companion/server/store/storetest"
	"servicesmtp.net/companion/server/tell"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// lanes stands for the queue. It can be made to break.
type lanes struct {
	mu   sync.Mutex // guards fail and left
	fail error      // of Enqueue
	left int        // calls before it fails
}

func (l *lanes) Enqueue(context.Context, *sql.Tx, []string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.left--; l.fail != nil && l.left < 0 {
		return l.fail
	}
	return nil
}

func (l *lanes) Wake([]string) {}

func (l *lanes) breakAfter(calls int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left, l.fail = calls, err
}

// house is one relay's steward on a real store, with a clock that is set.
type house struct {
	*Steward
	t     *testing.T
	lanes *lanes

	mu sync.Mutex // guards at
	at time.Time
}

func (h *house) set(at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at = at
}

func (h *house) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.at
}

var newYear = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// open opens a house in dir, or on the database.
func open(t *testing.T, dir, dsn string) *house {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	st, err := store.Open(t.Context(), store.Options{Dir: dir, DSN: dsn, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	h := &house{t: t, lanes: &lanes{}, at: newYear}
	a := accept.New(accept.Options{Store: st, Catalogue: account.Default(), Lanes: h.lanes, Route: wire.Domain, Log: log})
	h.Steward = New(Options{Store: st, Plans: account.Default(), Log: log, Now: h.now, Operator: "ops@relay.example",
		Pay:    func(order, account string) (string, string) { return "Pay " + order, "https://pay.example/" + order },
		Teller: tell.New(tell.Options{Store: st, Post: a, Hostname: "relay.example", From: "postmaster@relay.example", Mail: true, Log: log})})
	return h
}

// add makes an account whose plan begins now.
func (h *house) add(name, plan, zone string, policy account.Policy) store.Account {
	h.t.Helper()
	a, _, err := h.billing.Open(h.t.Context(), billing.NewAccount{Plan: plan, Account: store.Account{ID: name, Name: name, Email: name + "@kunde.example",
		Zone: zone, Status: "active", Overage: string(policy), PasswordHash: "x"}})
	if err != nil {
		h.t.Fatal(err)
	}
	return a
}

// use counts so many e-mails of a size now, as acceptance does, whatever the
// limit; false: no plan is in force.
func (h *house) use(id string, emails int64, size units.ByteSize) bool {
	h.t.Helper()
	var rows account.Rows
	err := h.Store.Tx(h.t.Context(), func(tx *sql.Tx) (err error) {
		if _, err = h.billing.CloseEarlier(h.t.Context(), tx, id, h.now()); err != nil {
			return err
		}
		rows, err = h.Store.Rows(h.t.Context(), tx, id)
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	terms, err := rows.Terms(h.Plans, h.now())
	if err != nil {
		return false
	}
	h.exec(`INSERT INTO usage_periods (account_id, period_start, period_end, emails, bytes) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (account_id, period_start) DO UPDATE SET emails = usage_periods.emails + excluded.emails, bytes = usage_periods.bytes + excluded.bytes`,
		id, store.Micros(terms.Start), store.Micros(terms.End), emails, emails*int64(size))
	h.exec(`INSERT INTO usage_days (account_id, day, emails, bytes) VALUES ($1, $2, $3, $4)
		ON CONFLICT (account_id, day) DO UPDATE SET emails = usage_days.emails + excluded.emails, bytes = usage_days.bytes + excluded.bytes`,
		id, account.Day(rows.Zone, h.now()), emails, emails*int64(size))
	return true
}

func (h *house) exec(query string, args ...any) {
	h.t.Helper()
	if _, err := h.Store.Writer().Exec(query, args...); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) failed(id, to string, at time.Time) {
	h.t.Helper()
	h.exec(`INSERT INTO events (account_id, message_id, recipient, status, code, enhanced, reply, at) VALUES ($1, 'M', $2, 'failed', 550, '5.1.1', 'no', $3)`,
		id, to, store.Micros(at))
}

// pass makes one that must go well, and gives what was told as words.
func (h *house) pass() []string {
	h.t.Helper()
	res, err := h.Pass(h.t.Context(), Request{})
	if err != nil || res.Failed > 0 {
		h.t.Fatalf("pass: %v, %d failed", err, res.Failed)
	}
	return words(res)
}

func words(res Result) (all []string) {
	for _, n := range res.Told {
		w := n.Account + " " + n.Kind
		if n.Step > 0 {
			w += " " + itoa(n.Step)
		}
		all = append(all, w)
	}
	return all
}

// counts is how many notices and mails there are by kind; they must be equal.
func (h *house) counts(id string) map[string]int {
	h.t.Helper()
	notices, err := h.Store.Notices(h.t.Context(), id, 0, 10_000)
	if err != nil {
		h.t.Fatal(err)
	}
	kinds := make(map[string]int)
	for _, n := range notices {
		kinds[n.Kind]++
	}
	return kinds
}

// mails is how many are in the store.
func (h *house) mails() (n int) {
	h.t.Helper()
	if err := h.Store.Reader().QueryRow(`SELECT count(*) FROM messages`).Scan(&n); err != nil {
		h.t.Fatal(err)
	}
	return n
}

// letters are the texts of the mails, oldest first.
func (h *house) letters() (all []string) {
	h.t.Helper()
	rows, err := h.Store.Reader().Query(`SELECT account_id, sha256 FROM messages ORDER BY id`)
	if err != nil {
		h.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, sum string
		if err := rows.Scan(&id, &sum); err != nil {
			h.t.Fatal(err)
		}
		body, _, err := h.Store.OpenBody(h.t.Context(), id, sum)
		if err != nil {
			h.t.Fatal(err)
		}
		text, err := io.ReadAll(body)
		if err = errors.Join(err, body.Close()); err != nil {
			h.t.Fatal(err)
		}
		all = append(all, string(text))
	}
	return all
}
