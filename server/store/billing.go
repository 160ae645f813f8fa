package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"servicesmtp.net/companion/server/account"
)

// querier reads; a transaction and a pool are ones.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// LockAccount keeps other transactions from changing what belongs to the
// account until this one ends. It is ErrNotFound where there is none.
func (s *Store) LockAccount(ctx context.Context, tx *sql.Tx, id string) error {
	res, err := tx.ExecContext(ctx, `UPDATE accounts SET misuse = misuse WHERE id = $1`, id)
	if err == nil {
		err = oneRow(res, ErrNotFound)
	}
	if err != nil {
		return fmt.Errorf("lock account: %w", err)
	}
	return nil
}

// Rows reads all that the rules may ask of an account; q is a transaction, or
// Reader.
func (s *Store) Rows(ctx context.Context, q querier, accountID string) (account.Rows, error) {
	r := account.Rows{AccountID: accountID}
	var zone string
	var misuse int64
	err := q.QueryRowContext(ctx, `SELECT zone, overage, misuse FROM accounts WHERE id = $1`, accountID).Scan(&zone, &r.Policy, &misuse)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return r, fmt.Errorf("read account: %w", err)
	}
	r.Zone, r.Misuse = account.Location(zone), misuse != 0
	for _, read := range []func() error{
		func() (err error) {
			r.Subscriptions, err = list(ctx, q, "subscriptions", scanSubscription, `SELECT `+subscriptionColumns+`
				FROM subscriptions s WHERE s.account_id = $1 ORDER BY s.starts_at, s.id`, accountID)
			return err
		},
		func() (err error) {
			r.Orders, err = list(ctx, q, "orders", scanOrder, `SELECT `+orderColumns+` FROM orders o WHERE o.account_id = $1 ORDER BY o.id`, accountID)
			return err
		},
		func() (err error) {
			r.Payments, err = list(ctx, q, "payments", scanPayment, `SELECT `+paymentColumns+`
				FROM payments p JOIN orders o ON o.id = p.order_id WHERE o.account_id = $1 ORDER BY p.id`, accountID)
			return err
		},
		func() (err error) {
			r.Credits, err = list(ctx, q, "credits", scanCredit, `SELECT `+creditColumns+` FROM credits c WHERE c.account_id = $1 ORDER BY c.id`, accountID)
			return err
		},
		func() (err error) {
			r.Periods, err = list(ctx, q, "periods", scanPeriod, `SELECT `+periodColumns+`
				FROM usage_periods u WHERE u.account_id = $1 ORDER BY u.period_start`, accountID)
			return err
		},
	} {
		if err := read(); err != nil {
			return r, err
		}
	}
	return r, nil
}

// list reads all rows of a query.
func list[T any](ctx context.Context, q querier, what string, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", what, err)
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", what, err)
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

const (
	subscriptionColumns = `s.id, s.account_id, s.order_id, s.contract, s.since, s.plan, s.starts_at, coalesce(s.ends_at, 0), s.state`
	orderColumns        = `o.id, o.account_id, o.kind, o.plan, o.price, o.currency, o.state, o.created_at,
		coalesce(o.paid_at, 0), coalesce(o.activated_at, 0), coalesce(o.closed_at, 0), coalesce(o.period_start, 0)`
	paymentColumns = `p.id, p.order_id, p.method, p.reference, p.amount, p.currency, p.received_at`
	creditColumns  = `c.id, c.account_id, c.contract, c.source, c.order_id, c.unit, c.granted, c.remaining, c.valid_from, coalesce(c.expires_at, 0)`
	periodColumns  = `u.account_id, u.period_start, u.period_end, u.emails, u.bytes, coalesce(u.closed_at, 0)`
	billColumns    = `b.account_id, b.period_start, b.period_end, b.plan, b.unit, b.used, b.allowance, b.consumed, b.surcharged, b.uncovered,
		b.tier, b.price, b.currency, b.order_id, b.granted, b.credit_id`
)

// instant reads a time that may be missing (0).
func instant(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return Time(us)
}

// orNull writes one: the zero time is NULL.
func orNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return Micros(t)
}

