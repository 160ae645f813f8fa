package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"servicesmtp.net/companion/internal/durable"
)

// uploadsFolder is the folder of uploads: uploads/<account>/<sha256>.
const uploadsFolder = "uploads"

// What one account may keep waiting here. A program that never submits what it
// uploads would otherwise fill the disk.
const (
	MaxUploads     = 200
	MaxUploadBytes = 4 << 30
)

var (
	// ErrUploadOffset says that the bytes before the offset are not there, or
	// that the upload began with another size.
	ErrUploadOffset = errors.New("upload goes on elsewhere")
	// ErrUploadHash says that the whole does not have the hash it is named by.
	ErrUploadHash = errors.New("content has another hash")
	// ErrUploadLong says that more came than was announced.
	ErrUploadLong = errors.New("content is longer than announced")
	// ErrUploadFull says that too much of the account waits here already.
	ErrUploadFull = errors.New("too many uploads wait")
	// ErrUploadTaken says that another request goes on with the same upload.
	ErrUploadTaken = errors.New("another request took the upload over")
)

// Upload is a message on its way in, or there.
type Upload struct {
	SHA256    string
	Size      int64 // announced
	There     int64 // bytes from the beginning that need not be sent again
	Complete  bool  // all of it, and its hash is right
	TouchedAt time.Time
}

// Part is a piece of an upload.
type Part struct {
	AccountID, SHA256 string
	Size              int64 // of the whole
	Offset            int64 // of this piece; what was there behind it is dropped
	Body              io.Reader
	Interrupt         func() // makes Body end at once; called at most once, from another goroutine
}

// Uploads takes in messages piece by piece. There must be one per open store.
//
// An upload's life:
//
//	unknown ── first piece: row, then file ──▶ there, in part
//	in part ── connection lost, or either program died ──▶ in part (the file's length is what counts)
//	in part ── last byte came, hash is right, synced ──▶ complete
//	in part ── last byte came, hash is wrong ──▶ unknown
//	in part, complete ── not touched for a day, or deleted ──▶ unknown
//
// Invariants: everything is looked up by account and hash together, so that a
// hash tells nothing of another account's mail; a piece is written by the
// newest request only; complete is written after the hash was computed from
// the file. An upload is no message: whoever takes it for one hashes it again
// while reading, so a file that a power cut damaged is found.
type Uploads struct {
	store *Store

	mu      sync.Mutex // guards holders
	holders map[bodyName]*holder
}

// holder is the request that writes an upload.
type holder struct {
	interrupt sync.Once
	stop      func()
	done      chan struct{}
}

// Uploads makes the one taker of uploads.
func (s *Store) Uploads() *Uploads {
	return &Uploads{store: s, holders: make(map[bodyName]*holder)}
}

// State tells how much of an upload is there, or ErrNotFound.
func (u *Uploads) State(ctx context.Context, accountID, sha256 string) (Upload, error) {
	n := bodyName{accountID, sha256}
	up, err := u.row(ctx, n)
	if err != nil || up.Complete {
		return up, err
	}
	path, err := u.path(n)
	if err != nil {
		return Upload{}, err
	}
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return up, nil
	}
	if err != nil {
		return Upload{}, fmt.Errorf("look at upload: %w", err)
	}
	up.There = min(info.Size(), up.Size)
	return up, nil
}

// Write adds a piece. A request that still writes the same upload is ended
// first: it is usually one whose connection the client knows to be lost.
func (u *Uploads) Write(ctx context.Context, p Part) (Upload, error) {
	n := bodyName{p.AccountID, p.SHA256}
	release, err := u.take(ctx, n, p.Interrupt)
	if err != nil {
		return Upload{}, err
	}
	defer release()
	path, err := u.path(n)
	if err != nil {
		return Upload{}, err
	}
	up, err := u.begin(ctx, n, p)
	if err != nil || up.Complete {
		return up, err
	}
	there, copying := u.append(path, p)
	up.There, up.TouchedAt = there, time.Now()
	// What came is kept, whatever ended it; the caller may be gone.
	ctx = context.WithoutCancel(ctx)
	switch {
	case errors.Is(copying, ErrUploadLong):
		return Upload{}, errors.Join(copying, u.forget(ctx, n))
	case copying == nil && up.There == up.Size:
		return u.complete(ctx, n, path, up)
	}
	return up, errors.Join(copying, u.touch(ctx, n))
}

// take makes the caller the only writer of an upload.
func (u *Uploads) take(ctx context.Context, n bodyName, stop func()) (release func(), err error) {
	h := &holder{stop: stop, done: make(chan struct{})}
	for {
		u.mu.Lock()
		old := u.holders[n]
		if old == nil {
			u.holders[n] = h
			u.mu.Unlock()
			return func() {
				u.mu.Lock()
				delete(u.holders, n)
				u.mu.Unlock()
				close(h.done)
			}, nil
		}
		u.mu.Unlock()
		if old.stop != nil {
			old.interrupt.Do(old.stop)
		}
		select {
		case <-old.done:
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for upload: %w", ctx.Err())
		}
	}
}

