package reports

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

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
	until := func(c *Cache, n int) {
		t.Helper()
		for len(stored(t, c)) < n {
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
	defer stop()
	until(c, 30)
	if err := f.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(wantAddresses(30), stored(t, c)); d != "" {
		t.Errorf("events (-want +got):\n%s", d)
	}
	checkFacts(t, c)
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

// TestFaults: whatever goes wrong at the relay, what is stored stays, is
// called stale, no token is asked for, and everything comes when it is over.
func TestFaults(t *testing.T) {
	garbage := func(status int, kind, text string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			fmt.Fprint(w, text)
			return true
		}
	}
	for name, fault := range map[string]func(http.ResponseWriter, *http.Request) bool{
		"500":                 garbage(500, "text/plain", "oops"),
		"503":                 garbage(503, "application/problem+json", `{"title":"Busy"}`),
		"429":                 garbage(429, "application/problem+json", `{"title":"Too many"}`),
		"403":                 garbage(403, "text/html", "<html>"),
		"404":                 garbage(404, "text/html", "<html>"),
		"a redirect":          garbage(302, "text/html", "<html>"),
		"a sign-in page":      garbage(200, "text/html", "<html>Welcome to the hotel</html>"),
		"an empty body":       garbage(200, "application/json", ""),
		"an empty object":     garbage(200, "application/json", "{}"),
		"a list":              garbage(200, "application/json", "[]"),
		"null":                garbage(200, "application/json", "null"),
		"half an answer":      garbage(200, "application/json", `{"plan":"standard","emails_us`),
		"events, no cursor":   garbage(200, "application/json", `{"events":[{"at":"2026-11-25T09:00:00Z","recipient":"x@y.example","status":"failed"}],"notices":[{"id":9}]}`),
		"the connection ends": func(http.ResponseWriter, *http.Request) bool { panic("hung up") },
		"no answer": func(_ http.ResponseWriter, r *http.Request) bool {
			<-r.Context().Done()
			return true
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, c *Cache, r *relay, a *access) {
				r.add(time.Now(), job, 3)
				r.notices = []relayclient.Notice{{ID: 1, At: time.Now(), Subject: "10 %"}}
				stop := run(t, c.Follower(Account{Name: "office", Client: a.client}))
				defer stop()
				time.Sleep(time.Minute)
				checkFacts(t, c)
				r.set(func(r *relay) { r.fault = fault })
				time.Sleep(20 * time.Minute)
				q, err := c.Quota(t.Context(), "office")
				if err != nil || q.Value.EmailsUsed != 150 || !q.Stale {
					t.Errorf("quota %+v, %v; want the old one, stale", q, err)
				}
				if got := stored(t, c); len(got) != 3 {
					t.Errorf("%d events, want the 3 from before", len(got))
				}
				if h, _ := c.Health("office"); h.OK || h.Err == nil {
					t.Errorf("health %+v, want why not", h)
				}
				r.set(func(r *relay) { r.fault = nil })
				r.add(time.Now(), job, 2)
				time.Sleep(2 * longestRetry)
				checkFacts(t, c)
				if got := stored(t, c); len(got) != 5 {
					t.Errorf("%d events, want 5", len(got))
				}
				if n := r.made(); n != 1 {
					t.Errorf("%d tokens were asked for, want the first only", n)
				}
			})
		})
	}
}

// TestOneCallRefused: the others are read all the same.
func TestOneCallRefused(t *testing.T) {
	bubble(t, func(t *testing.T, c *Cache, r *relay, a *access) {
		r.fault = func(w http.ResponseWriter, req *http.Request) bool {
			if req.URL.Path != "/v1/account" {
				return false
			}
			problem(w, http.StatusForbidden)
			return true
		}
		f := c.Follower(Account{Name: "office", Client: a.client})
		var refused *relayclient.Error
		if err := f.Refresh(t.Context()); !errors.As(err, &refused) || refused.Status != http.StatusForbidden {
			t.Errorf("refresh: %v, want 403", err)
		}
		if _, err := c.Endpoints(t.Context(), "office"); err != nil {
			t.Errorf("endpoints: %v", err)
		}
		if _, err := c.Account(t.Context(), "office"); !errors.Is(err, ErrUnknown) {
			t.Errorf("account: %v, want %v", err, ErrUnknown)
		}
	})
}

