package look

import (
	"fmt"
	"math"
	"strconv"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/test"
)

// library owns the rows of a test, and answers when it is told to.
type library struct {
	rows  []string
	asked []question
	loads int
	list  *Rows[string]
	seen  []string // what OnSelect was told
}

type question struct{ gen, offset, limit int }

func (l *library) answer() {
	for len(l.asked) > 0 {
		q := l.asked[0]
		l.asked = l.asked[1:]
		from, to := min(q.offset, len(l.rows)), min(q.offset+q.limit, len(l.rows))
		l.list.Put(q.gen, q.offset, l.rows[from:to], len(l.rows))
	}
}

func numbered(n int) []string {
	rows := make([]string, n)
	for i := range rows {
		rows[i] = strconv.Itoa(i)
	}
	return rows
}

// newLibrary shows n rows in a window of 600 by 400.
func newLibrary(t *testing.T, n int) (*library, fyne.Window) {
	t.Helper()
	a := test.NewTempApp(t)
	a.Settings().SetTheme(New(ChoiceLight))
	l := &library{rows: numbered(n)}
	l.list = NewRows(RowsSpec[string]{
		Columns: []Column[string]{
			{Title: "Name", Width: 100, Grow: 1, Cell: func(s string) Cell { return Cell{Text: "row " + s} }},
			{Title: "Size", Width: 80, Drop: 1, Align: fyne.TextAlignTrailing, Cell: func(s string) Cell { return Cell{Text: s} }},
		},
		Key: func(s string) string { return s },
		Load: func(gen, offset, limit int) {
			l.loads++
			l.asked = append(l.asked, question{gen, offset, limit})
		},
		OnSelect: func(s string, ok bool) { l.seen = append(l.seen, fmt.Sprint(s, " ", ok)) },
		Empty:    NewEmpty("queue", "Nothing here", "", "", nil),
	})
	w := a.NewWindow("")
	w.SetContent(l.list)
	w.Resize(fyne.NewSize(600, 400))
	t.Cleanup(w.Close)
	return l, w
}

// inSight returns the first cell of every row that is drawn.
func (l *library) inSight() []string {
	var texts []string
	for _, o := range drawn(l.list.list) {
		if item, ok := o.(*rowItem); ok && item.cells != nil {
			texts = append(texts, item.cells[0].Text)
		}
	}
	return texts
}

func (l *library) press(keys ...fyne.KeyName) {
	for _, k := range keys {
		l.list.list.TypedKey(&fyne.KeyEvent{Name: k})
	}
}

// TestHundredThousandRows scrolls from end to end, as somebody drags the bar,
// with a library that answers late: only some pages are ever asked for, and
// only a few are held.
func TestHundredThousandRows(t *testing.T) {
	l, _ := newLibrary(t, 100_000)
	l.answer()
	if l.loads != 1 {
		t.Errorf("the first screen asked %d times, want once", l.loads)
	}
	const steps = 2000
	for i := range steps {
		l.list.list.ScrollToOffset(float32(i) / steps * 100_000 * 31)
		if i%100 == 0 {
			l.answer()
		}
	}
	for len(l.asked) > 0 {
		l.answer()
	}
	// Every answer lets at most one more question follow for what is in sight.
	if l.loads > 1+2*2*steps/100 {
		t.Errorf("the drag asked %d times, want at most %d", l.loads, 1+2*2*steps/100)
	}
	if got := len(l.list.pages.held); got > maxPages {
		t.Errorf("got %d pages held, want at most %d", got, maxPages)
	}
	l.press(fyne.KeyEnd)
	l.answer()
	l.answer()
	if row, ok := l.list.Selected(); !ok || row != "99999" {
		t.Errorf("the end key: got %q selected, want 99999", row)
	}
	if got := l.inSight(); len(got) == 0 || got[len(got)-1] != "row 99999" {
		t.Errorf("in sight at the end: %v", got)
	}
}

