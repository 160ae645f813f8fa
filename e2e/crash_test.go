package e2e

import (
	"database/sql"
	"testing"
	"time"

	_ "modernc.org/sqlite" // to read the relay's table as an operator would

	"servicesmtp.net/companion/e2e/world"
)

// TestKillTheCompanion: killed again and again in the middle of its work, it
// loses nothing and sends nothing twice.
func TestKillTheCompanion(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{RPM: 12000, Plan: "unlimited-standard"})
	w.Far.Set(func(f *world.Far) { f.DelayDot = 20 * time.Millisecond })
	factsKnown(w)
	var to []string
	for _, id := range []string{"k1", "k2"} {
		more := world.Addresses(500, id, "dst.invalid")
		w.MustSend("news@example.com", more, world.Message(id, 5000))
		to = append(to, more...)
	}
	for range 5 {
		time.Sleep(700 * time.Millisecond)
		w.Companion.Kill()
		w.StartCompanion()
	}
	w.Far.WaitRecipients(t, len(to), time.Minute)
	w.UntilIdle(20 * time.Second)
	w.Once(to)
}

// TestKillTheRelay: everything arrives, the relay's table holds each recipient
// once, and only what it flags may repeat at the far server.
func TestKillTheRelay(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{RPM: 12000, Plan: "unlimited-standard"})
	w.Far.Set(func(f *world.Far) { f.DelayDot = 300 * time.Millisecond }) // so that kills come between the dot and its answer
	factsKnown(w)
	to := world.Addresses(1000, "r", "dst.invalid")
	w.MustSend("news@example.com", to[:500], world.Message("one", 5000))
	w.MustSend("news@example.com", to[500:], world.Message("two", 5000))
	for range 3 {
		time.Sleep(900 * time.Millisecond)
		w.Relay.Kill()
		w.StartRelay()
	}
	w.Far.WaitRecipients(t, len(to), 90*time.Second)
	w.UntilIdle(30 * time.Second)

	flagged := deliveries(w, t, len(to))
	repeated := 0
	for r, n := range w.Far.Counts() {
		if n == 1 {
			continue
		}
		repeated++
		if !flagged[r] {
			t.Errorf("%s got %d copies and is not flagged maybe_dup", r, n)
		}
	}
	t.Logf("after 3 kills of the relay: %d of %d recipients repeated at the far server, %d flagged maybe_dup", repeated, len(to), len(flagged))
	if out := w.Must("usage", "--json"); !containsAll(out, `"emails": 1000`) && !containsAll(out, `"emails":1000`) {
		t.Errorf("usage counts something twice or not at all: %s", out)
	}
}

// deliveries waits until the relay has delivered n recipients, checks that
// each stands there once, and gives those flagged maybe_dup.
func deliveries(w *world.World, t *testing.T, n int) map[string]bool {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+w.Path("relay/relay.db")+"?mode=ro&_pragma=busy_timeout(5000)")
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
