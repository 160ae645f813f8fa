package spool

import "servicesmtp.net/companion/internal/lite/pages"

// entry is one row that was read, or made up. The zero entry is none.
type entry struct{ *row }

// row keeps the record as it was stored: nearly all of a long history is only
// carried over, and its values one by one would take several times the room.
type row struct {
	l     *layout
	rowid int64
	raw   []byte
	v     []any // its columns, once one was changed
}

func (e entry) at(name string) any {
	i, ok := e.l.place[name]
	switch {
	case !ok:
		return nil
	case e.v == nil:
		return pages.Column(e.raw, i)
	case i < len(e.v):
		return e.v[i]
	}
	return nil
}

func (e entry) num(name string) int64   { n, _ := e.at(name).(int64); return n }
func (e entry) text(name string) string { s, _ := e.at(name).(string); return s }
func (e entry) blob(name string) []byte { b, _ := e.at(name).([]byte); return b }

// set changes a column that old rows have too.
func (e entry) set(name string, value any) {
	if n, isNumber := value.(int64); isNumber && e.v == nil && e.at(name) == any(n) {
		return
	}
	e.v = e.values()
	e.v[e.l.place[name]] = value
}

// values are the columns, as many as the row has. They are the caller's to
// change only where they are kept.
func (e entry) values() []any {
	if e.v != nil {
		return e.v
	}
	v, _ := pages.Values(e.raw) // as when it was read
	return v
}

// blank is a row of zeros.
func (l *layout) blank(rowid int64) entry {
	e := entry{&row{l: l, rowid: rowid, v: make([]any, len(l.columns))}}
	for i, c := range l.columns {
		switch {
		case c.key:
		case c.kind == "INTEGER":
			e.v[i] = int64(0)
		case c.kind == "TEXT":
			e.v[i] = ""
		case c.kind == "BLOB":
			e.v[i] = []byte{}
		}
	}
	return e
}

// slab keeps many small records side by side.
type slab []byte

const slabSize = 64 << 10

func (s *slab) keep(b []byte) []byte {
	if len(b) > cap(*s)-len(*s) {
		*s = make(slab, 0, max(len(b), slabSize))
	}
	*s = append(*s, b...)
	return (*s)[len(*s)-len(b) : len(*s) : len(*s)]
}
