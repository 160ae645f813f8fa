package reports

import (
	"errors"
	"log/slog"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"servicesmtp.net/companion/relayclient"
)

const job = "01K0000000000000000000000A"

// TestOverTCP reads everything from a real server, loses the program, and goes
// on where it was.
func TestOverTCP(t *testing.T) {
	dir, r := t.TempDir(), newRelay()
	r.page = 7
	r.add(time.Now(), job, 20)
	r.notices = []relayclient.Notice{{ID: 1, At: time.Now(), Kind: "quota", Severity: "info", Subject: "10 %", Body: "You used 10 %."}}
	a := overTCP(t, r)
	changed := make(chan struct{}, 1)
	follow := func(c *Cache) *Follower {
		return c.Follower(Account{Name: "office", Client: a.client, Changed: func() { signal(changed) }})
	}
	until := func(c *Cache, n int) { // n events, and the facts, which are read beside them
		t.Helper()
		for len(stored(t, c)) < n || !c.fresh("office", partFacts) {
			<-changed
		}
	}
	c := openCache(t, dir)
	stop := run(t, follow(c))
	until(c, 20)
	r.add(time.Now(), job, 5) // the long poll brings them
	until(c, 25)
	stop()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	r.add(time.Now(), job, 5)
	c = openCache(t, dir)
	defer c.Close()
	if q, err := c.Quota(t.Context(), "office"); err != nil || q.Value.EmailsUsed != 150 || !q.Stale {
		t.Errorf("after a restart, before the relay was asked: %+v, %v; want 150, stale", q, err)
	}
	f := follow(c)
	stop = run(t, f)
	until(c, 30)
	if err := f.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(wantAddresses(30), stored(t, c)); d != "" {
		t.Errorf("events (-want +got):\n%s", d)
	}
	checkFacts(t, c)
	stop() // a refresh of its own at this moment would tell it, too
	if err := f.Seen(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Notices(t.Context(), "office", true); err != nil || len(n) != 0 || r.count("ack") != 1 {
		t.Errorf("unseen notices %+v (%v), %d acknowledged; want none, one", n, err, r.count("ack"))
	}
}

// checkFacts holds that every kind was read and is fresh.
func checkFacts(t *testing.T, c *Cache) {
	t.Helper()
	ctx := t.Context()
	account, err1 := c.Account(ctx, "office")
	quota, err2 := c.Quota(ctx, "office")
	usage, err3 := c.Usage(ctx, "office")
	policy, err4 := c.Policy(ctx, "office")
	endpoints, err5 := c.Endpoints(ctx, "office")
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		t.Fatal(err)
	}
	if account.Value.Status != "active" || quota.Value.EmailsUsed != 150 || len(usage.Value.Days) != 1 || policy.Value.RcptMax != 50 || endpoints.Value[0].Store != "S1" {
		t.Errorf("%+v %+v %+v %+v %+v", account, quota, usage, policy, endpoints)
	}
	for name, stale := range map[string]bool{"account": account.Stale, "quota": quota.Stale, "usage": usage.Stale, "policy": policy.Stale, "endpoints": endpoints.Stale} {
		if stale {
			t.Errorf("%s is stale", name)
		}
	}
	notices, err := c.Notices(ctx, "office", false)
	if err != nil || len(notices) != 1 || notices[0].Subject != "10 %" {
		t.Errorf("notices %+v, %v", notices, err)
	}
	if h, ok := c.Health("office"); !ok || !h.OK {
		t.Errorf("health %+v, %v", h, ok)
	}
}

// bubble runs a test in a synctest bubble with a cache and a relay.
func bubble(t *testing.T, test func(t *testing.T, c *Cache, r *relay, a *access)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		c, r := openCache(t, dir), newRelay()
		defer c.Close()
		test(t, c, r, inProcess(r))
	})
}

// TestShortValidityIsObeyed: the policy is read again before it ends.
func TestShortValidityIsObeyed(t *testing.T) {
	bubble(t, func(t *testing.T, c *Cache, r *relay, a *access) {
		r.facts["/v1/policy"] = relayclient.Policy{RcptMax: 50, ValidSeconds: 60}
		stop := run(t, c.Follower(Account{Name: "office", Client: a.client}))
		defer stop()
		time.Sleep(time.Hour + time.Second)
		if n := r.count("/v1/policy"); n < 60 {
			t.Errorf("the policy was read %d times in an hour, want every minute", n)
		}
	})
}

