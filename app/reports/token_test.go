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
