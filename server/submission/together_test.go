package submission

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

func TestReplayAfterRestart(t *testing.T) {
	w := newWorld(t)
	w.account("alice", "standard")
	c := w.login("alice")
	c.offer(envid(1), "x@a.example", "y@b.example")
	first := c.data(message("hello"), "250 2.0.0 queued as ")
	w.stop()
	w = newWorld(t, func(o *options) { o.dir = w.dir })
	c = w.login("alice")
	if got := c.repeat(envid(1), "hello", "250 "); got != first+" (replayed)" {
		t.Errorf("got %q, want %q and (replayed)", got, first)
	}
	c.repeat(envid(1), "other", "554 5.5.4 SSMTP-CONFLICT")
	if n := w.count(`SELECT count(*) FROM messages`); n != 1 {
		t.Errorf("%d messages", n)
	}
}

// TestRaceOnOneKey: sixteen connections offer one batch at once.
func TestRaceOnOneKey(t *testing.T) {
	w := newWorld(t)
	w.account("alice", "standard")
	var clients []*client
	for range 16 {
		clients = append(clients, w.login("alice"))
	}
	for n := 1; n <= 5; n++ {
		var mu sync.Mutex
		var wg sync.WaitGroup
		fresh, ids := 0, map[string]bool{}
		for _, c := range clients {
			wg.Go(func() {
				c.offer(envid(n), "x@a.example", "y@b.example")
				reply := c.data(message("hello"), "250 2.0.0 queued as ")
				mu.Lock()
				defer mu.Unlock()
				id, replayed := strings.CutSuffix(reply, " (replayed)")
				if ids[id] = true; !replayed {
					fresh++
				}
			})
		}
		wg.Wait()
		if fresh != 1 || len(ids) != 1 {
			t.Errorf("batch %d: %d acceptances, %v", n, fresh, ids)
		}
	}
	if n := w.count(`SELECT emails FROM usage_periods`); n != 10 {
		t.Errorf("%d e-mails counted, want 10", n)
	}
}

// TestQuotaIsExact: 64 connections, a plan that has room for 40 of their
// messages. What got 250 is what was counted.
func TestQuotaIsExact(t *testing.T) {
	w := newWorld(t)
	id := w.account("alice", "unlimited-entry-month")
	clients := make([]*client, 64)
	for i := range clients {
		clients[i] = w.login("alice")
	}
	clients[0].offer("", "x@a.example")
	clients[0].data(message("hello"), "250 ")
	w.exec(`UPDATE usage_periods SET emails = 9000 - 40 * 5 - 3 WHERE account_id = $1`, id)
	var mu sync.Mutex
	var wg sync.WaitGroup
	accepted := 0
	for i, c := range clients {
		wg.Go(func() {
			c.offer(envid(i+1), addresses(5, fmt.Sprintf("r%d-", i))...)
			c.cmd("DATA", "354 ")
			c.write(message("hello") + ".\r\n")
			reply := c.reply()
			mu.Lock()
			defer mu.Unlock()
			switch {
			case strings.HasPrefix(reply, "250 2.0.0 queued as "):
				accepted++
			case !strings.HasPrefix(reply, "550 5.7.1 SSMTP-QUOTA reset="):
				t.Errorf("got %q", reply)
			}
		})
	}
	wg.Wait()
	if n := w.count(`SELECT emails FROM usage_periods`); accepted != 40 || n != 9000-3 {
		t.Errorf("%d accepted, %d e-mails counted; want 40 and 8997", accepted, n)
	}
	if n := w.count(`SELECT count(*) FROM envelope_keys`); n != 40 {
		t.Errorf("%d keys: a refusal stores none", n)
	}
}