func TestSoon(t *testing.T) {
	bubble(t, func(t *testing.T, c *Cache, r *relay, a *access) {
		f := c.Follower(Account{Name: "office", Client: a.client})
		stop := run(t, f)
		defer stop()
		time.Sleep(time.Minute)
		r.set(func(r *relay) {
			r.facts["/v1/quota"] = relayclient.Quota{Plan: "standard", EmailsUsed: 200, Reset: time.Now()}
		})
		f.Soon()
		f.Soon()
		time.Sleep(time.Second)
		if q, err := c.Quota(t.Context(), "office"); err != nil || q.Value.EmailsUsed != 200 {
			t.Errorf("quota %+v, %v; want 200 used", q, err)
		}
	})
}

// TestSoonWhileMailLeaves: however often a batch is handed over, the relay is
// asked every half a minute, and once more after the last one.
func TestSoonWhileMailLeaves(t *testing.T) {
	bubble(t, func(t *testing.T, c *Cache, r *relay, a *access) {
		f := c.Follower(Account{Name: "office", Client: a.client})
		stop := run(t, f)
		defer stop()
		time.Sleep(time.Minute)
		before := r.count("/v1/quota")
		for n := range int64(300) { // a batch a second
			r.set(func(r *relay) {
				r.facts["/v1/quota"] = relayclient.Quota{Plan: "standard", EmailsUsed: 50 * (n + 1), Reset: time.Now()}
			})
			f.Soon()
			time.Sleep(time.Second)
		}
		if n := r.count("/v1/quota") - before; n < 9 || n > 11 {
			t.Errorf("the quota was read %d times in five minutes, want every half a minute", n)
		}
		time.Sleep(refreshSoonest)
		if q, err := c.Quota(t.Context(), "office"); err != nil || q.Value.EmailsUsed != 15_000 {
			t.Errorf("quota %+v, %v after the last batch; want 15,000 used", q, err)
		}
	})
}

// TestNowDoesNotWait: one refresh at once, and then the usual pace again.
func TestNowDoesNotWait(t *testing.T) {
	bubble(t, func(t *testing.T, c *Cache, r *relay, a *access) {
		f := c.Follower(Account{Name: "office", Client: a.client})
		stop := run(t, f)
		defer stop()
		time.Sleep(time.Second)
		before := r.count("/v1/quota")
		f.Now()
		time.Sleep(time.Second)
		if n := r.count("/v1/quota") - before; n != 1 {
			t.Errorf("the quota was read %d times within a second, want once", n)
		}
		f.Soon()
		time.Sleep(refreshSoonest / 2)
		if n := r.count("/v1/quota") - before; n != 1 {
			t.Errorf("the quota was read %d times, want the usual pace after that", n)
		}
	})
}

// TestEventsRefreshTheFacts: what was delivered has changed the usage.
func TestEventsRefreshTheFacts(t *testing.T) {
	bubble(t, func(t *testing.T, c *Cache, r *relay, a *access) {
		stop := run(t, c.Follower(Account{Name: "office", Client: a.client}))
		defer stop()
		time.Sleep(time.Minute)
		before := r.count("/v1/usage")
		r.add(time.Now(), job, 1)
		time.Sleep(time.Second)
		if n := r.count("/v1/usage") - before; n != 1 {
			t.Errorf("usage was read %d times after an event, want once", n)
		}
	})
}

// TestOldAgeIsStale: nothing failed, but nothing was asked either.
func TestOldAgeIsStale(t *testing.T) {
	bubble(t, func(t *testing.T, c *Cache, _ *relay, a *access) {
		if err := c.Follower(Account{Name: "office", Client: a.client}).Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		if q, err := c.Quota(t.Context(), "office"); err != nil || q.Stale {
			t.Errorf("quota %+v, %v; want fresh", q, err)
		}
		time.Sleep(staleAfter + time.Second)
		if q, _ := c.Quota(t.Context(), "office"); !q.Stale || q.Value.EmailsUsed != 150 {
			t.Errorf("quota %+v, want stale", q)
		}
	})
}

// TestLogHoldsNoAddress lets everything fail and succeed once.
func TestLogHoldsNoAddress(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var log logBuffer
		c, err := Open(t.Context(), dir, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		r := newRelay()
		r.add(time.Now(), job, 3)
		a := inProcess(r)
		stop := run(t, c.Follower(Account{Name: "office", Client: a.client}))
		time.Sleep(time.Minute)
		r.set(func(r *relay) {
			r.store = "S2"
			r.fault = func(w http.ResponseWriter, _ *http.Request) bool { problem(w, 500); return true }
		})
		time.Sleep(time.Hour)
		r.set(func(r *relay) { r.fault = nil })
		time.Sleep(time.Hour)
		stop()
		log.mustHold(t, "cannot be read", "are read", "begins anew")
		log.mustNotHold(t, "dst.example", "Dst.example", "token1", "S1.e.")
	})
}
