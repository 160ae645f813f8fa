package look

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/widget"
)

// Bar is one bar of a plot. Height is the whole bar, from 0 to 1 of the plot's
// height; Failed is the part of it, from 0 to Height, that stands on top in
// the colour of alarm.
type Bar struct {
	Height, Failed float32
	Label          string // below the bar, where there is room
	Caption        string // said when the bar is looked at
}

// YLabel is a line across the plot, at a height from 0 to 1, with its label.
type YLabel struct {
	At    float32
	Label string
}

// BarsSpec is what a Bars shows.
type BarsSpec struct {
	Bars    []Bar
	YLabels []YLabel
	Caption string // said when no bar is looked at: the sum, say
	Empty   string // said instead of a plot without bars
}

// Bars is a plot of bars. The bar under the mouse says its caption in the line
// above the plot; with the keyboard's focus, the arrow keys go from bar to bar.
type Bars struct {
	widget.BaseWidget

	spec    BarsSpec
	looked  int // the bar looked at; -1: none
	focused bool
	spans   []span // where the bars stand, since the last layout
}

var (
	_ desktop.Hoverable = (*Bars)(nil)
	_ fyne.Focusable    = (*Bars)(nil)
	_ fyne.Accessible   = (*Bars)(nil)
)

// NewBars returns a plot.
func NewBars(spec BarsSpec) *Bars {
	b := &Bars{spec: spec, looked: -1}
	b.ExtendBaseWidget(b)
	return b
}

// Set replaces everything.
func (b *Bars) Set(spec BarsSpec) {
	b.spec = spec
	if b.looked >= len(spec.Bars) {
		b.looked = -1
	}
	b.Refresh()
}

// caption is the line above the plot.
func (b *Bars) caption() string {
	if b.looked >= 0 {
		return b.spec.Bars[b.looked].Caption
	}
	return b.spec.Caption
}

func (b *Bars) look(i int) {
	if i != b.looked {
		b.looked = i
		b.Refresh()
	}
}

// AccessibilityLabel is the caption in sight.
func (b *Bars) AccessibilityLabel() string { return b.caption() }

// AccessibilityRole says that this is read, not used.
func (b *Bars) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleText }

// MouseIn looks at the bar under the mouse.
func (b *Bars) MouseIn(e *desktop.MouseEvent) { b.MouseMoved(e) }

// MouseMoved looks at the bar under the mouse; the gaps belong to the nearest.
func (b *Bars) MouseMoved(e *desktop.MouseEvent) {
	nearest, distance := -1, float32(0)
	for i, s := range b.spans {
		d := max(s.x-e.Position.X, e.Position.X-s.x-s.width, 0)
		if nearest < 0 || d < distance {
			nearest, distance = i, d
		}
	}
	b.look(nearest)
}

// MouseOut looks at none.
func (b *Bars) MouseOut() { b.look(-1) }

// FocusGained looks at the last bar: the newest.
func (b *Bars) FocusGained() {
	b.focused = true
	b.looked = len(b.spec.Bars) - 1
	b.Refresh()
}

// FocusLost looks at none.
func (b *Bars) FocusLost() {
	b.focused = false
	b.looked = -1
	b.Refresh()
}

// TypedRune does nothing.
func (b *Bars) TypedRune(rune) {}

// TypedKey goes from bar to bar.
func (b *Bars) TypedKey(e *fyne.KeyEvent) {
	last, to := len(b.spec.Bars)-1, b.looked
	switch e.Name {
	case fyne.KeyLeft:
		to--
	case fyne.KeyRight:
		to++
	case fyne.KeyHome:
		to = 0
	case fyne.KeyEnd:
		to = last
	default:
		return
	}
	if last >= 0 {
		b.look(min(max(to, 0), last))
	}
}
