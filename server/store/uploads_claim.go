package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// uploadRow is an upload's row.
type uploadRow struct {
	Upload
	file   string // its name; "": the hash
	holder string // run of a relay that writes it, or was killed doing so; "": nobody
}

func (u *Uploads) row(ctx context.Context, n bodyName) (uploadRow, error) {
	up := uploadRow{Upload: Upload{SHA256: n.sha256}}
	var complete, touched int64
	err := u.store.read.QueryRowContext(ctx, `SELECT size, complete, touched_at, file, holder FROM uploads WHERE account_id = $1 AND sha256 = $2`, n.account, n.sha256).
		Scan(&up.Size, &complete, &touched, &up.file, &up.holder)
	if errors.Is(err, sql.ErrNoRows) {
		return uploadRow{}, ErrNotFound
	}
	if err != nil {
		return uploadRow{}, fmt.Errorf("read upload: %w", err)
	}
	up.TouchedAt = Time(touched)
	if up.Complete = complete != 0; up.Complete {
		up.There = up.Size
	}
	return up, nil
}

func (u *Uploads) touch(ctx context.Context, n bodyName) error {
	_, err := u.store.write.ExecContext(ctx, `UPDATE uploads SET touched_at = $3 WHERE account_id = $1 AND sha256 = $2`, n.account, n.sha256, Micros(time.Now()))
	if err != nil {
		return fmt.Errorf("touch upload: %w", err)
	}
	return nil
}

// release ends the writing of a file. Where another relay took the upload over,
// or forgot it, nothing needs this file any more, and it is ErrUploadTaken.
func (u *Uploads) release(ctx context.Context, n bodyName, file string, complete bool) error {
	mine, err := affected(u.store.write.ExecContext(ctx, `UPDATE uploads SET touched_at = $3, complete = $4, holder = ''
		WHERE account_id = $1 AND sha256 = $2 AND holder = $5 AND file = $6`, n.account, n.sha256, Micros(time.Now()), number(complete), u.run, file))
	if err != nil {
		return fmt.Errorf("touch upload: %w", err)
	}
	if !mine {
		return errors.Join(ErrUploadTaken, u.removeFile(n, file))
	}
	return nil
}

// discard ends the writing of a file that is of no use, with its row: both at
// once, so that no other relay takes over what is about to go.
func (u *Uploads) discard(ctx context.Context, n bodyName, file string) error {
	mine, err := affected(u.store.write.ExecContext(ctx, `DELETE FROM uploads WHERE account_id = $1 AND sha256 = $2 AND holder = $3 AND file = $4`,
		n.account, n.sha256, u.run, file))
	if err != nil {
		return fmt.Errorf("forget upload: %w", err)
	}
	err = u.removeFile(n, file)
	if !mine {
		err = errors.Join(ErrUploadTaken, err)
	}
	return err
}

// forget removes the row that names a file, where there still is one, then the
// file: a file without a row is swept.
func (u *Uploads) forget(ctx context.Context, n bodyName, file string) error {
	if _, err := u.store.write.ExecContext(ctx, `DELETE FROM uploads WHERE account_id = $1 AND sha256 = $2 AND file = $3`, n.account, n.sha256, file); err != nil {
		return fmt.Errorf("forget upload: %w", err)
	}
	return u.removeFile(n, file)
}

func (u *Uploads) removeFile(n bodyName, file string) error {
	path, err := u.path(n, file)
	if err != nil {
		return err
	}
	if err := removeIfThere(path); err != nil {
		return fmt.Errorf("remove upload: %w", err)
	}
	return nil
}

func (u *Uploads) path(n bodyName, file string) (string, error) {
	return u.store.pathOf(uploadsFolder, n, file)
}

