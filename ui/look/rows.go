package look

import (
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/widget"
)

// Cell is what one column shows of one row.
type Cell struct {
	Text  string
	Tone  Tone   // empty: plain text
	Icon  string // before the text, in the same colour; empty: none
	Badge bool   // on the soft ground of its tone
	Quiet bool   // in a quieter colour
}

// Column says how one column is filled and how wide it is.
type Column[T any] struct {
	Title string
	Width float32        // the least width at which it is of use
	Grow  float32        // its share of what is left; 0: stays at Width
	Drop  int            // the highest goes first when the window is narrow; 0: never
	Align fyne.TextAlign // of title and cells; numbers stand at the right
	Cell  func(row T) Cell
}

// RowsSpec is what a Rows needs to know.
type RowsSpec[T any] struct {
	Columns []Column[T]
	// Key tells rows apart; the selection follows it when rows move.
	Key func(row T) string
	// Load asks for a page. The answer is given by Put, or Failed, with the
	// same gen and offset, later: never before Load has returned.
	Load func(gen, offset, limit int)

	OnSelect func(row T, ok bool)          // ok is false when nothing is selected any more; may be nil
	OnOpen   func(row T)                   // Return or a double click on a row; may be nil
	OnMenu   func(row T, at fyne.Position) // the other mouse button, or the menu key; may be nil
	// OnKey takes the keys that the focused list has no use for itself, also
	// while it has no rows, and tells whether it had one; may be nil.
	OnKey func(fyne.KeyName) bool
	Empty fyne.CanvasObject // shown instead of a list without rows; may be nil
}

// Rows shows a long list of which only some pages are ever held. Rows not yet
// loaded are drawn as placeholders.
//
// A new filter is a Reload; a change of the data is a Renew. Both begin a new
// generation, and answers to older questions are dropped.
type Rows[T any] struct {
	widget.BaseWidget

	spec   RowsSpec[T]
	tracks []track
	pages  *pages[T]
	list   *rowList

	key     string // of the selected row; empty: none
	row     T      // the selected row, as last seen
	cursor  int    // where the selection was last seen; -1: nowhere
	pending bool   // select the row under the cursor when it has come

	tapped   string    // key of the row that was clicked last
	tappedAt time.Time // zero: a click now is the first of two
	now      func() time.Time
}

// NewRows returns the list; it asks for its first page when it is shown.
func NewRows[T any](spec RowsSpec[T]) *Rows[T] {
	r := &Rows[T]{spec: spec, pages: newPages[T](), cursor: -1, now: time.Now}
	for _, c := range spec.Columns {
		r.tracks = append(r.tracks, track{title: c.Title, least: c.Width, grow: c.Grow, drop: c.Drop, align: c.Align})
	}
	r.list = newRowList(r)
	r.ExtendBaseWidget(r)
	return r
}

// Reload begins again at the top, for another filter. The selection is gone.
func (r *Rows[T]) Reload() {
	r.pages.forget()
	r.clear()
	r.list.ScrollToTop()
	r.ask(0)
	r.Refresh()
}

// Renew asks again for what is in sight, because the data may have changed.
// Place and selection stay; the old rows stay in sight until the answer.
func (r *Rows[T]) Renew() {
	r.pages.renew()
	if r.pages.total <= 0 {
		r.ask(0) // no row is in sight that would ask
	}
	r.list.Refresh()
}

// Put brings the rows of a page and how many rows there are in all.
func (r *Rows[T]) Put(gen, offset int, rows []T, total int) {
	if !r.pages.put(gen, offset, rows, total) {
		return
	}
	r.follow(offset, rows)
	r.Refresh()
}

// Failed says that a page could not be had; it is asked for again in the next
// generation. Saying why is the owner's.
func (r *Rows[T]) Failed(gen, offset int) {
	if r.pages.fail(gen, offset) {
		r.list.Refresh()
	}
}

// Total returns how many rows there are, or false before that is known.
func (r *Rows[T]) Total() (int, bool) { return max(r.pages.total, 0), r.pages.total >= 0 }

// Selected returns the selected row as last seen.
func (r *Rows[T]) Selected() (row T, ok bool) { return r.row, r.key != "" }

// Focus gives the keyboard to the list. Fyne does not know yet on which canvas
// a list is that was never drawn, so it has to be said.
func (r *Rows[T]) Focus(c fyne.Canvas) { c.Focus(r.list) }

// Select selects row i and brings it in sight; -1 selects nothing. A row that
// is not loaded is selected when it comes.
func (r *Rows[T]) Select(i int) {
	if i < 0 {
		r.clear()
		r.list.Refresh()
		return
	}
	if i >= r.pages.total {
		return
	}
	r.cursor = i
	r.list.bring(i)
	row, ok := r.pages.at(i)
	r.pending = !ok
	if ok {
		r.choose(row)
	}
	r.list.Refresh()
}