// begin finds or makes the row.
func (u *Uploads) begin(ctx context.Context, n bodyName, p Part) (Upload, error) {
	up, err := u.State(ctx, n.account, n.sha256)
	switch {
	case errors.Is(err, ErrNotFound) && p.Offset == 0:
		return u.insert(ctx, n, p.Size)
	case errors.Is(err, ErrNotFound):
		return Upload{SHA256: n.sha256, Size: p.Size}, ErrUploadOffset
	case err != nil, up.Complete:
		return up, err
	case p.Offset > up.There:
		return up, ErrUploadOffset
	case p.Size != up.Size && p.Offset > 0:
		return up, ErrUploadOffset
	case p.Size != up.Size:
		if err := u.forget(ctx, n); err != nil {
			return Upload{}, err
		}
		return u.insert(ctx, n, p.Size)
	}
	return up, nil
}

func (u *Uploads) insert(ctx context.Context, n bodyName, size int64) (Upload, error) {
	now := time.Now()
	err := u.store.Tx(ctx, func(tx *sql.Tx) error {
		var count, bytes int64
		if err := tx.QueryRowContext(ctx, `SELECT count(*), coalesce(sum(size), 0) FROM uploads WHERE account_id = $1`, n.account).
			Scan(&count, &bytes); err != nil {
			return err
		}
		if count >= MaxUploads || size > MaxUploadBytes-bytes {
			return ErrUploadFull
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO uploads (account_id, sha256, size, complete, created_at, touched_at) VALUES ($1, $2, $3, 0, $4, $4)`,
			n.account, n.sha256, size, Micros(now))
		return err
	})
	if err != nil {
		return Upload{}, fmt.Errorf("begin upload: %w", err)
	}
	return Upload{SHA256: n.sha256, Size: size, TouchedAt: now}, nil
}

// append writes a piece at its offset and tells how long the file is now.
func (u *Uploads) append(path string, p Part) (there int64, err error) {
	if err := durable.MkdirAll(filepath.Dir(path)); err != nil {
		return 0, fmt.Errorf("make folder of uploads: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return 0, fmt.Errorf("open upload: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := f.Truncate(p.Offset); err != nil {
		return 0, fmt.Errorf("cut upload: %w", err)
	}
	if _, err := f.Seek(p.Offset, io.SeekStart); err != nil {
		return 0, fmt.Errorf("cut upload: %w", err)
	}
	n, err := io.CopyBuffer(struct{ io.Writer }{f}, struct{ io.Reader }{io.LimitReader(p.Body, p.Size-p.Offset)}, make([]byte, 64<<10))
	if err == nil && p.Offset+n == p.Size {
		if extra, _ := io.ReadFull(p.Body, make([]byte, 1)); extra > 0 {
			err = ErrUploadLong
		} else if syncing := f.Sync(); syncing != nil {
			err = fmt.Errorf("sync upload: %w", syncing)
		}
	}
	return p.Offset + n, err
}

// complete looks at the hash of what is there.
func (u *Uploads) complete(ctx context.Context, n bodyName, path string, up Upload) (Upload, error) {
	sum, err := sumOf(path)
	if err != nil {
		return Upload{}, err
	}
	if sum.String() != n.sha256 {
		return Upload{}, errors.Join(ErrUploadHash, u.forget(ctx, n))
	}
	up.Complete = true
	return up, u.finish(ctx, n)
}

// Open reads a complete upload; the caller closes it. It is ErrNotFound when
// it is not there, or not all of it. Whoever reads it compares the hash.
func (u *Uploads) Open(ctx context.Context, accountID, sha256 string) (io.ReadCloser, int64, error) {
	n := bodyName{accountID, sha256}
	up, err := u.row(ctx, n)
	if err == nil && !up.Complete {
		err = ErrNotFound
	}
	if err != nil {
		return nil, 0, err
	}
	path, err := u.path(n)
	if err != nil {
		return nil, 0, err
	}
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		_, err := u.idle(n, func() error { return u.forget(ctx, n) })
		return nil, 0, errors.Join(ErrNotFound, err)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("open upload: %w", err)
	}
	if time.Since(up.TouchedAt) > time.Minute { // a write is a synced transaction
		if err := u.touch(ctx, n); err != nil {
			return nil, 0, errors.Join(err, f.Close())
		}
	}
	return f, up.Size, nil
}

// Remove forgets an upload. One that is not there is no error.
func (u *Uploads) Remove(ctx context.Context, accountID, sha256 string) error {
	n := bodyName{accountID, sha256}
	release, err := u.take(ctx, n, nil)
	if err != nil {
		return err
	}
	defer release()
	return u.forget(ctx, n)
}
