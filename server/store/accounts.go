package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"servicesmtp.net/companion/server/account"
)

// ErrExists says that the name is taken.
var ErrExists = errors.New("exists already")

// Account is one row of accounts.
type Account struct {
	ID           string
	Name         string // SMTP login, lower case
	Email        string
	Customer     string // the operator's reference; "" none
	Zone         string
	Status       string // the operator's: active, held, blocked, ended
	Overage      string // surcharge, stop, block
	PasswordHash string
	Misuse       bool
	MisuseReason string // the operator's words for the mark
	CreatedAt    time.Time
	Partner      string // whose customer it is; "" the operator's own
	Reference    string // the partner's, of the order

	// Subscription is the one in force, or the last one that was; without an
	// ID where none has begun.
	Subscription account.Subscription
}

const (
	accountColumns = `a.id, a.name, a.email, a.customer, a.zone, a.status, a.overage, a.password_hash, a.misuse, a.misuse_reason, a.created_at,
		a.partner, a.partner_reference, ` + begun

	// begun is the columns of the subscription that began last; joinBegun joins
	// it, where $1 is now. One that ended before it began was given back.
	begun = `coalesce(s.id, ''), coalesce(s.order_id, ''), coalesce(s.contract, ''), coalesce(s.since, 0), coalesce(s.plan, ''),
		coalesce(s.starts_at, 0), coalesce(s.ends_at, 0), coalesce(s.state, '')`
	joinBegun = ` LEFT JOIN subscriptions s ON s.id = (SELECT i.id FROM subscriptions i WHERE i.account_id = a.id AND i.starts_at <= $1
		AND (i.ends_at IS NULL OR i.ends_at > i.starts_at) ORDER BY i.starts_at DESC, i.id DESC LIMIT 1)`
)

// scanner is what *sql.Row and *sql.Rows have in common.
type scanner interface{ Scan(...any) error }

func scanAccount(row scanner, more ...any) (Account, error) {
	var a Account
	var misuse, created int64
	var s begunRow
	into := append([]any{&a.ID, &a.Name, &a.Email, &a.Customer, &a.Zone, &a.Status, &a.Overage, &a.PasswordHash, &misuse, &a.MisuseReason, &created,
		&a.Partner, &a.Reference}, s.into()...)
	err := row.Scan(append(into, more...)...)
	if errors.Is(err, sql.ErrNoRows) {
		return Account{}, ErrNotFound
	}
	a.Misuse, a.CreatedAt, a.Subscription = misuse != 0, Time(created), s.subscription(a.ID)
	return a, err
}

// begunRow reads the columns of begun.
type begunRow struct {
	s                 account.Subscription
	since, start, end int64
}

func (r *begunRow) into() []any {
	return []any{&r.s.ID, &r.s.OrderID, &r.s.Contract, &r.since, &r.s.Plan, &r.start, &r.end, &r.s.State}
}

func (r *begunRow) subscription(accountID string) account.Subscription {
	r.s.AccountID, r.s.Since, r.s.Start, r.s.End = accountID, instant(r.since), instant(r.start), instant(r.end)
	return r.s
}

// AddAccount stores a new account within a transaction, without a plan. It is
// ErrExists when the name is taken, or the partner has used the reference.
func (s *Store) AddAccount(ctx context.Context, tx *sql.Tx, a Account) error {
	res, err := tx.ExecContext(ctx, `INSERT INTO accounts (id, name, email, customer, zone, status, overage, password_hash, created_at, partner, partner_reference)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING`,
		a.ID, a.Name, a.Email, a.Customer, a.Zone, a.Status, a.Overage, a.PasswordHash, Micros(a.CreatedAt), a.Partner, a.Reference)
	if err != nil {
		return fmt.Errorf("add account: %w", err)
	}
	return oneRow(res, ErrExists)
}

// oneRow is other when a statement changed nothing.
func oneRow(res sql.Result, other error) error {
	n, err := res.RowsAffected()
	if err == nil && n == 0 {
		return other
	}
	return err
}

// AccountByName finds an account by its login.
func (s *Store) AccountByName(ctx context.Context, name string) (Account, error) {
	a, err := scanAccount(s.read.QueryRowContext(ctx, `SELECT `+accountColumns+` FROM accounts a`+joinBegun+` WHERE a.name = $2`, Micros(time.Now()), name))
	if err != nil {
		return Account{}, fmt.Errorf("read account: %w", err)
	}
	return a, nil
}

// AccountByID finds an account by its id.
func (s *Store) AccountByID(ctx context.Context, id string) (Account, error) {
	a, err := scanAccount(s.read.QueryRowContext(ctx, `SELECT `+accountColumns+` FROM accounts a`+joinBegun+` WHERE a.id = $2`, Micros(time.Now()), id))
	if err != nil {
		return Account{}, fmt.Errorf("read account: %w", err)
	}
	return a, nil
}

// Accounts lists the customers' accounts by name, not the service's own;
// customer chooses those of one, "" all.
func (s *Store) Accounts(ctx context.Context, customer string) ([]Account, error) {
	return list(ctx, s.read, "accounts", func(row scanner) (Account, error) { return scanAccount(row) },
		`SELECT `+accountColumns+` FROM accounts a`+joinBegun+` WHERE a.id <> '`+ServiceID+`' AND (a.customer = $2 OR $2 = '') ORDER BY a.name`,
		Micros(time.Now()), customer)
}

// SetAccountStatus changes what an account may do, within a transaction. It is
// ErrNotFound when there is no such account in the status from.
func (s *Store) SetAccountStatus(ctx context.Context, tx *sql.Tx, id, from, to string) error {
	res, err := tx.ExecContext(ctx, `UPDATE accounts SET status = $3 WHERE id = $1 AND status = $2`, id, from, to)
	return changed(res, err)
}

// SetAccountMisuse marks an account, or takes the mark away. The reason is
// kept as it is given.
func (s *Store) SetAccountMisuse(ctx context.Context, id string, misuse bool, reason string) error {
	mark := 0
	if misuse {
		mark = 1
	}
	res, err := s.write.ExecContext(ctx, `UPDATE accounts SET misuse = $2, misuse_reason = $3 WHERE id = $1`, id, mark, reason)
	return changed(res, err)
}

// SetAccountOverage changes what happens at the limit.
func (s *Store) SetAccountOverage(ctx context.Context, id, overage string) error {
	res, err := s.write.ExecContext(ctx, `UPDATE accounts SET overage = $2 WHERE id = $1`, id, overage)
	return changed(res, err)
}

func changed(res sql.Result, err error) error {
	if err == nil {
		err = oneRow(res, ErrNotFound)
	}
	if err != nil {
		return fmt.Errorf("change account: %w", err)
	}
	return nil
}

// SetAccountPassword changes the password and revokes every token: whoever
// knew the old one may have made some.
func (s *Store) SetAccountPassword(ctx context.Context, id, hash string, now time.Time) error {
	err := s.Tx(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE accounts SET password_hash = $2 WHERE id = $1`, id, hash)
		if err != nil {
			return err
		}
		if err := oneRow(res, ErrNotFound); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE devices SET revoked_at = $2 WHERE account_id = $1 AND revoked_at IS NULL`, id, Micros(now))
		return err
	})
	if err != nil {
		return fmt.Errorf("change password: %w", err)
	}
	return nil
}
