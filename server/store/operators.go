package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Operator is somebody who may log in to the pages of the service.
type Operator struct {
	Name         string
	Role         string // admin, support, read
	PasswordHash string
	DisabledAt   time.Time // zero: is not
	CreatedAt    time.Time
}

// OperatorSession is one login of an operator.
type OperatorSession struct {
	ID        string
	Operator  string
	TokenHash string // SHA-256 in hexadecimal
	CreatedAt time.Time
	ExpiresAt time.Time // not included
}

const operatorColumns = `o.name, o.role, o.password_hash, coalesce(o.disabled_at, 0), o.created_at`

func scanOperator(row scanner) (Operator, error) {
	var o Operator
	var disabled, created int64
	err := row.Scan(&o.Name, &o.Role, &o.PasswordHash, &disabled, &created)
	o.DisabledAt, o.CreatedAt = instant(disabled), instant(created)
	return o, missing(err)
}

// AddOperator stores a new operator. It is ErrExists when the name is taken.
func (s *Store) AddOperator(ctx context.Context, o Operator) error {
	res, err := s.write.ExecContext(ctx, `INSERT INTO operators (name, role, password_hash, disabled_at, created_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (name) DO NOTHING`, o.Name, o.Role, o.PasswordHash, orNull(o.DisabledAt), Micros(o.CreatedAt))
	if err == nil {
		err = oneRow(res, ErrExists)
	}
	if err != nil {
		return fmt.Errorf("add operator: %w", err)
	}
	return nil
}

// Operator finds an operator by name.
func (s *Store) Operator(ctx context.Context, name string) (Operator, error) {
	o, err := scanOperator(s.read.QueryRowContext(ctx, `SELECT `+operatorColumns+` FROM operators o WHERE o.name = $1`, name))
	if err != nil {
		return Operator{}, fmt.Errorf("read operator: %w", err)
	}
	return o, nil
}

// Operators lists all operators by name.
func (s *Store) Operators(ctx context.Context) ([]Operator, error) {
	return list(ctx, s.read, "operators", scanOperator, `SELECT `+operatorColumns+` FROM operators o ORDER BY o.name`)
}

// SetOperatorPassword changes a password and ends all sessions.
func (s *Store) SetOperatorPassword(ctx context.Context, name, hash string, now time.Time) error {
	return s.changeOperator(ctx, name, now, `UPDATE operators SET password_hash = $2 WHERE name = $1`, hash)
}

// DisableOperator takes the login from an operator and ends all sessions.
func (s *Store) DisableOperator(ctx context.Context, name string, now time.Time) error {
	return s.changeOperator(ctx, name, now, `UPDATE operators SET disabled_at = coalesce(disabled_at, $2) WHERE name = $1`, Micros(now))
}

// EnableOperator gives the login back.
func (s *Store) EnableOperator(ctx context.Context, name string) error {
	res, err := s.write.ExecContext(ctx, `UPDATE operators SET disabled_at = NULL WHERE name = $1`, name)
	if err == nil {
		err = oneRow(res, ErrNotFound)
	}
	if err != nil {
		return fmt.Errorf("change operator: %w", err)
	}
	return nil
}

// changeOperator runs a statement and ends all sessions of the operator.
func (s *Store) changeOperator(ctx context.Context, name string, now time.Time, statement string, value any) error {
	err := s.Tx(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, statement, name, value)
		if err == nil {
			err = oneRow(res, ErrNotFound)
		}
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE operator_sessions SET revoked_at = $2 WHERE operator = $1 AND revoked_at IS NULL`, name, Micros(now))
		return err
	})
	if err != nil {
		return fmt.Errorf("change operator: %w", err)
	}
	return nil
}

// AddOperatorSession stores a login with the password that passwordHash is of.
// It is ErrNotFound where the operator has another one since, or is disabled.
func (s *Store) AddOperatorSession(ctx context.Context, l OperatorSession, passwordHash string) error {
	err := s.Tx(ctx, func(tx *sql.Tx) error {
		// The same row as a new password writes: one waits for the other.
		res, err := tx.ExecContext(ctx, `UPDATE operators SET name = name WHERE name = $1 AND password_hash = $2 AND disabled_at IS NULL`, l.Operator, passwordHash)
		if err := changed(res, err); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO operator_sessions (id, operator, token_hash, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)`,
			l.ID, l.Operator, l.TokenHash, Micros(l.CreatedAt), Micros(l.ExpiresAt))
		return err
	})
	if err != nil {
		return fmt.Errorf("add session: %w", err)
	}
	return nil
}

// OperatorBySession finds the session and operator of a token that is good at
// now: not expired, not revoked, and of an operator who is not disabled.
func (s *Store) OperatorBySession(ctx context.Context, hash string, now time.Time) (sessionID string, o Operator, err error) {
	var disabled, created int64
	err = s.read.QueryRowContext(ctx, `SELECT l.id, `+operatorColumns+` FROM operator_sessions l JOIN operators o ON o.name = l.operator
		WHERE l.token_hash = $1 AND l.revoked_at IS NULL AND l.expires_at > $2 AND o.disabled_at IS NULL`, hash, Micros(now)).
		Scan(&sessionID, &o.Name, &o.Role, &o.PasswordHash, &disabled, &created)
	if err = missing(err); err != nil {
		return "", Operator{}, fmt.Errorf("read session: %w", err)
	}
	o.CreatedAt = instant(created)
	return sessionID, o, nil
}

// EndOperatorSession ends one login.
func (s *Store) EndOperatorSession(ctx context.Context, id string, now time.Time) error {
	if _, err := s.write.ExecContext(ctx, `UPDATE operator_sessions SET revoked_at = coalesce(revoked_at, $2) WHERE id = $1`, id, Micros(now)); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}

// SearchAccounts lists customers' accounts by name whose name, reference
// address, customer or partner contains the words, whatever their case; ""
// lists all. It starts above the name after.
func (s *Store) SearchAccounts(ctx context.Context, words, after string, limit int) ([]Account, error) {
	return list(ctx, s.read, "accounts", func(row scanner) (Account, error) { return scanAccount(row) },
		`SELECT `+accountColumns+` FROM accounts a`+joinBegun+` WHERE a.id <> '`+ServiceID+`' AND a.name > $2
		AND lower(a.name || ' ' || a.email || ' ' || a.customer || ' ' || a.partner) LIKE $3 ESCAPE '\' ORDER BY a.name LIMIT $4`,
		Micros(time.Now()), after, `%`+escapeLike(words)+`%`, limit)
}
