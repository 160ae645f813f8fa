package look

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// Notice is what a Banner says.
type Notice struct {
	Tone  Tone
	Icon  string // empty: the tone's own
	Title string
	Text  string // empty: none

	Button   string // empty: none
	OnButton func()

	// Details are what a machine said, shown when asked for and copyable.
	Details                  string // empty: none
	ShowDetails, HideDetails string // the words of the switch
}

// Banner tells one thing that matters now, with at most one thing to do about
// it.
type Banner struct {
	widget.BaseWidget

	notice      Notice
	open        bool
	icon        *widget.Icon
	title, text *Text
	button      *widget.Button
	toggle      *widget.Button
	details     *widget.Label
}

// NewBanner returns a banner that says n.
func NewBanner(n Notice) *Banner {
	b := &Banner{icon: widget.NewIcon(nil), title: NewText(Strong, ""), text: NewText(Body, ""), details: widget.NewLabel("")}
	b.details.Wrapping, b.details.Selectable, b.details.TextStyle.Monospace = fyne.TextWrapWord, true, true
	b.button = widget.NewButton("", func() {
		if b.notice.OnButton != nil {
			b.notice.OnButton()
		}
	})
	b.toggle = widget.NewButtonWithIcon("", Icon("chevron-down"), func() { b.SetOpen(!b.open) })
	b.toggle.Importance = widget.LowImportance
	b.set(n)
	b.ExtendBaseWidget(b)
	return b
}

// Set says something else. Open details stay open while they are the same.
func (b *Banner) Set(n Notice) {
	if n.Details != b.notice.Details {
		b.open = false
	}
	b.set(n)
	b.Refresh()
}

// SetOpen shows or hides the details.
func (b *Banner) SetOpen(open bool) {
	b.open = open
	b.set(b.notice)
	b.Refresh()
}

func (b *Banner) set(n Notice) {
	b.notice = n
	icon := n.Icon
	if icon == "" {
		icon = n.Tone.IconName()
	}
	b.icon.SetResource(ToneIcon(icon, n.Tone))
	b.title.Text, b.title.Tone = n.Title, n.Tone
	b.text.Text, b.text.Hidden = n.Text, n.Text == ""
	b.button.Text, b.button.Hidden = n.Button, n.Button == ""
	b.toggle.Text, b.toggle.Icon = n.ShowDetails, Icon("chevron-down")
	if b.open {
		b.toggle.Text, b.toggle.Icon = n.HideDetails, Icon("chevron-up")
	}
	b.toggle.Hidden = n.Details == ""
	b.details.Text, b.details.Hidden = n.Details, n.Details == "" || !b.open
}

// CreateRenderer is called by Fyne.
func (b *Banner) CreateRenderer() fyne.WidgetRenderer {
	b.ExtendBaseWidget(b)
	gap := theme.SizeForWidget(SizeNameGap, b)
	words := Vertical(gap/2, b.title, b.text)
	line := container.New(&bannerLayout{gap: gap + gap/2}, b.icon, words, b.toggle, b.button)
	// The label of the details has a margin of its own: its text lines up with
	// the words above.
	indent := theme.SizeForWidget(theme.SizeNameInlineIcon, b) + gap + gap/2 - theme.SizeForWidget(theme.SizeNameInnerPadding, b)
	details := container.New(layout.NewCustomPaddedLayout(0, 0, indent, 0), b.details)
	return newPanel(b, Vertical(0, line, details), func() surface {
		return surface{fill: b.notice.Tone.SoftName(), radius: theme.SizeForWidget(theme.SizeNameCardRadius, b),
			inset: fyne.NewSize(gap*2, gap+gap/2)}
	})
}

// bannerLayout puts icon, words, and two buttons beside each other; where the
// words would get less than half of the width, the buttons go below them.
type bannerLayout struct {
	gap   float32
	below bool
}

func (l *bannerLayout) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	icon, words, buttons := objects[0], objects[1], visible(objects[2:])
	side := theme.IconInlineSize()
	left := side + l.gap
	width := size.Width - left
	taken := sum(buttons, l.gap)
	l.below = taken > 0 && width-taken-l.gap < size.Width/2
	if !l.below && taken > 0 {
		width -= taken + l.gap
	}
	words.Resize(fyne.NewSize(width, words.MinSize().Height))
	height := words.MinSize().Height
	words.Resize(fyne.NewSize(width, height))

	x, y := left+width+l.gap, float32(0)
	row := max(height, highest(buttons))
	if l.below {
		x, y = left, height+l.gap
		row = height
	}
	icon.Resize(fyne.NewSquareSize(side))
	words.Move(fyne.NewPos(left, (row-height)/2))
	// The icon stands beside the title, the first line of the words.
	icon.Move(fyne.NewPos(0, (row-height)/2+(firstLine(words)-side)/2))
	for _, b := range buttons {
		least := b.MinSize()
		if !l.below {
			y = (row - least.Height) / 2
		}
		b.Resize(least)
		b.Move(fyne.NewPos(x, y))
		x += least.Width + l.gap
	}
}

func (l *bannerLayout) MinSize(objects []fyne.CanvasObject) fyne.Size {
	side, words, buttons := theme.IconInlineSize(), objects[1].MinSize(), visible(objects[2:])
	size := fyne.NewSize(side+l.gap+max(words.Width, sum(buttons, l.gap)), max(side, words.Height))
	if l.below {
		size.Height += l.gap + highest(buttons)
	} else {
		size.Height = max(size.Height, highest(buttons))
	}
	return size
}

func firstLine(words fyne.CanvasObject) float32 {
	if c, ok := words.(*fyne.Container); ok {
		if t, ok := c.Objects[0].(*Text); ok {
			return t.font().height()
		}
	}
	return words.MinSize().Height
}
