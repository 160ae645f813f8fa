package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"time"
)

// InlineMax is the size up to which a body stands in the database. Larger ones
// are files: SQLite would write them twice, and hold them in memory.
const InlineMax = 256 << 10

const (
	insertBody = `INSERT INTO bodies (account_id, sha256, size, inline, created_at, file) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (account_id, sha256) DO NOTHING`
	selectBody = `SELECT size, inline, inline IS NULL, file FROM bodies WHERE account_id = $1 AND sha256 = $2`
)

// OpenBody opens the content of a message and tells its length. The caller
// closes it. A body that no message of this account brought is ErrNotFound:
// knowing a hash opens nothing.
func (s *Store) OpenBody(ctx context.Context, accountID, sha256 string) (io.ReadCloser, int64, error) {
	var size int64
	var inline []byte
	var inFile bool
	var file string
	err := s.read.QueryRowContext(ctx, selectBody, accountID, sha256).Scan(&size, &inline, &inFile, &file)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return nil, 0, fmt.Errorf("read body: %w", err)
	}
	if !inFile {
		return io.NopCloser(bytes.NewReader(inline)), size, nil
	}
	f, err := s.OpenBodyFile(BodyFile{AccountID: accountID, SHA256: sha256, Name: file})
	if err != nil {
		return nil, 0, fmt.Errorf("open body: %w", err)
	}
	return f, size, nil
}

// AddBody stores a sealed draft's row, unless the account has that body.
func (t *IntakeTx) AddBody(ctx context.Context, d *Draft, at time.Time) error {
	return d.add(at, func(args ...any) (sql.Result, error) { return t.exec(ctx, "add body", stAddBody, args...) })
}

// add runs insertBody, and remembers whether a row has come to name the file.
func (d *Draft) add(at time.Time, exec func(args ...any) (sql.Result, error)) error {
	var inline any
	if !d.inFile {
		inline = d.content() // never NULL, even when empty
	} else if time.Since(d.sealed) > draftLife {
		return errors.New("add body: it has waited for so long that it may have been removed")
	}
	res, err := exec(d.name.account, d.name.sha256, d.size, inline, Micros(at), d.fileName())
	if err != nil || !d.inFile {
		return err
	}
	n, err := res.RowsAffected()
	d.claimed = d.claimed || n > 0
	return err
}

// bodyNames says whether the row of a body names a file.
func (s *Store) bodyNames(ctx context.Context, n bodyName, file string) (named bool, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM bodies WHERE account_id = $1 AND sha256 = $2 AND inline IS NULL
		AND CASE WHEN file = '' THEN sha256 ELSE file END = $3)`, n.account, n.sha256, file).Scan(&named)
	return named, err
}
