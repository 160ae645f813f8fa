package accept

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/billing"
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
