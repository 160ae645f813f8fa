package look

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// Role is what a text is for; it gives size, weight and colour.
type Role int

// The roles of text.
const (
	Body       Role = iota
	Strong          // body that stands out
	Soft            // body in a quieter colour
	Caption         // small and quiet
	Heading         // of a page
	Subheading      // of a card or a section
	Figure          // one number that matters
	Code            // what a machine said, in even-width letters
)

// Overflow is what happens to a text that is wider than its place.
type Overflow int

// The kinds of overflow.
const (
	Wrap     Overflow = iota // goes on in the next line; a word that is too long is broken
	Ellipsis                 // one line, cut off with an ellipsis
	Keep                     // one line, its place must be wide enough
)

// Text is words without a margin, so that they line up with what stands above
// and below them; Fyne's own label keeps a margin of its own. Set the fields
// before the text is shown, or call Refresh after changing one.
type Text struct {
	widget.BaseWidget

	Text     string
	Role     Role
	Tone     Tone // empty: the role's own colour
	Align    fyne.TextAlign
	Overflow Overflow
	MaxLines int // of wrapped text, the last one cut off with an ellipsis; 0: all
}

var (
	_ fyne.Widget     = (*Text)(nil)
	_ fyne.Accessible = (*Text)(nil)
)

// NewText returns a text that wraps.
func NewText(role Role, text string) *Text {
	t := &Text{Text: text, Role: role}
	t.ExtendBaseWidget(t)
	return t
}

// NewLine returns a text of one line, cut off with an ellipsis if need be.
func NewLine(role Role, text string) *Text {
	t := NewText(role, text)
	t.Overflow = Ellipsis
	return t
}

// SetText replaces the words.
func (t *Text) SetText(text string) {
	if t.Text != text {
		t.Text = text
		t.Refresh()
	}
}

// SetTone replaces the colour.
func (t *Text) SetTone(tone Tone) {
	if t.Tone != tone {
		t.Tone = tone
		t.Refresh()
	}
}

// AccessibilityLabel is the whole text, also where it is shown cut off.
func (t *Text) AccessibilityLabel() string { return t.Text }

// AccessibilityRole says that this is text.
func (t *Text) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleText }

// CreateRenderer is called by Fyne.
func (t *Text) CreateRenderer() fyne.WidgetRenderer {
	t.ExtendBaseWidget(t)
	r := &textRenderer{t: t}
	r.Refresh()
	return r
}

// font returns what measures and draws the text.
func (t *Text) font() font {
	th, style, name := t.Theme(), fyne.TextStyle{}, theme.SizeNameText
	switch t.Role {
	case Strong:
		style.Bold = true
	case Caption:
		name = theme.SizeNameCaptionText
	case Heading:
		style.Bold, name = true, theme.SizeNameHeadingText
	case Subheading:
		style.Bold, name = true, theme.SizeNameSubHeadingText
	case Figure:
		style.Bold, name = true, SizeNameFigureText
	case Code:
		style.Monospace = true
	}
	return font{size: th.Size(name), style: style}
}

func (t *Text) colorName() fyne.ThemeColorName {
	switch {
	case t.Tone != "":
		return t.Tone.ColorName()
	case t.Role == Caption || t.Role == Soft:
		return theme.ColorNamePlaceHolder
	}
	return theme.ColorNameForeground
}

type textRenderer struct {
	t     *Text
	lines []*canvas.Text
	width float32 // that the lines were broken for
}

func (r *textRenderer) Destroy() {}

func (r *textRenderer) Objects() []fyne.CanvasObject {
	objects := make([]fyne.CanvasObject, len(r.lines))
	for i, l := range r.lines {
		objects[i] = l
	}
	return objects
}

func (r *textRenderer) Refresh() {
	r.breakLines(r.t.Size().Width)
	r.place(r.t.Size())
	canvas.Refresh(r.t)
}

func (r *textRenderer) Layout(size fyne.Size) {
	if size.Width != r.width && r.t.Overflow != Keep {
		r.breakLines(size.Width)
	}
	r.place(size)
}

// place puts the lines below each other; a single line stands in the middle
// of a place that is higher than it.
func (r *textRenderer) place(size fyne.Size) {
	height := r.t.font().height()
	y := float32(0)
	if r.t.Overflow != Wrap {
		y = (size.Height - height) / 2
	}
	for _, l := range r.lines {
		l.Move(fyne.NewPos(0, y))
		l.Resize(fyne.NewSize(size.Width, height))
		y += height
	}
}

func (r *textRenderer) MinSize() fyne.Size {
	f := r.t.font()
	size := fyne.NewSize(0, f.height()*float32(max(len(r.lines), 1)))
	switch r.t.Overflow {
	case Keep:
		size.Width = f.width(r.t.Text)
	case Ellipsis:
		size.Width = min(f.width(r.t.Text), f.width("mmm…"))
	default:
		size.Width = min(f.width(r.t.Text), f.width("mmmmmmmm"))
	}
	return size
}

func (r *textRenderer) breakLines(width float32) {
	r.width = width
	f, lines := r.t.font(), []string{r.t.Text}
	switch {
	case r.t.Overflow == Keep || width <= 0:
	case r.t.Overflow == Ellipsis:
		lines[0] = f.ellipsis(r.t.Text, width)
	default:
		lines = f.wrap(r.t.Text, width, r.t.MaxLines)
	}
	color := theme.ColorForWidget(r.t.colorName(), r.t)
	for len(r.lines) < len(lines) {
		r.lines = append(r.lines, &canvas.Text{})
	}
	r.lines = r.lines[:len(lines)]
	for i, l := range r.lines {
		l.Text, l.TextSize, l.TextStyle, l.Color, l.Alignment = lines[i], f.size, f.style, color, r.t.Align
	}
}
