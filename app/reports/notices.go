package reports

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"servicesmtp.net/companion/relayclient"
)

// ErrNoNotice says that there is no such notice.
var ErrNoNotice = errors.New("no such notice")

// Seen says that a person has seen a notice: here at once, and at the relay. A
// relay that cannot be reached is told at a later refresh, after a restart too.
func (f *Follower) Seen(ctx context.Context, id int64) error {
	if err := f.cache.storeSeen(ctx, f.Name, id, time.Now()); err != nil {
		return err
	}
	f.Changed()
	f.tellSeen(ctx)
	return nil
}

// tellSeen tells the relay which notices were seen, as far as it does not know.
// What fails comes again with the next refresh; it makes no report stale.
func (f *Follower) tellSeen(ctx context.Context) {
	if err := f.tellUntold(ctx); err != nil && ctx.Err() == nil {
		f.log.Info("the relay is told later which notices were seen", "err", err)
	}
}

func (f *Follower) tellUntold(ctx context.Context) error {
	ids, err := f.cache.untold(ctx, f.Name)
	if err != nil {
		return err
	}
	for _, id := range ids {
		err := f.ask(ctx, func(c *relayclient.Client) error { return c.AckNotice(ctx, id) })
		if err != nil && !errors.Is(err, relayclient.ErrNotFound) { // one that the relay has forgotten needs no word
			return err
		}
		if err := f.cache.storeTold(ctx, f.Name, id); err != nil {
			return err
		}
	}
	return nil
}

// storeSeen notes that a notice was seen, the first time.
func (c *Cache) storeSeen(ctx context.Context, account string, id int64, at time.Time) error {
	return c.tx(ctx, func(tx *sql.Tx) error {
		var acked int64
		err := tx.QueryRowContext(ctx, `SELECT acked_at FROM notices WHERE account = ? AND id = ?`, account, id).Scan(&acked)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return ErrNoNotice
		case err == nil && acked == 0:
			_, err = tx.ExecContext(ctx, `UPDATE notices SET acked_at = ?, untold = 1 WHERE account = ? AND id = ?`, micros(at), account, id)
		}
		if err != nil {
			return fmt.Errorf("store that a notice was seen: %w", err)
		}
		return nil
	})
}

// untold lists the notices that were seen and of which the relay does not know
// it.
func (c *Cache) untold(ctx context.Context, account string) (ids []int64, err error) {
	rows, err := c.read.QueryContext(ctx, `SELECT id FROM notices WHERE account = ? AND untold = 1 ORDER BY id`, account)
	if err != nil {
		return nil, fmt.Errorf("list seen notices: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("list seen notices: %w", err)
		}
		ids = append(ids, id)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list seen notices: %w", err)
	}
	return ids, nil
}

func (c *Cache) storeTold(ctx context.Context, account string, id int64) error {
	if _, err := c.write.ExecContext(ctx, `UPDATE notices SET untold = 0 WHERE account = ? AND id = ?`, account, id); err != nil {
		return fmt.Errorf("store that the relay knows: %w", err)
	}
	return nil
}
