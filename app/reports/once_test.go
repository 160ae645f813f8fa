package reports

import (
	"errors"
	"fmt"
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

// program is the part of the companion that follows one account, which ends
// and starts again.
type program struct {
	dir, account string
	cache        *Cache
	relay        *relay
	access       *access
	sizes        []int
	stop         func()
}

func (p *program) follower() *Follower {
	return p.cache.Follower(Account{Name: p.account, Client: p.access.client})
}

func (p *program) start(t *testing.T) {
	p.cache = openCache(t, p.dir)
	p.stop = run(t, p.follower())
}

func (p *program) end(t *testing.T) {
	p.stop()
	if err := p.cache.Close(); err != nil {
		t.Error(err)
	}
}

// act does the i-th thing, of a kind.
func (p *program) act(t *testing.T, i, kind int) {
	switch kind {
	case 0, 1:
		p.relay.add(time.Now(), job, p.sizes[1+i%2])
	case 2:
		time.Sleep(time.Duration(p.sizes[i%3]) * time.Minute)
	case 3:
		var n atomic.Int32
		p.relay.set(func(r *relay) {
			r.fault = func(w http.ResponseWriter, _ *http.Request) bool {
				if n.Add(1)%2 == 0 {
					return false
				}
				problem(w, 500)
				return true
			}
		})
	case 4:
		p.relay.set(func(r *relay) { r.fault, r.token = nil, "unknown" })
	case 5:
		p.end(t)
		p.start(t)
	case 6:
		_ = p.follower().Refresh(t.Context()) // beside the one that runs; may fail
	}
}

// TestNoneLostNoneDoubled plays random faults, ends and restarts of the
// program, and compares with what the relay told.
func TestNoneLostNoneDoubled(t *testing.T) {
	dir := t.TempDir()
	cases := 0
	rapid.Check(t, func(rt *rapid.T) {
		cases++
		kinds := rapid.SliceOfN(rapid.IntRange(0, 6), 1, 25).Draw(rt, "actions")
		p := program{dir: dir, account: fmt.Sprintf("account%d", cases), sizes: rapid.SliceOfN(rapid.IntRange(1, 9), 3, 3).Draw(rt, "sizes")}
		var got, want []string
		synctest.Test(t, func(t *testing.T) {
			p.relay = newRelay()
			p.relay.page = p.sizes[0]
			p.access = inProcess(p.relay)
			p.start(t)
			for i, kind := range kinds {
				p.act(t, i, kind)
			}
			p.relay.set(func(r *relay) { r.fault = nil })
			time.Sleep(2 * unknownRetry)
			list, _, err := p.cache.events(t.Context(), eventColumns+`WHERE account = ? ORDER BY seq`, p.account)
			if err != nil {
				t.Error(err)
			}
			for _, e := range list {
				got = append(got, e.Address)
			}
			want = wantAddresses(len(p.relay.events))
			p.end(t)
		})
		if !slices.Equal(got, want) {
			rt.Fatalf("stored %v, the relay told %v", got, want)
		}
	})
}
