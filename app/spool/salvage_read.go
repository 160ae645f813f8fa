package spool

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/internal/lite/pages"
	"servicesmtp.net/companion/internal/wire"
)

// A damaged database is read page by page, because SQLite stops at the first
// page that makes no sense. Rows are told apart by their shape: no two tables
// have the same types in the same order.

// layout is a table's columns, as the present schema has them.
type layout struct {
	table   string
	columns []column
	place   map[string]int
}

type column struct {
	name     string
	kind     string // as declared
	key      bool   // the rowid: it is not stored again in the row
	optional bool   // added later: an old row ends before it
}

// salvaged are the tables that are carried over.
var salvaged = []string{"jobs", "bodies", "batches", "outcomes", "attempts"}

// layouts reads them from a database of the present schema.
func layouts(ctx context.Context, db *sql.DB) (map[string]*layout, error) {
	out := make(map[string]*layout)
	for _, table := range salvaged {
		l := &layout{table: table, place: make(map[string]int)}
		rows, err := db.QueryContext(ctx, `SELECT name, type, pk, "notnull" = 0 OR dflt_value IS NOT NULL FROM pragma_table_info(?)`, table)
		err = eachRow(rows, err, func(rows *sql.Rows) error {
			var c column
			err := rows.Scan(&c.name, &c.kind, &c.key, &c.optional)
			l.place[c.name] = len(l.columns)
			l.columns = append(l.columns, c)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("read columns of %s: %w", table, err)
		}
		out[table] = l
	}
	return out, nil
}

// fits says whether the values can be a row of the table.
func (l *layout) fits(v []any) bool {
	if len(v) > len(l.columns) || len(v) == 0 {
		return false
	}
	for i, c := range l.columns {
		if i >= len(v) {
			if !c.optional {
				return false
			}
			continue
		}
		ok := false
		switch v[i].(type) {
		case nil:
			ok = c.key
		case int64:
			ok = c.kind == "INTEGER" && !c.key
		case string:
			ok = c.kind == "TEXT"
		case []byte:
			ok = c.kind == "BLOB"
		}
		if !ok {
			return false
		}
	}
	return true
}

// listedJob is what the index jobs_list still says of a job.
type listedJob struct {
	account string
	done    bool
}

// remains are what could be read of a damaged database.
type remains struct {
	layouts  map[string]*layout
	rows     map[string]map[int64]entry       // by table and rowid, without bodies
	bodies   map[int64]map[wire.BodySum]int64 // sizes of those found, by job and sum
	ids      map[int64]string                 // names of jobs by seq, from their index
	listed   map[int64]listedJob              // by seq, from another index
	sequence map[string]int64                 // highest rowid ever used
	version  int64                            // of the schema
	// suspect says that an older state may have been read in places: the log
	// was damaged, or pages that the database had given back cannot be told
	// from the others.
	suspect bool
}

// readRemains reads everything but the bodies' content.
func readRemains(d *pages.Database, l map[string]*layout) *remains {
	r := &remains{
		layouts: l, rows: make(map[string]map[int64]entry), bodies: make(map[int64]map[wire.BodySum]int64),
		ids: make(map[int64]string), listed: make(map[int64]listedJob), sequence: make(map[string]int64),
		suspect: d.Log().Broken || !d.FreeKnown(),
	}
	for table := range l {
		r.rows[table] = make(map[int64]entry)
	}
	var kept slab
	d.Cells(func(c pages.Cell) {
		v, err := pages.Values(c.Payload)
		switch {
		case err != nil:
		case c.Index:
			r.indexed(v)
		default:
			r.add(c.Rowid, v, func() []byte { return kept.keep(c.Payload) })
		}
	})
	r.forget()
	return r
}

// forget drops what indexes say of jobs whose rows are whole.
func (r *remains) forget() {
	ids, listed := make(map[int64]string), make(map[int64]listedJob)
	whole := func(seq int64) bool {
		e, have := r.rows["jobs"][seq]
		return have && soundJob(e)
	}
	for seq, id := range r.ids {
		if !whole(seq) {
			ids[seq] = id
		}
	}
	for seq, known := range r.listed {
		if !whole(seq) {
			listed[seq] = known
		}
	}
	r.ids, r.listed = ids, listed
}

// add takes a row of whatever table. raw gives what is kept of it.
func (r *remains) add(rowid int64, v []any, raw func() []byte) {
	if len(v) == 2 {
		name, isName := v[0].(string)
		if n, ok := v[1].(int64); ok && isName { // sqlite_sequence
			r.sequence[name] = max(r.sequence[name], n)
			return
		}
	}
	if len(v) == 4 && v[0] == nil { // the table of migrations; no other has four columns
		if n, ok := v[1].(int64); ok {
			r.version = max(r.version, n)
		}
		return
	}
	for table, l := range r.layouts {
		if !l.fits(v) {
			continue
		}
		if table == "bodies" {
			if r.bodies[rowid] == nil {
				r.bodies[rowid] = make(map[wire.BodySum]int64)
			}
			data, _ := v[l.place["data"]].([]byte)
			r.bodies[rowid][sha256.Sum256(data)] = int64(len(data))
			return
		}
		e := entry{&row{l: l, rowid: rowid, raw: raw()}}
		if old, have := r.rows[table][rowid]; have {
			r.suspect = true
			if !later(e, old) {
				return
			}
		}
		r.rows[table][rowid] = e
		return
	}
}

// later says which of two rows with the same number is the newer one: nothing
// ever goes back to a smaller state, number of batches, result or time.
func later(a, b entry) bool {
	for _, name := range []string{"done_at", "state", "attempts", "batches", "reported", "result", "at"} {
		if x, y := a.num(name), b.num(name); x != y {
			return x > y
		}
	}
	return false
}

// indexed takes what the indexes say of jobs whose row may be gone.
func (r *remains) indexed(v []any) {
	if len(v) == 2 {
		id, isText := v[0].(string)
		seq, isNumber := v[1].(int64)
		if isText && isNumber && validJob(mail.JobID(id)) {
			r.ids[seq] = id
		}
		return
	}
	if len(v) != 4 && len(v) != 5 { // jobs_list; the rowid may stand at its end once more
		return
	}
	var n [5]int64
	account, ok := v[1].(string)
	for i, x := range v {
		if i != 1 {
			var isNumber bool
			n[i], isNumber = x.(int64)
			ok = ok && isNumber
		}
	}
	if ok && (len(v) == 4 || n[4] == n[0]) {
		r.listed[n[0]] = listedJob{account: account, done: n[2] > 0}
	}
}
