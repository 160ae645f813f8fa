package look

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// rowSource is what a rowList needs of its Rows, whatever the rows are.
type rowSource interface {
	length() int
	fill(i int, item *rowItem)
	typed(name fyne.KeyName)
	tap(i int)
	menu(i int, at fyne.Position)
}

// rowList is Fyne's list with our keys. The selection is not Fyne's: that one
// is a position, and ours has to follow a row that moves, without scrolling.
// The rows take the taps, so that Fyne's never comes about.
type rowList struct {
	widget.List
	source  rowSource
	focused bool
}

func newRowList[T any](r *Rows[T]) *rowList {
	l := &rowList{source: r}
	l.Length = r.length
	l.CreateItem = func() fyne.CanvasObject { return newRowItem(r.tracks) }
	l.UpdateItem = func(i widget.ListItemID, o fyne.CanvasObject) {
		if item, ok := o.(*rowItem); ok {
			r.fill(i, item)
		}
	}
	l.ExtendBaseWidget(l)
	return l
}

// Fyne leaves a gap between rows. A click there is one on the row above: nobody
// aims at rows that closely.
var (
	_ fyne.Tappable          = (*rowList)(nil)
	_ fyne.SecondaryTappable = (*rowList)(nil)
)

// Tapped is called by Fyne, for a click in a gap or below all rows.
func (l *rowList) Tapped(e *fyne.PointEvent) { l.source.tap(l.rowAt(e.Position.Y)) }

// TappedSecondary is called by Fyne, as Tapped is.
func (l *rowList) TappedSecondary(e *fyne.PointEvent) {
	l.source.menu(l.rowAt(e.Position.Y), e.AbsolutePosition)
}

func (l *rowList) rowAt(y float32) int { return int((y + l.GetScrollOffset()) / l.pitch()) }

// TypedKey is called by Fyne.
func (l *rowList) TypedKey(e *fyne.KeyEvent) { l.source.typed(e.Name) }

// bring scrolls to row i. A list without a size cannot tell what is in sight.
func (l *rowList) bring(i int) {
	if l.Size().Height > 0 {
		l.Highlight(i)
	}
}

// FocusGained shows that the keys go here now.
func (l *rowList) FocusGained() {
	l.focused = true
	l.List.FocusGained()
	l.Refresh()
}

// FocusLost shows that they go elsewhere.
func (l *rowList) FocusLost() {
	l.focused = false
	l.List.FocusLost()
	l.Refresh()
}

// ScrollToTop works before the list is shown, too; Fyne's own does not.
func (l *rowList) ScrollToTop() { l.ScrollToOffset(0) }

// screenful is by how many rows a page key moves: one less than are in sight,
// so that one known row stays.
func (l *rowList) screenful() int {
	return max(int(l.Size().Height/l.pitch())-1, 1)
}

// below is the place in the window under the beginning of row i, for a menu.
func (l *rowList) below(i int) fyne.Position {
	y := float32(i+1)*l.pitch() - l.GetScrollOffset()
	return fyne.CurrentApp().Driver().AbsolutePositionForObject(l).AddXY(rowInset, y)
}

// pitch is the height of a row with the gap that Fyne's list puts between two.
func (l *rowList) pitch() float32 {
	return newRowItem(nil).MinSize().Height + l.Theme().Size(theme.SizeNamePadding)
}

// CreateRenderer is called by Fyne.
func (r *Rows[T]) CreateRenderer() fyne.WidgetRenderer {
	r.ExtendBaseWidget(r)
	header := newRowItem(r.tracks)
	header.header = true
	titles := make([]Cell, len(r.tracks))
	for i, t := range r.tracks {
		titles[i] = Cell{Text: t.title, Quiet: true}
	}
	header.set(titles, false)
	v := &rowsRenderer{
		widget: r, total: r.Total, header: header, list: r.list, empty: r.spec.Empty,
		ground: &canvas.Rectangle{}, line: widget.NewSeparator(),
	}
	v.Refresh()
	return v
}

// rowsRenderer puts header and list, or the empty state, on the ground of a
// card.
type rowsRenderer struct {
	widget fyne.Widget
	total  func() (int, bool)
	ground *canvas.Rectangle
	header *rowItem
	line   *widget.Separator
	list   *rowList
	empty  fyne.CanvasObject
}

func (v *rowsRenderer) Destroy() {}

func (v *rowsRenderer) Objects() []fyne.CanvasObject {
	objects := []fyne.CanvasObject{v.ground, v.header, v.line, v.list}
	if v.empty != nil {
		objects = append(objects, v.empty)
	}
	return objects
}

func (v *rowsRenderer) MinSize() fyne.Size {
	least := v.header.MinSize()
	size := fyne.NewSize(least.Width, least.Height*4)
	if v.empty != nil && v.empty.Visible() {
		size = size.Max(v.empty.MinSize())
	}
	return size
}

func (v *rowsRenderer) Layout(size fyne.Size) {
	v.ground.Resize(size)
	height := v.header.MinSize().Height
	v.header.Resize(fyne.NewSize(size.Width, height))
	v.line.Move(fyne.NewPos(0, height))
	v.line.Resize(fyne.NewSize(size.Width, 1))
	gap := theme.SizeForWidget(theme.SizeNamePadding, v.widget)
	v.list.Move(fyne.NewPos(0, height+1+gap/2))
	v.list.Resize(fyne.NewSize(size.Width, size.Height-height-1-gap))
	if v.empty != nil {
		v.empty.Resize(size)
	}
}

func (v *rowsRenderer) Refresh() {
	v.ground.FillColor = theme.ColorForWidget(ColorNameCard, v.widget)
	v.ground.StrokeColor, v.ground.StrokeWidth = theme.ColorForWidget(ColorNameBorder, v.widget), 1
	v.ground.CornerRadius = theme.SizeForWidget(theme.SizeNameCardRadius, v.widget)
	v.ground.Refresh()
	total, known := v.total()
	none := known && total == 0 && v.empty != nil
	show(v.header, !none)
	show(v.line, !none)
	show(v.list, !none)
	if v.empty != nil {
		show(v.empty, none)
	}
	v.header.Refresh()
	v.list.Refresh()
	canvas.Refresh(v.widget)
}

func show(o fyne.CanvasObject, visible bool) {
	if visible {
		o.Show()
	} else {
		o.Hide()
	}
}
