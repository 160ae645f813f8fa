package look

import (
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// NewSection returns a heading inside a page, with actions at its right.
func NewSection(title string, actions ...fyne.CanvasObject) *fyne.Container {
	return Horizontal(theme.Padding(), 0, append([]fyne.CanvasObject{NewLine(Subheading, title)}, actions...)...)
}

// Pair is one row of KeyValues.
type Pair struct {
	Key, Value string
	Tone       Tone // of the value; empty: plain text
}

// KeyValues are rows of a name and what it is, the values below each other.
// Both wrap.
type KeyValues struct {
	widget.BaseWidget
	pairs []Pair
}

// NewKeyValues returns the rows.
func NewKeyValues(pairs ...Pair) *KeyValues {
	k := &KeyValues{pairs: pairs}
	k.ExtendBaseWidget(k)
	return k
}

// Set replaces all rows.
func (k *KeyValues) Set(pairs ...Pair) {
	k.pairs = pairs
	k.Refresh()
}

// CreateRenderer is called by Fyne.
func (k *KeyValues) CreateRenderer() fyne.WidgetRenderer {
	k.ExtendBaseWidget(k)
	r := &keyValuesRenderer{k: k}
	r.update()
	return r
}

type keyValuesRenderer struct {
	k    *KeyValues
	rows [][2]*Text
}

func (r *keyValuesRenderer) Destroy() {}

func (r *keyValuesRenderer) Objects() []fyne.CanvasObject {
	var objects []fyne.CanvasObject
	for _, row := range r.rows {
		objects = append(objects, row[0], row[1])
	}
	return objects
}

func (r *keyValuesRenderer) gap() float32 { return theme.SizeForWidget(SizeNameGap, r.k) }

// keyWidth is that of the widest key, but not more than two fifths, or what
// the values leave where they are short. A word of a key is not
// broken for that, unless it takes more than half.
func (r *keyValuesRenderer) keyWidth(total float32) float32 {
	keys, values, word := float32(0), float32(0), float32(0)
	for _, row := range r.rows {
		keys = max(keys, row[0].font().width(row[0].Text))
		values = max(values, row[1].font().width(row[1].Text))
		for w := range strings.FieldsSeq(row[0].Text) {
			word = max(word, row[0].font().width(w))
		}
	}
	return max(min(word, total/2), min(keys, max(total*2/5, total-2*r.gap()-values)))
}

func (r *keyValuesRenderer) Layout(size fyne.Size) {
	keys := r.keyWidth(size.Width)
	x := keys + 2*r.gap()
	y := float32(0)
	for _, row := range r.rows {
		row[0].Resize(fyne.NewSize(keys, row[0].MinSize().Height))
		row[1].Resize(fyne.NewSize(size.Width-x, row[1].MinSize().Height))
		height := max(row[0].MinSize().Height, row[1].MinSize().Height)
		row[0].Move(fyne.NewPos(0, y))
		row[1].Move(fyne.NewPos(x, y))
		row[0].Resize(fyne.NewSize(keys, height))
		row[1].Resize(fyne.NewSize(size.Width-x, height))
		y += height + r.gap()
	}
}

func (r *keyValuesRenderer) MinSize() fyne.Size {
	size := fyne.NewSize(0, r.gap()*float32(max(len(r.rows)-1, 0)))
	for _, row := range r.rows {
		key, value := row[0].MinSize(), row[1].MinSize()
		size.Width = max(size.Width, key.Width+2*r.gap()+value.Width)
		size.Height += max(key.Height, value.Height)
	}
	return size
}

func (r *keyValuesRenderer) Refresh() {
	r.update()
	r.Layout(r.k.Size())
	for _, row := range r.rows {
		row[0].Refresh()
		row[1].Refresh()
	}
	canvas.Refresh(r.k)
}

func (r *keyValuesRenderer) update() {
	for len(r.rows) < len(r.k.pairs) {
		r.rows = append(r.rows, [2]*Text{NewText(Soft, ""), NewText(Body, "")})
	}
	r.rows = r.rows[:len(r.k.pairs)]
	for i, p := range r.k.pairs {
		r.rows[i][0].Text = p.Key
		r.rows[i][1].Text, r.rows[i][1].Tone = p.Value, p.Tone
	}
}
