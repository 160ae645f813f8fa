package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Event is one step of one recipient, for the customer.
type Event struct {
	ID        int64 // ascending; a cursor
	MessageID string
	EnvID     string // as received
	Recipient string
	Status    string // delivered, deferred, failed
	Code      int
	Enhanced  string
	Reply     string
	At        time.Time
}

// addEvents adds an event for every row of deliveries d that cond finds. The
// first five arguments are status, code, enhanced code, reply and time.
func (s *Store) addEvents(ctx context.Context, tx *sql.Tx, cond string, args []any) error {
	if err := orderIDs(ctx, s.dialect, tx); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO events (account_id, message_id, envid, recipient, status, code, enhanced, reply, at)
		SELECT d.account_id, d.message_id, m.envid, d.recipient, $1, $2, $3, $4, $5
		FROM deliveries d JOIN messages m ON m.id = d.message_id WHERE `+cond+` ORDER BY d.id`, args...)
	if err != nil {
		return fmt.Errorf("add events: %w", err)
	}
	return nil
}

// Events lists an account's events with an id above after, oldest first.
func (s *Store) Events(ctx context.Context, accountID string, after int64, limit int) ([]Event, error) {
	return s.events(ctx, ``, accountID, after, limit)
}

// Failures lists those of the events that say that a recipient failed.
func (s *Store) Failures(ctx context.Context, accountID string, after int64, limit int) ([]Event, error) {
	return s.events(ctx, ` AND status = 'failed'`, accountID, after, limit)
}

func (s *Store) events(ctx context.Context, more, accountID string, after int64, limit int) ([]Event, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT id, message_id, envid, recipient, status, code, enhanced, reply, at FROM events
		WHERE account_id = $1 AND id > $2`+more+` ORDER BY id LIMIT $3`, accountID, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list events: %w", err)
	}
	defer rows.Close()
	var all []Event
	for rows.Next() {
		var e Event
		var at int64
		if err := rows.Scan(&e.ID, &e.MessageID, &e.EnvID, &e.Recipient, &e.Status, &e.Code, &e.Enhanced, &e.Reply, &at); err != nil {
			return nil, fmt.Errorf("list events: %w", err)
		}
		e.At = Time(at)
		all = append(all, e)
	}
	return all, rows.Err()
}