// TestUnknownToken: one new token, whichever loop notices first.
func TestUnknownToken(t *testing.T) {
	bubble(t, func(t *testing.T, c *Cache, r *relay, a *access) {
		stop := run(t, c.Follower(Account{Name: "office", Client: a.client}))
		defer stop()
		time.Sleep(time.Minute)
		for want := 2; want <= 3; want++ {
			r.set(func(r *relay) { r.token = "of somebody else" })
			r.add(time.Now(), job, 1)
			time.Sleep(2 * refreshEvery)
			if n := r.made(); n != want {
				t.Errorf("%d tokens made, want %d", n, want)
			}
			if got := len(stored(t, c)); got != want-1 {
				t.Errorf("%d events, want %d", got, want-1)
			}
		}
	})
}

// TestLoginRefused: a wrong password is not tried again and again.
func TestLoginRefused(t *testing.T) {
	bubble(t, func(t *testing.T, c *Cache, r *relay, _ *access) {
		var asked atomic.Int32
		f := c.Follower(Account{Name: "office", Client: func(context.Context, bool) (*relayclient.Client, error) {
			asked.Add(1)
			return nil, fmt.Errorf("register at relay: %w", &relayclient.Error{Status: http.StatusUnauthorized})
		}})
		stop := run(t, f)
		defer stop()
		time.Sleep(24 * time.Hour)
		if n := asked.Load(); n < 100 || n > 2*24*6+2 { // two loops, every ten minutes
			t.Errorf("the login was tried %d times in a day", n)
		}
		if h, _ := c.Health("office"); !errors.Is(h.Err, relayclient.ErrUnauthorized) {
			t.Errorf("health %+v, want unauthorized", h)
		}
	})
}

// TestTokenRefusedAgain: a relay that never knows a token is not flooded.
func TestTokenRefusedAgain(t *testing.T) {
	bubble(t, func(t *testing.T, c *Cache, r *relay, a *access) {
		r.fault = func(w http.ResponseWriter, _ *http.Request) bool {
			problem(w, http.StatusUnauthorized)
			return true
		}
		stop := run(t, c.Follower(Account{Name: "office", Client: a.client}))
		defer stop()
		time.Sleep(24 * time.Hour)
		if n := r.made(); n < 10 || n > 2*24*6+4 {
			t.Errorf("%d tokens were asked for in a day", n)
		}
	})
}

// TestNotHammered counts the calls in an hour.
func TestNotHammered(t *testing.T) {
	for _, c := range []struct {
		name  string
		setup func(r *relay)
		path  string
		most  int
	}{
		{"nothing happens", func(*relay) {}, "/v1/events", 70},
		{"nothing happens, facts", func(*relay) {}, "/v1/quota", 14},
		{"the wait is ignored", func(r *relay) { r.deaf = true }, "/v1/events", 3600/5 + 2},
		{"errors", func(r *relay) {
			r.fault = func(w http.ResponseWriter, _ *http.Request) bool { problem(w, 500); return true }
		}, "/v1/events", 60},
		{"errors, facts", func(r *relay) {
			r.fault = func(w http.ResponseWriter, _ *http.Request) bool { problem(w, 500); return true }
		}, "/v1/quota", 60},
		{"facts fail while events come", func(r *relay) {
			r.fault = func(w http.ResponseWriter, req *http.Request) bool {
				if req.URL.Path == "/v1/events" {
					time.Sleep(10 * time.Second)
					r.add(time.Now(), job, 1)
					return false
				}
				problem(w, 500)
				return true
			}
		}, "/v1/quota", 60},
		{"events come all the time", func(r *relay) {
			r.fault = func(_ http.ResponseWriter, req *http.Request) bool {
				if req.URL.Path == "/v1/events" {
					time.Sleep(10 * time.Second)
					r.add(time.Now(), job, 1)
				}
				return false
			}
		}, "/v1/quota", 122},
		{"the relay names a time", func(r *relay) {
			r.fault = func(w http.ResponseWriter, _ *http.Request) bool {
				w.Header().Set("Retry-After", "900")
				problem(w, 429)
				return true
			}
		}, "/v1/events", 5},
		{"a short validity", func(r *relay) {
			r.facts["/v1/policy"] = relayclient.Policy{RcptMax: 50, ValidSeconds: 1}
		}, "/v1/policy", 122},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, cache *Cache, r *relay, a *access) {
				r.set(c.setup)
				stop := run(t, cache.Follower(Account{Name: "office", Client: a.client}))
				defer stop()
				time.Sleep(time.Hour)
				if n := r.count(c.path); n == 0 || n > c.most {
					t.Errorf("%s was called %d times, want 1 to %d", c.path, n, c.most)
				}
			})
		})
	}
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

