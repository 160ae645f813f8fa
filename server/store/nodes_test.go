package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"servicesmtp.net/companion/server/store/storetest"
)

const testLease = 10 * time.Minute // nobody renews it

// joined opens a node on the database.
func joined(t *testing.T, dsn, name string) *Store {
	t.Helper()
	s := openTest(t, dsn, t.TempDir())
	if err := s.Join(t.Context(), name, testLease); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Leave(context.Background(), noon); err != nil {
			t.Errorf("leave: %v", err)
		}
	})
	return s
}

// kill makes a node one that was not heard of for longer than its lease.
func kill(t *testing.T, s *Store) {
	t.Helper()
	if _, err := s.Writer().Exec(`UPDATE nodes SET seen_at = seen_at - $1 WHERE id = $2`, 2*testLease.Microseconds(), s.NodeID()); err != nil {
		t.Fatal(err)
	}
}

func mark(t *testing.T, s *Store, ids ...int64) error {
	t.Helper()
	return s.Tx(t.Context(), func(tx *sql.Tx) error {
		ok, err := s.MarkInData(t.Context(), tx, ids, noon)
		if err == nil && !ok {
			return errors.New("taken")
		}
		return err
	})
}

// state of a recipient, with its node.
func state(t *testing.T, s *Store, id int64) (status, node string, dup, attempts int) {
	t.Helper()
	if err := s.Reader().QueryRow(`SELECT status, node, maybe_dup, attempts FROM deliveries WHERE id = $1`, id).Scan(&status, &node, &dup, &attempts); err != nil {
		t.Fatal(err)
	}
	return status, node, dup, attempts
}

// What a dead node had in hand is put back once, flagged; what live nodes have
// is left alone. The dead one can mark nothing more, and its late answer is
// written only where nobody else has the recipient.
func TestTakeOver(t *testing.T) {
	dsn := storetest.Database(t)
	one, two := joined(t, dsn, "one"), joined(t, dsn, "two")
	queued(t, one, "m1", "l", "x.example", 5, noon)
	if err := errors.Join(mark(t, one, 1, 2), mark(t, two, 3)); err != nil {
		t.Fatal(err)
	}
	if err := mark(t, two, 1); err == nil {
		t.Error("two nodes marked one recipient")
	}
	if got, err := two.TakeOver(t.Context(), noon); err != nil || len(got.Nodes) != 0 {
		t.Errorf("took over from the living: %+v %v", got, err)
	}
	kill(t, one)
	if err := mark(t, one, 4); !errors.Is(err, ErrFenced) {
		t.Errorf("after its lease, before anybody took over, a node marked: %v", err)
	}
	got, err := two.TakeOver(t.Context(), noon)
	if err != nil || len(got.Nodes) != 1 || got.Nodes[0].ID != one.NodeID() || got.Recipients != 2 {
		t.Errorf("got %+v %v", got, err)
	}
	if err := mark(t, one, 4); !errors.Is(err, ErrFenced) {
		t.Errorf("a node that is gone marked: %v", err)
	}
	if err := one.RenewLease(t.Context()); !errors.Is(err, ErrFenced) {
		t.Errorf("a node that is gone renewed its lease: %v", err)
	}
	for _, id := range []int64{1, 2} {
		if status, node, dup, attempts := state(t, two, id); status != "queued" || node != "" || dup != 1 || attempts != 1 {
			t.Errorf("recipient %d: %s %q %d %d", id, status, node, dup, attempts)
		}
	}
	if status, node, dup, _ := state(t, two, 3); status != "in_data" || node != two.NodeID() || dup != 0 {
		t.Errorf("the living one's recipient: %s %q %d", status, node, dup)
	}

	if err := mark(t, two, 1); err != nil {
		t.Fatal(err)
	}
	write := func(s *Store, fn func(ctx context.Context, tx *sql.Tx) (int64, error)) (n int64) {
		inTx(t, s, func(ctx context.Context, tx *sql.Tx) (err error) { n, err = fn(ctx, tx); return err })
		return n
	}
	late := func(ctx context.Context, tx *sql.Tx) (int64, error) {
		return one.WriteOutcome(ctx, tx, Outcome{IDs: []int64{1, 2}, Status: "delivered", Code: 250, At: noon})
	}
	if n := write(one, late); n != 1 {
		t.Errorf("a late answer changed %d recipients, want the one that nobody has", n)
	}
	if n := write(one, func(ctx context.Context, tx *sql.Tx) (int64, error) { return one.Requeue(ctx, tx, []int64{1, 2}, noon) }); n != 0 {
		t.Errorf("a late requeue changed %d recipients", n)
	}
	if status, node, _, _ := state(t, two, 1); status != "in_data" || node != two.NodeID() {
		t.Errorf("in the other's hands: %s %q", status, node)
	}
	if status, _, dup, _ := state(t, two, 2); status != "delivered" || dup != 1 {
		t.Errorf("in nobody's hands: %s %d", status, dup)
	}
	events, err := two.Events(t.Context(), "acc", 0, 10)
	if err != nil || len(events) != 1 {
		t.Errorf("%d events %v, want one", len(events), err)
	}
}