func TestStaleAnswersAreDropped(t *testing.T) {
	l, _ := newLibrary(t, 10)
	old := l.asked
	l.rows = []string{"new"}
	l.list.Reload()
	fresh := l.asked[len(old):]
	l.list.Put(old[0].gen, old[0].offset, numbered(10), 10)
	if _, known := l.list.Total(); known {
		t.Error("an answer to the filter before was taken")
	}
	l.asked = fresh
	l.answer()
	if got := l.inSight(); len(got) != 1 || got[0] != "row new" {
		t.Errorf("in sight: got %v, want row new", got)
	}
}

func TestKeyboard(t *testing.T) {
	l, w := newLibrary(t, 250)
	l.answer()
	opened := ""
	l.list.spec.OnOpen = func(s string) { opened = s }
	w.Canvas().Focus(l.list.list)
	page := l.list.list.screenful()
	for _, c := range []struct {
		keys []fyne.KeyName
		want int
	}{
		{[]fyne.KeyName{fyne.KeyDown}, 0},
		{[]fyne.KeyName{fyne.KeyDown, fyne.KeyDown}, 2},
		{[]fyne.KeyName{fyne.KeyUp}, 1},
		{[]fyne.KeyName{fyne.KeyUp, fyne.KeyUp, fyne.KeyUp}, 0},
		{[]fyne.KeyName{fyne.KeyPageDown}, page},
		{[]fyne.KeyName{fyne.KeyEnd}, 249},
		{[]fyne.KeyName{fyne.KeyDown}, 249},
		{[]fyne.KeyName{fyne.KeyPageUp}, 249 - page},
		{[]fyne.KeyName{fyne.KeyHome}, 0},
	} {
		l.press(c.keys...)
		l.answer()
		if row, _ := l.list.Selected(); row != strconv.Itoa(c.want) {
			t.Errorf("%v: got row %s, want %d", c.keys, row, c.want)
		}
	}
	item := firstItem(t, l)
	if !item.selected || !item.focused {
		t.Error("the selected row must show that the keys go to the list")
	}
	w.Canvas().Unfocus()
	if !item.selected || item.focused {
		t.Error("the selected row must show that the keys go elsewhere")
	}
	l.press(fyne.KeyReturn)
	if opened != "0" {
		t.Errorf("return opened %q, want 0", opened)
	}
}

// TestSelectionFollowsItsRow: new mail comes in above, or the row goes.
func TestSelectionFollowsItsRow(t *testing.T) {
	l, _ := newLibrary(t, 20)
	l.answer()
	l.list.Select(3)
	l.seen = nil
	l.rows = append([]string{"a", "b"}, l.rows...)
	l.list.Renew()
	if got := l.inSight(); got[0] != "row 0" {
		t.Errorf("until the answer the old rows stay, got %v", got)
	}
	l.answer()
	if row, ok := l.list.Selected(); !ok || row != "3" || l.list.cursor != 5 {
		t.Errorf("got %q at %d, want 3 at 5", row, l.list.cursor)
	}
	if len(l.seen) != 0 {
		t.Errorf("nobody selected anything, but OnSelect was told %v", l.seen)
	}
	if got := selectedItems(l); len(got) != 1 || got[0] != "row 3" {
		t.Errorf("drawn as selected: got %v, want row 3", got)
	}
	l.press(fyne.KeyDown)
	if row, _ := l.list.Selected(); row != "4" {
		t.Errorf("down: got %q, want 4", row)
	}
	l.list.Reload()
	if _, ok := l.list.Selected(); ok || l.seen[len(l.seen)-1] != " false" {
		t.Errorf("another filter selects nothing, and says so: %v", l.seen)
	}
}

func selectedItems(l *library) []string {
	var texts []string
	for _, o := range drawn(l.list.list) {
		if item, ok := o.(*rowItem); ok && item.selected {
			texts = append(texts, item.cells[0].Text)
		}
	}
	return texts
}

// TestSelectionDoesNotScroll: rows move while somebody reads further down.
func TestSelectionDoesNotScroll(t *testing.T) {
	l, _ := newLibrary(t, 1000)
	l.answer()
	l.list.Select(0)
	l.list.list.ScrollToOffset(2000)
	l.rows = append([]string{"a"}, l.rows...)
	l.list.Renew()
	l.answer()
	if got := l.list.list.GetScrollOffset(); got != 2000 {
		t.Errorf("scrolled to %.0f, want to stay at 2000", got)
	}
}

