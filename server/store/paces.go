package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"servicesmtp.net/companion/server/pace"
)

// The old values stand in the same statement, so that no other writer can come
// between looking and counting.
const upsertPace = `INSERT INTO account_paces (account_id, owed, owed_at) VALUES ($1, $2, $3)
	ON CONFLICT (account_id) DO UPDATE SET owed = excluded.owed, owed_at = excluded.owed_at
	WHERE account_paces.owed = $4 AND account_paces.owed_at = $5`

// SetPace stores what an account owes, where before is what was read. It is
// false, and nothing is changed, when another writer was faster.
func (t *IntakeTx) SetPace(ctx context.Context, accountID string, before, after pace.Bucket) (bool, error) {
	res, err := t.exec(ctx, "count pace", stSetPace, accountID, after.Owed, after.At, before.Owed, before.At)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

// PerMinute is the rate of an account alone, or nil where it has none of its
// own.
func (s *Store) PerMinute(ctx context.Context, accountID string) (*int64, error) {
	var n *int64
	err := s.read.QueryRowContext(ctx, `SELECT per_minute FROM account_paces WHERE account_id = $1`, accountID).Scan(&n)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("read pace: %w", err)
	}
	return n, nil
}

// SetPerMinute gives an account a rate of its own, or takes it away (nil). What
// it owes stays owed.
func (s *Store) SetPerMinute(ctx context.Context, accountID string, n *int64) error {
	if _, err := s.write.ExecContext(ctx, `INSERT INTO account_paces (account_id, per_minute) VALUES ($1, $2)
		ON CONFLICT (account_id) DO UPDATE SET per_minute = excluded.per_minute`, accountID, n); err != nil {
		return fmt.Errorf("set pace: %w", err)
	}
	return nil
}

// AskPace remembers that a device asked for its share now, with so many
// recipients waiting (negative: it did not say), and lists the account's
// devices that asked since and whose token is good, this one included.
func (s *Store) AskPace(ctx context.Context, d Device, waiting int64, since, now time.Time) (active []pace.Device, err error) {
	err = s.Tx(ctx, func(tx *sql.Tx) error {
		active = nil
		if _, err := tx.ExecContext(ctx, `INSERT INTO device_paces (device_id, account_id, waiting, asked_at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (device_id) DO UPDATE SET waiting = excluded.waiting, asked_at = excluded.asked_at`,
			d.ID, d.AccountID, waiting, Micros(now)); err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, `SELECT p.device_id, p.waiting FROM device_paces p JOIN devices d ON d.id = p.device_id
			WHERE p.account_id = $1 AND p.asked_at >= $2 AND d.revoked_at IS NULL ORDER BY p.device_id`, d.AccountID, Micros(since))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var one pace.Device
			var n int64
			if err := rows.Scan(&one.ID, &n); err != nil {
				return err
			}
			one.Waiting = n != 0
			active = append(active, one)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("share pace: %w", err)
	}
	return active, nil
}
