package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// The states of a key. A key without a row is unknown.
const (
	KeyAccepted = "accepted"
	KeyClosed   = "closed"
)

// Decision is what was answered to one offered recipient.
type Decision struct {
	Address  string `json:"address"`
	Code     int    `json:"code"`
	Enhanced string `json:"enhanced"`
	Reply    string `json:"reply"` // after the codes
}

// Key is what the relay remembers of one batch.
type Key struct {
	AccountID   string
	Name        string // sb1.<job>.<number>
	State       string
	Fingerprint string
	MessageID   string
	Decisions   []Decision // every offered recipient, in the order offered
	At          time.Time  // of acceptance or closing
}

const keyColumns = `envid_key, state, fingerprint, message_id, decisions, created_at`

const (
	selectKey = `SELECT ` + keyColumns + ` FROM envelope_keys WHERE account_id = $1 AND envid_key = $2`
	insertKey = `INSERT INTO envelope_keys (account_id, ` + keyColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7)`
)

func scanKey(row scanner, accountID string) (Key, error) {
	k := Key{AccountID: accountID}
	var decisions string
	var at int64
	err := row.Scan(&k.Name, &k.State, &k.Fingerprint, &k.MessageID, &decisions, &at)
	if errors.Is(err, sql.ErrNoRows) {
		return Key{}, ErrNotFound
	}
	if err != nil {
		return Key{}, err
	}
	k.At = Time(at)
	if decisions != "" {
		if err := json.Unmarshal([]byte(decisions), &k.Decisions); err != nil {
			return Key{}, fmt.Errorf("decode decisions: %w", err)
		}
	}
	return k, nil
}

// Key finds a key, or fails with ErrNotFound.
func (s *Store) Key(ctx context.Context, accountID, name string) (Key, error) {
	st, err := s.key.on(ctx, s.read, selectKey)
	if err != nil {
		return Key{}, err
	}
	k, err := scanKey(st.QueryRowContext(ctx, accountID, name), accountID)
	if err != nil {
		return Key{}, fmt.Errorf("read key: %w", err)
	}
	return k, nil
}

// Keys finds those of the named keys that have a row.
func (s *Store) Keys(ctx context.Context, accountID string, names []string) (map[string]Key, error) {
	found := make(map[string]Key, len(names))
	const atOnce = 100
	for len(names) > 0 {
		some := names[:min(atOnce, len(names))]
		names = names[len(some):]
		if err := s.someKeys(ctx, accountID, some, found); err != nil {
			return nil, fmt.Errorf("read keys: %w", err)
		}
	}
	return found, nil
}

func (s *Store) someKeys(ctx context.Context, accountID string, names []string, found map[string]Key) error {
	args := []any{accountID}
	for _, n := range names {
		args = append(args, n)
	}
	rows, err := s.read.QueryContext(ctx, `SELECT `+keyColumns+` FROM envelope_keys WHERE account_id = $1 AND envid_key IN (`+
		placeholders(2, len(names))+`)`, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		k, err := scanKey(rows, accountID)
		if err != nil {
			return err
		}
		found[k.Name] = k
	}
	return rows.Err()
}

// CloseKeys closes those of the named keys that have no row yet.
func (s *Store) CloseKeys(ctx context.Context, accountID string, names []string, now time.Time) error {
	err := s.Tx(ctx, func(tx *sql.Tx) error {
		st, err := tx.PrepareContext(ctx, insertKey+` ON CONFLICT (account_id, envid_key) DO NOTHING`)
		if err != nil {
			return err
		}
		defer st.Close()
		for _, n := range names {
			if _, err := st.ExecContext(ctx, accountID, n, KeyClosed, "", "", "", Micros(now)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("close keys: %w", err)
	}
	return nil
}

// Key finds a key, or fails with ErrNotFound.
func (t *IntakeTx) Key(ctx context.Context, accountID, name string) (Key, error) {
	k, err := scanKey(t.stmt(ctx, stKey).QueryRowContext(ctx, accountID, name), accountID)
	if err != nil {
		return Key{}, fmt.Errorf("read key: %w", err)
	}
	return k, nil
}

// AddKey stores an accepted key; decisions is the JSON that EncodeDecisions
// made. A key that has a row is an error.
func (t *IntakeTx) AddKey(ctx context.Context, k Key, decisions string) error {
	_, err := t.exec(ctx, "add key", stAddKey, k.AccountID, k.Name, k.State, k.Fingerprint, k.MessageID, decisions, Micros(k.At))
	return err
}

// EncodeDecisions writes decisions as they are stored.
func EncodeDecisions(d []Decision) (string, error) {
	text, err := json.Marshal(d)
	if err != nil {
		return "", fmt.Errorf("encode decisions: %w", err)
	}
	return string(text), nil
}

// placeholders is "$first,$first+1,…", n of them.
func placeholders(first, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "$%d", first+i)
	}
	return b.String()
}
