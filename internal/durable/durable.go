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
	"io/fs"
	"os"
	"path/filepath"
)

// TempSuffix ends the names of files that are being written.
const TempSuffix = ".part"

// File is one file on its way to disk. Exactly one of Commit and Discard must
// be called; Discard after Commit does nothing, so it can be deferred.
type File struct {
	f       *os.File
	path    string
	done    bool
	replace bool                   // there may be a file of that name, and it is to be replaced
	syncDir func(dir string) error // SyncDir, but for tests of faults
}

// Create starts a file that will be called path. The folder must exist.
func Create(path string) (*File, error) {
	f, err := os.OpenFile(path+TempSuffix, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	return &File{f: f, path: path, syncDir: SyncDir}, nil
}

// Write implements io.Writer.
func (f *File) Write(p []byte) (int, error) { return f.f.Write(p) }

// Commit syncs the content, gives the file its name, and syncs the folder.
// After an error there is no file. A file of that name that was there before is
// gone then too; WriteFile is for replacing one.
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
	err := f.syncDir(filepath.Dir(f.path))
	if err != nil && !f.replace {
		return errors.Join(err, os.Remove(f.path))
	}
	return err
}

// Discard closes and removes an unfinished file.
func (f *File) Discard() error {
	if f.done {
		return nil
	}
	f.done = true
	return errors.Join(f.f.Close(), os.Remove(f.path+TempSuffix))
}

// WriteFile replaces path's content as one step. After an error the file has
// its old content or the new one, never none: where the folder could not be
// synced, only a power cut decides which.
func WriteFile(path string, r io.Reader) error {
	f, err := Create(path)
	if err != nil {
		return err
	}
	return f.write(r)
}

func (f *File) write(r io.Reader) error {
	f.replace = true
	if _, err := io.Copy(f, r); err != nil {
		return errors.Join(err, f.Discard())
	}
	return f.Commit()
}

// WithoutPath is the cause in an error of the file system without the names of
// files and folders, which tell of users and accounts and belong in no log.
func WithoutPath(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return e.Err
	}
	return err
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
