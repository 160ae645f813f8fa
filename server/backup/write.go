package backup

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"servicesmtp.net/companion/internal/durable"
	"servicesmtp.net/companion/server/store"
)

// Maker makes backups of one open store, one at a time.
type Maker struct {
	Store   *store.Store
	Dir     string // data folder
	Version string // of the program

	mu sync.Mutex // held while a backup runs

	copied func() // called after the database was copied; for tests
}

// tempPattern is the folder that a running backup has in the data folder.
const tempPattern = "backup-*" + durable.TempSuffix

// Write writes a backup to w.
func (m *Maker) Write(ctx context.Context, w io.Writer) (err error) {
	if !m.mu.TryLock() {
		return ErrRunning
	}
	defer m.mu.Unlock()
	if err := m.sweep(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(m.Dir, tempPattern)
	if err != nil {
		return fmt.Errorf("make folder for the copy: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	defer m.Store.KeepBodies()() // before the copy is taken: it may name any of them
	made := time.Now().UTC()
	copied, err := m.Store.Snapshot(ctx, filepath.Join(dir, databaseName))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, copied.Close()) }()
	if m.copied != nil {
		m.copied()
	}
	f, err := copied.Figures(ctx)
	if err != nil {
		return err
	}
	z, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return err
	}
	out := &writer{ctx: ctx, tar: tar.NewWriter(z), made: made, manifest: Manifest{Format: format, Version: m.Version, Schema: f.Schema, Store: f.Store,
		MadeAt: made, Accounts: f.Accounts, Messages: f.Messages, Waiting: f.Waiting, Missing: []string{}, Files: []File{}}}
	if err := out.all(m, copied, f.BodyBytes); err != nil {
		return err
	}
	return errors.Join(out.tar.Close(), z.Close())
}

// sweep removes what a crash left of another backup.
func (m *Maker) sweep() error {
	old, err := filepath.Glob(filepath.Join(m.Dir, tempPattern))
	for _, dir := range old {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	if err != nil {
		return fmt.Errorf("remove an old copy: %w", err)
	}
	return nil
}

// writer writes the parts in their order.
type writer struct {
	ctx      context.Context //nolint:containedctx // lives as long as one call of Write
	tar      *tar.Writer
	made     time.Time
	manifest Manifest
}

func (o *writer) all(m *Maker, copied *store.Snapshot, bodyBytes int64) error {
	info, err := os.Stat(copied.Path)
	if err != nil {
		return fmt.Errorf("look at copy of database: %w", err)
	}
	if err := o.json(headName, head{Format: format, Bytes: info.Size() + bodyBytes}); err != nil {
		return err
	}
	if err := o.path(databaseName, copied.Path); err != nil {
		return err
	}
	if err := copied.EachBody(o.ctx, func(b store.BodyFile) error { return o.body(m.Store, b) }); err != nil {
		return err
	}
	for _, name := range authorityNames {
		if path := filepath.Join(m.Dir, name); exists(path) {
			if err := o.path(name, path); err != nil {
				return err
			}
		}
	}
	return o.json(manifestName, o.manifest)
}

// path adds a file that belongs to the manifest.
func (o *writer) path(name, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	sum, err := o.file(name, f, info.Size())
	if err != nil {
		return err
	}
	o.manifest.Files = append(o.manifest.Files, File{Name: name, Size: info.Size(), SHA256: sum})
	return nil
}

// body adds a body. One that is missing or damaged must not keep all others
// from being saved; it is named in the manifest.
func (o *writer) body(st *store.Store, b store.BodyFile) error {
	name := bodyName(b.AccountID, b.SHA256)
	f, err := st.OpenBodyFile(b)
	if errors.Is(err, fs.ErrNotExist) {
		o.manifest.Missing = append(o.manifest.Missing, name)
		return nil
	}
	if err != nil {
		return fmt.Errorf("open body: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("look at body: %w", err)
	}
	if info.Size() != b.Size {
		o.manifest.Missing = append(o.manifest.Missing, name)
		return nil
	}
	got, err := o.file(name, f, b.Size)
	if err != nil {
		return err
	}
	if got != b.SHA256 { // it is in the file now, and left out when that is read
		o.manifest.Missing = append(o.manifest.Missing, name)
		return nil
	}
	o.manifest.Bodies++
	o.manifest.BodyBytes += b.Size
	return nil
}

func (o *writer) file(name string, r io.Reader, size int64) (sum string, err error) {
	err = o.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: o.made, Format: tar.FormatPAX})
	if err != nil {
		return "", fmt.Errorf("write backup: %w", err)
	}
	h := sha256.New()
	if _, err := io.Copy(io.MultiWriter(o.tar, h), withContext{o.ctx, r}); err != nil {
		return "", fmt.Errorf("write backup: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func (o *writer) json(name string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	_, err = o.file(name, bytes.NewReader(text), int64(len(text)))
	return err
}

// withContext ends a copy with its context.
type withContext struct {
	ctx context.Context //nolint:containedctx // lives as long as one copy
	r   io.Reader
}

// Read implements io.Reader.
func (c withContext) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
