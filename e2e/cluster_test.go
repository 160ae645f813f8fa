package e2e

import (
	"database/sql"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // to read the relays' tables as an operator would

	"servicesmtp.net/companion/e2e/world"
	"servicesmtp.net/companion/server/store/storetest"
)

// envelope is what one submission offers, again and again under one key.
type envelope struct {
	n     int
	envid string
	to    []string
}

func newEnvelope(n, rcpts int) envelope {
	return envelope{n: n, envid: fmt.Sprintf("sb1.01JD%022d.1", n), to: world.Addresses(rcpts, fmt.Sprint("n", n), "dst.invalid")}
}

// content is 2 KB, and of every tenth envelope too large for the database.
func (e envelope) content() string {
	size := 2000
	if e.n%10 == 0 {
		size = 300_000
	}
	return world.Message(e.envid, size)
}

// submit offers an envelope to the nodes in turn until one takes it, as a
// companion whose endpoints they are.
func submit(t *testing.T, nodes []*world.World, first int, e envelope) (id string) {
	end := time.Now().Add(time.Minute)
	for i := first; ; i++ {
		id, err := nodes[i%len(nodes)].Submit(e.envid, e.to, e.content())
		if err == nil {
			return id
		}
		if time.Now().After(end) {
			t.Errorf("%s is not taken: %v", e.envid, err)
			return ""
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func counted(t *testing.T, db *sql.DB, query string) (n int) {
	t.Helper()
	if err := db.QueryRow(query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestKillOneOfTwoNodes: two relays on one database, mail coming in at both;
// one is killed in the middle. Whatever was acknowledged arrives, soon after
// the lease; what may arrive twice is flagged; usage and events are exact; keys
// answer the same at both; the killed one joins again.
func TestKillOneOfTwoNodes(t *testing.T) {
	t.Parallel()
	const lease = 10 * time.Second // the shortest that may be set ends nodes that are slow for a moment
	dsn := storetest.Database(t)
	nodes := world.Cluster(t, 2, dsn, lease, world.Options{Plan: "unlimited-standard"})
	far := nodes[0].Far
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()

	// One key raced at both: one acceptance.
	raced := newEnvelope(0, 3)
	var ids [2]string
	var both sync.WaitGroup
	for i := range nodes {
		both.Go(func() { ids[i] = submit(t, nodes[i:i+1], 0, raced) })
	}
	both.Wait()
	if ids[0] != ids[1] {
		t.Errorf("one key was accepted as %q and %q", ids[0], ids[1])
	}

	const senders, each, rcpts = 3, 40, 5
	var accepted atomic.Int64
	halfway := make(chan struct{})
	var all sync.WaitGroup
	got := make([]string, len(nodes)*senders*each)
	for n := range len(nodes) * senders {
		all.Go(func() {
			for i := range each {
				k := n*each + i
				got[k] = submit(t, nodes, n%len(nodes), newEnvelope(1+k, rcpts))
				if accepted.Add(1) == int64(len(got)/2) {
					close(halfway)
				}
			}
		})
	}
	<-halfway
	far.Set(func(f *world.Far) { f.DelayDot = lease })
	time.Sleep(300 * time.Millisecond) // what was answered at once is written down: from now on whatever is in hand stays so
	var busy string
	until(t, "a node has something in hand", func() bool {
		return db.QueryRow(`SELECT node FROM deliveries WHERE status = 'in_data' LIMIT 1`).Scan(&busy) == nil
	})
	victim, other := nodes[0], nodes[1]
	if counted(t, db, `SELECT count(*) FROM nodes WHERE id < '`+busy+`'`) == 1 { // it started second
		victim, other = other, victim
	}
	victim.Relay.Kill()
	far.Set(func(f *world.Far) { f.DelayDot = 0 })
	killed := time.Now()
	all.Wait()
	want := 3 + len(got)*rcpts
	far.WaitRecipients(t, want, time.Minute)
	until(t, "nothing waits", func() bool { return counted(t, db, `SELECT count(*) FROM deliveries WHERE status <> 'delivered'`) == 0 })
	t.Logf("all of it was out %s after the kill", time.Since(killed).Round(100*time.Millisecond))

	if n := counted(t, db, `SELECT count(*) FROM deliveries`); n != want {
		t.Errorf("%d recipients stored, want %d", n, want)
	}
	if n := counted(t, db, `SELECT sum(emails) FROM usage_periods`); n != want {
		t.Errorf("%d e-mails counted, want %d", n, want)
	}
	if n := counted(t, db, `SELECT count(*) FROM events WHERE status = 'delivered'`); n != want {
		t.Errorf("%d deliveries reported, want %d", n, want)
	}
	repeats(t, db, far)
	for k, id := range got[:10] {
		e := newEnvelope(1+k, rcpts)
		if again, err := other.Submit(e.envid, e.to, e.content()); err != nil || again != id {
			t.Errorf("a replay at the other node says %q %v, want %q", again, err, id)
		}
		if _, err := other.Submit(e.envid, e.to, e.content()+"changed\r\n"); err == nil || !strings.Contains(err.Error(), "SSMTP-CONFLICT") {
			t.Errorf("other content under a used key: %v", err)
		}
	}
	until(t, "the killed node is no more", func() bool { return counted(t, db, `SELECT count(*) FROM nodes`) == 1 })

	victim.StartRelay()
	if n := counted(t, db, `SELECT count(*) FROM nodes`); n != 2 {
		t.Errorf("%d nodes after the restart, want 2", n)
	}
	submit(t, []*world.World{victim}, 0, newEnvelope(9999, 1))
	far.WaitRecipients(t, want+1, 30*time.Second)
	for _, w := range nodes {
		if code := w.Relay.Stop(t); code != 0 {
			t.Errorf("a stop ended with %d", code)
		}
	}
	if n := counted(t, db, `SELECT count(*) FROM nodes`); n != 0 {
		t.Errorf("%d nodes left after an orderly stop", n)
	}
}

// repeats fails when somebody got a copy more than the table admits.
func repeats(t *testing.T, db *sql.DB, far *world.Far) {
	t.Helper()
	rows, err := db.Query(`SELECT recipient FROM deliveries WHERE maybe_dup = 1`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	flagged := make(map[string]bool)
	for rows.Next() {
		var r string
		if err := rows.Scan(&r); err != nil {
			t.Fatal(err)
		}
		flagged[r] = true
	}
	if len(flagged) == 0 {
		t.Error("nothing was in hand: the test did not kill where it should")
	}
	for r, n := range far.Counts() {
		if n > 1 && !flagged[r] {
			t.Errorf("%s got %d copies and is not flagged maybe_dup", r, n)
		}
	}
}

// until polls, because the table tells nobody when it changes.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	end := time.Now().Add(time.Minute)
	for !ok() {
		if time.Now().After(end) {
			t.Fatalf("%s: not within a minute", what)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
