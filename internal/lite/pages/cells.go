package pages

import (
	"encoding/binary"
	"errors"
)

// Cell is one row of a table, or one entry of an index.
type Cell struct {
	Index   bool
	Rowid   int64  // of a row; 0 with an entry
	Payload []byte // for Values
}

// Cells gives every cell of every page in use that can be read whole. The order
// is that of the file.
func (d *Database) Cells(yield func(Cell)) {
	for no := uint32(1); no <= d.count; no++ {
		if d.free[no] {
			continue
		}
		if b, ok := d.page(no); ok {
			d.cells(no, b, yield)
		}
	}
}

// cells gives those of one page (§1.6), where it is one that has them.
func (d *Database) cells(no uint32, b []byte, yield func(Cell)) {
	at := 0
	if no == 1 {
		at = headSize
	}
	kind, n, list := b[at], int(binary.BigEndian.Uint16(b[at+3:])), at+8
	switch kind {
	case leafTable, leafIndex:
	case interiorIndex:
		list = at + 12
	default:
		return
	}
	if list+2*n > len(b) {
		return
	}
	for i := range n {
		place := int(binary.BigEndian.Uint16(b[list+2*i:]))
		if place < list+2*n || place >= len(b) {
			continue
		}
		if c, ok := d.cell(kind, b[place:]); ok {
			yield(c)
		}
	}
}

// cell reads one cell, with the pages that it overflows to.
func (d *Database) cell(kind byte, b []byte) (c Cell, ok bool) {
	if kind == interiorIndex { // the page below comes first
		if len(b) < 4 {
			return c, false
		}
		b = b[4:]
	}
	size, b, ok := varint(b)
	if !ok || size < 0 || size > int64(d.count)*int64(d.size) {
		return c, false
	}
	usable := int64(d.size)
	most := (usable-12)*64/255 - 23
	if kind == leafTable {
		if c.Rowid, b, ok = varint(b); !ok {
			return c, false
		}
		most = usable - 35
	} else {
		c.Index = true
	}
	local := size
	if size > most {
		least := (usable-12)*32/255 - 23
		if local = least + (size-least)%(usable-4); local > most {
			local = least
		}
	}
	if local > int64(len(b)) || size > most && local+4 > int64(len(b)) {
		return c, false
	}
	// What a damaged page takes for a size is not believed before it is read.
	c.Payload = append(make([]byte, 0, min(size, mostAhead)), b[:local]...)
	if size == local {
		return c, true
	}
	c.Payload, ok = d.overflow(c.Payload, int(size), binary.BigEndian.Uint32(b[local:]))
	return c, ok
}

// mostAhead bounds what is allocated ahead for one payload.
const mostAhead = 256 << 10

// overflow reads the rest of a payload of a size from a chain of pages (§1.7).
func (d *Database) overflow(payload []byte, size int, no uint32) ([]byte, bool) {
	for left := size - len(payload); left > 0; left = size - len(payload) {
		if no == 0 || no > d.count || d.free[no] {
			return nil, false
		}
		b, ok := d.page(no)
		if !ok {
			return nil, false
		}
		payload = append(payload, b[4:min(len(b), 4+left)]...)
		no = binary.BigEndian.Uint32(b)
	}
	return payload, no == 0
}

// varint takes a number off the front of b (§1.6).
func varint(b []byte) (n int64, rest []byte, ok bool) {
	for i := range b {
		if i == 8 {
			return n<<8 | int64(b[i]), b[i+1:], true
		}
		n = n<<7 | int64(b[i]&0x7f)
		if b[i] < 0x80 {
			return n, b[i+1:], true
		}
	}
	return 0, nil, false
}

var errRecord = errors.New("not a record")

// Values decodes a payload (§2.1): nil, int64, string and []byte, which is a
// part of the payload. A payload with anything left over, or with a floating
// point number, is refused.
func Values(payload []byte) ([]any, error) {
	types, body, ok := parts(payload)
	if !ok {
		return nil, errRecord
	}
	var out []any
	for len(types) > 0 {
		var t int64
		if t, types, ok = varint(types); !ok {
			return nil, errRecord
		}
		n, ok := width(t)
		if !ok || n > int64(len(body)) {
			return nil, errRecord
		}
		out = append(out, value(t, body[:n]))
		body = body[n:]
	}
	if len(body) > 0 {
		return nil, errRecord
	}
	return out, nil
}

// Column decodes one value, counted from 0, of a payload that Values has
// decoded before. It is nil where there is none.
func Column(payload []byte, i int) any {
	types, body, ok := parts(payload)
	for ; ok && len(types) > 0; i-- {
		var t, n int64
		if t, types, ok = varint(types); !ok {
			break
		}
		if n, ok = width(t); !ok || n > int64(len(body)) {
			break
		}
		if i == 0 {
			return value(t, body[:n])
		}
		body = body[n:]
	}
	return nil
}

// parts are the types of a record and its values.
func parts(payload []byte) (types, body []byte, ok bool) {
	size, types, ok := varint(payload)
	head := int64(len(payload) - len(types))
	if !ok || size < head || size > int64(len(payload)) {
		return nil, nil, false
	}
	return types[:size-head], payload[size:], true
}

// width is how long a value of a type is.
func width(t int64) (n int64, ok bool) {
	switch {
	case t >= 12:
		return (t - 12) / 2, true
	case t < 0 || t == 7 || t == 10 || t == 11: // 7 is a floating point number; 10 and 11 are not for files
		return 0, false
	}
	return []int64{0, 1, 2, 3, 4, 6, 8, 0, 0, 0}[t], true
}

// value decodes a value of a type.
func value(t int64, b []byte) any {
	switch {
	case t == 0:
		return nil
	case t == 8, t == 9:
		return t - 8
	case t >= 12 && t%2 == 0:
		return b
	case t >= 13:
		return string(b)
	}
	whole := int64(int8(b[0]))
	for _, c := range b[1:] {
		whole = whole<<8 | int64(c)
	}
	return whole
}
