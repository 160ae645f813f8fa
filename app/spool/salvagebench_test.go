package spool

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"testing"
	"time"

	"servicesmtp.net/companion/internal/durable"
)

// letters fills a spool with finished jobs of one recipient each, as a year of
// letters leaves them.
func letters(b *testing.B, dir string, jobs int) {
	b.Helper()
	s, err := Open(b.Context(), options(dir))
	must(b, err)
	accept(b, s, jobID(999_999), envelope("office", recipients(1)), []byte("x"))
	for _, query := range []string{
		`WITH RECURSIVE k(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM k WHERE i < 99 + ?1) INSERT INTO jobs (seq, id, account, lane, sender, size, sum,
				accepted_at, flags, ret, client_id, family, hello, auth, body, stored, recipients, queued, accepted, batches, live, done_at)
			SELECT i, printf('01K%023d', i), 'office', 1, 'accounts@example.com', 20000, randomblob(32), 1795597200000000 + i, 0, '', '', 'Thunderbird', '[127.0.0.1]', 'PLAIN',
				3, 20040, 1, 0, 1, 1, 0, 1795597230000000 + i FROM k`,
		`WITH RECURSIVE k(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM k WHERE i < 99 + ?1) INSERT INTO batches (id, job, number, account, lane, state, bound, store, attempts,
				attempt, first_try, count, recipients, result, queue_id, done_at)
			SELECT i, i, 1, 'office', 1, 5, 0, 'relay.example.com', 1, i, 1795597220000000 + i, 1, CAST(x'01001b' || printf('customer%07d@example.org', i) AS BLOB), 2,
				'01KQ' || hex(randomblob(11)), 1795597230000000 + i FROM k`,
		`WITH RECURSIVE k(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM k WHERE i < 99 + ?1) INSERT INTO attempts (id, batch, account, lane, recipients, started_at, left_at, ended_at, result)
			SELECT i, i, 'office', 1, 1, 1795597220000000 + i, 1795597225000000 + i, 1795597230000000 + i, 4 FROM k`,
	} {
		_, err := s.conn.ExecContext(b.Context(), query, jobs)
		must(b, err)
	}
	must(b, s.Close())
}

// peak watches the memory until stop: the heap's objects, and all that the
// runtime holds.
func peak() (stop func() (heap, held uint64)) {
	samples := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	var heap, held uint64
	var group sync.WaitGroup
	end := make(chan struct{})
	group.Go(func() {
		for {
			metrics.Read(samples)
			heap, held = max(heap, samples[0].Value.Uint64()), max(held, samples[1].Value.Uint64()-samples[2].Value.Uint64())
			select {
			case <-end:
				return
			case <-time.After(2 * time.Millisecond):
			}
		}
	})
	return func() (uint64, uint64) {
		close(end)
		group.Wait()
		return heap, held
	}
}

// BenchmarkSalvage rebuilds a spool of 100,000 finished jobs, and says how much
// memory that takes at most, above what was held before.
func BenchmarkSalvage(b *testing.B) {
	dir := memoryDir(b)
	const jobs = 100_000
	letters(b, dir, jobs)
	whole := filepath.Join(memoryDir(b), databaseName)
	must(b, os.Rename(filepath.Join(dir, databaseName), whole))
	for b.Loop() {
		must(b, errors.Join(os.RemoveAll(filepath.Join(dir, quarantineName)), copyFile(whole, filepath.Join(dir, databaseName)),
			os.WriteFile(filepath.Join(dir, damagedName), nil, 0o600)))
		debug.FreeOSMemory()
		var before runtime.MemStats
		runtime.ReadMemStats(&before)
		stop := peak()
		s, err := Open(b.Context(), options(dir))
		heap, held := stop()
		must(b, err)
		b.ReportMetric(float64(heap-before.HeapAlloc)/1e6, "MB-heap")
		b.ReportMetric(float64(held-(before.Sys-before.HeapReleased))/1e6, "MB-held")
		var kept int
		must(b, s.row(b.Context(), `SELECT count(*) FROM jobs WHERE done_at > 0 AND accepted = 1`, nil, &kept))
		if kept != jobs {
			b.Errorf("%d jobs are left", kept)
		}
		must(b, s.Close())
	}
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	return durable.WriteFile(to, in)
}
