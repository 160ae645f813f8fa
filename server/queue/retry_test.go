package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"servicesmtp.net/companion/server/delivery"
	"servicesmtp.net/companion/server/store"
	"servicesmtp.net/companion/server/store/storetest"
)

// inTime runs a test with a clock that jumps whenever everything waits.
func inTime(t *testing.T, c Config, test func(*world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, c)
		w.run()
		test(w)
	})
}

func deferred(code int) delivery.Result {
	return delivery.Result{Status: delivery.Deferred, Code: code, Enhanced: "4.2.0", Reply: "later", Remote: "far"}
}

// A greylisted recipient is tried again after 1, 5, 15 … minutes, each up to a
// tenth later, and its event is told once.
func TestBackoffOfOneRecipient(t *testing.T) {
	f := newFake()
	var at []time.Time
	f.deliver = func(m delivery.Message, mark func([]int64) error) []delivery.Result {
		at = append(at, time.Now())
		if len(at) < 4 {
			return says(m, mark, deferred(450))
		}
		return accepts(m, mark)
	}
	inTime(t, Config{Route: f}, func(w *world) {
		w.accept("x\r\n", "b@far.example")
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := w.rows("")["b@far.example"]; got.status != "delivered" || got.attempts != 4 {
			t.Errorf("got %+v", got)
		}
		for i, want := range []time.Duration{1, 5, 15} {
			want *= time.Minute
			if got := at[i+1].Sub(at[i]); got < want || got > want+want/10+2*time.Second {
				t.Errorf("attempt %d came after %v, want %v", i+2, got, want)
			}
		}
		if d := cmp.Diff([]string{"b@far.example deferred 450 later", "b@far.example delivered 250 ok"}, w.events()); d != "" {
			t.Error(d)
		}
	})
}

// One bad recipient of many is failed, one deferred, and the others are done.
func TestRecipientsEndEachTheirOwnWay(t *testing.T) {
	storetest.Each(t, testRecipientsEndEachTheirOwnWay)
}

