package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// InlineMax is the size up to which a body stands in the database. Larger ones
// are files: SQLite would write them twice, and hold them in memory.
const InlineMax = 256 << 10

// bodiesFolder is the folder of large bodies: bodies/<account>/<sha256>.
const bodiesFolder = "bodies"

const (
	insertBody = `INSERT INTO bodies (account_id, sha256, size, inline, created_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (account_id, sha256) DO NOTHING`
	selectBody = `SELECT size, inline, inline IS NULL FROM bodies WHERE account_id = $1 AND sha256 = $2`
)

// OpenBody opens the content of a message and tells its length. The caller
// closes it. A body that no message of this account brought is ErrNotFound:
// knowing a hash opens nothing.
func (s *Store) OpenBody(ctx context.Context, accountID, sha256 string) (io.ReadCloser, int64, error) {
	var size int64
	var inline []byte
	var inFile bool
	err := s.read.QueryRowContext(ctx, selectBody, accountID, sha256).Scan(&size, &inline, &inFile)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return nil, 0, fmt.Errorf("read body: %w", err)
	}
	if !inFile {
		return io.NopCloser(bytes.NewReader(inline)), size, nil
	}
	path, err := s.bodyPath(accountID, sha256)
	if err != nil {
		return nil, 0, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, fmt.Errorf("open body: %w", err)
	}
	return f, size, nil
}

// AddBody stores a sealed draft's row, unless the account has that body.
func (t *IntakeTx) AddBody(ctx context.Context, d *Draft, at time.Time) error {
	var inline any
	if !d.inFile {
		inline = d.content() // never NULL, even when empty
	}
	_, err := t.exec(ctx, "add body", stAddBody, d.name.account, d.name.sha256, d.size, inline, Micros(at))
	return err
}

// hasBody says whether the account has that body.
func (s *Store) hasBody(ctx context.Context, n bodyName) (bool, error) {
	var has bool
	err := s.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM bodies WHERE account_id = $1 AND sha256 = $2)`,
		n.account, n.sha256).Scan(&has)
	return has, err
}

// accountFolder is where the large bodies of an account are.
func (s *Store) accountFolder(accountID string) (string, error) {
	if !filepath.IsLocal(accountID) || strings.ContainsAny(accountID, `/\.:`) {
		return "", errors.New("account id cannot name a folder")
	}
	return filepath.Join(s.dir, bodiesFolder, accountID), nil
}

func (s *Store) bodyPath(accountID, sha256 string) (string, error) {
	folder, err := s.accountFolder(accountID)
	if err != nil {
		return "", err
	}
	if !isSHA256(sha256) {
		return "", errors.New("body name is not a SHA-256")
	}
	return filepath.Join(folder, sha256), nil
}

func isSHA256(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}