func (r *Rows[T]) choose(row T) {
	r.pending = false
	key := r.spec.Key(row)
	same := key == r.key
	r.key, r.row = key, row
	if !same && r.spec.OnSelect != nil {
		r.spec.OnSelect(row, true)
	}
}

func (r *Rows[T]) clear() {
	had := r.key != ""
	var none T
	r.key, r.row, r.cursor, r.pending = "", none, -1, false
	if had && r.spec.OnSelect != nil {
		r.spec.OnSelect(none, false)
	}
}

// follow finds the selected row among rows that came.
func (r *Rows[T]) follow(offset int, rows []T) {
	for i, row := range rows {
		switch {
		case r.pending && offset+i == r.cursor:
			r.choose(row)
		case !r.pending && r.key != "" && r.spec.Key(row) == r.key:
			r.row, r.cursor = row, offset+i
		}
	}
	if r.pages.total == 0 {
		r.clear()
	}
}

// ask asks for the page of row i, if that is due.
func (r *Rows[T]) ask(i int) {
	if r.pages.ask(i) {
		r.spec.Load(r.pages.gen, i/pageSize*pageSize, pageSize)
	}
}

// waiting is how many placeholders stand for a list of unknown length.
const waiting = 3

func (r *Rows[T]) length() int {
	if r.pages.total < 0 {
		return waiting
	}
	return r.pages.total
}

// fill shows row i in one of the list's items.
func (r *Rows[T]) fill(i int, item *rowItem) {
	r.ask(i)
	row, ok := r.pages.at(i)
	item.onTap = func() { r.tap(i) }
	item.onMenu, item.focused = nil, r.list.focused
	if !ok {
		item.set(nil, r.pending && i == r.cursor)
		return
	}
	cells := make([]Cell, len(r.spec.Columns))
	for n, c := range r.spec.Columns {
		cells[n] = c.Cell(row)
	}
	if r.spec.OnMenu != nil {
		item.onMenu = func(at fyne.Position) { r.menu(i, at) }
	}
	item.set(cells, r.key != "" && !r.pending && r.spec.Key(row) == r.key)
}

// doubleClick is how soon a second click on a row must follow to open it.
// Fyne's own double tap would hold back every first click for as long.
const doubleClick = 400 * time.Millisecond

// tap selects row i, and opens it when it is the second tap on the same row:
// which row that is, its key tells, for rows move.
func (r *Rows[T]) tap(i int) {
	if c := fyne.CurrentApp().Driver().CanvasForObject(r.list); c != nil {
		r.Focus(c)
	}
	r.Select(i)
	key, now := r.key, r.now()
	if r.pending { // a row that has not come yet has no key
		key = ""
	}
	twice := key != "" && key == r.tapped && now.Sub(r.tappedAt) <= doubleClick
	r.tapped, r.tappedAt = key, now
	if twice {
		r.tappedAt = time.Time{} // a third is a first again
		r.open()
	}
}

// menu selects row i and shows its menu.
func (r *Rows[T]) menu(i int, at fyne.Position) {
	if row, ok := r.pages.at(i); ok && i < r.pages.total && r.spec.OnMenu != nil {
		r.Select(i)
		r.spec.OnMenu(row, at)
	}
}

// open opens the selected row.
func (r *Rows[T]) open() {
	if r.key != "" && !r.pending && r.spec.OnOpen != nil {
		r.spec.OnOpen(r.row)
	}
}

// typed uses a key, or hands it to the owner.
func (r *Rows[T]) typed(name fyne.KeyName) {
	if !r.move(name) && r.spec.OnKey != nil {
		r.spec.OnKey(name)
	}
}

// move moves the selection by keyboard, and tells whether name is a key for
// that.
func (r *Rows[T]) move(name fyne.KeyName) bool {
	last := r.pages.total - 1
	to := r.cursor
	switch name {
	case fyne.KeyDown:
		to++
	case fyne.KeyUp:
		to--
	case fyne.KeyPageDown:
		to += r.list.screenful()
	case fyne.KeyPageUp:
		to -= r.list.screenful()
	case fyne.KeyHome:
		to = 0
	case fyne.KeyEnd:
		to = last
	case fyne.KeySpace:
	case fyne.KeyReturn, fyne.KeyEnter:
		r.open()
		return true
	case desktop.KeyMenu:
		if r.key != "" && !r.pending && r.spec.OnMenu != nil {
			r.spec.OnMenu(r.row, r.list.below(r.cursor))
		}
		return true
	default:
		return false
	}
	if last >= 0 {
		r.Select(min(max(to, 0), last))
	}
	return true
}