func scanSubscription(row scanner) (s account.Subscription, err error) {
	var since, start, end int64
	err = row.Scan(&s.ID, &s.AccountID, &s.OrderID, &s.Contract, &since, &s.Plan, &start, &end, &s.State)
	s.Since, s.Start, s.End = Time(since), Time(start), instant(end)
	return s, err
}

func scanOrder(row scanner) (o account.Order, err error) {
	var created, paid, activated, closed, period int64
	err = row.Scan(&o.ID, &o.AccountID, &o.Kind, &o.Plan, &o.Price, &o.Currency, &o.State, &created, &paid, &activated, &closed, &period)
	o.CreatedAt, o.PaidAt, o.ActivatedAt, o.ClosedAt, o.PeriodStart = Time(created), instant(paid), instant(activated), instant(closed), instant(period)
	return o, err
}

func scanPayment(row scanner) (p account.Payment, err error) {
	var received int64
	err = row.Scan(&p.ID, &p.OrderID, &p.Method, &p.Reference, &p.Amount, &p.Currency, &received)
	p.ReceivedAt = Time(received)
	return p, err
}

func scanCredit(row scanner) (c account.Credit, err error) {
	var from, end int64
	err = row.Scan(&c.ID, &c.AccountID, &c.Contract, &c.Source, &c.OrderID, &c.Unit, &c.Granted, &c.Left, &from, &end)
	c.ValidFrom, c.ExpiresAt = Time(from), instant(end)
	return c, err
}

func scanPeriod(row scanner) (u account.Usage, err error) {
	var start, end, closed int64
	err = row.Scan(&u.AccountID, &start, &end, &u.Used.Emails, &u.Used.Bytes, &closed)
	u.Start, u.End, u.ClosedAt = Time(start), Time(end), instant(closed)
	return u, err
}

func scanBill(row scanner) (b account.Bill, err error) {
	var start, end int64
	err = row.Scan(&b.AccountID, &start, &end, &b.Plan, &b.Unit, &b.Use, &b.Allowance, &b.Consumed, &b.Surcharged, &b.Uncovered,
		&b.Tier, &b.Price, &b.Currency, &b.OrderID, &b.Granted, &b.CreditID)
	b.Start, b.End = Time(start), Time(end)
	return b, err
}

// Bills lists what an account's closed periods came to, oldest first.
func (s *Store) Bills(ctx context.Context, accountID string) ([]account.Bill, error) {
	return list(ctx, s.read, "bills", scanBill, `SELECT `+billColumns+` FROM bills b WHERE b.account_id = $1 ORDER BY b.period_start`, accountID)
}

// Orders lists an account's orders, oldest first.
func (s *Store) Orders(ctx context.Context, accountID string) ([]account.Order, error) {
	return list(ctx, s.read, "orders", scanOrder, `SELECT `+orderColumns+` FROM orders o WHERE o.account_id = $1 ORDER BY o.id`, accountID)
}

// Order finds an order and what was paid for it.
func (s *Store) Order(ctx context.Context, id string) (account.Order, []account.Payment, error) {
	o, err := scanOrder(s.read.QueryRowContext(ctx, `SELECT `+orderColumns+` FROM orders o WHERE o.id = $1`, id))
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return o, nil, fmt.Errorf("read order: %w", err)
	}
	paid, err := list(ctx, s.read, "payments", scanPayment, `SELECT `+paymentColumns+` FROM payments p WHERE p.order_id = $1 ORDER BY p.id`, id)
	return o, paid, err
}

// OrderByReference finds the order that was made under the caller's reference.
func (s *Store) OrderByReference(ctx context.Context, tx *sql.Tx, reference string) (account.Order, error) {
	o, err := scanOrder(tx.QueryRowContext(ctx, `SELECT `+orderColumns+` FROM orders o WHERE o.reference = $1`, reference))
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return o, fmt.Errorf("read order: %w", err)
	}
	return o, nil
}

// PaymentByReference finds the payment that was entered for that money.
func (s *Store) PaymentByReference(ctx context.Context, tx *sql.Tx, method, reference string) (account.Payment, error) {
	p, err := scanPayment(tx.QueryRowContext(ctx, `SELECT `+paymentColumns+` FROM payments p WHERE p.method = $1 AND p.reference = $2`, method, reference))
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return p, fmt.Errorf("read payment: %w", err)
	}
	return p, nil
}
