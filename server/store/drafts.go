package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"servicesmtp.net/companion/internal/durable"
	"servicesmtp.net/companion/internal/wire"
)

// Bodies takes in message bodies. There must be one per open store.
//
// A large body's life:
//
//	draft (tmp-<run>-<n>) ── Seal: synced, named by its hash, pinned ──▶ file
//	file ── the transaction commits a row; Close unpins ──▶ stays
//	file ── no row: Close unpins and removes; after a crash Sweep does
//
// Two invariants keep a committed message's body: a row is written only while
// its file is pinned and synced under its final name, and a file is removed
// only while nobody pins it and no row names it. Both are looked at under mu,
// and a pin is given up only after the commit.
type Bodies struct {
	store *Store
	run   string // tells this process's drafts from those a crash left

	mu     sync.Mutex // guards pins, drafts, and the making of folders
	pins   map[bodyName]int
	drafts int
}

type bodyName struct{ account, sha256 string }

// draftPrefix begins the name of a file whose hash is not known yet.
const draftPrefix = "tmp-"

// Bodies makes the one taker of bodies.
func (s *Store) Bodies() *Bodies {
	return &Bodies{store: s, run: NewID(time.Now()), pins: make(map[bodyName]int)}
}

// Draft is a body on its way in: up to InlineMax in memory, then in a file.
// Close must be called in the end, whatever became of it.
type Draft struct {
	bodies *Bodies
	name   bodyName // sha256 is known once sealed
	buf    []byte
	size   int64
	inFile bool
	file   *durable.File
	path   string // of file
	sealed bool
}

// Draft begins a body of an account. hint is its probable size, or 0.
func (b *Bodies) Draft(accountID string, hint int64) *Draft {
	return &Draft{bodies: b, name: bodyName{account: accountID}, buf: make([]byte, 0, min(max(hint, 4<<10), InlineMax))}
}

// Size is the number of bytes written.
func (d *Draft) Size() int64 { return d.size }

// SHA256 is the hash that Seal was given.
func (d *Draft) SHA256() string { return d.name.sha256 }

// content is the body of a draft that is not in a file, and not nil.
func (d *Draft) content() []byte { return d.buf }

// Write implements io.Writer.
func (d *Draft) Write(p []byte) (int, error) {
	if !d.inFile && len(d.buf)+len(p) <= InlineMax {
		d.buf = append(d.buf, p...)
		d.size += int64(len(p))
		return len(p), nil
	}
	if err := d.spill(); err != nil {
		return 0, err
	}
	n, err := d.file.Write(p)
	d.size += int64(n)
	if err != nil {
		return n, fmt.Errorf("write body: %w", err)
	}
	return n, nil
}

// spill moves what came so far into a file.
func (d *Draft) spill() error {
	if d.inFile {
		return nil
	}
	path, err := d.bodies.draftPath(d.name.account)
	if err != nil {
		return err
	}
	f, err := durable.Create(path)
	if err != nil {
		return fmt.Errorf("create body file: %w", err)
	}
	d.file, d.path, d.inFile = f, path, true
	if _, err := f.Write(d.buf); err != nil {
		return fmt.Errorf("write body: %w", err)
	}
	d.buf = nil
	return nil
}

