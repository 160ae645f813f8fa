package look

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// Empty stands in the middle of a place that has nothing to show: what would
// be here, and what to do to get it.
type Empty struct {
	widget.BaseWidget

	icon        *widget.Icon
	title, text *Text
	button      *widget.Button
}

// NewEmpty returns an empty state. An empty text or button is left out.
func NewEmpty(icon, title, text, button string, tapped func()) *Empty {
	e := &Empty{icon: widget.NewIcon(nil), title: NewText(Subheading, ""), text: NewText(Soft, ""), button: widget.NewButton("", tapped)}
	e.title.Align, e.text.Align = fyne.TextAlignCenter, fyne.TextAlignCenter
	e.button.Importance = widget.HighImportance
	e.set(icon, title, text, button)
	e.ExtendBaseWidget(e)
	return e
}

// Set replaces icon and words; what the button does stays.
func (e *Empty) Set(icon, title, text, button string) {
	e.set(icon, title, text, button)
	e.Refresh()
}

func (e *Empty) set(icon, title, text, button string) {
	e.icon.SetResource(ToneIcon(icon, Muted))
	e.title.Text = title
	e.text.Text, e.text.Hidden = text, text == ""
	e.button.Text, e.button.Hidden = button, button == ""
}

// CreateRenderer is called by Fyne.
func (e *Empty) CreateRenderer() fyne.WidgetRenderer {
	e.ExtendBaseWidget(e)
	gap := theme.SizeForWidget(SizeNameGap, e)
	icon := container.New(layout.NewCustomPaddedLayout(0, gap, 0, 0),
		container.NewCenter(container.NewGridWrap(fyne.NewSquareSize(theme.SizeForWidget(SizeNameLargeIcon, e)), e.icon)))
	button := container.New(layout.NewCustomPaddedLayout(gap, 0, 0, 0), container.NewCenter(e.button))
	column := Vertical(gap/2, icon, e.title, e.text, button)
	return newPanel(e, container.New(&middleLayout{width: 420}, column), func() surface {
		return surface{inset: fyne.NewSquareSize(gap * 3)}
	})
}

// middleLayout puts one object in the middle, not wider than width.
type middleLayout struct{ width float32 }

func (l *middleLayout) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	for _, o := range objects {
		width := min(size.Width, l.width)
		o.Resize(fyne.NewSize(width, o.MinSize().Height))
		height := o.MinSize().Height
		o.Resize(fyne.NewSize(width, height))
		o.Move(fyne.NewPos((size.Width-width)/2, max((size.Height-height)/2, 0)))
	}
}

func (l *middleLayout) MinSize(objects []fyne.CanvasObject) fyne.Size {
	size := fyne.Size{}
	for _, o := range objects {
		size = size.Max(o.MinSize())
	}
	return size
}
