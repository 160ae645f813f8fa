package billing

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/store"
	"servicesmtp.net/companion/server/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// clock is the time that tests set.
type clock struct {
	mu sync.Mutex // guards at
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = t
}

// office is one relay's billing on a real store.
type office struct {
	*Billing
	t     *testing.T
	clock *clock
}

var spring = time.Date(2026, 3, 10, 9, 30, 0, 123456000, time.UTC)

// offices are two nodes on one PostgreSQL database, or one twice on SQLite,
// which has one writer.
func offices(t *testing.T, dsn string) [2]office {
	t.Helper()
	c := &clock{at: spring}
	open := func() office {
		s, err := store.Open(t.Context(), store.Options{Dir: t.TempDir(), DSN: dsn, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		return office{&Billing{Store: s, Plans: account.Default(), Now: c.now}, t, c}
	}
	one := open()
	if dsn == "" {
		return [2]office{one, one}
	}
	return [2]office{one, open()}
}

// open opens an account; wait: for payment.
func (o office) open(id, plan string, wait bool) account.Order {
	o.t.Helper()
	_, order, err := o.Open(context.Background(), NewAccount{Account: store.Account{ID: id, Name: id, Email: id + "@example.com", Zone: "Europe/Rome",
		Status: "active", Overage: "surcharge", PasswordHash: "x"}, Plan: plan, Wait: wait})
	if err != nil {
		o.t.Fatal(err)
	}
	return order
}

// buy opens, pays and activates.
func (o office) buy(id, plan string) account.Order {
	o.t.Helper()
	order := o.open(id, plan, true)
	o.pay(order, "first-"+id)
	order, err := o.Activate(context.Background(), order.ID)
	if err != nil {
		o.t.Fatal(err)
	}
	return order
}

func (o office) pay(order account.Order, reference string) account.Order {
	o.t.Helper()
	order, err := o.Pay(context.Background(), transfer(order, reference))
	if err != nil {
		o.t.Fatal(err)
	}
	return order
}

func transfer(o account.Order, reference string) account.Payment {
	return account.Payment{OrderID: o.ID, Method: "transfer", Reference: reference, Amount: o.Price, Currency: o.Currency}
}

func (o office) rows(id string) account.Rows {
	o.t.Helper()
	r, err := o.Store.Rows(context.Background(), o.Store.Reader(), id)
	if err != nil {
		o.t.Fatal(err)
	}
	return r
}

// both runs fn on both nodes, several times at once, and gives the errors.
func both(nodes [2]office, fn func(o office, i int) error) []error {
	const times = 8
	errs := make([]error, times)
	var all sync.WaitGroup
	for i := range times {
		all.Go(func() { errs[i] = fn(nodes[i%2], i) })
	}
	all.Wait()
	return errs
}

func reasonOf(err error) account.Reason {
	if e, ok := errors.AsType[*account.Error](err); ok {
		return e.Reason
	}
	return account.Reason(fmt.Sprint(err))
}

// wantOnce wants one success, and the reason for all others.
func wantOnce(t *testing.T, errs []error, other account.Reason) {
	t.Helper()
	good := 0
	for _, err := range errs {
		if err == nil {
			good++
		} else if reasonOf(err) != other {
			t.Errorf("got %v, want %s", err, other)
		}
	}
	if good != 1 {
		t.Errorf("%d succeeded, want 1", good)
	}
}

func noErrors(t *testing.T, errs []error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
}

// An account gets its id after the check, which may hold others back until the
// commit: so no list that goes on behind the last id passes one over.
func TestIDAfterTheCheck(t *testing.T) {
	o := offices(t, "")[0]
	o.Now = time.Now
	var before string
	acc, _, err := o.Open(t.Context(), NewAccount{Plan: "standard", Wait: true, Account: store.Account{Name: "a", Zone: "UTC", Status: "active", Overage: "stop", PasswordHash: "x"},
		Check: func(context.Context, *sql.Tx) error {
			time.Sleep(5 * time.Millisecond)
			before = store.NewID(time.Now())
			time.Sleep(5 * time.Millisecond)
			return nil
		}})
	if err != nil || acc.ID <= before {
		t.Errorf("id %s, %v; a later account could have had %s", acc.ID, err, before)
	}
}
