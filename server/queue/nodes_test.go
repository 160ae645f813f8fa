package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"servicesmtp.net/companion/server/delivery"
	"servicesmtp.net/companion/server/store"
	"servicesmtp.net/companion/server/store/storetest"
)

// Two nodes, and senders at both, while slots give up as fast as they can:
// every commit is looked at, by one node or the other, and everybody gets the
// mail once. No timer would help: a due row without a job hangs.
func TestNodesRace(t *testing.T) {
	for _, c := range []struct {
		name   string
		slots  int
		single bool
		lane   func(string) string
	}{
		{"one lane", 1, false, nil},
		{"one lane, four slots", 4, false, nil},
		{"ten lanes, one by one", 2, true, func(r string) string { return r[len(r)-len("0@far.example"):] }},
	} {
		t.Run(c.name, func(t *testing.T) {
			dsn := storetest.Database(t)
			f := newFake()
			f.lane, f.plan.Single = c.lane, c.single
			conf := Config{Route: f, Slots: c.slots, Linger: time.Nanosecond, Workers: 8}
			nodes := []*world{newWorldOn(t, dsn, conf), newWorldOn(t, dsn, conf)}
			for _, w := range nodes {
				w.run()
			}
			senders, each, rcpts := 2, 60/fewer, 3
			var all sync.WaitGroup
			for n, w := range nodes {
				for s := range senders {
					all.Go(func() {
						for i := range each {
							w.accept("x\r\n", recipients(fmt.Sprintf("n%d-%d-%d-", n, s, i), rcpts)...)
						}
					})
				}
			}
			all.Wait()
			nodes[0].wait(`status = 'delivered'`, len(nodes)*senders*each*rcpts)
			for _, w := range nodes {
				w.end()
			}
			for id, n := range f.got {
				if n != 1 {
					t.Errorf("recipient %d was delivered %d times", id, n)
				}
			}
			if n := nodes[0].count(`attempts <> 1 OR maybe_dup <> 0 OR node <> ''`); n != 0 {
				t.Errorf("%d recipients with more than one attempt", n)
			}
		})
	}
}

// What a node that died had in hand, and the lanes that it ran, go on at
// another once its lease is over.
func TestTakenOverLanesGoOn(t *testing.T) {
	dsn := storetest.Database(t)
	hang, inHand := make(chan struct{}), make(chan struct{})
	f := newFake()
	f.deliver = func(m delivery.Message, mark func([]int64) error) []delivery.Result {
		return says(m, func(ids []int64) error {
			err := mark(ids)
			close(inHand)
			<-hang
			return err
		}, delivery.Result{Status: delivery.Deferred, Code: 451, Lost: true, MaybeDup: true})
	}
	dead := newWorldOn(t, dsn, Config{Route: f, Slots: 1})
	dead.run()
	dead.accept("x\r\n", "b@far.example")
	<-inHand
	dead.accept("x\r\n", "c@far.example") // waits for the one slot

	g := newFake()
	// It polls, as in service: the dead node, which runs on here, may get the freed
	// job once more and give it back, and nobody is told of that.
	w := newWorldOn(t, dsn, Config{Route: g, Slots: 1, Settle: time.Millisecond, poll: 20 * time.Millisecond})
	w.run()
	w.accept("x\r\n", "d@far.example") // so does this: its job is the other's
	if _, err := w.store.Writer().Exec(`UPDATE nodes SET seen_at = 0 WHERE id = $1`, dead.store.NodeID()); err != nil {
		t.Fatal(err)
	}
	got, err := w.store.TakeOver(context.Background(), time.Now())
	if err != nil || got.Recipients != 1 || got.Jobs != 1 {
		t.Fatalf("took over %+v %v", got, err)
	}
	if _, err := w.q.Rebuild(context.Background()); err != nil {
		t.Fatal(err)
	}
	w.wait(`status = 'delivered'`, 3)
	close(hang)
	// It was told where it asked for work after the take-over.
	if err := dead.stop(); err != nil && !errors.Is(err, store.ErrFenced) {
		t.Errorf("the dead node's queue ended with %v", err)
	}
	dead.stop = nil
	rows := w.rows("")
	if b := rows["b@far.example"]; b.status != "delivered" || b.dup != 1 || b.attempts != 2 {
		t.Errorf("in hand: %+v", b)
	}
	for _, to := range []string{"c@far.example", "d@far.example"} {
		if r := rows[to]; r.status != "delivered" || r.dup != 0 || r.attempts != 1 {
			t.Errorf("%s: %+v", to, r)
		}
	}
}

