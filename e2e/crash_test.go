package e2e

import (
	"database/sql"
	"testing"
	"time"

	_ "modernc.org/sqlite" // to read the relay's table as an operator would
)

// TestKillTheCompanion: killed again and again in the middle of its work, it
// loses nothing and sends nothing twice.
func TestKillTheCompanion(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{rpm: 12000, plan: "unlimited-standard"})
	w.far.set(func(f *far) { f.delayDot = 20 * time.Millisecond })
	var to []string
	for _, id := range []string{"k1", "k2"} {
		more := addresses(500, id, "dst.invalid")
		w.mustSend("news@example.com", more, message(id, 5000))
		to = append(to, more...)
	}
	for range 5 {
		time.Sleep(700 * time.Millisecond)
		w.companion.kill()
		w.startCompanion()
	}
	w.far.waitRecipients(t, len(to), time.Minute)
	w.until(20*time.Second, "idle", func(s status) bool { return s.State == "idle" })
	w.once(to)
}

// TestKillTheRelay: everything arrives, the relay's table holds each recipient
// once, and only what it flags may repeat at the far server.
func TestKillTheRelay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{rpm: 12000, plan: "unlimited-standard"})
	w.far.set(func(f *far) { f.delayDot = 300 * time.Millisecond }) // so that kills come between the dot and its answer
	to := addresses(1000, "r", "dst.invalid")
	w.mustSend("news@example.com", to[:500], message("one", 5000))
	w.mustSend("news@example.com", to[500:], message("two", 5000))
	for range 3 {
		time.Sleep(900 * time.Millisecond)
		w.relay.kill()
		w.startRelay()
	}
	w.far.waitRecipients(t, len(to), 90*time.Second)
	w.until(30*time.Second, "idle", func(s status) bool { return s.State == "idle" })

	flagged := w.deliveries(t, len(to))
	repeated := 0
	for r, n := range w.far.counts() {
		if n == 1 {
			continue
		}
		repeated++
		if !flagged[r] {
			t.Errorf("%s got %d copies and is not flagged maybe_dup", r, n)
		}
	}
	t.Logf("after 3 kills of the relay: %d of %d recipients repeated at the far server, %d flagged maybe_dup", repeated, len(to), len(flagged))
	if out := w.must("usage", "--json"); !containsAll(out, `"emails": 1000`) && !containsAll(out, `"emails":1000`) {
		t.Errorf("usage counts something twice or not at all: %s", out)
	}
}

// deliveries waits until the relay has delivered n recipients, checks that
// each stands there once, and gives those flagged maybe_dup.
func (w *world) deliveries(t *testing.T, n int) map[string]bool {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+w.path("relay/relay.db")+"?mode=ro&_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	end := time.Now().Add(60 * time.Second)
	for {
		flagged, seen, open := map[string]bool{}, map[string]int{}, 0
		rows, err := db.QueryContext(t.Context(), `SELECT recipient, maybe_dup, status FROM deliveries`)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var r, st string
			var dup bool
			if err := rows.Scan(&r, &dup, &st); err != nil {
				t.Fatal(err)
			}
			seen[r]++
			if dup {
				flagged[r] = true
			}
			if st != "delivered" {
				open++
			}
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		if open == 0 && len(seen) == n {
			for r, k := range seen {
				if k != 1 {
					t.Errorf("%s stands %d times in deliveries", r, k)
				}
			}
			return flagged
		}
		if time.Now().After(end) {
			t.Fatalf("deliveries: %d recipients, %d of them open; want %d delivered", len(seen), open, n)
		}
		time.Sleep(100 * time.Millisecond)
	}
}
