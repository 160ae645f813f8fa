package accept

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"servicesmtp.net/companion/internal/units"
	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/store/storetest"
)

// calendar is the time that tests set.
type calendar struct {
	mu sync.Mutex // guards at
	at time.Time
}

func (c *calendar) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *calendar) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = t
}

// rome is an instant of 2026 in the accounts' zone.
func rome(month time.Month, day, hour int) time.Time {
	return time.Date(2026, month, day, hour, 0, 0, 0, account.Location("Europe/Rome"))
}

// yearly is a world in March whose clock the test moves, and what else is
// there: a second node on PostgreSQL, itself on SQLite.
func yearly(t *testing.T, dsn string) (w, second *world, c *calendar) {
	t.Helper()
	c = &calendar{at: rome(time.March, 10, 9)}
	open := func() *world { return openWorld(t, dsn, t.TempDir(), func(o *Options) { o.Now = c.now }) }
	if w = open(); dsn == "" {
		return w, w, c
	}
	return w, open(), c
}

// use sets what the period that is counted now has used.
func (w *world) use(accountID string, used account.Charge) {
	w.t.Helper()
	res, err := w.Store.Writer().Exec(`UPDATE usage_periods SET emails = $2, bytes = $3 WHERE account_id = $1 AND closed_at IS NULL`,
		accountID, used.Emails, int64(used.Bytes))
	if err != nil {
		w.t.Fatal(err)
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		w.t.Fatalf("%d open periods (%v), want 1", n, err)
	}
}

// one sends a message to one recipient without a key.
func (w *world) one(accountID string) error {
	_, err := w.send(accountID, "", offers("b@x.example"), message("hello"))
	return err
}

func (w *world) mustOne(accountID string) {
	w.t.Helper()
	if err := w.one(accountID); err != nil {
		w.t.Fatal(err)
	}
}

// chain buys a monthly plan for the account.
func (w *world) chain(accountID string) {
	w.t.Helper()
	o, err := w.billing.Order(context.Background(), accountID, "", account.Wish{Kind: account.OrderChained, Plan: "unlimited-entry-month", Free: true})
	if err != nil || o.State != account.OrderActive {
		w.t.Fatalf("chain: %v, order %s", err, o.State)
	}
}

