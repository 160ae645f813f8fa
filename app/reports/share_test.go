package reports

import (
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"servicesmtp.net/companion/relayclient"
)

// TestShareIsAskedForInTime: before it ends, with what waits, and at once when
// there is something where there was nothing.
func TestShareIsAskedForInTime(t *testing.T) {
	bubble(t, func(t *testing.T, c *Cache, r *relay, a *access) {
		var waiting atomic.Int64
		var queries []string // guarded by the relay's mu; the share and the refresh may ask at once
		r.facts["/v1/policy"] = relayclient.Policy{RecipientsPerMinute: 300, AccountRecipientsPerMinute: 600, RcptMax: 50, ValidSeconds: 60}
		r.fault = func(_ http.ResponseWriter, req *http.Request) bool {
			if req.URL.Path == "/v1/policy" {
				r.mu.Lock()
				queries = append(queries, req.URL.RawQuery)
				r.mu.Unlock()
			}
			return false
		}
		asked := func() (n int, last string) {
			synctest.Wait()
			r.set(func(*relay) { n, last = len(queries), queries[len(queries)-1] })
			return n, last
		}
		f := c.Follower(Account{Name: "office", Client: a.client, Waiting: waiting.Load})
		stop := run(t, f)
		defer stop()
		time.Sleep(10*time.Minute + time.Second)
		n, last := asked()
		if n < 10 || n > 16 || last != "waiting=0" {
			t.Errorf("asked %d times in 10 minutes, last %q", n, last)
		}
		if usage := r.count("/v1/usage"); usage > 3 {
			t.Errorf("the rest was read %d times: a share of a minute is no reason", usage)
		}
		time.Sleep(7 * time.Second)
		waiting.Store(500)
		f.Working()
		f.Working() // more of it is nothing new
		time.Sleep(2 * time.Second)
		if now, last := asked(); now != n+1 || last != "waiting=500" {
			t.Errorf("asked %d times, %q, when mail came; want once, with 500", now-n, last)
		}
		f.Working()
		time.Sleep(2 * time.Second)
		if now, _ := asked(); now != n+1 {
			t.Errorf("asked %d times while mail waits on", now-n)
		}
		f.Share()
		time.Sleep(2 * time.Second)
		if now, _ := asked(); now != n+2 {
			t.Errorf("asked %d times after the relay said slow down", now-n)
		}
	})
}

// TestShareOutlivesTheRelay: one that cannot be renewed stays, and the relay is
// not hammered.
func TestShareOutlivesTheRelay(t *testing.T) {
	bubble(t, func(t *testing.T, c *Cache, r *relay, a *access) {
		r.facts["/v1/policy"] = relayclient.Policy{RecipientsPerMinute: 300, AccountRecipientsPerMinute: 600, RcptMax: 50, ValidSeconds: 60}
		stop := run(t, c.Follower(Account{Name: "office", Client: a.client}))
		defer stop()
		time.Sleep(90 * time.Second)
		r.set(func(r *relay) {
			r.fault = func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(http.StatusBadGateway); return true }
		})
		before := r.count("/v1/policy")
		time.Sleep(time.Hour)
		if p, err := c.Policy(t.Context(), "office"); err != nil || p.Value.RecipientsPerMinute != 300 {
			t.Errorf("%+v, %v", p, err)
		}
		if n := r.count("/v1/policy") - before; n < 20 || n > 120 {
			t.Errorf("asked %d times in an hour without an answer", n)
		}
	})
}

// TestNoShareIsNoQuestion: where the account has no rate nothing more is asked
// than ever.
func TestNoShareIsNoQuestion(t *testing.T) {
	bubble(t, func(t *testing.T, c *Cache, r *relay, a *access) {
		f := c.Follower(Account{Name: "office", Client: a.client, Waiting: func() int64 { return 0 }})
		stop := run(t, f)
		defer stop()
		time.Sleep(time.Minute)
		before := r.count("/v1/policy")
		for range 10 {
			f.Working()
			f.Share()
			time.Sleep(time.Second)
		}
		if n := r.count("/v1/policy") - before; n != 0 {
			t.Errorf("asked %d times", n)
		}
	})
}