// Of several that find a dead node, one takes over, and nobody takes over from
// another.
func TestTakeOverOnce(t *testing.T) {
	dsn := storetest.Database(t)
	dead := joined(t, dsn, "dead")
	queued(t, dead, "m1", "l", "x.example", 20, noon)
	for i := range 20 {
		if err := mark(t, dead, int64(i+1)); err != nil {
			t.Fatal(err)
		}
	}
	var nodes []*Store
	for range 3 {
		nodes = append(nodes, joined(t, dsn, "taker"))
	}
	kill(t, dead)
	var mu sync.Mutex // guards taken, recipients
	taken, recipients := 0, int64(0)
	var all sync.WaitGroup
	for _, n := range nodes {
		all.Go(func() {
			for range 3 {
				got, err := n.TakeOver(t.Context(), noon)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				taken, recipients = taken+len(got.Nodes), recipients+got.Recipients
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if taken != 1 || recipients != 20 {
		t.Errorf("%d nodes and %d recipients taken over, want 1 and 20", taken, recipients)
	}
	for id := range int64(20) {
		if _, _, dup, attempts := state(t, dead, id+1); dup != 1 || attempts != 1 {
			t.Errorf("recipient %d: flagged %d, %d attempts", id+1, dup, attempts)
		}
	}
}

// A mark that is under way when the lease ends comes before the takeover, which
// then finds it, or after it, and then fails.
func TestMarkAgainstTakeOver(t *testing.T) {
	dsn := storetest.Database(t)
	one, two := joined(t, dsn, "one"), joined(t, dsn, "two")
	queued(t, one, "m1", "l", "x.example", 1, noon)
	tx, err := one.Writer().Begin()
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := one.MarkInData(t.Context(), tx, []int64{1}, noon); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if _, err := two.Writer().Exec(`SET lock_timeout = '200ms'`); err != nil {
		t.Fatal(err)
	}
	if _, err := two.Writer().Exec(`DELETE FROM nodes WHERE id = $1`, one.NodeID()); err == nil {
		t.Error("the node was ended in the middle of its mark")
	}
	if got, err := two.TakeOver(t.Context(), noon); err != nil || len(got.Nodes) != 0 {
		t.Errorf("took over in the middle of a mark: %+v %v", got, err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	kill(t, one)
	if got, err := two.TakeOver(t.Context(), noon); err != nil || got.Recipients != 1 {
		t.Errorf("after the mark: %+v %v", got, err)
	}
}

// A start puts back what no living node has, and a stop what it leaves.
func TestRecoverAndLeave(t *testing.T) {
	dsn := storetest.Database(t)
	one := joined(t, dsn, "one")
	two := openTest(t, dsn, t.TempDir())
	if err := two.Join(t.Context(), "two", testLease); err != nil {
		t.Fatal(err)
	}
	queued(t, one, "m1", "l", "x.example", 3, noon)
	if err := errors.Join(mark(t, one, 1), mark(t, two, 2)); err != nil {
		t.Fatal(err)
	}
	if _, err := one.Writer().Exec(`UPDATE deliveries SET status = 'in_data', node = 'gone' WHERE id = 3`); err != nil {
		t.Fatal(err)
	}
	if n, err := one.RecoverInData(t.Context(), noon); n != 1 || err != nil {
		t.Errorf("recovered %d %v, want the one of a node that is gone", n, err)
	}
	if err := two.Leave(t.Context(), noon); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[int64]string{1: "in_data", 2: "queued", 3: "queued"} {
		if status, _, _, _ := state(t, one, id); status != want {
			t.Errorf("recipient %d is %s, want %s", id, status, want)
		}
	}
	if nodes, err := one.Nodes(t.Context()); err != nil || len(nodes) != 1 || nodes[0].Name != "one" {
		t.Errorf("nodes %+v %v", nodes, err)
	}
}

// What needs a database at rest says who works on it.
func TestAtRest(t *testing.T) {
	dsn := storetest.Database(t)
	s := openTest(t, dsn, t.TempDir())
	if err := s.AtRest(t.Context(), testLease); err != nil {
		t.Errorf("nobody is there: %v", err)
	}
	n := joined(t, dsn, "mail-7")
	if err := s.AtRest(t.Context(), testLease); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), n.NodeID()+" on mail-7") {
		t.Errorf("got %v", err)
	}
	kill(t, n)
	if err := s.AtRest(t.Context(), testLease); err != nil {
		t.Errorf("the node is dead: %v", err)
	}
	if err := openTest(t, "", t.TempDir()).AtRest(t.Context(), testLease); err != nil {
		t.Errorf("SQLite: %v", err)
	}
}

// Connections that share a lane look at different messages first; what nobody's
// part is goes after the head start, and everything is somebody's.
func TestParts(t *testing.T) {
	s := openTest(t, storetest.Database(t), t.TempDir())
	for i := range 40 {
		queued(t, s, fmt.Sprintf("m%d", i), "l", "x.example", 2, noon.Add(time.Duration(i)*time.Second/10))
	}
	next := func(part, parts int, single bool) *Due {
		t.Helper()
		d, err := s.NextDue(t.Context(), DueQuery{Lane: "l", Now: noon.Add(time.Minute), Single: single, Part: part, Parts: parts})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for _, single := range []bool{false, true} {
		seen := make(map[int64]bool)
		for part := range 4 {
			seen[next(part, 4, single).Recipients[0].ID] = true
		}
		if len(seen) != 4 {
			t.Errorf("four parts, single %v: looked at %d places, want 4", single, len(seen))
		}
	}
	if d := next(0, 1, false); d.MessageID != "m0" || len(d.Recipients) != 2 {
		t.Errorf("without parts: %s with %d recipients, want the first", d.MessageID, len(d.Recipients))
	}
	if _, err := s.Writer().Exec(`UPDATE deliveries SET next_at = next_at - $1 WHERE message_id = 'm7'`, 2*headStart.Microseconds()); err != nil {
		t.Fatal(err)
	}
	for part := range 4 {
		if d := next(part, 4, false); d.MessageID != "m7" {
			t.Errorf("part %d goes on with %s before what has waited too long", part, d.MessageID)
		}
	}
}

// Whoever reads the events with a cursor while two nodes commit steps over none.
func TestEventsInOrderOverNodes(t *testing.T) {
	dsn := storetest.Database(t)
	nodes := []*Store{joined(t, dsn, "one"), joined(t, dsn, "two")}
	const each = 100
	queued(t, nodes[0], "m1", "l", "x.example", len(nodes)*each, noon)
	var writers sync.WaitGroup
	done := make(chan struct{})
	for n, s := range nodes {
		writers.Go(func() {
			for i := range each {
				err := s.Tx(t.Context(), func(tx *sql.Tx) error {
					_, err := s.WriteOutcome(t.Context(), tx, Outcome{IDs: []int64{int64(n*each + i + 1)}, Status: "delivered", Code: 250, At: noon})
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	go func() { writers.Wait(); close(done) }()
	seen, cursor := 0, int64(0)
	for last := false; ; {
		all, err := nodes[0].Events(t.Context(), "acc", cursor, 1000)
		if err != nil {
			t.Fatal(err)
		}
		seen += len(all)
		if len(all) > 0 {
			cursor = all[len(all)-1].ID
		}
		if last {
			break
		}
		select {
		case <-done:
			last = true
		default:
		}
	}
	if seen != len(nodes)*each {
		t.Errorf("the reader saw %d events of %d", seen, len(nodes)*each)
	}
}