func testRecipientsEndEachTheirOwnWay(t *testing.T, dsn string) {
	f := newFake()
	f.deliver = func(m delivery.Message, mark func([]int64) error) []delivery.Result {
		all := accepts(m, mark)
		for i, r := range m.Recipients {
			switch {
			case strings.HasPrefix(r.Address, "bad"):
				all[i] = delivery.Result{ID: r.ID, Status: delivery.Failed, Code: 550, Enhanced: "5.1.1", Reply: "no such user"}
			case strings.HasPrefix(r.Address, "full"):
				all[i] = deferred(452)
				all[i].ID = r.ID
			case strings.HasPrefix(r.Address, "room") && len(m.Recipients) > 1:
				all[i] = delivery.Result{ID: r.ID, Status: delivery.Deferred, Code: 452, Soon: true}
			}
		}
		return all
	}
	w := newWorldOn(t, dsn, Config{Route: f})
	w.run()
	w.accept("x\r\n", "b@far.example", "bad@far.example", "full@far.example", "room@far.example", "c@far.example")
	w.wait(`status = 'delivered'`, 3)
	got := make(map[string]string)
	for to, r := range w.rows("") {
		got[to] = fmt.Sprint(r.status, " ", r.code, " ", r.attempts)
	}
	want := map[string]string{"b@far.example": "delivered 250 1", "c@far.example": "delivered 250 1", "bad@far.example": "failed 550 1",
		"full@far.example": "queued 452 1", "room@far.example": "delivered 250 1"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	failures, err := w.store.Failures(context.Background(), "acc", 0, 10)
	if err != nil || len(failures) != 1 || failures[0].Recipient != "bad@far.example" || failures[0].Enhanced != "5.1.1" || !strings.HasPrefix(failures[0].EnvID, "sb1.") {
		t.Errorf("failures %+v %v", failures, err)
	}
}

// After MaxAge a recipient fails with the last reply.
func TestRecipientGrowsOld(t *testing.T) {
	f := newFake()
	f.deliver = func(m delivery.Message, mark func([]int64) error) []delivery.Result {
		return says(m, mark, deferred(450))
	}
	inTime(t, Config{Route: f, MaxAge: 20 * time.Minute}, func(w *world) {
		w.accept("x\r\n", "b@far.example")
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := w.rows("")["b@far.example"]; got.status != "failed" || got.code != 450 || got.attempts != 4 {
			t.Errorf("got %+v", got)
		}
		if d := cmp.Diff([]string{"b@far.example deferred 450 later", "b@far.example failed 450 later"}, w.events()); d != "" {
			t.Error(d)
		}
	})
}

// A dead next host is asked now and then and not once for every message; each
// message keeps its reason, new ones do not make it more, and with the host's
// return all of them go out.
func TestDeadHost(t *testing.T) {
	f := newFake()
	var dead atomic.Bool
	dead.Store(true)
	f.open = func(string) error {
		if dead.Load() {
			return &delivery.OpenError{Status: delivery.Deferred, Code: 451, Enhanced: "4.4.1", Reply: "The server cannot be reached"}
		}
		return nil
	}
	inTime(t, Config{Route: f}, func(w *world) {
		for i := range 60 {
			w.accept("x\r\n", fmt.Sprintf("r%d@far.example", i))
			time.Sleep(10 * time.Second)
		}
		synctest.Wait()
		if n := w.count(`status = 'queued' AND code = 451 AND attempts > 0`); n < 60-7 { // those of the last pause do not know yet
			t.Errorf("%d recipients know why they wait", n)
		}
		if f.opened > 40 {
			t.Errorf("%d connections tried in 10 minutes", f.opened)
		}
		if n := len(w.events()); n > 60 {
			t.Errorf("%d events, want one for each recipient", n)
		}
		dead.Store(false)
		time.Sleep(20 * time.Minute)
		synctest.Wait()
		if n := w.count(`status = 'delivered'`); n != 60 {
			t.Errorf("%d delivered, want 60", n)
		}
	})
}

func TestDeadHostForever(t *testing.T) {
	f := newFake()
	f.open = func(string) error { return &delivery.OpenError{Status: delivery.Deferred, Code: 451, Reply: "dead"} }
	inTime(t, Config{Route: f, MaxAge: 10 * time.Minute}, func(w *world) {
		w.accept("x\r\n", recipients("r", 3)...)
		time.Sleep(25 * time.Minute)
		synctest.Wait()
		if n := w.count(`status = 'failed' AND code = 451 AND done_at IS NOT NULL`); n != 3 {
			t.Errorf("%d failed, want 3", n)
		}
		if n := len(w.events()); n != 6 {
			t.Errorf("%d events: %v", n, w.events())
		}
	})
}

// A domain that does not exist fails whoever wanted to go there, at once, and
// nobody else.
func TestNoSuchDomain(t *testing.T) {
	f := newFake()
	f.plan.Single = true
	f.lane = domain
	f.open = func(lane string) error {
		if lane == "gone.example" {
			return &delivery.OpenError{Status: delivery.Failed, Code: 550, Enhanced: "5.1.2", Reply: "The domain does not exist"}
		}
		return nil
	}
	w := newWorld(t, Config{Route: f})
	w.run()
	w.accept("x\r\n", "b@gone.example", "c@far.example", "d@gone.example")
	w.wait(`status = 'failed' AND code = 550`, 2)
	w.wait(`status = 'delivered'`, 1)
}

// A host that takes fewer connections than there are slots keeps those that it
// took busy, and nothing is deferred.
func TestHostTakesFewConnections(t *testing.T) {
	f := newFake()
	first := make(chan struct{}, 1)
	first <- struct{}{}
	f.open = func(string) error {
		select {
		case <-first:
			return nil
		default:
			return &delivery.OpenError{Status: delivery.Deferred, Code: 421, Reply: "too many connections"}
		}
	}
	w := newWorld(t, Config{Route: f, Linger: time.Hour})
	w.run()
	for i := range 100 {
		w.accept("x\r\n", fmt.Sprintf("r%d@far.example", i))
	}
	w.wait(`status = 'delivered'`, 100)
	if n := w.count(`attempts <> 1`); n != 0 {
		t.Errorf("%d recipients were deferred", n)
	}
}

// A connection that ends before the dot makes a short delay, one that ends
// after it a longer one and the flag.
func TestLostConnections(t *testing.T) {
	for _, c := range []struct {
		name     string
		dup      bool
		min, max time.Duration
	}{{"before the dot", false, 10 * time.Second, 13 * time.Second}, {"after the dot", true, 60 * time.Second, 68 * time.Second}} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake()
			var at []time.Time
			f.deliver = func(m delivery.Message, mark func([]int64) error) []delivery.Result {
				at = append(at, time.Now())
				if len(at) == 1 {
					r := deferred(451)
					r.Lost, r.MaybeDup = true, c.dup
					return says(m, mark, r)
				}
				return accepts(m, mark)
			}
			inTime(t, Config{Route: f}, func(w *world) {
				w.accept("x\r\n", "b@far.example")
				time.Sleep(5 * time.Minute)
				synctest.Wait()
				got := w.rows("")["b@far.example"]
				if got.status != "delivered" || (got.dup == 1) != c.dup {
					t.Errorf("got %+v", got)
				}
				if d := at[1].Sub(at[0]); d < c.min || d > c.max {
					t.Errorf("tried again after %v", d)
				}
			})
		})
	}
}