// affected says whether a statement found its row.
func affected(res sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

// begin finds or makes the row, and makes this process its holder.
func (u *Uploads) begin(ctx context.Context, n bodyName, p Part) (uploadRow, error) {
	for {
		up, err := u.look(ctx, n)
		switch {
		case errors.Is(err, ErrNotFound) && p.Offset > 0:
			return uploadRow{Upload: Upload{SHA256: n.sha256, Size: p.Size}}, ErrUploadOffset
		case errors.Is(err, ErrNotFound):
			up, err = u.insert(ctx, n, p.Size)
		case err != nil, up.Complete:
			return up, err
		case p.Offset > up.There, p.Size != up.Size && p.Offset > 0:
			return up, ErrUploadOffset
		case p.Size != up.Size:
			if err = u.forget(ctx, n, up.file); err == nil {
				up, err = u.insert(ctx, n, p.Size)
			}
		default:
			up, err = u.claim(ctx, n, up, p.Offset)
		}
		if !errors.Is(err, ErrRace) {
			return up, err
		}
	}
}

// newFile is a name that no upload had before.
func (u *Uploads) newFile(sha256 string) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.files++
	return fmt.Sprintf("%s.%s-%d", sha256, u.run, u.files)
}

// insert makes a row, or fails with ErrRace where there is one.
func (u *Uploads) insert(ctx context.Context, n bodyName, size int64) (uploadRow, error) {
	up := uploadRow{Upload: Upload{SHA256: n.sha256, Size: size, TouchedAt: time.Now()}, file: u.newFile(n.sha256), holder: u.run}
	made := false
	err := u.store.Tx(ctx, func(tx *sql.Tx) error {
		var count, bytes int64
		if err := tx.QueryRowContext(ctx, `SELECT count(*), coalesce(sum(size), 0) FROM uploads WHERE account_id = $1`, n.account).
			Scan(&count, &bytes); err != nil {
			return err
		}
		if count >= MaxUploads || size > MaxUploadBytes-bytes {
			return ErrUploadFull
		}
		var err error
		made, err = affected(tx.ExecContext(ctx, `INSERT INTO uploads (account_id, sha256, size, complete, created_at, touched_at, file, holder)
			VALUES ($1, $2, $3, 0, $4, $4, $5, $6) ON CONFLICT DO NOTHING`, n.account, n.sha256, size, Micros(up.TouchedAt), up.file, u.run))
		return err
	})
	if err != nil {
		return uploadRow{}, fmt.Errorf("begin upload: %w", err)
	}
	if !made {
		return uploadRow{}, ErrRace
	}
	return up, nil
}

// claim goes on with an upload, or fails with ErrRace where another relay did
// so meanwhile. What another relay may still be writing is copied up to offset.
// On SQLite there is no other: who was the holder is dead.
func (u *Uploads) claim(ctx context.Context, n bodyName, up uploadRow, offset int64) (uploadRow, error) {
	was := up
	if up.holder != "" && up.holder != u.run && u.store.dialect.postgres {
		up.file = u.newFile(n.sha256)
		there, err := u.copy(n, was.file, up.file, offset)
		if err == nil && there < offset {
			up.There, err = there, ErrUploadOffset
		}
		if err != nil {
			return up, errors.Join(err, u.removeFile(n, up.file))
		}
	}
	up.holder = u.run
	mine, err := affected(u.store.write.ExecContext(ctx, `UPDATE uploads SET holder = $3, file = $4 WHERE account_id = $1 AND sha256 = $2
		AND holder = $5 AND file = $6 AND complete = 0`, n.account, n.sha256, u.run, up.file, was.holder, was.file))
	if err != nil {
		return up, fmt.Errorf("take upload: %w", err) // the file may have come into the row all the same
	}
	if !mine {
		if up.file != was.file {
			err = u.removeFile(n, up.file)
		}
		return up, errors.Join(ErrRace, err)
	}
	return up, nil
}

// copy copies the beginning of a file, up to size bytes.
func (u *Uploads) copy(n bodyName, from, to string, size int64) (int64, error) {
	src, err := u.path(n, from)
	if err != nil {
		return 0, err
	}
	dst, err := u.path(n, to)
	if err != nil {
		return 0, err
	}
	r, err := os.Open(src)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("open upload: %w", err)
	}
	defer r.Close()
	w, err := os.OpenFile(dst, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, fmt.Errorf("copy upload: %w", err)
	}
	there, err := io.Copy(w, io.LimitReader(r, size))
	if err = errors.Join(err, w.Close()); err != nil {
		return there, fmt.Errorf("copy upload: %w", err)
	}
	return there, nil
}
