package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// What callers branch on. Every error of this package that has one of these
// causes wraps it.
var (
	ErrFull      = errors.New("the spool is full")
	ErrDiskFull  = errors.New("the disk is full")
	ErrReadOnly  = errors.New("the spool's folder cannot be written")
	ErrLocked    = errors.New("the spool is open in another process")
	ErrNetworkFS = errors.New("the spool is on a network file system")
	ErrDamaged   = errors.New("the spool is damaged")
	ErrNewer     = errors.New("the spool was written by a newer version")
	ErrState     = errors.New("not possible in the present state")
	ErrNotFound  = errors.New("not found")
	ErrClosed    = errors.New("the spool is closed")

	// ErrDamagedAgain is an ErrDamaged: the spool was rebuilt a moment ago, so
	// the disk itself cannot be trusted, and nothing more is tried.
	ErrDamagedAgain = fmt.Errorf("%w again within minutes of being rebuilt", ErrDamaged)

	// ErrOtherStore is an ErrState: the batch may have been accepted by the
	// store that it was offered to before, so no other may get it.
	ErrOtherStore = fmt.Errorf("bound to another store: %w", ErrState)

	// ErrOldKey is an ErrState: the relay may have forgotten the key.
	ErrOldKey = fmt.Errorf("the key is too old: %w", ErrState)
)

// inDoubt is the failure of a COMMIT that may still be found committed after a
// crash, because its last frame may have reached the disk.
type inDoubt struct{ error }

func (e inDoubt) Unwrap() error { return e.error }

// fault names the cause of an error for callers, and drops paths from it: logs
// show no names of folders.
func fault(err error) error {
	if err == nil {
		return nil
	}
	err = bare(err)
	var lite *sqlite.Error
	switch {
	case errors.As(err, &lite):
		return liteFault(err, lite.Code())
	case isAny(err, diskFull):
		return fmt.Errorf("%w: %w", ErrDiskFull, err)
	case isAny(err, readOnly), errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: %w", ErrReadOnly, err)
	}
	return err
}

func liteFault(err error, code int) error {
	switch {
	case code == sqlite3.SQLITE_CONSTRAINT_UNIQUE, code == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
		return fmt.Errorf("%w: %w", ErrState, err)
	case code == sqlite3.SQLITE_IOERR_SHMSIZE: // the index of the log cannot grow
		return fmt.Errorf("%w: %w", ErrDiskFull, err)
	case code == sqlite3.SQLITE_IOERR_READ, code == sqlite3.SQLITE_IOERR_SHORT_READ, code == sqlite3.SQLITE_IOERR_CORRUPTFS: // a bad sector
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	switch code & 0xff {
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("%w: %w", ErrDiskFull, err)
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		return fmt.Errorf("%w: %w", ErrReadOnly, err)
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return err
}

// bare replaces an error that quotes a path by its operation and cause.
func bare(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return fmt.Errorf("%s: %w", path.Op, path.Err)
	case errors.As(err, &link):
		return fmt.Errorf("%s: %w", link.Op, link.Err)
	}
	return err
}

func isAny(err error, list []syscall.Errno) bool {
	return slices.ContainsFunc(list, func(e syscall.Errno) bool { return errors.Is(err, e) })
}
