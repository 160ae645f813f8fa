package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Devices lists the tokens of an account that were not revoked, newest use first.
func (s *Store) Devices(ctx context.Context, accountID string) ([]Device, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT id, name, created_at, seen_at, scopes FROM devices
		WHERE account_id = $1 AND revoked_at IS NULL ORDER BY seen_at DESC, id DESC`, accountID)
	if err != nil {
		return nil, fmt.Errorf("list devices: %w", err)
	}
	defer rows.Close()
	var all []Device
	for rows.Next() {
		d := Device{AccountID: accountID}
		var created, seen int64
		if err := rows.Scan(&d.ID, &d.Name, &created, &seen, &d.Scopes); err != nil {
			return nil, fmt.Errorf("list devices: %w", err)
		}
		d.CreatedAt, d.SeenAt = Time(created), Time(seen)
		all = append(all, d)
	}
	return all, rows.Err()
}

// RevokeDevice makes a token invalid. It is ErrNotFound when the account has
// no such token that is valid.
func (s *Store) RevokeDevice(ctx context.Context, accountID, id string, at time.Time) error {
	res, err := s.write.ExecContext(ctx, `UPDATE devices SET revoked_at = $3 WHERE account_id = $1 AND id = $2 AND revoked_at IS NULL`,
		accountID, id, Micros(at))
	if err == nil {
		err = oneRow(res, ErrNotFound)
	}
	if err != nil {
		return fmt.Errorf("revoke device: %w", err)
	}
	return nil
}

// Probe writes one row, to see that the store can.
func (s *Store) Probe(ctx context.Context) error {
	err := s.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO settings (key, value) VALUES ('probe', $1) ON CONFLICT (key) DO UPDATE SET value = $1`,
			time.Now().UTC().Format(time.RFC3339))
		return err
	})
	if err != nil {
		return fmt.Errorf("probe store: %w", err)
	}
	return nil
}

// Depth is how much waits.
type Depth struct {
	Queued int64     // recipients, without those that may not leave yet
	Later  int64     // recipients that wait for an hour their sender named
	Held   int64     // recipients that wait for the operator
	Oldest time.Time // since when the first of Queued waits; zero: none does
}

// Depth counts what waits.
func (s *Store) Depth(ctx context.Context, now time.Time) (Depth, error) {
	var d Depth
	var oldest int64
	err := s.read.QueryRowContext(ctx, `SELECT
		coalesce(sum(CASE WHEN next_at < $2 AND created_at <= $1 THEN 1 ELSE 0 END), 0),
		coalesce(sum(CASE WHEN next_at < $2 AND created_at > $1 THEN 1 ELSE 0 END), 0),
		coalesce(sum(CASE WHEN next_at >= $2 THEN 1 ELSE 0 END), 0),
		coalesce(min(CASE WHEN next_at < $2 AND created_at <= $1 THEN created_at END), 0)
		FROM deliveries WHERE status IN ('queued', 'in_data')`, Micros(now), Micros(Parked)).Scan(&d.Queued, &d.Later, &d.Held, &oldest)
	if err != nil {
		return Depth{}, fmt.Errorf("count queue: %w", err)
	}
	if oldest != 0 {
		d.Oldest = Time(oldest)
	}
	return d, nil
}
