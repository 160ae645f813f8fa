package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Notice is a word of the service for a customer.
type Notice struct {
	ID        int64 // given by the store, ascending
	AccountID string
	Kind      string // usage, blocked, held, ...
	Severity  string // info, warning, action
	Key       string // a newer notice of the same key takes its place; "": none does
	Subject   string
	Body      string
	CreatedAt time.Time
	AckedAt   time.Time // zero: nobody has seen it
}

// AddNotice stores a notice within a transaction and tells its id.
func (s *Store) AddNotice(ctx context.Context, tx *sql.Tx, n Notice) (int64, error) {
	if err := orderIDs(ctx, s.dialect, tx); err != nil {
		return 0, err
	}
	var id int64
	err := tx.QueryRowContext(ctx, `INSERT INTO notices (account_id, kind, severity, key, subject, body, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id`, n.AccountID, n.Kind, n.Severity, n.Key, n.Subject, n.Body, Micros(n.CreatedAt)).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("add notice: %w", err)
	}
	return id, nil
}

// Notices lists an account's notices with an id above after, oldest first.
func (s *Store) Notices(ctx context.Context, accountID string, after int64, limit int) ([]Notice, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT id, kind, severity, key, subject, body, created_at, coalesce(acked_at, 0) FROM notices
		WHERE account_id = $1 AND id > $2 ORDER BY id LIMIT $3`, accountID, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list notices: %w", err)
	}
	defer rows.Close()
	var all []Notice
	for rows.Next() {
		n := Notice{AccountID: accountID}
		var created, acked int64
		if err := rows.Scan(&n.ID, &n.Kind, &n.Severity, &n.Key, &n.Subject, &n.Body, &created, &acked); err != nil {
			return nil, fmt.Errorf("list notices: %w", err)
		}
		n.CreatedAt = Time(created)
		if acked != 0 {
			n.AckedAt = Time(acked)
		}
		all = append(all, n)
	}
	return all, rows.Err()
}

// AckNotice marks a notice of the account as seen; the first time counts. It
// is ErrNotFound for a notice of somebody else.
func (s *Store) AckNotice(ctx context.Context, accountID string, id int64, at time.Time) error {
	res, err := s.write.ExecContext(ctx, `UPDATE notices SET acked_at = coalesce(acked_at, $3) WHERE account_id = $1 AND id = $2`,
		accountID, id, Micros(at))
	if err == nil {
		err = oneRow(res, ErrNotFound)
	}
	if err != nil {
		return fmt.Errorf("acknowledge notice: %w", err)
	}
	return nil
}
