package look

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// Card groups what belongs together: a title, things to do with it, and the
// content, on a ground that is set off from the page.
type Card struct {
	widget.BaseWidget

	title   *Text
	header  *fyne.Container
	content *fyne.Container
}

// NewCard returns a card. The actions stand at the right of the title; an
// empty title without actions takes no place.
func NewCard(title string, content fyne.CanvasObject, actions ...fyne.CanvasObject) *Card {
	c := &Card{title: NewLine(Subheading, title), content: container.NewStack()}
	c.header = Horizontal(theme.Padding(), 0, append([]fyne.CanvasObject{c.title}, actions...)...)
	c.header.Hidden = title == "" && len(actions) == 0
	if content != nil {
		c.content.Objects = []fyne.CanvasObject{content}
	}
	c.ExtendBaseWidget(c)
	return c
}

// SetTitle replaces the title.
func (c *Card) SetTitle(title string) {
	c.title.SetText(title)
	c.header.Hidden = title == "" && len(c.header.Objects) == 1
	c.Refresh()
}

// SetContent replaces what the card holds.
func (c *Card) SetContent(content fyne.CanvasObject) {
	c.content.Objects = []fyne.CanvasObject{content}
	c.Refresh()
}

// CreateRenderer is called by Fyne.
func (c *Card) CreateRenderer() fyne.WidgetRenderer {
	c.ExtendBaseWidget(c)
	gap := theme.SizeForWidget(SizeNameGap, c)
	inside := container.New(&columnLayout{gap: gap + gap/2, fill: true}, c.header, c.content)
	return newPanel(c, inside, func() surface {
		return surface{fill: ColorNameCard, border: ColorNameBorder, radius: theme.SizeForWidget(theme.SizeNameCardRadius, c),
			inset: fyne.NewSquareSize(theme.SizeForWidget(SizeNameCardInset, c))}
	})
}
