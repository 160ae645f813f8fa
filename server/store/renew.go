package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Renewed is what became of a database that was brought back.
type Renewed struct {
	Old, Name string // of the store
	Waiting   int64  // recipients that wait now; all of them are held
	Held      int64  // of them, held before already
}

// Renew makes this database, brought back to an earlier state, another store:
// with a new name, because it has forgotten the keys accepted after that state,
// so that no companion takes its "unknown" for leave to send again; and with
// everything that waits held and marked as perhaps delivered, because it may
// have been, after that state. Accounts get the notice given. It must not be
// called while the store serves.
func (s *Store) Renew(ctx context.Context, n Notice, now time.Time) (Renewed, error) {
	r := Renewed{Old: s.name, Name: NewID(now)}
	err := s.Tx(ctx, func(tx *sql.Tx) error {
		const open = `status IN ('queued', 'in_data')`
		err := tx.QueryRowContext(ctx, `SELECT count(*), coalesce(sum(CASE WHEN m.held <> 0 OR d.next_at >= $1 THEN 1 ELSE 0 END), 0)
			FROM deliveries d JOIN messages m ON m.id = d.message_id WHERE d.`+open, Micros(Parked)).Scan(&r.Waiting, &r.Held)
		if err != nil {
			return fmt.Errorf("count queue: %w", err)
		}
		for _, st := range []struct {
			what, statement string
			args            []any
		}{
			{"mark messages", `UPDATE messages SET held = 1 WHERE id IN (SELECT message_id FROM deliveries WHERE ` + open + `)`, nil},
			{"hold recipients", `UPDATE deliveries SET attempts = attempts + (CASE WHEN status = 'in_data' THEN 1 ELSE 0 END), status = 'queued', node = '', maybe_dup = 1, next_at = $1
				WHERE ` + open, []any{Micros(Parked)}},
			// The jobs of the queue name the store that ran them, and one that ran
			// would block its own replacement. They are made again at the start.
			{"drop jobs", `DELETE FROM river_job WHERE kind = 'lane'`, nil},
			{"forget nodes", `DELETE FROM nodes`, nil},
			{"name store", `UPDATE settings SET value = $1 WHERE key = 'store'`, []any{r.Name}},
			{"add notices", `INSERT INTO notices (account_id, kind, severity, subject, body, created_at) SELECT id, $1, $2, $3, $4, $5 FROM accounts WHERE id <> '` + ServiceID + `'`,
				[]any{n.Kind, n.Severity, n.Subject, n.Body, Micros(now)}},
		} {
			if _, err := exec(ctx, tx, st.what, st.statement, st.args); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return Renewed{}, err
	}
	s.name = r.Name
	return r, nil
}
