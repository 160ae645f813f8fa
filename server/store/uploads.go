package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"servicesmtp.net/companion/internal/durable"
)

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

// Uploads takes in messages piece by piece. There must be one per open store;
// several relays on one database share the folder, and each has its own.
//
// An upload's life:
//
//	unknown ── first piece: row, then file ──▶ there, in part
//	in part ── connection lost, or either program died ──▶ in part (the file's length is what counts)
//	in part ── last byte came, hash is right, synced ──▶ complete
//	in part ── last byte came, hash is wrong ──▶ unknown
//	in part, complete ── not touched for a day, or deleted ──▶ unknown
//
// Invariants:
//
//  1. Everything is looked up by account and hash together, so that a hash
//     tells nothing of another account's mail.
//  2. A piece is written by the newest request only. Within this process the
//     older is ended first. Another relay cannot be told in time: whoever takes
//     an upload over from one copies what is there into a file of its own and
//     names that in the row, in one step; the older request finds at its end
//     that the row is not its own any more (ErrUploadTaken), whatever it wrote.
//  3. Complete is written after the hash was computed from the file that the
//     row names. An upload is no message: whoever takes it for one hashes it
//     again while reading, so a file that a power cut damaged is found.
type Uploads struct {
	store *Store
	run   string        // holder of what this process writes
	age   time.Duration // of what Expire takes for left behind

	mu      sync.Mutex // guards holders and files
	holders map[bodyName]*holder
	files   int
}

// holder is the request that writes an upload.
type holder struct {
	interrupt sync.Once
	stop      func()
	done      chan struct{}
}

// Uploads makes the one taker of uploads.
func (s *Store) Uploads() *Uploads {
	u := &Uploads{store: s, run: NewID(time.Now()), holders: make(map[bodyName]*holder)}
	if s.dialect.postgres {
		u.age = orphanAge
	}
	return u
}

// State tells how much of an upload is there, or ErrNotFound.
func (u *Uploads) State(ctx context.Context, accountID, sha256 string) (Upload, error) {
	r, err := u.look(ctx, bodyName{accountID, sha256})
	return r.Upload, err
}

// look finds the row, and how long the file is.
func (u *Uploads) look(ctx context.Context, n bodyName) (uploadRow, error) {
	r, err := u.row(ctx, n)
	if err != nil || r.Complete {
		return r, err
	}
	path, err := u.path(n, r.file)
	if err != nil {
		return uploadRow{}, err
	}
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return uploadRow{}, fmt.Errorf("look at upload: %w", err)
	}
	r.There = min(info.Size(), r.Size)
	return r, nil
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
	up, err := u.begin(ctx, n, p)
	if err != nil || up.Complete {
		return up.Upload, err
	}
	path, err := u.path(n, up.file)
	if err != nil {
		return Upload{}, err
	}
	there, copying := u.append(path, p)
	up.There, up.TouchedAt = there, time.Now()
	// What came is kept, whatever ended it; the caller may be gone.
	ctx = context.WithoutCancel(ctx)
	switch {
	case errors.Is(copying, ErrUploadLong):
		return Upload{}, errors.Join(copying, u.forget(ctx, n, up.file))
	case copying == nil && up.There == up.Size:
		return u.complete(ctx, n, path, up)
	}
	ending := u.release(ctx, n, up.file, false)
	if errors.Is(ending, ErrUploadTaken) { // then it does not matter how the copying ended
		return up.Upload, ending
	}
	return up.Upload, errors.Join(copying, ending)
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
func (u *Uploads) complete(ctx context.Context, n bodyName, path string, up uploadRow) (Upload, error) {
	sum, err := sumOf(path)
	if err != nil {
		return Upload{}, err
	}
	if sum.String() != n.sha256 {
		if err := u.discard(ctx, n, up.file); err != nil {
			return up.Upload, err
		}
		return Upload{}, ErrUploadHash
	}
	if err := u.release(ctx, n, up.file, true); err != nil {
		return up.Upload, err
	}
	up.Complete = true
	return up.Upload, nil
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
	path, err := u.path(n, up.file)
	if err != nil {
		return nil, 0, err
	}
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) && u.store.Shared() {
		return nil, 0, ErrNotFound // another node's file may show a moment late
	}
	if errors.Is(err, os.ErrNotExist) {
		_, err := u.idle(n, func() error { return u.forget(ctx, n, up.file) })
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
	up, err := u.row(ctx, n)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return u.forget(ctx, n, up.file)
}