// draftPath makes the account's folder and a name in it.
func (b *Bodies) draftPath(accountID string) (string, error) {
	folder, err := b.store.accountFolder(accountID)
	if err != nil {
		return "", err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := durable.MkdirAll(folder); err != nil {
		return "", fmt.Errorf("make folder of bodies: %w", err)
	}
	b.drafts++
	return filepath.Join(folder, fmt.Sprintf("%s%s-%d", draftPrefix, b.run, b.drafts)), nil
}

// Sum reads the draft again and hashes it.
func (d *Draft) Sum() (wire.BodySum, error) {
	if !d.inFile {
		return sha256.Sum256(d.buf), nil
	}
	f, err := os.Open(d.path + durable.TempSuffix)
	if err != nil {
		return wire.BodySum{}, fmt.Errorf("read body again: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return wire.BodySum{}, fmt.Errorf("read body again: %w", err)
	}
	return wire.BodySum(h.Sum(nil)), nil
}

// Seal ends the draft: sum is the hash of what was written. A large body is
// then a synced file under its final name, pinned until Close.
func (d *Draft) Seal(sum wire.BodySum) error {
	if d.sealed {
		return errors.New("body is sealed already")
	}
	d.name.sha256 = sum.String()
	if !d.inFile {
		d.sealed = true
		return nil
	}
	if err := d.file.Commit(); err != nil {
		return fmt.Errorf("write body: %w", err)
	}
	d.bodies.pin(d.name) // from here on nobody removes a file of that name
	d.sealed = true
	if err := d.rename(); err != nil {
		return fmt.Errorf("name body: %w", err)
	}
	return nil
}

// rename gives the file its name, unless another draft of the same body was
// faster: the content is the same.
func (d *Draft) rename() error {
	final, err := d.bodies.store.bodyPath(d.name.account, d.name.sha256)
	if err != nil {
		return err
	}
	if exists(final) {
		err = os.Remove(d.path)
	} else if err = os.Rename(d.path, final); err != nil && exists(final) {
		err = os.Remove(d.path) // Windows does not replace a file that is being read
	}
	if err != nil {
		return err
	}
	// Also where the other draft named it: it may not have synced that yet.
	return durable.SyncDir(filepath.Dir(final))
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Close ends a draft. What was not sealed is removed, and so is a sealed
// body's file that no row came to need. It never removes what another needs.
func (d *Draft) Close(ctx context.Context) error {
	d.buf = nil
	switch {
	case !d.inFile:
		return nil
	case !d.sealed:
		d.inFile = false
		return d.file.Discard()
	}
	d.inFile = false
	return errors.Join(d.bodies.unpin(ctx, d.name), removeIfThere(d.path))
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (b *Bodies) pin(n bodyName) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pins[n]++
}

func (b *Bodies) unpin(ctx context.Context, n bodyName) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pins[n]--; b.pins[n] <= 0 {
		delete(b.pins, n)
	}
	_, err := b.removeOrphan(ctx, n)
	return err
}

// removeOrphan removes a body's file that nobody needs; mu is held.
func (b *Bodies) removeOrphan(ctx context.Context, n bodyName) (removed bool, err error) {
	if b.pins[n] > 0 || b.store.kept.Load() > 0 {
		return false, nil
	}
	if has, err := b.store.hasBody(ctx, n); err != nil || has {
		return false, err
	}
	path, err := b.store.bodyPath(n.account, n.sha256)
	if err != nil {
		return false, err
	}
	if err := os.Remove(path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return false, err
	}
	return true, nil
}

// Sweep removes the files that a crash left without a row and tells how many.
// It may run beside everything else.
func (b *Bodies) Sweep(ctx context.Context) (removed int, err error) {
	root := filepath.Join(b.store.dir, bodiesFolder)
	accounts, err := os.ReadDir(root)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("list bodies: %w", err)
	}
	for _, a := range accounts {
		if !a.IsDir() {
			continue
		}
		n, err := b.sweepAccount(ctx, root, a.Name())
		removed += n
		if err != nil {
			return removed, fmt.Errorf("sweep bodies: %w", err)
		}
	}
	return removed, nil
}

func (b *Bodies) sweepAccount(ctx context.Context, root, accountID string) (removed int, err error) {
	files, err := os.ReadDir(filepath.Join(root, accountID))
	if err != nil {
		return 0, err
	}
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return removed, err
		}
		gone := false
		switch {
		case isSHA256(f.Name()):
			b.mu.Lock()
			gone, err = b.removeOrphan(ctx, bodyName{accountID, f.Name()})
			b.mu.Unlock()
		case strings.HasPrefix(f.Name(), draftPrefix) && !strings.HasPrefix(f.Name(), draftPrefix+b.run):
			err = os.Remove(filepath.Join(root, accountID, f.Name()))
			gone = err == nil
		}
		if err != nil {
			return removed, err
		}
		if gone {
			removed++
		}
	}
	return removed, nil
}
