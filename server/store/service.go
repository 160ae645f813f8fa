package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// The service's own account, made with the schema. Nobody logs in to it, it
// has no plan and counts nothing; reports and notices are its mail.
const (
	ServiceID   = "service"
	ServiceName = "@service" // no customer's account can have a name like it
)

// AddPost stores a message of the service within a transaction, with its body
// and recipients. It knows no key and counts nothing.
func (s *Store) AddPost(ctx context.Context, tx *sql.Tx, m Message, body *Draft, to []Addressee) error {
	do := func(what, query string, args ...any) error {
		if _, err := tx.ExecContext(ctx, query, args...); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		return nil
	}
	err := body.add(m.At, func(args ...any) (sql.Result, error) { return tx.ExecContext(ctx, insertBody, args...) })
	if err != nil {
		return fmt.Errorf("add body: %w", err)
	}
	if err := do("add message", insertMessage, m.ID, m.AccountID, m.EnvelopeID, m.ClientID, m.From, m.SHA256, m.Size,
		number(m.UTF8), number(m.EightBit), m.Return, m.Received, number(m.Held), Micros(m.At)); err != nil {
		return err
	}
	for _, a := range to {
		if err := do("add recipient", insertDeliveries(1), m.ID, m.AccountID, Micros(m.At), Micros(m.At),
			a.Address, a.Notify, a.Original, a.Lane); err != nil {
			return err
		}
	}
	return nil
}

// Told is something that a customer is told once.
type Told struct {
	AccountID   string
	PeriodStart time.Time
	Kind        string
	Step        int    // 0 where there are none
	OrderID     string // "" where it is about none
	At          time.Time
}

// Tell remembers within a transaction that a customer is told, and is false
// when that was so already. Of two nodes at the same time one gets true: the
// other waits for its commit, or takes its turn after a rollback.
func (s *Store) Tell(ctx context.Context, tx *sql.Tx, t Told) (first bool, err error) {
	res, err := tx.ExecContext(ctx, `INSERT INTO reports_sent (account_id, period_start, kind, step, order_id, at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (account_id, period_start, kind, step, order_id) DO NOTHING`, t.AccountID, Micros(t.PeriodStart), t.Kind, t.Step, t.OrderID, Micros(t.At))
	if err != nil {
		return false, fmt.Errorf("remember report: %w", err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return false, fmt.Errorf("remember report: %w", err)
	}
	return n == 1, nil
}

// Told lists all that an account was told once, oldest period first.
func (s *Store) Told(ctx context.Context, accountID string) ([]Told, error) {
	return list(ctx, s.read, "reports", func(row scanner) (Told, error) {
		t := Told{AccountID: accountID}
		var start, at int64
		err := row.Scan(&start, &t.Kind, &t.Step, &t.OrderID, &at)
		t.PeriodStart, t.At = Time(start), Time(at)
		return t, err
	}, `SELECT period_start, kind, step, order_id, at FROM reports_sent WHERE account_id = $1 ORDER BY period_start, at, kind, step, order_id`, accountID)
}

// EachFailure calls fn for every recipient of the account that failed for good
// from start up to end, oldest first, until fn is false.
func (s *Store) EachFailure(ctx context.Context, accountID string, start, end time.Time, fn func(Event) bool) error {
	rows, err := s.read.QueryContext(ctx, `SELECT id, message_id, envid, recipient, code, enhanced, reply, at FROM events
		WHERE account_id = $1 AND status = 'failed' AND at >= $2 AND at < $3 ORDER BY at, id`, accountID, Micros(start), Micros(end))
	if err != nil {
		return fmt.Errorf("list errors of a span: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		e := Event{Status: "failed"}
		var at int64
		if err := rows.Scan(&e.ID, &e.MessageID, &e.EnvID, &e.Recipient, &e.Code, &e.Enhanced, &e.Reply, &at); err != nil {
			return fmt.Errorf("list errors of a span: %w", err)
		}
		e.At = Time(at)
		if !fn(e) {
			break
		}
	}
	return rows.Err()
}

// NewsSince tells which accounts got events or notices above the given ids,
// and the highest ids now. An account may be named although its news are not
// new; that a transaction was slow and its ids are passed over is possible
// where several write, so whoever waits must also look by itself at times.
func (s *Store) NewsSince(ctx context.Context, events, notices int64) (accounts []string, lastEvent, lastNotice int64, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT coalesce((SELECT max(id) FROM events), 0), coalesce((SELECT max(id) FROM notices), 0)`).
		Scan(&lastEvent, &lastNotice)
	if err != nil || (lastEvent <= events && lastNotice <= notices) {
		return nil, lastEvent, lastNotice, wrapNews(err)
	}
	rows, err := s.read.QueryContext(ctx, `SELECT account_id FROM events WHERE id > $1 AND id <= $2
		UNION SELECT account_id FROM notices WHERE id > $3 AND id <= $4`, events, lastEvent, notices, lastNotice)
	if err != nil {
		return nil, 0, 0, wrapNews(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, 0, 0, wrapNews(err)
		}
		accounts = append(accounts, id)
	}
	return accounts, lastEvent, lastNotice, wrapNews(rows.Err())
}

func wrapNews(err error) error {
	if err != nil {
		return fmt.Errorf("look for news: %w", err)
	}
	return nil
}
