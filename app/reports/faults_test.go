package reports

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"servicesmtp.net/companion/relayclient"
)

// faults are the ways in which a relay, or what stands before it, fails.
func faults() map[string]func(http.ResponseWriter, *http.Request) bool {
	garbage := func(status int, kind, text string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			fmt.Fprint(w, text)
			return true
		}
	}
	return map[string]func(http.ResponseWriter, *http.Request) bool{
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
	}
}

// TestFaults: whatever goes wrong at the relay, what is stored stays, is
// called stale, no token is asked for, and everything comes when it is over.
func TestFaults(t *testing.T) {
	for name, fault := range faults() {
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
