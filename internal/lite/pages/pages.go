// Package pages reads what is left in a SQLite database that SQLite itself
// refuses: the cells of every page that still makes sense, with the write-ahead
// log laid over the file.
//
// It promises to change nothing, to return no cell of which a part is missing,
// and none from a page that the database had given back, as far as the list of
// those can be read (FreeKnown). It knows no table: what a cell means is the
// caller's to judge. SQLite must not have the files open meanwhile. It starts
// no goroutine.
//
// The layout is that of https://www.sqlite.org/fileformat2.html; section
// numbers in this package are of that page.
package pages

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// Kinds of b-tree pages (§1.6).
const (
	interiorIndex = 0x02
	leafIndex     = 0x0a
	leafTable     = 0x0d
)

const (
	usualSize = 4096
	headSize  = 100 // of the database, in front of page 1
)

var magic = []byte("SQLite format 3\x00")

// Database is a database file with its log, open for reading.
type Database struct {
	file  *os.File // nil: there is none
	log   *os.File // nil: there is none
	size  int      // of a page
	count uint32   // of pages

	newer map[uint32]int64 // pages that the log has in a newer form, and where there
	state Log
	free  map[uint32]bool
	known bool
}

// Log is the condition of a write-ahead log.
type Log struct {
	Frames int  // whole ones that belong to it
	Broken bool // a frame in front of a finished transaction is damaged; SQLite would forget that transaction
	Begun  bool // without a frame yet, over those of a former life that are all in the database
}

// Open opens the database at path and the log beside it, either of which may
// be missing.
func Open(path string) (*Database, error) {
	d := &Database{newer: make(map[uint32]int64), free: make(map[uint32]bool)}
	var err error
	if d.file, err = openIfThere(path); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if d.log, err = openIfThere(path + "-wal"); err != nil {
		return nil, errors.Join(fmt.Errorf("open log: %w", err), d.Close())
	}
	if err := d.look(); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func openIfThere(path string) (*os.File, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return f, err
}

// Close closes the files.
func (d *Database) Close() error {
	var errs []error
	for _, f := range []*os.File{d.file, d.log} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}

// Log is the condition of the log as Open found it.
func (d *Database) Log() Log { return d.state }

// FreeKnown says that the list of pages that are not in use is whole. Where it
// is not, a cell may be an old one, of a page that was given back.
func (d *Database) FreeKnown() bool { return d.known }

// Short says that the file is shorter than it was when it was written: what
// was in the part that is missing has left no trace.
func (d *Database) Short() bool {
	head, ok := d.page(1)
	if !ok || d.count == 0 {
		return true
	}
	// The count is valid where it was written together with the change (§1.3.8).
	return string(head[:16]) == string(magic) && bytes.Equal(head[24:28], head[92:96]) && binary.BigEndian.Uint32(head[28:]) > d.count
}

// look learns the sizes, reads the log and the list of free pages.
func (d *Database) look() error {
	var length int64
	d.size = usualSize
	if d.file != nil {
		info, err := d.file.Stat()
		if err != nil {
			return fmt.Errorf("look at database: %w", err)
		}
		length = info.Size()
		head := make([]byte, headSize)
		if _, err := d.file.ReadAt(head, 0); err == nil && string(head[:16]) == string(magic) {
			d.size = pageSize(uint32(binary.BigEndian.Uint16(head[16:])))
		}
	}
	if d.log != nil {
		if err := d.readLog(); err != nil {
			return err
		}
	}
	d.count = uint32(min(length/int64(d.size), 1<<32-2)) //nolint:gosec // SQLite has no more pages than that
	for no := range d.newer {
		d.count = max(d.count, no)
	}
	d.known = d.readFree()
	return nil
}

// pageSize is what the number in a header means (§1.3.2); one that cannot be
// is taken for the usual size.
func pageSize(n uint32) int {
	if n == 1 {
		return 65536
	}
	if n < 512 || n > 65536 || n&(n-1) != 0 {
		return usualSize
	}
	return int(n)
}

// page reads a page in its newest form. An error of the disk is a page that is
// missing, like one behind the end of the file.
func (d *Database) page(no uint32) ([]byte, bool) {
	b := make([]byte, d.size)
	if at, ok := d.newer[no]; ok {
		_, err := d.log.ReadAt(b, at)
		return b, err == nil
	}
	if d.file == nil || no == 0 || no > d.count {
		return nil, false
	}
	if _, err := d.file.ReadAt(b, int64(no-1)*int64(d.size)); err != nil && !errors.Is(err, io.EOF) {
		return nil, false
	}
	return b, true
}

// readFree reads the list of pages that are not in use (§1.5), and says whether
// it is whole.
func (d *Database) readFree() bool {
	head, ok := d.page(1)
	if !ok || string(head[:16]) != string(magic) {
		return false
	}
	trunk, want := binary.BigEndian.Uint32(head[32:]), binary.BigEndian.Uint32(head[36:])
	for trunk != 0 {
		b, ok := d.page(trunk)
		if !ok || trunk > d.count || d.free[trunk] {
			return false
		}
		d.free[trunk] = true
		n := binary.BigEndian.Uint32(b[4:])
		if n > uint32(d.size/4-2) { //nolint:gosec // a page has at most 65536 bytes
			return false
		}
		for i := range n {
			leaf := binary.BigEndian.Uint32(b[8+4*i:])
			if leaf == 0 || leaf > d.count || d.free[leaf] {
				return false
			}
			d.free[leaf] = true
		}
		trunk = binary.BigEndian.Uint32(b)
	}
	return uint32(len(d.free)) == want //nolint:gosec // no more than there are pages
}
