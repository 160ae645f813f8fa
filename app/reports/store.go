package reports

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"servicesmtp.net/companion/internal/wire"
	"servicesmtp.net/companion/relayclient"
)

// The relay's lists that are read with a cursor.
const (
	listEvents  = "events"
	listNotices = "notices"
)

// errMoved says that the cursor was moved since the page was asked for, by
// another reader of the same list: the page is stored already, or comes again.
var errMoved = errors.New("the cursor was moved meanwhile")

// cursor is where to read on; "" is the beginning.
func (c *Cache) cursor(ctx context.Context, account, list string) (string, error) {
	var cursor string
	err := c.read.QueryRowContext(ctx, `SELECT cursor FROM cursors WHERE account = ? AND list = ?`, account, list).Scan(&cursor)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("read cursor: %w", err)
	}
	return cursor, nil
}

// move sets a cursor that stands at from; it is errMoved when it does not.
func move(ctx context.Context, tx *sql.Tx, account, list, from, to string) error {
	query := `UPDATE cursors SET cursor = ?3 WHERE account = ?1 AND list = ?2 AND cursor = ?4`
	if from == "" { // there may be none yet
		query = `INSERT INTO cursors (account, list, cursor) VALUES (?1, ?2, ?3)
			ON CONFLICT (account, list) DO UPDATE SET cursor = excluded.cursor WHERE cursor = ?4`
	}
	res, err := tx.ExecContext(ctx, query, account, list, to, from)
	if err != nil {
		return fmt.Errorf("move cursor: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, errMoved)
	}
	return nil
}

// restart sets a cursor back to the beginning, when the relay no longer knows
// it. What comes again is recognised by what it says.
func (c *Cache) restart(ctx context.Context, account, list, from string) error {
	return c.tx(ctx, func(tx *sql.Tx) error { return move(ctx, tx, account, list, from, "") })
}

// storeEvents adds a page that was read from a cursor, but for events before
// since, and moves the cursor behind it.
func (c *Cache) storeEvents(ctx context.Context, account, from string, page relayclient.Events, since time.Time) error {
	return c.tx(ctx, func(tx *sql.Tx) error {
		if err := move(ctx, tx, account, listEvents, from, page.Cursor); err != nil {
			return err
		}
		for _, e := range page.Events {
			if e.At.Before(since) {
				continue
			}
			id, err := wire.ParseEnvelopeID(e.Envid)
			if err != nil {
				id = wire.EnvelopeID{} // of another program, or none: it has no job here
			}
			_, err = tx.ExecContext(ctx, `INSERT INTO events (account, job, batch, message, address, status, code, enhanced, reply, at)
				VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
				account, id.Job, id.Number, e.ID, wire.LowerDomain(e.Recipient), string(e.Status), e.Code, e.Enhanced, e.Reply, micros(e.At))
			if err != nil {
				return fmt.Errorf("store event: %w", err)
			}
		}
		return nil
	})
}

// storeNotices is the same for notices. One that comes again replaces the
// stored one, but what was seen stays seen.
func (c *Cache) storeNotices(ctx context.Context, account, from string, page relayclient.Notices) error {
	return c.tx(ctx, func(tx *sql.Tx) error {
		if err := move(ctx, tx, account, listNotices, from, page.Cursor); err != nil {
			return err
		}
		for _, n := range page.Notices {
			var acked time.Time
			if n.AckedAt != nil {
				acked = *n.AckedAt
			}
			var key string
			if n.Key != nil {
				key = *n.Key
			}
			_, err := tx.ExecContext(ctx, `INSERT INTO notices (account, id, at, kind, severity, key, subject, body, acked_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
				ON CONFLICT (account, id) DO UPDATE SET at = excluded.at, kind = excluded.kind, severity = excluded.severity, key = excluded.key,
				subject = excluded.subject, body = excluded.body, acked_at = max(acked_at, excluded.acked_at)`,
				account, n.ID, micros(n.At), n.Kind, string(n.Severity), key, n.Subject, n.Body, micros(acked))
			if err != nil {
				return fmt.Errorf("store notice: %w", err)
			}
		}
		return nil
	})
}

// storeFact replaces the latest answer of a kind.
func (c *Cache) storeFact(ctx context.Context, account, kind string, answer any, asOf time.Time) error {
	text, err := json.Marshal(answer)
	if err != nil {
		return fmt.Errorf("store %s: %w", kind, err)
	}
	_, err = c.write.ExecContext(ctx, `INSERT INTO facts (account, kind, answer, as_of) VALUES (?, ?, ?, ?)
		ON CONFLICT (account, kind) DO UPDATE SET answer = excluded.answer, as_of = excluded.as_of`, account, kind, text, micros(asOf))
	if err != nil {
		return fmt.Errorf("store %s: %w", kind, err)
	}
	return nil
}

// pruneStep is how many events go in one transaction.
const pruneStep = 1000

// Prune forgets an account's events from before a time.
func (c *Cache) Prune(ctx context.Context, account string, before time.Time) error {
	for {
		res, err := c.write.ExecContext(ctx, `DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE at < ? AND account = ? LIMIT ?)`,
			micros(before), account, pruneStep)
		if err != nil {
			return fmt.Errorf("prune events: %w", err)
		}
		if n, err := res.RowsAffected(); err != nil || n < pruneStep {
			return err
		}
	}
}

// Forget removes all that is stored of an account, when it was removed or
// became another one under the same name: cursors and answers are of one login
// at one relay. Its follower must have ended.
func (c *Cache) Forget(ctx context.Context, account string) error {
	c.mu.Lock()
	delete(c.health, part{account, partEvents})
	delete(c.health, part{account, partFacts})
	c.mu.Unlock()
	return c.tx(ctx, func(tx *sql.Tx) error {
		for _, query := range []string{
			`DELETE FROM facts WHERE account = ?`, `DELETE FROM cursors WHERE account = ?`,
			`DELETE FROM events WHERE account = ?`, `DELETE FROM notices WHERE account = ?`,
		} {
			if _, err := tx.ExecContext(ctx, query, account); err != nil {
				return fmt.Errorf("forget account: %w", err)
			}
		}
		return nil
	})
}
