package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/pace"
)

// UsageDay is what was accepted on one day of the account's zone.
type UsageDay struct {
	Day  string // YYYY-MM-DD
	Used account.Charge
}

const (
	// selectTerms is one statement, because every message asks it: account,
	// subscription, what its contract has left of credits, and the oldest period
	// that is not closed. $1 is now.
	selectTerms = `SELECT a.zone, a.status, a.overage, ` + begun + `,
		coalesce((SELECT CAST(sum(c.remaining) AS BIGINT) FROM credits c WHERE c.contract = s.contract AND c.unit = 'bytes' AND c.remaining > 0 AND c.valid_from <= $1), 0),
		coalesce((SELECT CAST(sum(c.remaining) AS BIGINT) FROM credits c WHERE c.contract = s.contract AND c.unit = 'emails' AND c.remaining > 0 AND c.valid_from <= $1), 0),
		coalesce((SELECT min(u.period_start) FROM usage_periods u WHERE u.account_id = a.id AND u.closed_at IS NULL), 0),
		p.per_minute, coalesce(p.owed, 0), coalesce(p.owed_at, 0)
		FROM accounts a LEFT JOIN account_paces p ON p.account_id = a.id` + joinBegun + ` WHERE a.id = $2`
	selectUsed = `SELECT emails, bytes FROM usage_periods WHERE account_id = $1 AND period_start = $2`

	// The limits stand in the same statement, so that no other writer can come
	// between looking and counting; nor can one that closes the period.
	upsertPeriod = `INSERT INTO usage_periods (account_id, period_start, period_end, emails, bytes) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (account_id, period_start) DO UPDATE SET emails = usage_periods.emails + excluded.emails, bytes = usage_periods.bytes + excluded.bytes
		WHERE usage_periods.emails <= $6 AND usage_periods.bytes <= $7 AND usage_periods.closed_at IS NULL`
	upsertDay = `INSERT INTO usage_days (account_id, day, emails, bytes) VALUES ($1, $2, $3, $4)
		ON CONFLICT (account_id, day) DO UPDATE SET emails = usage_days.emails + excluded.emails, bytes = usage_days.bytes + excluded.bytes`
)

// Terms is what acceptance must know of an account.
type Terms struct {
	Zone         string
	Status       string // the operator's
	Overage      string
	Subscription account.Subscription // as in Account
	CreditBytes  int64                // left of the contract
	CreditEmails int64
	Open         time.Time   // start of the oldest period that is not closed; zero: none
	PerMinute    *int64      // recipients, of this account alone, 0: no rate; nil: as its plan or the relay says
	Pace         pace.Bucket // what it owes
}

// Credit is what is left in the unit.
func (t Terms) Credit(unit account.Unit) int64 {
	if unit == account.Bytes {
		return t.CreditBytes
	}
	return t.CreditEmails
}

func scanTerms(row scanner, accountID string) (Terms, error) {
	var t Terms
	var s begunRow
	var open int64
	into := append([]any{&t.Zone, &t.Status, &t.Overage}, s.into()...)
	err := row.Scan(append(into, &t.CreditBytes, &t.CreditEmails, &open, &t.PerMinute, &t.Pace.Owed, &t.Pace.At)...)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return Terms{}, fmt.Errorf("read account: %w", err)
	}
	t.Subscription, t.Open = s.subscription(accountID), instant(open)
	return t, nil
}

func scanUsed(row scanner) (account.Charge, error) {
	var c account.Charge
	err := row.Scan(&c.Emails, &c.Bytes)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return account.Charge{}, fmt.Errorf("read usage: %w", err)
	}
	return c, nil
}

// Terms reads an account's terms at now, or fails with ErrNotFound.
func (s *Store) Terms(ctx context.Context, accountID string, now time.Time) (Terms, error) {
	st, err := s.terms.on(ctx, s.read, selectTerms)
	if err != nil {
		return Terms{}, err
	}
	return scanTerms(st.QueryRowContext(ctx, Micros(now), accountID), accountID)
}

// Used is what an account has used in the period that began at start.
func (s *Store) Used(ctx context.Context, accountID string, start time.Time) (account.Charge, error) {
	st, err := s.used.on(ctx, s.read, selectUsed)
	if err != nil {
		return account.Charge{}, err
	}
	return scanUsed(st.QueryRowContext(ctx, accountID, Micros(start)))
}

// UsageDays lists the days from first up to before last on which anything was
// accepted, oldest first.
func (s *Store) UsageDays(ctx context.Context, accountID, first, last string) ([]UsageDay, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT day, emails, bytes FROM usage_days
		WHERE account_id = $1 AND day >= $2 AND day < $3 ORDER BY day`, accountID, first, last)
	if err != nil {
		return nil, fmt.Errorf("list usage: %w", err)
	}
	defer rows.Close()
	var all []UsageDay
	for rows.Next() {
		var d UsageDay
		if err := rows.Scan(&d.Day, &d.Used.Emails, &d.Used.Bytes); err != nil {
			return nil, fmt.Errorf("list usage: %w", err)
		}
		all = append(all, d)
	}
	return all, rows.Err()
}

// Terms reads an account's terms at now, or fails with ErrNotFound.
func (t *IntakeTx) Terms(ctx context.Context, accountID string, now time.Time) (Terms, error) {
	return scanTerms(t.stmt(ctx, stTerms).QueryRowContext(ctx, Micros(now), accountID), accountID)
}

// KeepHeld keeps a held account held until the commit: whoever releases it
// then finds what is accepted now. It is ErrRace where it is held no more.
func (t *IntakeTx) KeepHeld(ctx context.Context, accountID string) error {
	if !t.in.shared {
		return nil // one writer
	}
	var status string
	if err := t.tx.QueryRowContext(ctx, `SELECT status FROM accounts WHERE id = $1 FOR SHARE`, accountID).Scan(&status); err != nil {
		return fmt.Errorf("read account: %w", err)
	}
	if status != "held" {
		return fmt.Errorf("account is held no more: %w", ErrRace)
	}
	return nil
}

// Used is what an account has used in the period that began at start.
func (t *IntakeTx) Used(ctx context.Context, accountID string, start time.Time) (account.Charge, error) {
	return scanUsed(t.stmt(ctx, stUsed).QueryRowContext(ctx, accountID, Micros(start)))
}

// Count is what is added to an account's counters.
type Count struct {
	AccountID  string
	Start, End time.Time // of the period
	Day        string    // of the account's zone
	More       account.Charge
	Limit      account.Charge
}

// AddUsage adds to the counters of period and day, unless that passes the
// limit or the period was closed: then it changes nothing and answers false.
func (t *IntakeTx) AddUsage(ctx context.Context, c Count) (bool, error) {
	room := account.Charge{Emails: c.Limit.Emails - c.More.Emails, Bytes: c.Limit.Bytes - c.More.Bytes}
	if room.Emails < 0 || room.Bytes < 0 {
		return false, nil
	}
	res, err := t.exec(ctx, "count usage", stAddUsage, c.AccountID, Micros(c.Start), Micros(c.End),
		c.More.Emails, int64(c.More.Bytes), room.Emails, int64(room.Bytes))
	if err != nil {
		return false, err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return false, err
	}
	_, err = t.exec(ctx, "count usage", stAddDay, c.AccountID, c.Day, c.More.Emails, int64(c.More.Bytes))
	return err == nil, err
}
