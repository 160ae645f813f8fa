package reports

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"servicesmtp.net/companion/relayclient"
)

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
