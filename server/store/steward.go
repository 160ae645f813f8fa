package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"servicesmtp.net/companion/server/account"
)

// ErrReviewed says that the account's day was reviewed already.
var ErrReviewed = errors.New("reviewed already")

// Lease takes or renews the right to do something that only one may do at a
// time, for so long from now on the database's clock. It is false while
// another holder has it.
func (s *Store) Lease(ctx context.Context, name, holder string, lasts time.Duration) (bool, error) {
	now := s.clock()
	res, err := s.write.ExecContext(ctx, `INSERT INTO leases (name, holder, until) VALUES ($1, $2, `+now+` + $3)
		ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
		WHERE leases.holder = excluded.holder OR leases.until <= `+now, name, holder, lasts.Microseconds())
	if err != nil {
		return false, fmt.Errorf("take lease: %w", err)
	}
	n, err := res.RowsAffected()
	return n == 1, err
}

// EndLease gives a lease back, where it is still the holder's.
func (s *Store) EndLease(ctx context.Context, name, holder string) error {
	if _, err := s.write.ExecContext(ctx, `DELETE FROM leases WHERE name = $1 AND holder = $2`, name, holder); err != nil {
		return fmt.Errorf("end lease: %w", err)
	}
	return nil
}

// clock is the database's time in microseconds, as SQL.
func (s *Store) clock() string {
	if s.dialect.postgres {
		return dbNow
	}
	return `CAST(unixepoch('subsec') * 1000000 AS INTEGER)`
}

// Reviewable is an account with the day of its last review.
type Reviewable struct {
	Account
	ReviewedDay string // YYYY-MM-DD of its zone; "": never
}

// Reviewables lists up to limit customers' accounts with an id above after, as
// they are at now, by id.
func (s *Store) Reviewables(ctx context.Context, after string, limit int, now time.Time) ([]Reviewable, error) {
	return list(ctx, s.read, "accounts", func(row scanner) (a Reviewable, err error) {
		a.Account, err = scanAccount(row, &a.ReviewedDay)
		return a, err
	}, `SELECT `+accountColumns+`, a.reviewed_day FROM accounts a`+joinBegun+` WHERE a.id <> '`+ServiceID+`' AND a.id > $2 ORDER BY a.id LIMIT $3`,
		Micros(now), after, limit)
}

// SetReviewed remembers within a transaction that the account was reviewed on
// the day of its zone. It is ErrReviewed where that was so already.
func (s *Store) SetReviewed(ctx context.Context, tx *sql.Tx, accountID, day string) error {
	res, err := tx.ExecContext(ctx, `UPDATE accounts SET reviewed_day = $2 WHERE id = $1 AND reviewed_day < $2`, accountID, day)
	if err == nil {
		err = oneRow(res, ErrReviewed)
	}
	if err != nil {
		return fmt.Errorf("remember review: %w", err)
	}
	return nil
}

// ClosedPeriod is what an account used in a period, and what that came to.
type ClosedPeriod struct {
	Usage account.Usage
	Bill  account.Bill
}

// ClosedPeriods lists those of an account that have a bill, oldest first.
func (s *Store) ClosedPeriods(ctx context.Context, accountID string) ([]ClosedPeriod, error) {
	bills, err := s.Bills(ctx, accountID)
	if err != nil {
		return nil, err
	}
	periods, err := list(ctx, s.read, "periods", scanPeriod, `SELECT `+periodColumns+`
		FROM usage_periods u WHERE u.account_id = $1 AND u.closed_at IS NOT NULL ORDER BY u.period_start`, accountID)
	if err != nil {
		return nil, err
	}
	all := make([]ClosedPeriod, 0, len(bills))
	for _, b := range bills {
		for len(periods) > 0 && periods[0].Start.Before(b.Start) {
			periods = periods[1:]
		}
		if len(periods) > 0 && periods[0].Start.Equal(b.Start) {
			all = append(all, ClosedPeriod{periods[0], b})
		}
	}
	return all, nil
}

// LastUsageDays lists the last days, up to so many, on which anything was
// accepted, the latest first.
func (s *Store) LastUsageDays(ctx context.Context, accountID string, limit int) ([]UsageDay, error) {
	return list(ctx, s.read, "usage", func(row scanner) (d UsageDay, err error) {
		err = row.Scan(&d.Day, &d.Used.Emails, &d.Used.Bytes)
		return d, err
	}, `SELECT day, emails, bytes FROM usage_days WHERE account_id = $1 ORDER BY day DESC LIMIT $2`, accountID, limit)
}
