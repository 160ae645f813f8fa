package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Partner is somebody who sells the service to customers of its own.
type Partner struct {
	Name        string
	Email       string
	Plans       []string // that it may order; none: all
	MaxAccounts int64    // 0: no limit
	DisabledAt  time.Time
	CreatedAt   time.Time
}

// PartnerToken is a partner's token for the API. Zero times are not set.
type PartnerToken struct {
	ID        string
	Partner   string
	TokenHash string // SHA-256 in hexadecimal
	Scopes    string // what the token may do: words separated by a space
	CreatedAt time.Time
	SeenAt    time.Time // to the hour
	ExpiresAt time.Time // not included
	RevokedAt time.Time
}

const (
	partnerColumns      = `p.name, p.email, p.plans, p.max_accounts, coalesce(p.disabled_at, 0), p.created_at`
	partnerTokenColumns = `k.id, k.partner, k.token_hash, k.scopes, k.created_at, k.seen_at, coalesce(k.expires_at, 0), coalesce(k.revoked_at, 0)`
)

func scanPartner(row scanner) (Partner, error) {
	var r partnerRow
	err := row.Scan(r.into()...)
	return r.partner(), missing(err)
}

// partnerRow reads partnerColumns.
type partnerRow struct {
	p                 Partner
	plans             string
	disabled, created int64
}

func (r *partnerRow) into() []any {
	return []any{&r.p.Name, &r.p.Email, &r.plans, &r.p.MaxAccounts, &r.disabled, &r.created}
}

func (r *partnerRow) partner() Partner {
	r.p.Plans, r.p.DisabledAt, r.p.CreatedAt = strings.Fields(r.plans), instant(r.disabled), instant(r.created)
	return r.p
}

func scanPartnerToken(row scanner, more ...any) (PartnerToken, error) {
	var k PartnerToken
	var created, seen, expires, revoked int64
	err := row.Scan(append([]any{&k.ID, &k.Partner, &k.TokenHash, &k.Scopes, &created, &seen, &expires, &revoked}, more...)...)
	k.CreatedAt, k.SeenAt, k.ExpiresAt, k.RevokedAt = instant(created), instant(seen), instant(expires), instant(revoked)
	return k, missing(err)
}

// missing is ErrNotFound for a row that is not there.
func missing(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}

// AddPartner stores a new partner. It is ErrExists when the name is taken.
func (s *Store) AddPartner(ctx context.Context, p Partner) error {
	res, err := s.write.ExecContext(ctx, `INSERT INTO partners (name, email, plans, max_accounts, disabled_at, created_at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (name) DO NOTHING`, p.Name, p.Email, strings.Join(p.Plans, " "), p.MaxAccounts, orNull(p.DisabledAt), Micros(p.CreatedAt))
	if err == nil {
		err = oneRow(res, ErrExists)
	}
	if err != nil {
		return fmt.Errorf("add partner: %w", err)
	}
	return nil
}

// Partner finds a partner by name.
func (s *Store) Partner(ctx context.Context, name string) (Partner, error) {
	p, err := scanPartner(s.read.QueryRowContext(ctx, `SELECT `+partnerColumns+` FROM partners p WHERE p.name = $1`, name))
	if err != nil {
		return p, fmt.Errorf("read partner: %w", err)
	}
	return p, nil
}

// Partners lists all partners by name.
func (s *Store) Partners(ctx context.Context) ([]Partner, error) {
	return list(ctx, s.read, "partners", scanPartner, `SELECT `+partnerColumns+` FROM partners p ORDER BY p.name`)
}

// SetPartnerDisabled disables a partner at that time, or enables it (zero).
func (s *Store) SetPartnerDisabled(ctx context.Context, name string, at time.Time) error {
	res, err := s.write.ExecContext(ctx, `UPDATE partners SET disabled_at = $2 WHERE name = $1`, name, orNull(at))
	if err == nil {
		err = oneRow(res, ErrNotFound)
	}
	if err != nil {
		return fmt.Errorf("change partner: %w", err)
	}
	return nil
}

// LockPartner reads a partner and how many accounts it has, and keeps other
// transactions from opening one for it until this one ends.
func (s *Store) LockPartner(ctx context.Context, tx *sql.Tx, name string) (p Partner, accounts int64, err error) {
	res, err := tx.ExecContext(ctx, `UPDATE partners SET email = email WHERE name = $1`, name)
	if err == nil {
		err = oneRow(res, ErrNotFound)
	}
	if err == nil {
		p, err = scanPartner(tx.QueryRowContext(ctx, `SELECT `+partnerColumns+` FROM partners p WHERE p.name = $1`, name))
	}
	if err == nil {
		err = tx.QueryRowContext(ctx, `SELECT count(*) FROM accounts WHERE partner = $1 AND partner <> ''`, name).Scan(&accounts)
	}
	if err != nil {
		return p, 0, fmt.Errorf("lock partner: %w", err)
	}
	return p, accounts, nil
}

