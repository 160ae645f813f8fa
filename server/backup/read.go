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
	"slices"
)

// Small parts are read into memory; larger ones than these are no backup's.
const (
	headMax     = 64 << 10
	manifestMax = 256 << 20
)

// Progress is told how many bytes were read, before compression, of about how
// many.
type Progress func(done, total int64)

// target takes a file of a backup as it is read.
type target interface {
	create(name string, size int64) (io.WriteCloser, error)
	remove(name string) error
}

// Verify reads a backup to its end and checks everything in it.
func Verify(ctx context.Context, r io.Reader, progress Progress) (Manifest, error) {
	return read(ctx, r, nowhere{}, progress)
}

type nowhere struct{}

func (nowhere) create(string, int64) (io.WriteCloser, error) { return nowhere{}, nil }
func (nowhere) remove(string) error                          { return nil }
func (nowhere) Write(p []byte) (int, error)                  { return len(p), nil }
func (nowhere) Close() error                                 { return nil }

// reader goes through one backup.
type reader struct {
	ctx      context.Context //nolint:containedctx // lives as long as one call of read
	tar      *tar.Reader
	to       target
	progress Progress
	total    int64
	done     int64

	files     []File
	bodies    int64
	bodyBytes int64
	damaged   []string // bodies that are not what their name says
}

// read hands the files of a backup to a target and checks them. What the
// target got is worth nothing where read fails.
func read(ctx context.Context, r io.Reader, to target, progress Progress) (Manifest, error) {
	if progress == nil {
		progress = func(int64, int64) {}
	}
	z, err := gzip.NewReader(r)
	if err != nil {
		return Manifest{}, damage(err, ErrNotBackup)
	}
	b := &reader{ctx: ctx, tar: tar.NewReader(z), to: to, progress: progress}
	if err := b.head(); err != nil {
		return Manifest{}, err
	}
	m, err := b.parts()
	if err != nil {
		return Manifest{}, err
	}
	// The end of the compressed stream has a sum of its own.
	if n, err := io.Copy(io.Discard, z); err != nil || n > 1<<20 {
		return Manifest{}, damage(err, ErrDamaged)
	}
	return m, b.compare(m)
}

// damage says what an error in the middle of the file means. One that comes
// from elsewhere, like the end of the context, stays what it is.
func damage(err, what error) error {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return what
	}
	if errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || errors.Is(err, tar.ErrHeader) {
		return what
	}
	return fmt.Errorf("read backup: %w", err)
}

func (b *reader) head() error {
	h, err := b.tar.Next()
	if err != nil || h.Name != headName || h.Size > headMax {
		return damage(err, ErrNotBackup)
	}
	var first head
	if err := json.NewDecoder(b.tar).Decode(&first); err != nil || first.Format <= 0 {
		return ErrNotBackup
	}
	if first.Format > format {
		return fmt.Errorf("%w: its format is %d, this program knows %d", ErrNewer, first.Format, format)
	}
	b.total = first.Bytes
	return nil
}

// parts reads up to the manifest and the end behind it.
func (b *reader) parts() (Manifest, error) {
	for {
		h, err := b.tar.Next()
		if err != nil {
			return Manifest{}, damage(err, ErrDamaged)
		}
		if h.Typeflag != tar.TypeReg {
			return Manifest{}, fmt.Errorf("%w: it holds what is not a file", ErrDamaged)
		}
		if h.Name == manifestName {
			return b.manifest(h.Size)
		}
		if err := b.part(h.Name, h.Size); err != nil {
			return Manifest{}, err
		}
	}
}

func (b *reader) manifest(size int64) (m Manifest, err error) {
	if size > manifestMax {
		return m, fmt.Errorf("%w: its list is too long", ErrDamaged)
	}
	text, err := io.ReadAll(b.tar)
	if err != nil {
		return m, damage(err, ErrDamaged)
	}
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&m); err != nil {
		return m, fmt.Errorf("%w: its list cannot be read", ErrDamaged)
	}
	if _, err := b.tar.Next(); !errors.Is(err, io.EOF) {
		return m, damage(err, ErrDamaged)
	}
	return m, nil
}

// part reads one file. Only names that a backup has are taken: none of them
// leads out of the folder.
func (b *reader) part(name string, size int64) (err error) {
	want, body := isBody(name)
	if !body && name != databaseName && !slices.Contains(authorityNames, name) {
		return fmt.Errorf("%w: it holds a file that does not belong in it", ErrDamaged)
	}
	f, err := b.to.create(name, size)
	if err != nil {
		return err
	}
	h := sha256.New()
	_, err = io.Copy(io.MultiWriter(f, h, b), withContext{b.ctx, sourceOf{b.tar}})
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	got := hex.EncodeToString(h.Sum(nil))
	switch {
	case !body:
		b.files = append(b.files, File{Name: name, Size: size, SHA256: got})
	case got != want:
		b.damaged = append(b.damaged, name)
		return b.to.remove(name)
	default:
		b.bodies++
		b.bodyBytes += size
	}
	return nil
}

// sourceOf tells damage in the file from errors of the target.
type sourceOf struct{ r io.Reader }

// Read implements io.Reader.
func (s sourceOf) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = damage(err, ErrDamaged)
	}
	return n, err
}

// Write counts what was read, for the one who watches.
func (b *reader) Write(p []byte) (int, error) {
	b.done += int64(len(p))
	b.progress(b.done, b.total)
	return len(p), nil
}

// compare holds what was read against the manifest.
func (b *reader) compare(m Manifest) error {
	switch {
	case m.Format != format || !slices.Equal(m.Files, b.files):
		return fmt.Errorf("%w: a file is not what it was when the backup was made", ErrDamaged)
	case !slices.ContainsFunc(b.files, func(f File) bool { return f.Name == databaseName }):
		return fmt.Errorf("%w: it holds no database", ErrDamaged)
	case m.Bodies != b.bodies || m.BodyBytes != b.bodyBytes:
		return fmt.Errorf("%w: it holds %d whole bodies of messages, and should hold %d", ErrDamaged, b.bodies, m.Bodies)
	}
	for _, name := range b.damaged {
		if !slices.Contains(m.Missing, name) {
			return fmt.Errorf("%w: a message's body is not what it was when the backup was made", ErrDamaged)
		}
	}
	return nil
}
