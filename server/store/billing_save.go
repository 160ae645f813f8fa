package store

import (
	"context"
	"database/sql"
	"fmt"

	"servicesmtp.net/companion/server/account"
)

// errClosing says that another transaction closed the period first, or counted
// more into it.
var errClosing = fmt.Errorf("period changed meanwhile: %w", ErrRace)

// SaveChanges writes what an event made or changed, within the transaction
// that read the rows. A period is closed only while it is as it was read.
func (s *Store) SaveChanges(ctx context.Context, tx *sql.Tx, c account.Changes) error {
	for _, u := range c.Periods { // first: whoever else closes one waits here
		if err := closePeriod(ctx, tx, u); err != nil {
			return err
		}
	}
	for _, o := range c.Orders {
		if err := s.SaveOrder(ctx, tx, o, o.ID); err != nil {
			return err
		}
	}
	for _, sub := range c.Subscriptions {
		if err := saveSubscription(ctx, tx, sub); err != nil {
			return err
		}
	}
	for _, p := range c.Payments {
		if err := addPayment(ctx, tx, p); err != nil {
			return err
		}
	}
	for _, k := range c.Credits {
		if err := saveCredit(ctx, tx, k); err != nil {
			return err
		}
	}
	for _, b := range c.Bills {
		if err := addBill(ctx, tx, b); err != nil {
			return err
		}
	}
	return nil
}

// closePeriod is ErrRace where the period is closed, or counts other use
// than was reckoned with.
func closePeriod(ctx context.Context, tx *sql.Tx, u account.Usage) error {
	res, err := tx.ExecContext(ctx, `UPDATE usage_periods SET closed_at = $3
		WHERE account_id = $1 AND period_start = $2 AND closed_at IS NULL AND emails = $4 AND bytes = $5`,
		u.AccountID, Micros(u.Start), orNull(u.ClosedAt), u.Used.Emails, int64(u.Used.Bytes))
	if err == nil {
		err = oneRow(res, errClosing)
	}
	if err != nil {
		return fmt.Errorf("close period: %w", err)
	}
	return nil
}

// SaveOrder adds or changes an order. The reference counts when it is added.
func (s *Store) SaveOrder(ctx context.Context, tx *sql.Tx, o account.Order, reference string) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO orders
		(id, account_id, reference, kind, plan, price, currency, state, created_at, paid_at, activated_at, closed_at, period_start)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
		ON CONFLICT (id) DO UPDATE SET state = excluded.state, paid_at = excluded.paid_at, activated_at = excluded.activated_at, closed_at = excluded.closed_at`,
		o.ID, o.AccountID, reference, o.Kind, o.Plan, o.Price, o.Currency, o.State, Micros(o.CreatedAt), orNull(o.PaidAt),
		orNull(o.ActivatedAt), orNull(o.ClosedAt), orNull(o.PeriodStart))
	if err != nil {
		return fmt.Errorf("save order: %w", err)
	}
	return nil
}

func saveSubscription(ctx context.Context, tx *sql.Tx, s account.Subscription) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO subscriptions (id, account_id, order_id, contract, since, plan, starts_at, ends_at, state)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (id) DO UPDATE SET ends_at = excluded.ends_at, state = excluded.state`,
		s.ID, s.AccountID, s.OrderID, s.Contract, Micros(s.Since), s.Plan, Micros(s.Start), orNull(s.End), s.State)
	if err != nil {
		return fmt.Errorf("save subscription: %w", err)
	}
	return nil
}

func addPayment(ctx context.Context, tx *sql.Tx, p account.Payment) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO payments (id, order_id, method, reference, amount, currency, received_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`, p.ID, p.OrderID, p.Method, p.Reference, p.Amount, p.Currency, Micros(p.ReceivedAt))
	if err != nil {
		return fmt.Errorf("add payment: %w", err)
	}
	return nil
}

func saveCredit(ctx context.Context, tx *sql.Tx, c account.Credit) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO credits (id, account_id, contract, source, order_id, unit, granted, remaining, valid_from, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (id) DO UPDATE SET remaining = excluded.remaining, expires_at = excluded.expires_at`,
		c.ID, c.AccountID, c.Contract, c.Source, c.OrderID, c.Unit, c.Granted, c.Left, Micros(c.ValidFrom), orNull(c.ExpiresAt))
	if err != nil {
		return fmt.Errorf("save credit: %w", err)
	}
	return nil
}

func addBill(ctx context.Context, tx *sql.Tx, b account.Bill) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO bills (account_id, period_start, period_end, plan, unit, used, allowance, consumed, surcharged, uncovered,
		tier, price, currency, order_id, granted, credit_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`,
		b.AccountID, Micros(b.Start), Micros(b.End), b.Plan, b.Unit, b.Use, b.Allowance, b.Consumed, b.Surcharged, b.Uncovered,
		b.Tier, b.Price, b.Currency, b.OrderID, b.Granted, b.CreditID)
	if err != nil {
		return fmt.Errorf("add bill: %w", err)
	}
	return nil
}
