package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// ErrExists says that the name is taken.
var ErrExists = errors.New("exists already")

// Account is one row of accounts.
type Account struct {
	ID           string
	Name         string // SMTP login, lower case
	Email        string
	Plan         string
	Zone         string
	Status       string // active, held, blocked, ended
	Overage      string // surcharge, stop, block
	PasswordHash string
	ActivatedAt  time.Time
	CreatedAt    time.Time
}

const accountColumns = `a.id, a.name, a.email, a.plan, a.zone, a.status, a.overage, a.password_hash, a.activated_at, a.created_at`

// scanner is what *sql.Row and *sql.Rows have in common.
type scanner interface{ Scan(...any) error }

func scanAccount(row scanner, more ...any) (Account, error) {
	var a Account
	var activated, created int64
	err := row.Scan(append([]any{&a.ID, &a.Name, &a.Email, &a.Plan, &a.Zone, &a.Status, &a.Overage, &a.PasswordHash, &activated, &created}, more...)...)
	if errors.Is(err, sql.ErrNoRows) {
		return Account{}, ErrNotFound
	}
	a.ActivatedAt, a.CreatedAt = Time(activated), Time(created)
	return a, err
}

// AddAccount stores a new account. It is ErrExists when the name is taken.
func (s *Store) AddAccount(ctx context.Context, a Account) error {
	res, err := s.write.ExecContext(ctx, `INSERT INTO accounts
		(id, name, email, plan, zone, status, overage, password_hash, activated_at, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (name) DO NOTHING`,
		a.ID, a.Name, a.Email, a.Plan, a.Zone, a.Status, a.Overage, a.PasswordHash, Micros(a.ActivatedAt), Micros(a.CreatedAt))
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
	a, err := scanAccount(s.read.QueryRowContext(ctx, `SELECT `+accountColumns+` FROM accounts a WHERE a.name = $1`, name))
	if err != nil {
		return Account{}, fmt.Errorf("read account: %w", err)
	}
	return a, nil
}

// AccountByID finds an account by its id.
func (s *Store) AccountByID(ctx context.Context, id string) (Account, error) {
	a, err := scanAccount(s.read.QueryRowContext(ctx, `SELECT `+accountColumns+` FROM accounts a WHERE a.id = $1`, id))
	if err != nil {
		return Account{}, fmt.Errorf("read account: %w", err)
	}
	return a, nil
}

// Accounts lists the customers' accounts by name, not the service's own.
func (s *Store) Accounts(ctx context.Context) ([]Account, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+accountColumns+` FROM accounts a WHERE a.id <> '`+ServiceID+`' ORDER BY a.name`)
	if err != nil {
		return nil, fmt.Errorf("list accounts: %w", err)
	}
	defer rows.Close()
	var all []Account
	for rows.Next() {
		a, err := scanAccount(rows)
		if err != nil {
			return nil, fmt.Errorf("list accounts: %w", err)
		}
		all = append(all, a)
	}
	return all, rows.Err()
}

// SetAccountStatus changes what an account may do, within a transaction. It is
// ErrNotFound when there is no such account in the status from.
func (s *Store) SetAccountStatus(ctx context.Context, tx *sql.Tx, id, from, to string) error {
	res, err := tx.ExecContext(ctx, `UPDATE accounts SET status = $3 WHERE id = $1 AND status = $2`, id, from, to)
	return changed(res, err)
}

// SetAccountPlan changes the plan, which begins at activated.
func (s *Store) SetAccountPlan(ctx context.Context, id, plan string, activated time.Time) error {
	res, err := s.write.ExecContext(ctx, `UPDATE accounts SET plan = $2, activated_at = $3 WHERE id = $1`, id, plan, Micros(activated))
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
