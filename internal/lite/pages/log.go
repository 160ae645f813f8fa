package pages

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Sizes in the log (§4.1).
const (
	logHead   = 32
	frameHead = 24
)

// The two numbers a log begins with; they differ in the byte order of its sums.
const (
	littleSums = 0x377f0682
	bigSums    = 0x377f0683
)

// frame is the head of one page in the log.
type frame struct {
	page   uint32
	commit bool // the last of a transaction
	salts  uint64
	sum    [2]uint32
	whole  bool // its sum is right, counted on from the frame before
}

// logReader reads a log from its begin to its end.
type logReader struct {
	d      *Database
	order  binary.ByteOrder // of the sums
	salts  uint64           // of the frames that belong to the log; the others are from before it was begun anew
	frames []frame
}

// readLog finds the newest form of each page in a finished transaction. SQLite
// stops at the first frame whose sum is wrong, and overwrites what follows: so
// it does with what a power cut left of a transaction, which nobody was told
// of. Frames that are whole behind a broken one, up to the end of a
// transaction, were synced, though: they are used, and the log is Broken.
func (d *Database) readLog() error {
	info, err := d.log.Stat()
	if err != nil {
		return fmt.Errorf("look at log: %w", err)
	}
	if info.Size() < logHead {
		return nil
	}
	head := make([]byte, logHead)
	if _, err := d.log.ReadAt(head, 0); err != nil {
		head = make([]byte, logHead) // a bad sector: the frames may still be read
	}
	r := &logReader{d: d, order: binary.LittleEndian}
	first := [2]uint32{binary.BigEndian.Uint32(head[24:]), binary.BigEndian.Uint32(head[28:])}
	m := binary.BigEndian.Uint32(head)
	if m == bigSums {
		r.order = binary.BigEndian
	}
	sound := (m == littleSums || m == bigSums) && r.sum([2]uint32{}, head[:24]) == first
	if sound {
		d.size = pageSize(binary.BigEndian.Uint32(head[8:]))
		r.salts = binary.BigEndian.Uint64(head[16:])
	}
	if err := r.read(info.Size(), first); err != nil {
		return err
	}
	if !sound {
		r.guessSalts()
	}
	r.apply(sound)
	return nil
}

// read reads the heads of all frames and checks their sums.
func (r *logReader) read(size int64, before [2]uint32) error {
	b := make([]byte, frameHead+r.d.size)
	for at := int64(logHead); at+int64(len(b)) <= size; at += int64(len(b)) {
		var f frame
		_, err := r.d.log.ReadAt(b, at)
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("read log: %w", err)
		}
		if err == nil {
			f = frame{
				page: binary.BigEndian.Uint32(b), commit: binary.BigEndian.Uint32(b[4:]) != 0, salts: binary.BigEndian.Uint64(b[8:]),
				sum: [2]uint32{binary.BigEndian.Uint32(b[16:]), binary.BigEndian.Uint32(b[20:])},
			}
			f.whole = f.page != 0 && r.sum(r.sum(before, b[:8]), b[frameHead:]) == f.sum
		}
		r.frames = append(r.frames, f)
		before = f.sum
	}
	return nil
}

// sum counts on the sum of the log (§4.2).
func (r *logReader) sum(s [2]uint32, b []byte) [2]uint32 {
	for ; len(b) >= 8; b = b[8:] {
		s[0] += r.order.Uint32(b) + s[1]
		s[1] += r.order.Uint32(b[4:]) + s[0]
	}
	return s
}

// guessSalts takes the salts of the first frames that fit together for those of
// the log, whose head is damaged.
func (r *logReader) guessSalts() {
	for i := 1; i < len(r.frames); i++ {
		if f := r.frames[i]; f.whole && f.salts == r.frames[i-1].salts {
			r.salts = f.salts
			return
		}
	}
}

// apply notes where the log has pages of finished transactions.
func (r *logReader) apply(sound bool) {
	kept, unbroken, last := -1, sound, -1 // last commit of the part that SQLite reads; in it still; last commit at all
	for i, f := range r.frames {
		if !f.whole || f.salts != r.salts {
			unbroken = false
			continue
		}
		if f.commit {
			last = i
			if unbroken {
				kept = i
			}
		}
	}
	if r.torn(kept, last) {
		last = kept
	}
	r.d.state.Broken = last > kept
	for i, f := range r.frames[:last+1] {
		if f.whole && f.salts == r.salts {
			r.d.state.Frames++
			r.d.newer[f.page] = logHead + int64(i)*int64(frameHead+r.d.size) + frameHead
		}
	}
	r.d.state.Begun = sound && r.d.state.Frames == 0 && r.begun()
}

// torn says that the transaction behind kept, the only one, was never synced: a
// part of the file that it was to go to has what was there before.
func (r *logReader) torn(kept, last int) bool {
	never := false
	for i := kept + 1; i < last; i++ {
		if r.frames[i].commit && r.frames[i].salts == r.salts {
			return false
		}
		never = never || r.former(r.frames[i])
	}
	return never
}

// former says that a frame is of the life of the log before this one: SQLite
// counts the first salt up by one (§4.4).
func (r *logReader) former(f frame) bool { return uint32(f.salts>>32) == uint32(r.salts>>32)-1 }

// begun says that only the head of this life of the log was written. SQLite
// does so once everything is in the database, and syncs it before the first
// frame.
func (r *logReader) begun() bool {
	if len(r.frames) == 0 || !r.former(r.frames[0]) {
		return false
	}
	return len(r.frames) == 1 || r.frames[1].salts != r.frames[0].salts || r.frames[1].whole
}
