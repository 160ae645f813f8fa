package look

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// Badge is a word or two about a state, on the soft ground of its tone.
type Badge struct {
	widget.BaseWidget

	tone Tone
	text *Text
}

// NewBadge returns a badge.
func NewBadge(tone Tone, text string) *Badge {
	b := &Badge{tone: tone, text: NewText(Caption, text)}
	b.text.Tone, b.text.Overflow = tone, Keep
	b.ExtendBaseWidget(b)
	return b
}

// Set replaces tone and words.
func (b *Badge) Set(tone Tone, text string) {
	b.tone, b.text.Tone, b.text.Text = tone, tone, text
	b.Refresh()
}

// CreateRenderer is called by Fyne.
func (b *Badge) CreateRenderer() fyne.WidgetRenderer {
	b.ExtendBaseWidget(b)
	return newPanel(b, b.text, func() surface {
		gap := theme.SizeForWidget(SizeNameGap, b)
		// As high as the text with a quarter around it; the ends are round.
		return surface{fill: b.tone.SoftName(), radius: b.text.font().height(), inset: fyne.NewSize(gap, gap/4)}
	})
}
