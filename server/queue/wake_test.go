package queue

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"servicesmtp.net/companion/internal/race"
	"servicesmtp.net/companion/server/delivery"
	"servicesmtp.net/companion/server/store/storetest"
)

// fewer divides the number of messages.
var fewer = race.Sample(5)

// Every commit with Enqueue and Wake is looked at, however the slots come and
// go: the slots linger for next to nothing, so that most messages meet one
// that is about to give up, and with one slot no other can step in. No timer
// would help: a lost wake-up hangs.
func TestNoWakeUpIsLost(t *testing.T) { storetest.Each(t, testNoWakeUpIsLost) }

func testNoWakeUpIsLost(t *testing.T, dsn string) {
	for _, c := range []struct {
		slots  int
		linger time.Duration
	}{{1, time.Nanosecond}, {1, time.Millisecond}, {4, time.Nanosecond}, {4, time.Hour}} {
		t.Run(fmt.Sprint(c.slots, " slots, ", c.linger), func(t *testing.T) {
			w := newWorldOn(t, fresh(t, dsn), Config{Route: newFake(), Slots: c.slots, Linger: c.linger})
			w.run()
			for i := range 50 / fewer {
				w.accept("x\r\n", fmt.Sprintf("r%d@far.example", i))
				w.wait(`status = 'delivered'`, i+1)
			}
		})
	}
}

// Many at once, from many sides, into one lane and into many: all of it goes
// out, each recipient once, and no two connections ever hold the same one.
func TestRacingAcceptance(t *testing.T) { storetest.Each(t, testRacingAcceptance) }

func testRacingAcceptance(t *testing.T, dsn string) {
	for _, c := range []struct {
		name   string
		single bool
		each   int // messages of each sender
		rcpts  int // of each message
		lane   func(string) string
	}{
		{"smarthost", false, 125, 1, nil},
		{"mx", true, 20, 5, func(r string) string { return r[len(r)-len("0@far.example"):] }},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake()
			f.lane, f.plan.Single = c.lane, c.single
			w := newWorldOn(t, fresh(t, dsn), Config{Route: f, Linger: time.Millisecond, Workers: 8})
			w.run()
			const senders = 8
			each := c.each / fewer
			var all sync.WaitGroup
			for s := range senders {
				all.Go(func() {
					for i := range each {
						w.accept("x\r\n", recipients(fmt.Sprintf("a%d-%d-", s, i), c.rcpts)...)
					}
				})
			}
			all.Wait()
			w.wait(`status = 'delivered'`, senders*each*c.rcpts)
			w.end()
			if len(f.twice) > 0 {
				t.Errorf("%d recipients were in two hands at once", len(f.twice))
			}
			for id, n := range f.got {
				if n != 1 {
					t.Errorf("recipient %d was delivered %d times", id, n)
				}
			}
			if len(f.got) != senders*each*c.rcpts {
				t.Errorf("%d recipients delivered, want %d", len(f.got), senders*each*c.rcpts)
			}
			if n := w.count(`attempts <> 1 OR maybe_dup <> 0`); n != 0 {
				t.Errorf("%d recipients with more than one attempt", n)
			}
			if w.q.lanes.running != 0 {
				t.Errorf("%d slots left behind", w.q.lanes.running)
			}
			// A lane may be left for a job that the start inserted and nobody needed.
			for name, l := range w.q.lanes.byName {
				if len(l.busy) != 0 || len(l.claims.messages) != 0 || len(l.claims.ids) != 0 || len(l.jobs) == 0 {
					t.Errorf("lane %s left behind: %+v", name, l.busy)
				}
			}
		})
	}
}

// A message that comes while another is with a slow server goes out beside it.
func TestSlowMessageDoesNotHoldTheNext(t *testing.T) {
	storetest.Each(t, testSlowMessageDoesNotHoldTheNext)
}

