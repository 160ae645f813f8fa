package look

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// Select is Fyne's with the edge of an entry: its own has none, and on a card
// of the same colour nobody sees where it is. It is as wide as its longest
// option, so that choosing another moves nothing.
type Select struct {
	widget.Select
	focused bool
}

// widestSelect is how wide its options may make a Select; longer ones are cut
// off unless there is room.
const widestSelect = 280

// NewSelect returns a choice among options; none is chosen yet.
func NewSelect(options []string, changed func(string)) *Select {
	s := &Select{}
	s.Options, s.OnChanged = options, changed
	s.PlaceHolder = " " // Fyne's own is English
	s.ExtendBaseWidget(s)
	return s
}

// FocusGained is called by Fyne.
func (s *Select) FocusGained() {
	s.focused = true
	s.Select.FocusGained()
}

// FocusLost is called by Fyne.
func (s *Select) FocusLost() {
	s.focused = false
	s.Select.FocusLost()
}

// MinSize is called by Fyne.
func (s *Select) MinSize() fyne.Size {
	size := s.Select.MinSize()
	th := s.Theme()
	text, widest := th.Size(theme.SizeNameText), float32(0)
	for _, o := range s.Options {
		widest = max(widest, fyne.MeasureText(o, text, fyne.TextStyle{}).Width)
	}
	// Beside the text: its margins, and the icon with its own.
	beside := 5*th.Size(theme.SizeNameInnerPadding) + th.Size(theme.SizeNameInlineIcon)
	size.Width = max(size.Width, min(widest+beside, widestSelect))
	return size
}

// CreateRenderer is called by Fyne.
func (s *Select) CreateRenderer() fyne.WidgetRenderer {
	s.ExtendBaseWidget(s)
	r := &selectRenderer{WidgetRenderer: s.Select.CreateRenderer(), s: s, edge: &canvas.Rectangle{FillColor: color.Transparent}}
	r.paint()
	return r
}

// selectRenderer draws the edge over what Fyne draws.
type selectRenderer struct {
	fyne.WidgetRenderer
	s    *Select
	edge *canvas.Rectangle
}

func (r *selectRenderer) Objects() []fyne.CanvasObject {
	return append(r.WidgetRenderer.Objects(), r.edge)
}

func (r *selectRenderer) Layout(size fyne.Size) {
	r.WidgetRenderer.Layout(size)
	width := r.s.Theme().Size(theme.SizeNameInputBorder)
	r.edge.Move(fyne.NewSquareOffsetPos(width / 2))
	r.edge.Resize(size.SubtractWidthHeight(width+.5, width+.5)) // as that of an entry
}

func (r *selectRenderer) Refresh() {
	r.paint()
	r.WidgetRenderer.Refresh()
	r.edge.Refresh()
}

func (r *selectRenderer) paint() {
	th := r.s.Theme()
	name := theme.ColorNameInputBorder
	switch {
	case r.s.Disabled():
		name = theme.ColorNameDisabled
	case r.s.focused:
		name = theme.ColorNamePrimary
	}
	r.edge.StrokeColor, r.edge.StrokeWidth = theme.ColorForWidget(name, r.s), th.Size(theme.SizeNameInputBorder)
	r.edge.CornerRadius = th.Size(theme.SizeNameInputRadius)
}
