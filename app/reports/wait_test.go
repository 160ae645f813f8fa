package reports

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"servicesmtp.net/companion/relayclient"
)

// TestANoticeComesAtOnce: between two refreshes too, and quota is asked for
// with it.
func TestANoticeComesAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, c *Cache, r *relay, a *access) {
		stop := run(t, c.Follower(Account{Name: "office", Client: a.client}))
		defer stop()
		time.Sleep(2 * time.Minute)
		before := r.count("/v1/quota")
		r.set(func(r *relay) {
			r.notices = append(r.notices, relayclient.Notice{ID: 1, At: time.Now(), Subject: "held"})
		})
		time.Sleep(time.Second)
		synctest.Wait()
		if n, err := c.Notices(t.Context(), "office", true); err != nil || len(n) != 1 {
			t.Errorf("after a second: %+v, %v", n, err)
		}
		if n := r.count("/v1/quota") - before; n != 1 {
			t.Errorf("quota was asked for %d times, want once", n)
		}
	})
}

// TestWaitingForNoticesHammersNobody: one call in 55 seconds in peace, and few
// when the relay does not wait, refuses, or answers nothing at all.
func TestWaitingForNoticesHammersNobody(t *testing.T) {
	only := func(status int) func(r *relay) {
		return func(r *relay) {
			r.fault = func(w http.ResponseWriter, req *http.Request) bool {
				if req.URL.Path != "/v1/notices" || req.URL.Query().Get("wait") == "" {
					return false
				}
				problem(w, status)
				return true
			}
		}
	}
	for _, c := range []struct {
		name  string
		setup func(r *relay)
		most  int // in an hour, with those of the refresh every five minutes
	}{
		{"peace", func(*relay) {}, 66 + 13},
		{"a relay that does not wait", func(r *relay) { r.deaf = true }, 721 + 13},
		{"the waiting call fails", only(http.StatusBadGateway), 45 + 13},
		{"it is refused", only(http.StatusForbidden), 45 + 13},
		{"everything fails", func(r *relay) {
			r.fault = func(w http.ResponseWriter, _ *http.Request) bool { problem(w, http.StatusBadGateway); return true }
		}, 45}, // the refresh alone, with its back-off
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, cache *Cache, r *relay, a *access) {
				r.set(c.setup)
				stop := run(t, cache.Follower(Account{Name: "office", Client: a.client}))
				defer stop()
				time.Sleep(time.Hour)
				if n := r.count("/v1/notices"); n > c.most {
					t.Errorf("asked for notices %d times in an hour, want %d at most", n, c.most)
				}
			})
		})
	}
}
