package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
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
		_, err := u.idle(n, func() error {
			gone, err := u.expire(ctx, n, before)
			if gone {
				removed++
			}
			return err
		})
		if err != nil {
			return removed, err
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

// expire forgets an upload unless it was touched meanwhile.
func (u *Uploads) expire(ctx context.Context, n bodyName, before time.Time) (gone bool, err error) {
	up, err := u.row(ctx, n)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	gone, err = affected(u.store.write.ExecContext(ctx, `DELETE FROM uploads WHERE account_id = $1 AND sha256 = $2 AND file = $3 AND touched_at < $4`,
		n.account, n.sha256, up.file, Micros(before)))
	if err != nil {
		return false, fmt.Errorf("forget upload: %w", err)
	}
	if !gone {
		return false, nil
	}
	return true, u.removeFile(n, up.file)
}

// sweep removes files that no row names.
func (u *Uploads) sweep(ctx context.Context) (removed int, err error) {
	err = u.store.eachFile(ctx, uploadsFolder, u.age, func(accountID, file, path string) error {
		sum, ok := hashOf(file)
		if !ok {
			return nil
		}
		n := bodyName{accountID, sum}
		_, err := u.idle(n, func() error {
			up, err := u.row(ctx, n)
			if err == nil && cmp.Or(up.file, sum) == file {
				return nil
			}
			if err != nil && !errors.Is(err, ErrNotFound) {
				return err
			}
			removed++
			return removeIfThere(path)
		})
		return err
	})
	if err != nil {
		return removed, fmt.Errorf("sweep uploads: %w", err)
	}
	return removed, nil
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
