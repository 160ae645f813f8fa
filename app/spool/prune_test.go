package spool

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"
)

// history puts n jobs into the tables that ended a year ago, with a batch, an
// outcome and an attempt each.
func history(t *testing.T, s *Spool, n int) {
	t.Helper()
	at := micros(start.AddDate(-1, 0, 0))
	const numbers = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) `
	for _, query := range []string{
		numbers + `INSERT INTO jobs (seq, id, account, lane, sender, size, sum, accepted_at, flags, ret, client_id, family, hello, auth, body, stored,
			recipients, queued, failed, batches, live, done_at)
			SELECT i, printf('01J%023d', i), 'office', 2, '', 1, zeroblob(32), ?2, 0, '', '', '', '', '', 3, 0, 50, 0, 50, 1, 0, ?2 + i FROM n`,
		numbers + `INSERT INTO batches (id, job, number, account, lane, state, count, recipients, result, attempts, attempt, done_at)
			SELECT i, i, 1, 'office', 2, 5, 50, zeroblob(1000), 4, 1, i, ?2 + i FROM n`,
		numbers + `INSERT INTO outcomes (batch, place, address, status, code, enhanced, reply, command, at)
			SELECT i, 0, 'a@example.com', 4, 550, 5001001, 'no', 'RCPT', ?2 FROM n`,
		numbers + `INSERT INTO attempts (id, batch, account, lane, recipients, started_at, left_at, ended_at, result)
			SELECT i, i, 'office', 2, 50, ?2 + i, ?2 + i, ?2 + i, 4 FROM n`,
	} {
		_, err := s.conn.ExecContext(t.Context(), query, n, at)
		must(t, err)
	}
}

// heldBetween is a context of a prune that waits before its next transaction
// from the time on that stop is closed, until goOn is.
type heldBetween struct {
	context.Context
	stop, goOn <-chan struct{}
}

// Err is asked before each transaction.
func (h heldBetween) Err() error {
	select {
	case <-h.stop:
		<-h.goOn
	default:
	}
	return h.Context.Err()
}

// TestPruneInSmallSteps prunes 100,000 jobs: no transaction is large, mail gets
// in between, and the memory does not grow with what is pruned.
func TestPruneInSmallSteps(t *testing.T) {
	jobs := max(100_000/sampled, 16_000)
	s := openAt(t, options(memoryDir(t)))
	history(t, s, jobs)
	runtime.GC()
	var before, peak runtime.MemStats
	runtime.ReadMemStats(&before)
	commits, changed, largest := 0, 0, 0
	half, taken := make(chan struct{}), make(chan struct{})
	goOn := sync.OnceFunc(func() { close(taken) })
	defer goOn()
	count := func(t *tx) int {
		n := 0
		if err := t.row(`SELECT total_changes()`, nil, &n); err != nil {
			return -1
		}
		return n
	}
	must(t, s.write(t.Context(), func(t *tx) error { changed = count(t); return nil }))
	s.writer.committed = func(t *tx) {
		s.committed(t)
		now := count(t)
		largest, changed = max(largest, now-changed), now
		if commits++; commits == 20 {
			close(half)
		}
		if commits%10 == 0 {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak.HeapAlloc = max(peak.HeapAlloc, m.HeapAlloc)
		}
	}
	pruned := make(chan int)
	go func() {
		n, err := s.Prune(heldBetween{context.Background(), half, taken}, start)
		if err != nil {
			t.Errorf("prune: %v", err)
		}
		pruned <- n
	}()
	<-half
	accept(t, s, jobID(1), envelope("office", recipients(1)), []byte("x"))
	var left int
	must(t, s.row(t.Context(), `SELECT count(*) FROM jobs WHERE done_at > 0`, nil, &left))
	if left == 0 {
		t.Error("the message came in only after all was pruned")
	}
	goOn()
	if n := <-pruned; n != jobs {
		t.Errorf("%d jobs pruned", n)
	}
	for _, table := range []string{"outcomes", "attempts"} {
		var n int
		must(t, s.row(t.Context(), `SELECT count(*) FROM `+table, nil, &n))
		if n != 0 {
			t.Errorf("%d %s are left", n, table)
		}
	}
	t.Logf("%d transactions, the largest with %d rows; heap %d KB before, %d KB at most", commits, largest, before.HeapAlloc>>10, peak.HeapAlloc>>10)
	if largest > max(3*pruneStep, attemptsStep) {
		t.Errorf("a transaction changed %d rows", largest)
	}
	if peak.HeapAlloc > before.HeapAlloc+32<<20 {
		t.Errorf("the heap grew from %d to %d KB", before.HeapAlloc>>10, peak.HeapAlloc>>10)
	}
	checkRows(t, s)
}

// Attempts stay as long as the pace may ask for them, and those of jobs that
// are kept stay with them.
func TestPruneKeepsAttempts(t *testing.T) {
	s := newSpool(t)
	history(t, s, 3)
	for i, started := range []time.Time{start.Add(-attemptSlack - time.Hour), start.Add(-attemptSlack + time.Hour), start.Add(-attemptSlack - time.Hour)} {
		_, err := s.conn.ExecContext(t.Context(), `UPDATE attempts SET started_at = ? WHERE id = ?`, micros(started), i+1)
		must(t, err)
	}
	_, err := s.conn.ExecContext(t.Context(), `UPDATE jobs SET done_at = ? WHERE seq = 3`, micros(start.Add(time.Hour)))
	must(t, err)
	n, err := s.Prune(t.Context(), start)
	must(t, err)
	var ids string
	must(t, s.row(t.Context(), `SELECT group_concat(id, ' ' ORDER BY id) FROM attempts`, nil, &ids))
	if n != 2 || ids != "2 3" {
		t.Errorf("%d jobs pruned, attempts %s left", n, ids)
	}
}
