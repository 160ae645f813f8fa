package queue

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"servicesmtp.net/companion/server/delivery"
	"servicesmtp.net/companion/server/store"
	"servicesmtp.net/companion/server/store/storetest"
)

// TestMain fails the package when a test leaves a goroutine behind. As a child
// of the kill test it runs a queue instead.
func TestMain(m *testing.M) {
	if dir := os.Getenv("QUEUE_TEST_CHILD"); dir != "" {
		child(dir, os.Getenv("QUEUE_TEST_FAR"))
	}
	before := runtime.NumGoroutine()
	code := storetest.Main(m)
	for range 1000 {
		if runtime.NumGoroutine() <= before {
			break
		}
		time.Sleep(20 * time.Millisecond) // closed connections take a moment to be noticed
	}
	if n := runtime.NumGoroutine(); code == 0 && n > before {
		buf := make([]byte, 1<<20)
		fmt.Fprintf(os.Stderr, "%d goroutines before, %d after:\n%s\n", before, n, buf[:runtime.Stack(buf, true)])
		code = 1
	}
	os.Exit(code)
}

// fake is a route without a network.
type fake struct {
	plan    delivery.Plan
	lane    func(string) string
	open    func(lane string) error                                                                   // nil: always works
	deliver func(m delivery.Message, mark func([]int64) error) []delivery.Result                      // nil: marks and accepts
	slow    func(ctx context.Context, m delivery.Message, mark func([]int64) error) []delivery.Result // instead of deliver

	mu     sync.Mutex // guards all below
	opened int
	got    map[int64]int  // how often each recipient was delivered
	inHand map[int64]bool // recipients that a connection works on
	twice  []int64        // recipients that two worked on at once
}

func newFake() *fake {
	return &fake{plan: delivery.Plan{Slots: 4}, got: make(map[int64]int), inHand: make(map[int64]bool)}
}

func (f *fake) Lane(r string) string {
	if f.lane != nil {
		return f.lane(r)
	}
	return "smarthost"
}

func (f *fake) Plan() delivery.Plan { return f.plan }

func (f *fake) Open(_ context.Context, lane string) (delivery.Conn, error) {
	f.mu.Lock()
	f.opened++
	f.mu.Unlock()
	if f.open != nil {
		if err := f.open(lane); err != nil {
			return nil, err
		}
	}
	return &fakeConn{f: f}, nil
}

type fakeConn struct {
	f    *fake
	dead bool
}

func (c *fakeConn) Alive() bool  { return !c.dead }
func (c *fakeConn) Close() error { return nil }