func testSlowMessageDoesNotHoldTheNext(t *testing.T, dsn string) {
	f := newFake()
	slow := make(chan struct{})
	f.deliver = func(m delivery.Message, mark func([]int64) error) []delivery.Result {
		if strings.HasPrefix(m.Recipients[0].Address, "slow") {
			<-slow
		}
		return accepts(m, mark)
	}
	w := newWorldOn(t, dsn, Config{Route: f, Linger: time.Hour})
	w.run()
	w.accept("x\r\n", "first@far.example")
	w.wait(`status = 'delivered'`, 1) // its slot lingers now
	enqueue := func(tx *sql.Tx, lanes []string) error { return w.q.Enqueue(context.Background(), tx, lanes) }
	for _, to := range []string{"slow", "second", "third"} {
		w.insert("x\r\n", w.q.Lane, enqueue, to+"@far.example")
	}
	// Once for each commit, as in server/accept: a slot that starts in between
	// lingers, and one of the messages counts on it.
	w.q.Wake([]string{"smarthost", "smarthost", "smarthost"})
	w.wait(`status = 'delivered'`, 3)
	close(slow)
	w.wait(`status = 'delivered'`, 4)
}

// A lane with more lanes than workers gets its turn, and a long one ends its
// turn when its budget is over.
func TestLanesTakeTurns(t *testing.T) { storetest.Each(t, testLanesTakeTurns) }

func testLanesTakeTurns(t *testing.T, dsn string) {
	f := newFake()
	f.plan.Slots = 1
	f.lane = func(r string) string { return r[strings.Index(r, "@")+1:] }
	w := newWorldOn(t, dsn, Config{Route: f, Workers: 2, Budget: time.Millisecond, Linger: time.Millisecond, poll: 20 * time.Millisecond})
	w.run()
	for i := range 60 {
		w.accept("x\r\n", fmt.Sprintf("r%d@d%d.example", i, i%20))
	}
	w.wait(`status = 'delivered'`, 60)
}

// A transaction that is rolled back leaves no job and no wrong belief.
func TestRolledBackAcceptance(t *testing.T) { storetest.Each(t, testRolledBackAcceptance) }

func testRolledBackAcceptance(t *testing.T, dsn string) {
	w := newWorldOn(t, dsn, Config{Route: newFake(), Linger: time.Hour})
	w.run()
	for i := range 20 {
		tx, err := w.store.Writer().Begin()
		if err != nil {
			t.Fatal(err)
		}
		if err := w.q.Enqueue(context.Background(), tx, []string{"smarthost"}); err != nil {
			t.Fatal(err)
		}
		tx.Rollback()
		w.accept("x\r\n", fmt.Sprintf("r%d@far.example", i))
		w.wait(`status = 'delivered'`, i+1)
	}
}

// Jobs can be lost without losing mail: Rebuild makes them from the table.
func TestRebuild(t *testing.T) { storetest.Each(t, testRebuild) }

func testRebuild(t *testing.T, dsn string) {
	w := newWorldOn(t, dsn, Config{Route: newFake()})
	none := func(*sql.Tx, []string) error { return nil }
	w.run()
	w.accept("x\r\n", "first@far.example") // Run is past its own rebuild when this is out
	w.wait(`status = 'delivered'`, 1)
	for i := range 10 {
		w.insert("x\r\n", func(string) string { return fmt.Sprintf("lane%d", i%3) }, none, fmt.Sprintf("r%d@far.example", i))
	}
	n, err := w.q.Rebuild(context.Background())
	if err != nil || n != 3 {
		t.Errorf("%d lanes, %v, want 3", n, err)
	}
	w.wait(`status = 'delivered'`, 11)
}

// What was accepted while nothing ran goes out with the start, and jobs that a
// crash left running do not block it.
func TestStartAfterCrash(t *testing.T) {
	f := newFake()
	w := newWorld(t, Config{Route: f})
	w.accept("x\r\n", recipients("r", 5)...)
	dup := w.accept("x\r\n", "dup@far.example")
	if _, err := w.store.Writer().Exec(`UPDATE deliveries SET status = 'in_data' WHERE message_id = $1`, dup); err != nil {
		t.Fatal(err)
	}
	res, err := w.store.Writer().Exec(`UPDATE river_job SET state = 'running', attempt = 1, attempted_at = datetime('now', 'subsec'), attempted_by = jsonb_array($1)`, w.q.client.ID())
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := res.RowsAffected(); n == 0 {
		t.Fatal("no job to be stuck")
	}
	w.renew(Config{Route: f, Settle: 200 * time.Millisecond})
	w.run()
	w.wait(`status = 'delivered'`, 6)
	if got := w.rows(dup)["dup@far.example"]; got.dup != 1 || got.attempts != 2 {
		t.Errorf("the recipient in data: %+v", got)
	}
	if n := w.count(`maybe_dup = 1`); n != 1 {
		t.Errorf("%d recipients may be doubled, want 1", n)
	}
}