func (w *world) bills(accountID string) []account.Bill {
	w.t.Helper()
	all, err := w.Store.Bills(context.Background(), accountID)
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

// credits is what an account has left.
func (w *world) credits(accountID string) int64 {
	w.t.Helper()
	return w.count(`SELECT coalesce(CAST(sum(remaining) AS BIGINT), 0) FROM credits WHERE account_id = $1`, accountID)
}

func isQuota(err error) bool {
	_, ok := errors.AsType[*QuotaError](err)
	return ok
}

// wantRoom wants the present period to take limit e-mails and not one more.
func (w *world) wantRoom(accountID string, limit account.Charge) {
	w.t.Helper()
	w.use(accountID, account.Charge{Emails: limit.Emails - 1})
	if err := w.one(accountID); err != nil {
		w.t.Errorf("the last e-mail of %d: %v", limit.Emails, err)
	}
	if err := w.one(accountID); !isQuota(err) {
		w.t.Errorf("one above %d: %v, want it refused", limit.Emails, err)
	}
}

// The five examples of credits, by mail from March into April.
func TestFiveCreditsByMail(t *testing.T) { storetest.Each(t, testFiveCreditsByMail) }

func testFiveCreditsByMail(t *testing.T, dsn string) {
	w, _, c := yearly(t, dsn)
	const gb = int64(units.GB)
	cases := []struct {
		name                string
		used, tier, granted int64
	}{
		{"1 GB, anything", gb * 6 / 10, gb, 0},
		{"2 GB, 1.5", gb * 15 / 10, 2 * gb, gb / 2},
		{"2 GB, 1.2", gb * 12 / 10, 2 * gb, gb / 2},
		{"2 GB, 1.6", gb * 16 / 10, 2 * gb, 0},
		{"5 GB, 2.6", gb * 26 / 10, 5 * gb, 2 * gb},
	}
	for i, x := range cases {
		id := w.account(fmt.Sprint("acc", i), "standard")
		w.mustOne(id)
		w.use(id, account.Charge{Emails: 1, Bytes: units.ByteSize(x.used)})
	}
	c.set(rome(time.April, 1, 0))
	for i, x := range cases {
		id := fmt.Sprint("acc", i)
		w.mustOne(id) // nothing else closes March
		bills := w.bills(id)
		if len(bills) != 1 {
			t.Fatalf("%s: %d bills, want 1", x.name, len(bills))
		}
		if b := bills[0]; b.Use != x.used || b.Tier != x.tier || b.Granted != x.granted {
			t.Errorf("%s: used %d, tier %d, credited %d; want %d, %d, %d", x.name, b.Use, b.Tier, b.Granted, x.used, x.tier, x.granted)
		}
		if got := w.credits(id); got != x.granted {
			t.Errorf("%s: %d of credits, want %d", x.name, got, x.granted)
		}
		w.wantRoom(id, account.Charge{Emails: (5*gb + x.granted) / int64(account.EmailSize)})
	}
}

// 55,000 e-mails of 50,000 with a monthly plan of 9,000 chained: 4,000 are left
// in the months after.
func Test55000ByMail(t *testing.T) { storetest.Each(t, test55000ByMail) }

func test55000ByMail(t *testing.T, dsn string) {
	w, _, c := yearly(t, dsn)
	id := w.account("acc", "unlimited-standard")
	w.mustOne(id)
	w.use(id, account.Charge{Emails: 50000})
	if err := w.one(id); !isQuota(err) {
		t.Fatalf("above the maximum: %v, want it refused", err)
	}
	w.chain(id)
	w.use(id, account.Charge{Emails: 54999})
	w.mustOne(id)
	c.set(rome(time.April, 1, 0))
	w.mustOne(id)
	if got := w.credits(id); got != 4000 {
		t.Errorf("%d of credits in April, want 4,000", got)
	}
	w.wantRoom(id, account.Charge{Emails: 54000})
	c.set(rome(time.May, 1, 0))
	w.mustOne(id)
	if got := w.credits(id); got != 0 {
		t.Errorf("%d of credits in May, want none", got)
	}
	w.wantRoom(id, account.Charge{Emails: 50000})
}

// 64 submissions at once for the last e-mails of the credits: not one above,
// and all counters say what was accepted.
func TestRaceForCredits(t *testing.T) { storetest.Each(t, testRaceForCredits) }

func testRaceForCredits(t *testing.T, dsn string) {
	w, second, _ := yearly(t, dsn)
	id := w.account("acc", "unlimited-standard")
	w.chain(id)
	w.mustOne(id)
	const before = 59000 - 50
	w.use(id, account.Charge{Emails: before})
	if _, err := w.Store.Writer().Exec(`UPDATE usage_days SET emails = $1, bytes = 0`, int64(before)); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 64 {
		node := []*world{w, second}[i%2]
		all.Go(func() {
			if _, err := node.send(id, "", many(1+i%3, fmt.Sprint("r", i, "-")), message(fmt.Sprint(i))); err != nil && !isQuota(err) {
				t.Errorf("submission %d: %v", i, err)
			}
		})
	}
	all.Wait()
	accepted := w.count(`SELECT count(*) FROM deliveries`) - 1
	if used := w.count(`SELECT emails FROM usage_periods`); used != before+accepted || used != 59000 {
		t.Errorf("%d counted, %d were there and %d accepted; want 59,000", used, before, accepted)
	}
	w.used(id) // days say the same
}

// Mail of April and the job at the month's end close March at once.
func TestClosingRaced(t *testing.T) { storetest.Each(t, testClosingRaced) }

func testClosingRaced(t *testing.T, dsn string) {
	w, second, c := yearly(t, dsn)
	for round := range 5 {
		c.set(rome(time.March, 10, 9))
		id := w.account(fmt.Sprint("acc", round), "unlimited-standard")
		w.chain(id)
		w.mustOne(id)
		w.use(id, account.Charge{Emails: 55000})
		c.set(rome(time.April, 1, 0))
		var all sync.WaitGroup
		for i := range 32 {
			node := []*world{w, second}[i%2]
			all.Go(func() {
				if err := node.one(id); err != nil {
					t.Errorf("submission %d: %v", i, err)
				}
			})
			if i%4 < 2 {
				all.Go(func() {
					if _, err := node.billing.Close(context.Background(), id, c.now()); err != nil {
						t.Errorf("close: %v", err)
					}
				})
			}
		}
		all.Wait()
		if bills := w.bills(id); len(bills) != 1 || bills[0].Use != 55000 || bills[0].Consumed != 5000 {
			t.Errorf("bills are %+v, want one of 55,000 with 5,000 of credits", bills)
		}
		if got := w.credits(id); got != 4000 {
			t.Errorf("%d of credits, want 4,000", got)
		}
		if got := w.count(`SELECT emails FROM usage_periods WHERE account_id = $1 AND closed_at IS NULL`, id); got != 32 {
			t.Errorf("%d counted in April, want 32", got)
		}
	}
}

// Closing at the month's end, by mail weeks later, and again, come to the same.
func TestClosingLate(t *testing.T) { storetest.Each(t, testClosingLate) }

func testClosingLate(t *testing.T, dsn string) {
	w, _, c := yearly(t, dsn)
	ids := []string{w.account("timely", "standard"), w.account("late", "standard")}
	closing := func(id string) {
		t.Helper()
		for range 2 {
			if _, err := w.billing.Close(t.Context(), id, c.now()); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, id := range ids {
		w.mustOne(id)
		w.use(id, account.Charge{Emails: 1, Bytes: 2600 * units.MB})
	}
	c.set(rome(time.April, 1, 0))
	closing("timely")
	c.set(rome(time.June, 20, 12))
	w.mustOne("late")
	closing("late")
	closing("timely")
	same := func(b account.Bill) account.Bill { b.AccountID, b.OrderID, b.CreditID = "", "", ""; return b }
	a, b := w.bills("timely"), w.bills("late")
	if len(a) != 1 || len(b) != 1 || same(a[0]) != same(b[0]) {
		t.Errorf("in time %+v, late %+v", a, b)
	}
	for _, what := range []string{"valid_from", "granted", "remaining"} {
		x := w.count(`SELECT `+what+` FROM credits WHERE account_id = $1`, "timely")
		if y := w.count(`SELECT `+what+` FROM credits WHERE account_id = $1`, "late"); x != y {
			t.Errorf("%s of the credit: in time %d, late %d", what, x, y)
		}
	}
	if n := w.count(`SELECT count(*) FROM orders WHERE kind = 'surcharge'`); n != 2 {
		t.Errorf("%d payment requests, want one each", n)
	}
}

// A key of March costs nothing in April, before and after March is closed.
func TestReplayInTheNextMonth(t *testing.T) { storetest.Each(t, testReplayInTheNextMonth) }

func testReplayInTheNextMonth(t *testing.T, dsn string) {
	w, _, c := yearly(t, dsn)
	id := w.account("acc", "standard")
	first := w.mustSend(id, envid(1), many(3, "a"), message("news"))
	c.set(rome(time.April, 1, 0))
	for range 2 {
		r, err := w.send(id, envid(1), many(3, "a"), message("news"))
		if err != nil || !r.Replayed || r.ID != first.ID {
			t.Fatalf("repeated: %+v, %v; want %s replayed", r, err, first.ID)
		}
		if _, err := w.billing.Close(t.Context(), id, c.now()); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.used(id).Emails; got != 3 {
		t.Errorf("%d e-mails counted, want 3", got)
	}
}
