package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"servicesmtp.net/companion/internal/durable"
	"servicesmtp.net/companion/internal/wire"
)

// Bodies takes in message bodies. There must be one per open store; several
// relays on one database share the folder, and each has its own.
//
// A large body's life:
//
//	draft (tmp-<draft>) ── Seal: synced, named <sha256>.<draft> ──▶ file
//	file ── a transaction commits a row that names it ──▶ stays, Close or not
//	file ── no row names it: Close removes it; after a crash Sweep does
//
// Three invariants keep a committed message's body:
//
//  1. A row is written only when its file is synced under its final name.
//  2. No name is used twice: only the transaction of the draft itself can write
//     the row that names its file, and only within draftLife. A file that no
//     row names and whose draft is closed, dead, or older is nobody's.
//  3. A message refers to a row that cannot go before it: on PostgreSQL by a
//     foreign key, on SQLite because there is one writer.
//
// Nobody removes rows yet. Whoever comes to do it removes the row first, takes
// none younger than orphanAge (its draft may live, and name the file again), and
// after the commit removes exactly the file that the row named.
type Bodies struct {
	store *Store
	run   string        // tells this process's files from all others
	age   time.Duration // of what Sweep takes for left by another run

	mu     sync.Mutex // guards live, drafts, and the making of folders
	live   map[string]bool
	drafts int
}

// draftPrefix begins the name of a file whose hash is not known yet.
const draftPrefix = "tmp-"

// draftLife is how long after Seal a draft may still be committed. A process
// that was stopped for longer may find its file swept by another.
const draftLife = orphanAge / 2

// Bodies makes the one taker of bodies. What another run left on SQLite is dead:
// the data folder has one relay at a time.
func (s *Store) Bodies() *Bodies {
	b := &Bodies{store: s, run: NewID(time.Now()), live: make(map[string]bool)}
	if s.dialect.postgres {
		b.age = orphanAge
	}
	return b
}

// Draft is a body on its way in: up to InlineMax in memory, then in a file.
// Close must be called in the end, whatever became of it.
type Draft struct {
	bodies  *Bodies
	name    bodyName // sha256 is known once sealed
	number  int      // among this run's
	buf     []byte
	size    int64
	inFile  bool
	file    *durable.File
	path    string    // of file
	sealed  time.Time // zero: not yet
	claimed bool      // a transaction, committed or not, wrote a row that names the file
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
	path, err := d.bodies.begin(d)
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

// begin makes the account's folder and a name in it.
func (b *Bodies) begin(d *Draft) (string, error) {
	folder, err := b.store.folderOf(bodiesFolder, d.name.account)
	if err != nil {
		return "", err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := durable.MkdirAll(folder); err != nil {
		return "", fmt.Errorf("make folder of bodies: %w", err)
	}
	b.drafts++
	d.number = b.drafts
	b.live[d.mark()] = true
	return filepath.Join(folder, draftPrefix+d.mark()), nil
}

// mark tells a draft's files from those of all other drafts.
func (d *Draft) mark() string { return fmt.Sprintf("%s-%d", d.bodies.run, d.number) }

// fileName is the file's final name, or "" where the body is in the row.
func (d *Draft) fileName() string {
	if !d.inFile {
		return ""
	}
	return d.name.sha256 + "." + d.mark()
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
// then a synced file under its final name.
func (d *Draft) Seal(sum wire.BodySum) error {
	if !d.sealed.IsZero() {
		return errors.New("body is sealed already")
	}
	d.name.sha256 = sum.String()
	if d.inFile {
		if err := d.file.Commit(); err != nil {
			return fmt.Errorf("write body: %w", err)
		}
		if err := d.rename(); err != nil {
			return fmt.Errorf("name body: %w", err)
		}
	}
	d.sealed = time.Now().Round(0) // the wall's clock: it goes on while the machine sleeps
	return nil
}

func (d *Draft) rename() error {
	final, err := d.bodies.store.pathOf(bodiesFolder, d.name, d.fileName())
	if err != nil {
		return err
	}
	if err := os.Rename(d.path, final); err != nil {
		return err
	}
	d.path = final
	return durable.SyncDir(filepath.Dir(final))
}

// Close ends a draft. Its file is removed unless a row has come to name it.
func (d *Draft) Close(ctx context.Context) error {
	d.buf = nil
	if !d.inFile {
		return nil
	}
	defer d.bodies.forget(d.mark())
	d.inFile = false
	if d.claimed {
		return d.bodies.settle(ctx, d)
	}
	return errors.Join(d.file.Discard(), removeIfThere(d.path)) // a sealed file is not discarded
}

func (b *Bodies) forget(mark string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.live, mark)
}

// settle removes the file of a draft whose row was rolled back. On PostgreSQL
// that is left to Sweep: where the connection was lost, a commit may still be
// under way, and nobody can tell.
func (b *Bodies) settle(ctx context.Context, d *Draft) error {
	if b.store.dialect.postgres {
		return nil
	}
	_, err := b.removeOrphan(ctx, d.name, filepath.Base(d.path), d.path)
	return err
}

// removeOrphan removes a file unless a row names it. Nobody must be able to
// write such a row any more.
func (b *Bodies) removeOrphan(ctx context.Context, n bodyName, file, path string) (removed bool, err error) {
	if b.store.kept.Load() > 0 {
		return false, nil
	}
	if named, err := b.store.bodyNames(ctx, n, file); err != nil || named {
		return false, err
	}
	return true, removeIfThere(path)
}

// Sweep removes the files that a crash left without a row and tells how many.
// It may run beside everything else, on every relay.
func (b *Bodies) Sweep(ctx context.Context) (removed int, err error) {
	err = b.store.eachFile(ctx, bodiesFolder, b.age, func(accountID, file, path string) error {
		gone, err := b.sweepFile(ctx, accountID, file, path)
		if gone {
			removed++
		}
		return err
	})
	if err != nil {
		return removed, fmt.Errorf("sweep bodies: %w", err)
	}
	return removed, nil
}

func (b *Bodies) sweepFile(ctx context.Context, accountID, file, path string) (removed bool, err error) {
	if b.isLive(file) {
		return false, nil
	}
	if strings.HasPrefix(file, draftPrefix) {
		return true, removeIfThere(path)
	}
	sum, ok := hashOf(file)
	if !ok {
		return false, nil
	}
	return b.removeOrphan(ctx, bodyName{accountID, sum}, file, path)
}

// isLive says whether a file is of a draft in hand of this process.
func (b *Bodies) isLive(file string) bool {
	mark := strings.TrimSuffix(strings.TrimPrefix(file, draftPrefix), durable.TempSuffix)
	if _, after, ok := strings.Cut(mark, "."); ok {
		mark = after
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.live[mark]
}
