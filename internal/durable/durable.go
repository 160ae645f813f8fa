// Package durable writes files so that they survive a power cut: content,
// name and folder are synced before anybody is told that the file exists.
//
// It never leaves a half-written file under its final name, starts no
// goroutine, and knows nothing of mail. A temporary file that a crash leaves
// behind ends in TempSuffix and may be removed at start.
package durable

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// TempSuffix ends the names of files that are being written.
const TempSuffix = ".part"

// File is one file on its way to disk. Exactly one of Commit and Discard must
// be called; Discard after Commit does nothing, so it can be deferred.
type File struct {
	f    *os.File
	path string
	done bool
}

// Create starts a file that will be called path. The folder must exist.
func Create(path string) (*File, error) {
	f, err := os.OpenFile(path+TempSuffix, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	return &File{f: f, path: path}, nil
}

// Write implements io.Writer.
func (f *File) Write(p []byte) (int, error) { return f.f.Write(p) }

// Commit syncs the content, gives the file its name, and syncs the folder.
// After an error there is no file.
func (f *File) Commit() error {
	if f.done {
		return errors.New("commit of a finished file")
	}
	if err := f.f.Sync(); err != nil {
		return errors.Join(fmt.Errorf("sync file: %w", err), f.Discard())
	}
	f.done = true
	if err := f.f.Close(); err != nil {
		return errors.Join(fmt.Errorf("close file: %w", err), os.Remove(f.path+TempSuffix))
	}
	if err := os.Rename(f.path+TempSuffix, f.path); err != nil {
		return errors.Join(fmt.Errorf("name file: %w", err), os.Remove(f.path+TempSuffix))
	}
	if err := SyncDir(filepath.Dir(f.path)); err != nil {
		return errors.Join(err, os.Remove(f.path))
	}
	return nil
}

// Discard closes and removes an unfinished file.
func (f *File) Discard() error {
	if f.done {
		return nil
	}
	f.done = true
	return errors.Join(f.f.Close(), os.Remove(f.path+TempSuffix))
}

// WriteFile replaces path's content as one step.
func WriteFile(path string, r io.Reader) error {
	f, err := Create(path)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, r); err != nil {
		return errors.Join(err, f.Discard())
	}
	return f.Commit()
}

// MkdirAll makes a private folder (0700) and syncs the names that it created.
func MkdirAll(dir string) error {
	if st, err := os.Stat(dir); err == nil {
		if !st.IsDir() {
			return fmt.Errorf("%s is not a folder", filepath.Base(dir))
		}
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := MkdirAll(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return SyncDir(parent)
}