// What the operator holds is not sent, whichever way it came to be held, and
// costs the lane nothing; what is released goes out.
func TestHoldAndRelease(t *testing.T) { storetest.Each(t, testHoldAndRelease) }

func testHoldAndRelease(t *testing.T, dsn string) {
	f := newFake()
	w := newWorldOn(t, dsn, Config{Route: f, Linger: time.Millisecond})
	one := w.accept("x\r\n", "b@one.example", "c@two.example")
	two := w.accept("x\r\n", "d@one.example")
	byAccept := w.accept("x\r\n", "e@three.example")
	if _, err := w.store.Writer().Exec(`UPDATE messages SET held = 1 WHERE id = $1`, byAccept); err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	if n, err := w.q.Hold(ctx, store.Selection{MessageID: two}); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if n, err := w.q.Hold(ctx, store.Selection{Domain: "TWO.example"}); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	w.run()
	w.wait(`status = 'delivered'`, 1)
	w.wait(`status = 'queued' AND next_at > 200000000000000000`, 3) // e's message was parked on the way
	if got := w.rows(one)["b@one.example"]; got.status != "delivered" {
		t.Errorf("got %+v", got)
	}
	list, err := w.q.List(ctx, store.Selection{})
	if err != nil || len(list) != 3 || list[0].Domain != "two.example" || list[0].Held != 1 || list[0].Account != "alice" || !list[0].Next.IsZero() {
		t.Errorf("list %+v %v", list, err)
	}
	if n, err := w.q.Release(ctx, store.Selection{Domain: "three.example"}); n != 0 || err != nil {
		t.Error("a domain's release let a held message go", n, err)
	}
	for _, s := range []store.Selection{{Domain: "two.example"}, {AccountID: "acc"}} {
		if _, err := w.q.Release(ctx, s); err != nil {
			t.Fatal(err)
		}
	}
	w.wait(`status = 'delivered'`, 4)
}

// A message that is held or dropped while its envelope is with the far server
// is taken back before its content leaves.
func TestHeldAtTheLastMoment(t *testing.T) { storetest.Each(t, testHeldAtTheLastMoment) }

func testHeldAtTheLastMoment(t *testing.T, dsn string) {
	f := newFake()
	w := newWorldOn(t, dsn, Config{Route: f, Linger: time.Millisecond})
	var refused error
	f.deliver = func(m delivery.Message, mark func([]int64) error) []delivery.Result {
		if m.Recipients[0].Address == "b@far.example" && refused == nil {
			if _, err := w.q.Hold(context.Background(), store.Selection{MessageID: m.ID}); err != nil {
				t.Error(err)
			}
			refused = mark([]int64{m.Recipients[0].ID, m.Recipients[1].ID})
			return nil
		}
		return accepts(m, mark)
	}
	w.run()
	id := w.accept("x\r\n", "b@far.example", "c@far.example")
	w.wait(`next_at > 200000000000000000`, 2)
	w.accept("x\r\n", "d@far.example")
	w.wait(`status = 'delivered'`, 1)
	if !errors.Is(refused, errTaken) {
		t.Errorf("mark said %v", refused)
	}
	if n := w.count(`status = 'queued' AND attempts = 0 AND message_id = '` + id + `'`); n != 2 {
		t.Errorf("%d recipients untouched, want 2", n)
	}
	w.q.Release(context.Background(), store.Selection{})
	w.wait(`status = 'delivered'`, 3)
}

func TestDrop(t *testing.T) { storetest.Each(t, testDrop) }

func testDrop(t *testing.T, dsn string) {
	w := newWorldOn(t, dsn, Config{Route: newFake()})
	w.accept("x\r\n", "b@one.example", "c@two_x.example", "d@two-x.example")
	n, err := w.q.Drop(context.Background(), store.Selection{Domain: "two_x.example"})
	if n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if d := cmp.Diff([]string{"c@two_x.example failed 554 Removed from the queue by the operator"}, w.events()); d != "" {
		t.Error(d)
	}
	w.run()
	w.wait(`status = 'delivered'`, 2)
}
