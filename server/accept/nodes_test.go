package accept

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/billing"
	"servicesmtp.net/companion/server/store"
	"servicesmtp.net/companion/server/store/storetest"
)

// The same keys (they begin at 1) at two nodes at once: one acceptance each, the same answer to both.
func TestKeysRacedOnTwoNodes(t *testing.T) {
	dsn := storetest.Database(t)
	one, two := openWorld(t, dsn, t.TempDir()), openWorld(t, dsn, t.TempDir())
	one.account("acc", "standard")
	const keys = 40
	var ids [2][keys]string
	var all sync.WaitGroup
	for n, w := range []*world{one, two} {
		for i := range keys {
			all.Go(func() {
				r, err := w.send("acc", envid(i+1), offers("b@x.example"), message("same"))
				if err != nil {
					t.Errorf("node %d, key %d: %v", n, i, err)
				}
				ids[n][i] = r.ID
			})
		}
	}
	all.Wait()
	if ids[0] != ids[1] {
		t.Errorf("the nodes answered %q and %q", ids[0], ids[1])
	}
	if n := one.count(`SELECT count(*) FROM messages`); n != keys {
		t.Errorf("%d messages, want %d", n, keys)
	}
	if got := one.used("acc").Emails; got != keys {
		t.Errorf("%d e-mails counted, want %d", got, keys)
	}
}

// 64 submissions over two nodes for the last 10 e-mails of a plan.
func TestLimitOverTwoNodes(t *testing.T) {
	dsn := storetest.Database(t)
	one, two := openWorld(t, dsn, t.TempDir()), openWorld(t, dsn, t.TempDir())
	one.account("acc", "standard", func(n *billing.NewAccount) { n.Account.Overage = "stop" })
	plan, ok := account.Default().Plan("standard")
	if !ok {
		t.Fatal("no such plan")
	}
	limit := plan.Limit("stop", 0).Emails
	first := one.mustSend("acc", "", offers("a@x.example"), message("first"))
	if first.ID == "" {
		t.Fatal("no id")
	}
	if _, err := one.Store.Writer().Exec(`UPDATE usage_periods SET emails = $1`, limit-10); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex // guards accepted, refused
	accepted, refused := 0, 0
	var all sync.WaitGroup
	for i := range 64 {
		w := []*world{one, two}[i%2]
		all.Go(func() {
			_, err := w.send("acc", "", offers(fmt.Sprintf("r%d@x.example", i)), message(fmt.Sprint(i, time.Now())))
			_, quota := errors.AsType[*QuotaError](err)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				accepted++
			case quota:
				refused++
			default:
				t.Errorf("submission %d: %v", i, err)
			}
		})
	}
	all.Wait()
	if accepted != 10 || refused != 54 {
		t.Errorf("%d accepted and %d refused, want 10 and 54", accepted, refused)
	}
	if n := one.count(`SELECT emails FROM usage_periods`); n != limit {
		t.Errorf("%d e-mails counted, want %d", n, limit)
	}
}

// blocked waits until so many of the database's transactions wait for others.
func (w *world) blocked(n int64) {
	w.t.Helper()
	for range 1000 {
		if w.count(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) >= n {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	w.t.Fatal("nobody waits")
}

// An account is released while another node accepts a message under its hold:
// that one goes out, too, because nobody would release it later.
func TestReleaseRacesAcceptance(t *testing.T) {
	dsn := storetest.Database(t)
	one, two := openWorld(t, dsn, t.TempDir()), openWorld(t, dsn, t.TempDir())
	one.account("acc", "standard", status("held"))
	one.mustSend("acc", "", offers("a@x.example"), message("first"))
	var accepting, releasing sync.WaitGroup
	err := one.Store.Tx(t.Context(), func(tx *sql.Tx) error {
		if _, err := tx.Exec(`SELECT 1 FROM usage_periods FOR UPDATE`); err != nil { // acceptance comes up to here
			return err
		}
		accepting.Go(func() {
			if _, err := two.send("acc", "", offers("b@x.example"), message("second")); err != nil {
				t.Errorf("send: %v", err)
			}
		})
		two.blocked(1)
		third, err := store.Open(context.Background(), store.Options{Dir: t.TempDir(), DSN: dsn, Log: one.Log})
		if err != nil {
			return err
		}
		releasing.Go(func() {
			ctx := context.Background()
			err := third.Tx(ctx, func(tx *sql.Tx) error { return third.SetAccountStatus(ctx, tx, "acc", "held", "active") })
			err = errors.Join(err, third.Tx(ctx, func(tx *sql.Tx) error {
				_, err := third.Release(ctx, tx, store.Selection{AccountID: "acc"}, time.Now())
				return err
			}), third.Close())
			if err != nil {
				t.Errorf("release: %v", err)
			}
		})
		time.Sleep(200 * time.Millisecond) // for the operator to come as far as can be
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	accepting.Wait()
	releasing.Wait()
	if n := one.count(`SELECT count(*) FROM deliveries d JOIN messages m ON m.id = d.message_id WHERE m.held = 0 AND d.next_at < $1`, store.Micros(store.Parked)); n != 2 {
		t.Errorf("%d of 2 recipients are due after the release", n)
	}
}