// CountPartnerAccounts tells how many accounts a partner has.
func (s *Store) CountPartnerAccounts(ctx context.Context, name string) (n int64, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT count(*) FROM accounts WHERE partner = $1 AND partner <> ''`, name).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count accounts: %w", err)
	}
	return n, nil
}

// AddPartnerToken stores a token.
func (s *Store) AddPartnerToken(ctx context.Context, k PartnerToken) error {
	_, err := s.write.ExecContext(ctx, `INSERT INTO partner_tokens (id, partner, token_hash, scopes, created_at, seen_at, expires_at, revoked_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		k.ID, k.Partner, k.TokenHash, k.Scopes, Micros(k.CreatedAt), Micros(k.SeenAt), orNull(k.ExpiresAt), orNull(k.RevokedAt))
	if err != nil {
		return fmt.Errorf("add partner's token: %w", err)
	}
	return nil
}

// PartnerTokens lists a partner's tokens, also those that are no good any
// more, oldest first.
func (s *Store) PartnerTokens(ctx context.Context, partner string) ([]PartnerToken, error) {
	return list(ctx, s.read, "partner's tokens", func(row scanner) (PartnerToken, error) { return scanPartnerToken(row) },
		`SELECT `+partnerTokenColumns+` FROM partner_tokens k WHERE k.partner = $1 ORDER BY k.created_at, k.id`, partner)
}

// PartnerByToken finds a token and its partner, whether it is good or not.
func (s *Store) PartnerByToken(ctx context.Context, hash string) (PartnerToken, Partner, error) {
	var r partnerRow
	k, err := scanPartnerToken(s.read.QueryRowContext(ctx, `SELECT `+partnerTokenColumns+`, `+partnerColumns+`
		FROM partner_tokens k JOIN partners p ON p.name = k.partner WHERE k.token_hash = $1`, hash), r.into()...)
	if err != nil {
		return PartnerToken{}, Partner{}, fmt.Errorf("read partner's token: %w", err)
	}
	return k, r.partner(), nil
}

// TouchPartnerToken remembers when a token was used last.
func (s *Store) TouchPartnerToken(ctx context.Context, id string, at time.Time) error {
	if _, err := s.write.ExecContext(ctx, `UPDATE partner_tokens SET seen_at = $2 WHERE id = $1`, id, Micros(at)); err != nil {
		return fmt.Errorf("touch partner's token: %w", err)
	}
	return nil
}

// RevokePartnerToken makes a token invalid and tells whose it is. One that was
// revoked stays as it is. It is ErrNotFound where there is none.
func (s *Store) RevokePartnerToken(ctx context.Context, id string, at time.Time) (k PartnerToken, err error) {
	err = s.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE partner_tokens SET revoked_at = coalesce(revoked_at, $2) WHERE id = $1`, id, Micros(at)); err != nil {
			return err
		}
		k, err = scanPartnerToken(tx.QueryRowContext(ctx, `SELECT `+partnerTokenColumns+` FROM partner_tokens k WHERE k.id = $1`, id))
		return err
	})
	if err != nil {
		return k, fmt.Errorf("revoke partner's token: %w", err)
	}
	return k, nil
}

// PartnerAccounts lists accounts of a partner whose ids are above after, in
// the order in which they were made.
func (s *Store) PartnerAccounts(ctx context.Context, partner, after string, limit int) ([]Account, error) {
	return list(ctx, s.read, "accounts", func(row scanner) (Account, error) { return scanAccount(row) },
		`SELECT `+accountColumns+` FROM accounts a`+joinBegun+` WHERE a.partner = $2 AND a.partner <> '' AND a.id > $3 ORDER BY a.id LIMIT $4`,
		Micros(time.Now()), partner, after, limit)
}

// PartnerAccount finds an account of a partner by its id. Another's is
// ErrNotFound.
func (s *Store) PartnerAccount(ctx context.Context, partner, id string) (Account, error) {
	return s.partnerAccount(ctx, `a.id`, partner, id)
}

// PartnerAccountByReference finds what a partner ordered under a reference.
func (s *Store) PartnerAccountByReference(ctx context.Context, partner, reference string) (Account, error) {
	return s.partnerAccount(ctx, `a.partner_reference`, partner, reference)
}

func (s *Store) partnerAccount(ctx context.Context, column, partner, value string) (Account, error) {
	a, err := scanAccount(s.read.QueryRowContext(ctx, `SELECT `+accountColumns+` FROM accounts a`+joinBegun+
		` WHERE a.partner = $2 AND a.partner <> '' AND `+column+` = $3`, Micros(time.Now()), partner, value))
	if err != nil {
		return Account{}, fmt.Errorf("read account: %w", err)
	}
	return a, nil
}

// SetAccountEmail changes the reference address of an account.
func (s *Store) SetAccountEmail(ctx context.Context, id, email string) error {
	res, err := s.write.ExecContext(ctx, `UPDATE accounts SET email = $2 WHERE id = $1`, id, email)
	return changed(res, err)
}
