package store

import (
	"context"
	"fmt"
	"time"

	"servicesmtp.net/companion/server/account"
)

// Choice is what lists of orders and bills are cut down to; empty fields
// choose all.
type Choice struct {
	AccountID string
	Customer  string
	State     account.OrderState // of orders
	Unpaid    bool               // bills whose payment request waits
}

// Owned is an order or a bill with what people know its account by.
type Owned[T any] struct {
	One      T
	Account  string // name
	Customer string
	Zone     string

	Paid    int64              // of an order
	Request account.OrderState // of a bill's payment request; "": none
}

// What stands behind the thing's own columns.
const (
	ownedOrder = `, a.name, a.customer, a.zone, (SELECT CAST(coalesce(sum(p.amount), 0) AS BIGINT) FROM payments p WHERE p.order_id = o.id), ''`
	ownedBill  = `, a.name, a.customer, a.zone, 0, coalesce(o.state, '')`
)

// behind scans them with a thing's own.
type behind struct {
	row  scanner
	more []any
}

// Scan implements scanner.
func (b behind) Scan(own ...any) error { return b.row.Scan(append(own, b.more...)...) }

func scanOwned[T any](scan func(scanner) (T, error)) func(scanner) (Owned[T], error) {
	return func(row scanner) (o Owned[T], err error) {
		o.One, err = scan(behind{row, []any{&o.Account, &o.Customer, &o.Zone, &o.Paid, &o.Request}})
		return o, err
	}
}

// ListOrders lists orders of the customers' accounts, the oldest first.
func (s *Store) ListOrders(ctx context.Context, c Choice) ([]Owned[account.Order], error) {
	return list(ctx, s.read, "orders", scanOwned(scanOrder), `SELECT `+orderColumns+ownedOrder+`
		FROM orders o JOIN accounts a ON a.id = o.account_id
		WHERE (a.id = $1 OR $1 = '') AND (a.customer = $2 OR $2 = '') AND (o.state = $3 OR $3 = '') ORDER BY o.id`,
		c.AccountID, c.Customer, string(c.State))
}

// ListBills lists bills of the customers' accounts, the oldest first.
func (s *Store) ListBills(ctx context.Context, c Choice) ([]Owned[account.Bill], error) {
	unpaid := 0
	if c.Unpaid {
		unpaid = 1
	}
	return list(ctx, s.read, "bills", scanOwned(scanBill), `SELECT `+billColumns+ownedBill+`
		FROM bills b JOIN accounts a ON a.id = b.account_id LEFT JOIN orders o ON o.id = b.order_id
		WHERE (a.id = $1 OR $1 = '') AND (a.customer = $2 OR $2 = '') AND ($3 = 0 OR o.state = 'waiting') ORDER BY b.period_start, a.name`,
		c.AccountID, c.Customer, unpaid)
}

// PlanUse is how many accounts need a plan to be in the catalogue.
type PlanUse struct {
	Plan     string
	Accounts int64
}

// PlansInUse lists the plans that a catalogue must have at now, by name: those
// in force or to come, those that open orders ask for, and those that a period
// is still to be reckoned with. Surcharges need none, their price is fixed.
func (s *Store) PlansInUse(ctx context.Context, now time.Time) ([]PlanUse, error) {
	all, err := list(ctx, s.read, "plans", func(row scanner) (u PlanUse, err error) {
		err = row.Scan(&u.Plan, &u.Accounts)
		return u, err
	}, `SELECT n.plan, count(DISTINCT n.account_id) FROM (
		SELECT s.plan, s.account_id FROM subscriptions s
			WHERE s.ends_at IS NULL OR (s.ends_at > $1 AND s.ends_at > s.starts_at)
		UNION SELECT o.plan, o.account_id FROM orders o WHERE o.state IN ('waiting', 'paid') AND o.kind <> 'surcharge'
		UNION SELECT s.plan, s.account_id FROM subscriptions s JOIN usage_periods u ON u.account_id = s.account_id
			WHERE u.closed_at IS NULL AND s.starts_at < u.period_end AND (s.ends_at IS NULL OR (s.ends_at > u.period_start AND s.ends_at > s.starts_at))
		) n GROUP BY n.plan ORDER BY n.plan`, Micros(now))
	if err != nil {
		return nil, fmt.Errorf("read plans in use: %w", err)
	}
	return all, nil
}