// A node that lost its lease breaks off what it sends: others send it again.
func TestFencedNodeBreaksOff(t *testing.T) { storetest.Each(t, testFencedNodeBreaksOff) }

func testFencedNodeBreaksOff(t *testing.T, dsn string) {
	inHand := make(chan struct{})
	f := newFake()
	f.slow = func(ctx context.Context, m delivery.Message, mark func([]int64) error) []delivery.Result {
		return says(m, func(ids []int64) error {
			err := mark(ids)
			close(inHand)
			<-ctx.Done()
			return err
		}, delivery.Result{Status: delivery.Deferred, Code: 451, Lost: true, MaybeDup: true})
	}
	w := newWorldOn(t, dsn, Config{Route: f, Slots: 1, StopWait: time.Hour})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.q.Run(ctx) }()
	w.accept("x\r\n", "a@far.example")
	<-inHand
	stop() // it waits for the message in hand, and would for an hour
	w.q.Fence()
	if err := <-done; !errors.Is(err, store.ErrFenced) {
		t.Errorf("the queue ended with %v", err)
	}
	if a := w.rows("")["a@far.example"]; a.status != "queued" || a.dup != 1 {
		t.Errorf("broken off: %+v", a)
	}
}

// A mark whose commit was answered by a lost connection is there, although
// nothing was sent: it must not keep the mail while this node lives.
func TestMarkWithoutAnAnswer(t *testing.T) { storetest.Each(t, testMarkWithoutAnAnswer) }

func testMarkWithoutAnAnswer(t *testing.T, dsn string) {
	f := newFake()
	w := newWorldOn(t, dsn, Config{Route: f, Slots: 1})
	lost := false
	f.deliver = func(m delivery.Message, mark func([]int64) error) []delivery.Result {
		if !lost {
			lost = true
			if _, err := w.store.Writer().Exec(`UPDATE deliveries SET status = 'in_data', node = $1`, w.store.NodeID()); err != nil {
				t.Error(err)
			}
		}
		return accepts(m, mark)
	}
	w.run()
	w.accept("x\r\n", "a@far.example", "b@far.example")
	w.wait(`status = 'delivered'`, 2)
	w.end()
	if n := w.count(`maybe_dup <> 0 OR attempts <> 1`); n != 0 || !lost {
		t.Errorf("%d recipients look tried before", n)
	}
}

// A commit at one node wakes a slot that lingers at the other, also after the
// connection over which it listens was lost. Every timer is far away.
func TestWakeOverNodes(t *testing.T) {
	dsn := storetest.Database(t)
	conf := Config{Route: newFake(), Slots: 1, Linger: time.Hour}
	one, two := newWorldOn(t, dsn, conf), newWorldOn(t, dsn, conf)
	two.run()
	two.accept("x\r\n", "first@far.example")
	two.wait(`status = 'delivered'`, 1) // its slot lingers now
	one.run()
	for i := range 5 {
		one.accept("x\r\n", fmt.Sprintf("r%d@far.example", i))
		one.wait(`status = 'delivered'`, 2+i)
	}
	res, err := two.store.Writer().Exec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN %'`)
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := res.RowsAffected(); n == 0 {
		t.Fatal("nobody listened")
	}
	one.accept("x\r\n", "last@far.example")
	one.wait(`status = 'delivered'`, 7)
}

// A node that only takes mail in, and one that only sends it and gives its lane
// up whenever it can: no commit falls between the look at the lane and the end
// of its job. River polls quickly here, because it is not what is tested: a due
// row without a job hangs all the same.
func TestNoJobIsLostBetweenNodes(t *testing.T) {
	dsn := storetest.Database(t)
	conf := Config{Route: newFake(), Slots: 1, Linger: time.Nanosecond, poll: 2 * time.Millisecond}
	in, out := newWorldOn(t, dsn, conf), newWorldOn(t, dsn, conf)
	out.run()
	for i := range 200 / fewer {
		in.accept("x\r\n", fmt.Sprintf("r%d@far.example", i))
		in.wait(`status = 'delivered'`, i+1)
		time.Sleep(time.Duration(i%8) * 500 * time.Microsecond) // meets each step of the end of a lane
	}
}
