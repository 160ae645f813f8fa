package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// MaxDevices is how many tokens of one account are valid at once. A program
// that forgets its token at every start would otherwise pile them up.
const MaxDevices = 50

// Device is one computer's token.
type Device struct {
	ID        string
	AccountID string
	Name      string
	TokenHash string // SHA-256 in hexadecimal
	CreatedAt time.Time
	SeenAt    time.Time // to the hour
	Scopes    string    // what the token may do: words separated by a space
}

// AddDevice stores a token that was made with the password that passwordHash is
// of, and revokes the least recently seen ones above MaxDevices. It is
// ErrNotFound where the account has another password since.
func (s *Store) AddDevice(ctx context.Context, d Device, passwordHash string) error {
	err := s.Tx(ctx, func(tx *sql.Tx) error {
		// The same row as a new password writes: one waits for the other.
		res, err := tx.ExecContext(ctx, `UPDATE accounts SET misuse = misuse WHERE id = $1 AND password_hash = $2`, d.AccountID, passwordHash)
		if err == nil {
			err = oneRow(res, ErrNotFound)
		}
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE devices SET revoked_at = $2 WHERE revoked_at IS NULL AND id IN (
			SELECT id FROM devices WHERE account_id = $1 AND revoked_at IS NULL ORDER BY seen_at DESC, id DESC LIMIT 1000000 OFFSET $3)`,
			d.AccountID, Micros(d.CreatedAt), MaxDevices-1); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO devices (id, account_id, name, token_hash, created_at, seen_at, scopes) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			d.ID, d.AccountID, d.Name, d.TokenHash, Micros(d.CreatedAt), Micros(d.SeenAt), d.Scopes)
		return err
	})
	if err != nil {
		return fmt.Errorf("add device: %w", err)
	}
	return nil
}

// DeviceByToken finds the device and account of a token that was not revoked.
func (s *Store) DeviceByToken(ctx context.Context, hash string) (Device, Account, error) {
	d := Device{TokenHash: hash}
	var created, seen int64
	a, err := scanAccount(s.read.QueryRowContext(ctx, `SELECT `+accountColumns+`, d.id, d.name, d.created_at, d.seen_at, d.scopes
		FROM devices d JOIN accounts a ON a.id = d.account_id`+joinBegun+` WHERE d.token_hash = $2 AND d.revoked_at IS NULL`, Micros(time.Now()), hash),
		&d.ID, &d.Name, &created, &seen, &d.Scopes)
	if err != nil {
		return Device{}, Account{}, fmt.Errorf("read device: %w", err)
	}
	d.AccountID, d.CreatedAt, d.SeenAt = a.ID, Time(created), Time(seen)
	return d, a, nil
}

// TouchDevice remembers when a token was used last.
func (s *Store) TouchDevice(ctx context.Context, id string, at time.Time) error {
	if _, err := s.write.ExecContext(ctx, `UPDATE devices SET seen_at = $2 WHERE id = $1`, id, Micros(at)); err != nil {
		return fmt.Errorf("touch device: %w", err)
	}
	return nil
}