func (c *fakeConn) Deliver(ctx context.Context, m delivery.Message, mark func([]int64) error) []delivery.Result {
	f := c.f
	f.mu.Lock()
	for _, r := range m.Recipients {
		if f.inHand[r.ID] {
			f.twice = append(f.twice, r.ID)
		}
		f.inHand[r.ID] = true
	}
	f.mu.Unlock()
	var results []delivery.Result
	switch {
	case f.slow != nil:
		results = f.slow(ctx, m, mark)
	case f.deliver != nil:
		results = f.deliver(m, mark)
	default:
		results = accepts(m, mark)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range m.Recipients {
		delete(f.inHand, r.ID)
	}
	for _, r := range results {
		c.dead = c.dead || r.Lost
		if r.Status == delivery.Delivered {
			f.got[r.ID]++
		}
	}
	return results
}

// accepts everything.
func accepts(m delivery.Message, mark func([]int64) error) []delivery.Result {
	return says(m, mark, delivery.Result{Status: delivery.Delivered, Code: 250, Enhanced: "2.0.0", Reply: "ok", Remote: "far"})
}

// says one thing to everybody.
func says(m delivery.Message, mark func([]int64) error, r delivery.Result) []delivery.Result {
	var ids []int64
	for _, rcpt := range m.Recipients {
		ids = append(ids, rcpt.ID)
	}
	if mark(ids) != nil {
		return nil
	}
	var all []delivery.Result
	for _, id := range ids {
		r.ID = id
		all = append(all, r)
	}
	return all
}

// testLease never ends in a test by itself.
const testLease = time.Hour

// world is a store with an account, and a queue on it.
type world struct {
	t     testing.TB
	store *store.Store
	q     *Queue
	stop  func() error // ends Run
}

func openStore(t testing.TB, dsn, dir string) *store.Store {
	t.Helper()
	s, err := store.Open(context.Background(), store.Options{Dir: dir, DSN: dsn, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Writer().Exec(`INSERT INTO accounts (id, name, email, password_hash, created_at) VALUES ('acc', 'alice', '', '', 0) ON CONFLICT DO NOTHING`); err != nil {
		t.Fatal(err)
	}
	return s
}

// newWorld makes a queue that is not running. Timers that could hide a lost
// wake-up are far away.
func newWorld(t testing.TB, c Config) *world {
	t.Helper()
	return newWorldOn(t, "", c)
}

func newWorldOn(t testing.TB, dsn string, c Config) *world {
	t.Helper()
	w := &world{t: t, store: openStore(t, dsn, t.TempDir())}
	if err := w.store.Join(context.Background(), "test", testLease); err != nil {
		t.Fatal(err)
	}
	w.renew(c)
	t.Cleanup(func() {
		if w.stop != nil {
			w.end()
		}
		if err := w.store.Leave(context.Background(), time.Now()); err != nil {
			t.Errorf("leave: %v", err)
		}
		w.store.Close()
	})
	return w
}

// fresh is a new database of the kind of dsn, for a subtest.
func fresh(t testing.TB, dsn string) string {
	t.Helper()
	if dsn == "" {
		return ""
	}
	return storetest.Database(t)
}

// renew makes another queue on the same store, as a restart does.
func (w *world) renew(c Config) {
	w.t.Helper()
	c.Store = w.store
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Sweep == 0 {
		c.Sweep = time.Hour
	}
	if c.poll == 0 {
		c.poll = time.Hour
	}
	q, err := New(c)
	if err != nil {
		w.t.Fatal(err)
	}
	w.q = q
}

func (w *world) run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.q.Run(ctx) }()
	w.stop = func() error { cancel(); return <-done }
}

func (w *world) end() {
	w.t.Helper()
	if err := w.stop(); err != nil {
		w.t.Errorf("run: %v", err)
	}
	w.stop = nil
}

// accept does what server/accept does: rows and jobs in one transaction, then
// the wake-up. It returns the message's id.
func (w *world) accept(body string, to ...string) string {
	w.t.Helper()
	id := w.insert(body, w.q.Lane, func(tx *sql.Tx, lanes []string) error { return w.q.Enqueue(context.Background(), tx, lanes) }, to...)
	lanes := make([]string, 0, len(to))
	for _, a := range to {
		lanes = append(lanes, w.q.Lane(a))
	}
	w.q.Wake(lanes)
	return id
}

func (w *world) insert(body string, lane func(string) string, enqueue func(*sql.Tx, []string) error, to ...string) string {
	w.t.Helper()
	now := time.Now()
	id := store.NewID(now)
	sum := sha256.Sum256([]byte(body))
	sha := hex.EncodeToString(sum[:])
	err := w.store.Tx(context.Background(), func(tx *sql.Tx) error {
		if _, err := tx.Exec(`INSERT INTO bodies (account_id, sha256, size, inline, created_at) VALUES ('acc', $1, $2, $3, 0) ON CONFLICT DO NOTHING`, sha, len(body), []byte(body)); err != nil {
			return err
		}
		if _, err := tx.Exec(`INSERT INTO messages (id, account_id, envid, mail_from, sha256, size, received, created_at) VALUES ($1, 'acc', $2, 'a@sender.example', $3, $4, $6, $5)`,
			id, "sb1."+id+".1", sha, len(body), store.Micros(now), "Received: x\r\n"); err != nil {
			return err
		}
		var lanes []string
		for _, a := range to {
			lanes = append(lanes, lane(a))
			if _, err := tx.Exec(`INSERT INTO deliveries (message_id, account_id, recipient, lane, status, next_at, created_at) VALUES ($1, 'acc', $2, $3, 'queued', $4, $4)`,
				id, a, lane(a), store.Micros(now)); err != nil {
				return err
			}
		}
		return enqueue(tx, lanes)
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

// row is what a test wants to know of a recipient.
type row struct {
	status   string
	attempts int
	code     int
	dup      int
	next     time.Time
}

func (w *world) rows(message string) map[string]row {
	w.t.Helper()
	rows, err := w.store.Reader().Query(`SELECT recipient, status, attempts, code, maybe_dup, next_at FROM deliveries WHERE message_id = $1 OR $1 = ''`, message)
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close()
	all := make(map[string]row)
	for rows.Next() {
		var to string
		var r row
		var next int64
		if err := rows.Scan(&to, &r.status, &r.attempts, &r.code, &r.dup, &next); err != nil {
			w.t.Fatal(err)
		}
		r.next = store.Time(next)
		all[to] = r
	}
	return all
}

func (w *world) count(where string) int {
	w.t.Helper()
	var n int
	if err := w.store.Reader().QueryRow(`SELECT count(*) FROM deliveries WHERE ` + where).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// wait waits until as many recipients as want meet the condition. There is no
// time limit but the test's own: a lost wake-up shows as a hang.
func (w *world) wait(where string, want int) {
	w.t.Helper()
	for w.count(where) != want {
		time.Sleep(time.Millisecond)
	}
}

func (w *world) events() []string {
	w.t.Helper()
	all, err := w.store.Events(context.Background(), "acc", 0, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	var s []string
	for _, e := range all {
		s = append(s, fmt.Sprintf("%s %s %d %s", e.Recipient, e.Status, e.Code, e.Reply))
	}
	return s
}

func recipients(prefix string, n int) []string {
	var to []string
	for i := range n {
		to = append(to, fmt.Sprintf("%s%d@far.example", prefix, i))
	}
	return to
}
