package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"servicesmtp.net/companion/internal/wire"
)

// Expire forgets the uploads that nobody touched since before, and removes
// files that a crash left without a row. It tells how many were removed.
func (u *Uploads) Expire(ctx context.Context, before time.Time) (removed int, err error) {
	old, err := u.untouched(ctx, before)
	if err != nil {
		return 0, err
	}
	for _, n := range old {
		gone, err := u.idle(n, func() error { return u.forget(ctx, n) })
		if err != nil {
			return removed, err
		}
		if gone {
			removed++
		}
	}
	n, err := u.sweep(ctx)
	return removed + n, err
}

func (u *Uploads) untouched(ctx context.Context, before time.Time) ([]bodyName, error) {
	rows, err := u.store.read.QueryContext(ctx, `SELECT account_id, sha256 FROM uploads WHERE touched_at < $1`, Micros(before))
	if err != nil {
		return nil, fmt.Errorf("list uploads: %w", err)
	}
	defer rows.Close()
	var all []bodyName
	for rows.Next() {
		var n bodyName
		if err := rows.Scan(&n.account, &n.sha256); err != nil {
			return nil, fmt.Errorf("list uploads: %w", err)
		}
		all = append(all, n)
	}
	return all, rows.Err()
}

// idle does something with an upload that nobody writes just now.
func (u *Uploads) idle(n bodyName, do func() error) (done bool, err error) {
	u.mu.Lock()
	if u.holders[n] != nil {
		u.mu.Unlock()
		return false, nil
	}
	h := &holder{done: make(chan struct{})}
	u.holders[n] = h
	u.mu.Unlock()
	err = do()
	u.mu.Lock()
	delete(u.holders, n)
	u.mu.Unlock()
	close(h.done)
	return err == nil, err
}

// sweep removes files without a row.
func (u *Uploads) sweep(ctx context.Context) (removed int, err error) {
	root := filepath.Join(u.store.dir, uploadsFolder)
	files, err := filepath.Glob(filepath.Join(root, "*", "*"))
	if err != nil {
		return 0, fmt.Errorf("list uploads: %w", err)
	}
	for _, path := range files {
		n := bodyName{filepath.Base(filepath.Dir(path)), filepath.Base(path)}
		gone := false
		_, err := u.idle(n, func() error {
			_, err := u.row(ctx, n)
			if errors.Is(err, ErrNotFound) {
				gone = true
				return removeIfThere(path)
			}
			return err
		})
		if err != nil {
			return removed, fmt.Errorf("sweep uploads: %w", err)
		}
		if gone {
			removed++
		}
	}
	return removed, nil
}

func (u *Uploads) row(ctx context.Context, n bodyName) (Upload, error) {
	up := Upload{SHA256: n.sha256}
	var complete, touched int64
	err := u.store.read.QueryRowContext(ctx, `SELECT size, complete, touched_at FROM uploads WHERE account_id = $1 AND sha256 = $2`, n.account, n.sha256).
		Scan(&up.Size, &complete, &touched)
	if errors.Is(err, sql.ErrNoRows) {
		return Upload{}, ErrNotFound
	}
	if err != nil {
		return Upload{}, fmt.Errorf("read upload: %w", err)
	}
	up.TouchedAt = Time(touched)
	if up.Complete = complete != 0; up.Complete {
		up.There = up.Size
	}
	return up, nil
}

func (u *Uploads) touch(ctx context.Context, n bodyName) error {
	return u.update(ctx, `UPDATE uploads SET touched_at = $3 WHERE account_id = $1 AND sha256 = $2`, n)
}

func (u *Uploads) finish(ctx context.Context, n bodyName) error {
	return u.update(ctx, `UPDATE uploads SET touched_at = $3, complete = 1 WHERE account_id = $1 AND sha256 = $2`, n)
}

func (u *Uploads) update(ctx context.Context, statement string, n bodyName) error {
	if _, err := u.store.write.ExecContext(ctx, statement, n.account, n.sha256, Micros(time.Now())); err != nil {
		return fmt.Errorf("touch upload: %w", err)
	}
	return nil
}

// forget removes the row, then the file: a file without a row is swept.
func (u *Uploads) forget(ctx context.Context, n bodyName) error {
	if _, err := u.store.write.ExecContext(ctx, `DELETE FROM uploads WHERE account_id = $1 AND sha256 = $2`, n.account, n.sha256); err != nil {
		return fmt.Errorf("forget upload: %w", err)
	}
	path, err := u.path(n)
	if err != nil {
		return err
	}
	if err := removeIfThere(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove upload: %w", err)
	}
	return nil
}

func (u *Uploads) path(n bodyName) (string, error) {
	path, err := u.store.bodyPath(n.account, n.sha256)
	if err != nil {
		return "", err
	}
	return filepath.Join(u.store.dir, uploadsFolder, n.account, filepath.Base(path)), nil
}

func sumOf(path string) (wire.BodySum, error) {
	f, err := os.Open(path)
	if err != nil {
		return wire.BodySum{}, fmt.Errorf("read upload: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return wire.BodySum{}, fmt.Errorf("read upload: %w", err)
	}
	return wire.BodySum(h.Sum(nil)), nil
}