// TestRefreshKeepsItsDeadline, and shows what there is, when the relay is slow.
func TestRefreshKeepsItsDeadline(t *testing.T) {
	bubble(t, func(t *testing.T, c *Cache, r *relay, a *access) {
		f := c.Follower(Account{Name: "office", Client: a.client})
		if err := f.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.set(func(r *relay) {
			r.fault = func(_ http.ResponseWriter, req *http.Request) bool {
				<-req.Context().Done()
				return true
			}
		})
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if err := f.Refresh(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("refresh: %v, want %v", err, context.DeadlineExceeded)
		}
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("took %v, want 3 s", took)
		}
		if q, err := c.Quota(t.Context(), "office"); err != nil || !q.Stale {
			t.Errorf("quota %+v, %v; want stale", q, err)
		}
	})
}

// TestRefreshEndsTheBackOff: a person who asks need not wait for the loops.
func TestRefreshEndsTheBackOff(t *testing.T) {
	bubble(t, func(t *testing.T, c *Cache, r *relay, a *access) {
		r.fault = func(w http.ResponseWriter, _ *http.Request) bool { problem(w, 503); return true }
		f := c.Follower(Account{Name: "office", Client: a.client})
		stop := run(t, f)
		defer stop()
		time.Sleep(time.Hour)
		r.set(func(r *relay) { r.fault = nil })
		if err := f.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.add(time.Now(), job, 1)
		time.Sleep(time.Second)
		if got := stored(t, c); len(got) != 1 {
			t.Errorf("%d events a second after the refresh, want 1", len(got))
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

// TestBackOffBeginsAnew after a success, however long the outage before was.
func TestBackOffBeginsAnew(t *testing.T) {
	bubble(t, func(t *testing.T, c *Cache, r *relay, a *access) {
		broken := func(w http.ResponseWriter, req *http.Request) bool {
			if req.URL.Path != "/v1/events" {
				return false
			}
			problem(w, 500)
			return true
		}
		r.set(func(r *relay) { r.fault = broken })
		stop := run(t, c.Follower(Account{Name: "office", Client: a.client}))
		defer stop()
		time.Sleep(time.Hour)
		r.set(func(r *relay) { r.fault = nil })
		r.add(time.Now(), job, 1)
		time.Sleep(3 * time.Minute)
		r.add(time.Now(), job, 1) // the success before the next failure
		time.Sleep(time.Second)
		r.set(func(r *relay) { r.fault = broken })
		time.Sleep(longPoll)
		r.set(func(r *relay) { r.fault = nil })
		r.add(time.Now(), job, 1)
		time.Sleep(longPoll + 2*time.Second)
		if got := len(stored(t, c)); got != 3 {
			t.Errorf("%d events, want 3", got)
		}
	})
}

// TestGivingUpIsNoOutage: the caller ended the call, not the relay.
func TestGivingUpIsNoOutage(t *testing.T) {
	bubble(t, func(t *testing.T, c *Cache, _ *relay, a *access) {
		f := c.Follower(Account{Name: "office", Client: a.client})
		if err := f.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := f.Refresh(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("refresh: %v, want %v", err, context.Canceled)
		}
		if h, ok := c.Health("office"); !ok || !h.OK {
			t.Errorf("health %+v, %v", h, ok)
		}
	})
}

// TestPageStoredMeanwhile: another reader was faster, which is no failure.
func TestPageStoredMeanwhile(t *testing.T) {
	bubble(t, func(t *testing.T, c *Cache, r *relay, a *access) {
		r.add(time.Now(), job, 3)
		var once atomic.Bool
		r.fault = func(_ http.ResponseWriter, req *http.Request) bool {
			if req.URL.Path == "/v1/events" && once.CompareAndSwap(false, true) {
				if err := c.Follower(Account{Name: "office", Client: a.client}).drainEvents(t.Context()); err != nil {
					t.Error(err)
				}
			}
			return false
		}
		if err := c.Follower(Account{Name: "office", Client: a.client}).Refresh(t.Context()); err != nil {
			t.Errorf("refresh: %v", err)
		}
		if d := cmp.Diff(wantAddresses(3), stored(t, c)); d != "" {
			t.Errorf("events (-want +got):\n%s", d)
		}
	})
}

// TestTwoCallsOneNewToken: both learn that the token is not known.
func TestTwoCallsOneNewToken(t *testing.T) {
	r := newRelay()
	f := openCache(t, t.TempDir()).Follower(Account{Name: "office", Client: inProcess(r).client})
	defer f.cache.Close()
	first, err1 := f.client(t.Context(), nil)
	second, err2 := f.client(t.Context(), first)
	third, err3 := f.client(t.Context(), first)
	if err := errors.Join(err1, err2, err3); err != nil || second == first || third != second || r.made() != 2 {
		t.Errorf("%v; renewed %v, renewed again %v, %d tokens; want one new client and 2 tokens", err, second != first, third != second, r.made())
	}
}

// TestAddressPutRight: the settings of an account changed after a failure.
func TestAddressPutRight(t *testing.T) {
	bubble(t, func(t *testing.T, c *Cache, _ *relay, a *access) {
		var asked atomic.Int32
		f := c.Follower(Account{Name: "office", Client: func(ctx context.Context, renew bool) (*relayclient.Client, error) {
			if asked.Add(1) == 1 {
				return relayclient.New(relayclient.Options{BaseURL: "https://wrong.example", HTTPClient: &http.Client{Transport: direct{
					http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("nobody there") }),
				}}})
			}
			return a.client(ctx, renew)
		}})
		if err := f.Refresh(t.Context()); err == nil {
			t.Error("no failure at the wrong address")
		}
		if err := f.Refresh(t.Context()); err != nil {
			t.Errorf("after it was put right: %v", err)
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

// TestRelaySetUpAnew: the cursor is of a store that is gone. What it tells
// again is not stored again.
func TestRelaySetUpAnew(t *testing.T) {
	bubble(t, func(t *testing.T, c *Cache, r *relay, a *access) {
		r.add(time.Now(), job, 10)
		f := c.Follower(Account{Name: "office", Client: a.client})
		if err := f.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.set(func(r *relay) { r.store = "S2" })
		r.add(time.Now(), job, 5)
		if err := f.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(wantAddresses(15), stored(t, c)); d != "" {
			t.Errorf("events (-want +got):\n%s", d)
		}
	})
}

// TestOldEventsAreForgotten, and do not come back.
func TestOldEventsAreForgotten(t *testing.T) {
	bubble(t, func(t *testing.T, c *Cache, r *relay, a *access) {
		const keep = 90 * 24 * time.Hour
		r.add(time.Now().Add(-keep-time.Hour), job, 5)
		r.add(time.Now().Add(-keep+time.Hour), job, 1100)
		r.add(time.Now(), job, 5)
		stop := run(t, c.Follower(Account{Name: "office", Client: a.client, KeepHistory: keep}))
		defer stop()
		time.Sleep(time.Minute)
		if got := len(stored(t, c)); got != 1105 {
			t.Errorf("%d events, want all but the 5 that are too old", got)
		}
		time.Sleep(25 * time.Hour)
		if d := cmp.Diff(wantAddresses(1110)[1105:], stored(t, c)); d != "" {
			t.Errorf("events (-want +got):\n%s", d)
		}
	})
}

// TestAccountsAreApart: two accounts, one of which is then forgotten.
func TestAccountsAreApart(t *testing.T) {
	bubble(t, func(t *testing.T, c *Cache, r *relay, a *access) {
		other := newRelay()
		r.add(time.Now(), job, 3)
		other.add(time.Now(), job, 2)
		other.facts["/v1/quota"] = relayclient.Quota{Plan: "entry", EmailsUsed: 1, Reset: time.Now()}
		other.notices = []relayclient.Notice{{ID: 1, At: time.Now()}}
		refresh := func() {
			t.Helper()
			for name, x := range map[string]*access{"office": a, "shop": inProcess(other)} {
				if err := c.Follower(Account{Name: name, Client: x.client}).Refresh(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		refresh()
		if q, err := c.Quota(t.Context(), "shop"); err != nil || q.Value.Plan != "entry" {
			t.Errorf("quota of the shop: %+v, %v", q, err)
		}
		if q, err := c.Quota(t.Context(), "office"); err != nil || q.Value.Plan != "standard" {
			t.Errorf("quota of the office: %+v, %v", q, err)
		}
		if err := c.Forget(t.Context(), "shop"); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Quota(t.Context(), "shop"); !errors.Is(err, ErrUnknown) {
			t.Errorf("quota of the forgotten account: %v", err)
		}
		if n, err := c.Notices(t.Context(), "shop", false); err != nil || len(n) != 0 {
			t.Errorf("notices of the forgotten account: %v, %v", n, err)
		}
		if _, ok := c.Health("shop"); ok {
			t.Error("health of the forgotten account is known")
		}
		if got := len(stored(t, c)); got != 3 {
			t.Errorf("%d events left, want 3", got)
		}
		refresh() // from the beginning
		if got := len(stored(t, c)); got != 5 {
			t.Errorf("%d events, want 5", got)
		}
	})
}

// TestTwoReadersOfOneList: the page that comes second is not stored.
func TestTwoReadersOfOneList(t *testing.T) {
	c := openCache(t, t.TempDir())
	defer c.Close()
	ctx := t.Context()
	page := func(cursor string, addresses ...string) relayclient.Events {
		p := relayclient.Events{Cursor: cursor}
		for _, a := range addresses {
			p.Events = append(p.Events, relayclient.Event{At: time.Now(), Recipient: a, ID: cursor})
		}
		return p
	}
	for _, s := range []struct {
		from string
		page relayclient.Events
		want error
	}{
		{"", page("1", "a@x.example"), nil},
		{"", page("1", "b@x.example"), errMoved},
		{"1", page("2", "c@x.example"), nil},
		{"1", page("2", "d@x.example"), errMoved},
		{"9", page("10", "e@x.example"), errMoved},
	} {
		if err := c.storeEvents(ctx, "office", s.from, s.page, time.Time{}); !errors.Is(err, s.want) {
			t.Errorf("page from %q: %v, want %v", s.from, err, s.want)
		}
	}
	if d := cmp.Diff([]string{"a@x.example", "c@x.example"}, stored(t, c)); d != "" {
		t.Errorf("events (-want +got):\n%s", d)
	}
}

// TestNoneLostNoneDoubled plays random faults, ends and restarts of the
// program, and compares with what the relay told.
func TestNoneLostNoneDoubled(t *testing.T) {
	dir := t.TempDir()
	cases := 0
	rapid.Check(t, func(rt *rapid.T) {
		cases++
		name := fmt.Sprintf("account%d", cases)
		actions := rapid.SliceOfN(rapid.IntRange(0, 6), 1, 25).Draw(rt, "actions")
		sizes := rapid.SliceOfN(rapid.IntRange(1, 9), 3, 3).Draw(rt, "sizes")
		var got, want []string
		synctest.Test(t, func(t *testing.T) {
			c, r := openCache(t, dir), newRelay()
			a := inProcess(r)
			r.page = sizes[0]
			follow := func() *Follower { return c.Follower(Account{Name: name, Client: a.client}) }
			stop := run(t, follow())
			for i, action := range actions {
				switch action {
				case 0, 1:
					r.add(time.Now(), job, sizes[1+i%2])
				case 2:
					time.Sleep(time.Duration(sizes[i%3]) * time.Minute)
				case 3:
					var n atomic.Int32
					r.set(func(r *relay) {
						r.fault = func(w http.ResponseWriter, _ *http.Request) bool {
							if n.Add(1)%2 == 0 {
								return false
							}
							problem(w, 500)
							return true
						}
					})
				case 4:
					r.set(func(r *relay) { r.fault, r.token = nil, "unknown" })
				case 5:
					stop()
					c.Close()
					c = openCache(t, dir)
					stop = run(t, follow())
				case 6:
					_ = follow().Refresh(t.Context()) // beside the one that runs; may fail
				}
			}
			r.set(func(r *relay) { r.fault = nil })
			time.Sleep(2 * unknownRetry)
			stop()
			want = wantAddresses(len(r.events))
			list, _, err := c.events(context.Background(), eventColumns+`WHERE account = ? ORDER BY seq`, name)
			if err != nil {
				t.Error(err)
			}
			for _, e := range list {
				got = append(got, e.Address)
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
		if !slices.Equal(got, want) {
			rt.Fatalf("stored %v, the relay told %v", got, want)
		}
	})
}

func TestBackoff(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range []struct {
		failures int
		err      error
		least    time.Duration
		most     time.Duration
	}{
		{0, broken, 800 * time.Millisecond, 1200 * time.Millisecond},
		{1, broken, 1600 * time.Millisecond, 2400 * time.Millisecond},
		{1 << 40, broken, 96 * time.Second, 144 * time.Second},
		{0, &relayclient.Error{Status: 503, RetryAfter: 7 * time.Minute}, 7 * time.Minute, 7 * time.Minute},
		{0, &relayclient.Error{Status: 503, RetryAfter: 7 * time.Hour}, time.Hour, time.Hour},
		{0, &relayclient.Error{Status: 401}, unknownRetry, unknownRetry},
	} {
		for _, random := range []uint64{0, 1, 1 << 63, 1<<64 - 1} {
			if d := backoff(c.failures, c.err, random); d < c.least || d > c.most {
				t.Errorf("%d failures, %v: %v, want %v to %v", c.failures, c.err, d, c.least, c.most)
			}
		}
	}
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
