package spool

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Steps of one transaction, so that mail which comes in meanwhile waits for a
// moment only.
const (
	pruneStep    = 200  // jobs
	attemptsStep = 2000 // attempts looked at
)

// Prune forgets the jobs that were done before a time, and returns how many.
// One whose sender is still to be told of failures is not done with.
// Attempts stay a day longer at least, because the pace counts them.
func (s *Spool) Prune(ctx context.Context, before time.Time) (jobs int, err error) {
	for {
		n := 0
		err := s.write(ctx, func(t *tx) error {
			var err error
			n, err = t.prune(before)
			return err
		})
		if err != nil {
			return jobs, fmt.Errorf("prune history: %w", err)
		}
		jobs += n
		if n < pruneStep {
			break
		}
	}
	for last, more := int64(0), true; more; {
		err := s.write(ctx, func(t *tx) error {
			next, err := t.pruneAttempts(last, before.Add(-attemptSlack))
			last, more = next, err == nil && next > last
			return err
		})
		if err != nil {
			return jobs, fmt.Errorf("prune attempts: %w", err)
		}
	}
	return jobs, nil
}

func (t *tx) prune(before time.Time) (int, error) {
	var old []int64
	err := t.each(`SELECT seq FROM jobs WHERE done_at > 0 AND done_at < ? AND owing = 0 LIMIT ?`, []any{micros(before), pruneStep}, func(rows *sql.Rows) error {
		var seq int64
		err := rows.Scan(&seq)
		old = append(old, seq)
		return err
	})
	if err != nil {
		return 0, err
	}
	for _, seq := range old {
		for _, query := range []string{
			`DELETE FROM outcomes WHERE batch IN (SELECT id FROM batches WHERE job = ?)`,
			`DELETE FROM batches WHERE job = ?`,
			`DELETE FROM jobs WHERE seq = ?`,
		} {
			if _, err := t.exec(query, seq); err != nil {
				return 0, err
			}
		}
	}
	return len(old), nil
}

// pruneAttempts looks at some attempts after the given one, and forgets those
// that are old and without a batch. It returns the last one that it looked at.
func (t *tx) pruneAttempts(after int64, before time.Time) (last int64, err error) {
	last = after
	err = t.row(`SELECT coalesce(max(id), ?) FROM (SELECT id FROM attempts WHERE id > ? ORDER BY id LIMIT ?)`, []any{after, after, attemptsStep}, &last)
	if err != nil {
		return after, err
	}
	_, err = t.exec(`DELETE FROM attempts WHERE id > ? AND id <= ? AND started_at < ? AND NOT EXISTS (SELECT 1 FROM batches b WHERE b.id = batch)`,
		after, last, micros(before))
	return last, err
}
