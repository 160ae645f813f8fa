package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Cancelled is the status of a recipient that its sender took back in time,
// in deliveries and events.
const Cancelled = "cancelled"

// CancelRecipients takes back, within a transaction, those recipients of a
// message to whom nothing can have left: queued, and no crash between their
// content and its answer. Each gets an event. It tells how many it took back.
func (s *Store) CancelRecipients(ctx context.Context, tx *sql.Tx, accountID, messageID string, at time.Time) (int64, error) {
	cond := func(args *[]any) string {
		return `d.message_id = ` + holders(args, []any{messageID}) + ` AND d.account_id = ` + holders(args, []any{accountID}) + ` AND d.status = 'queued' AND d.maybe_dup = 0`
	}
	cond, err := s.pinned(ctx, tx, cond)
	if err != nil {
		return 0, err
	}
	args := []any{Cancelled, 0, "", "taken back by the sender", Micros(at)}
	chosen := cond(&args)
	if err := s.addEvents(ctx, tx, chosen, args); err != nil {
		return 0, err
	}
	args = []any{Micros(at)}
	chosen = cond(&args)
	return exec(ctx, tx, "cancel recipients", `UPDATE deliveries SET status = 'cancelled', next_at = $1, done_at = $1
		WHERE id IN (SELECT d.id FROM deliveries d WHERE `+chosen+`)`, args)
}

// CloseKey closes a key within a transaction, unless it has a row.
func (s *Store) CloseKey(ctx context.Context, tx *sql.Tx, accountID, name string, at time.Time) error {
	if _, err := tx.ExecContext(ctx, insertKey+` ON CONFLICT (account_id, envid_key) DO NOTHING`,
		accountID, name, KeyClosed, "", "", "", Micros(at)); err != nil {
		return fmt.Errorf("close key: %w", err)
	}
	return nil
}

// KeyIn reads a key within a transaction, or fails with ErrNotFound.
func (s *Store) KeyIn(ctx context.Context, tx *sql.Tx, accountID, name string) (Key, error) {
	k, err := scanKey(tx.QueryRowContext(ctx, selectKey, accountID, name), accountID)
	if err != nil {
		return Key{}, fmt.Errorf("read key: %w", err)
	}
	return k, nil
}

// Recipient is one row of deliveries, for its sender.
type Recipient struct {
	Address  string
	Status   string // queued, in_data, delivered, failed, cancelled
	Attempts int
	NextAt   time.Time // zero: nobody tries again, or it waits for the operator
	DoneAt   time.Time // zero: not done
	Code     int
	Enhanced string
	Reply    string
	MaybeDup bool
}

// Recipients lists the recipients of an account's message.
func (s *Store) Recipients(ctx context.Context, accountID, messageID string) ([]Recipient, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT recipient, status, attempts, next_at, coalesce(done_at, 0), code, enhanced, reply, maybe_dup
		FROM deliveries WHERE message_id = $1 AND account_id = $2 ORDER BY id`, messageID, accountID)
	if err != nil {
		return nil, fmt.Errorf("list recipients: %w", err)
	}
	defer rows.Close()
	var all []Recipient
	for rows.Next() {
		var r Recipient
		var next, done, dup int64
		if err := rows.Scan(&r.Address, &r.Status, &r.Attempts, &next, &done, &r.Code, &r.Enhanced, &r.Reply, &dup); err != nil {
			return nil, fmt.Errorf("list recipients: %w", err)
		}
		if done != 0 {
			r.DoneAt = Time(done)
		} else if next < Micros(Parked) {
			r.NextAt = Time(next)
		}
		r.MaybeDup = dup != 0
		all = append(all, r)
	}
	return all, rows.Err()
}

// JobBatch is one batch of a job, with how many recipients are in each status.
type JobBatch struct {
	Key       string
	State     string // KeyAccepted, KeyClosed
	MessageID string
	At        time.Time
	Counts    map[string]int64
}

// Job lists the batches of a job that the relay knows of, at most limit.
// prefix is their keys' common beginning, with its last dot.
func (s *Store) Job(ctx context.Context, accountID, prefix string, limit int) ([]JobBatch, error) {
	end := prefix[:len(prefix)-1] + "/" // the character after the dot
	rows, err := s.read.QueryContext(ctx, `SELECT k.envid_key, k.state, k.message_id, k.created_at, coalesce(d.status, ''), count(d.id)
		FROM (SELECT envid_key, state, message_id, created_at FROM envelope_keys
			WHERE account_id = $1 AND envid_key >= $2 AND envid_key < $3 ORDER BY envid_key LIMIT $4) k
		LEFT JOIN deliveries d ON d.message_id = k.message_id
		GROUP BY k.envid_key, k.state, k.message_id, k.created_at, d.status ORDER BY k.envid_key`, accountID, prefix, end, limit)
	if err != nil {
		return nil, fmt.Errorf("list job: %w", err)
	}
	defer rows.Close()
	var all []JobBatch
	for rows.Next() {
		var b JobBatch
		var at, n int64
		var status string
		if err := rows.Scan(&b.Key, &b.State, &b.MessageID, &at, &status, &n); err != nil {
			return nil, fmt.Errorf("list job: %w", err)
		}
		if len(all) == 0 || all[len(all)-1].Key != b.Key {
			b.At, b.Counts = Time(at), make(map[string]int64)
			all = append(all, b)
		}
		if status != "" {
			all[len(all)-1].Counts[status] = n
		}
	}
	return all, rows.Err()
}