// TestSelectBeforeShown: a list without a size must not scroll away from its
// first rows.
func TestSelectBeforeShown(t *testing.T) {
	test.NewTempApp(t).Settings().SetTheme(New(ChoiceLight))
	r := specimenRows()
	test.WidgetRenderer(r.list)
	r.Reload()
	r.Put(1, 0, numbered(50), 50)
	r.Select(5)
	test.NewTempWindow(t, r).Resize(fyne.NewSize(600, 400))
	if got := r.list.GetScrollOffset(); got != 0 {
		t.Errorf("scrolled to %v, want 0", got)
	}
}

func TestTapSelectsAndFocuses(t *testing.T) {
	l, w := newLibrary(t, 20)
	l.answer()
	test.TapCanvas(w.Canvas(), fyne.NewPos(100, 110))
	row, ok := l.list.Selected()
	if !ok {
		t.Fatal("a tap selects nothing")
	}
	if w.Canvas().Focused() != fyne.Focusable(l.list.list) {
		t.Error("after a tap the keys do not go to the list")
	}
	l.press(fyne.KeyDown)
	next, _ := l.list.Selected()
	a, _ := strconv.Atoi(row)
	if next != strconv.Itoa(a+1) {
		t.Errorf("down after a tap on %s: got %s", row, next)
	}
}

func TestMenu(t *testing.T) {
	l, _ := newLibrary(t, 20)
	var got string
	var at fyne.Position
	l.list.spec.OnMenu = func(s string, p fyne.Position) { got, at = s, p }
	l.answer()
	item := firstItem(t, l)
	test.TapSecondaryAt(item, fyne.NewPos(10, 10))
	if row, _ := l.list.Selected(); got != "0" || row != "0" {
		t.Errorf("menu on %q with %q selected, want 0 and 0", got, row)
	}
	l.press(fyne.KeyDown, desktop.KeyMenu)
	top := fyne.CurrentApp().Driver().AbsolutePositionForObject(item).Y
	if want := top + 2*l.list.list.pitch(); got != "1" || math.Abs(float64(at.Y-want)) > 0.1 {
		t.Errorf("menu key: on %q at %v, want 1 at %v", got, at.Y, want)
	}
}

func firstItem(t *testing.T, l *library) *rowItem {
	t.Helper()
	for _, o := range drawn(l.list.list) {
		if item, ok := o.(*rowItem); ok {
			return item
		}
	}
	t.Fatal("no row is drawn")
	return nil
}

func TestEmptyAndBack(t *testing.T) {
	l, _ := newLibrary(t, 0)
	l.answer()
	if !l.list.spec.Empty.Visible() || l.list.list.Visible() {
		t.Error("without rows the empty state stands instead of the list")
	}
	l.rows = numbered(2)
	l.list.Renew()
	l.answer()
	if l.list.spec.Empty.Visible() || len(l.inSight()) != 2 {
		t.Errorf("rows have come, but in sight are %v", l.inSight())
	}
}

// TestListShrinks: what was looked at at the end is gone.
func TestListShrinks(t *testing.T) {
	l, _ := newLibrary(t, 1000)
	l.answer()
	l.press(fyne.KeyEnd)
	l.answer()
	l.rows = numbered(5)
	l.list.Renew()
	l.answer()
	l.answer()
	if got := l.inSight(); len(got) != 5 {
		t.Errorf("in sight: got %v, want the five rows that are left", got)
	}
}

// TestRowsDrawPlaceholders looks at the pixels of a row that is not there yet.
func TestRowsDrawPlaceholders(t *testing.T) {
	l, w := newLibrary(t, 20)
	item := firstItem(t, l)
	at := fyne.CurrentApp().Driver().AbsolutePositionForObject(item).AddXY(rowInset+10, item.Size().Height/2)
	if got, want := pixel(w.Canvas().Capture(), at.X, at.Y), light[ColorNameTrack]; got != want {
		t.Errorf("a placeholder is %v, want %v", got, want)
	}
	l.answer()
	if got := pixel(w.Canvas().Capture(), at.X, at.Y); got == light[ColorNameTrack] {
		t.Error("the placeholder is still there after the answer")
	}
}
