package look

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// PageSpec is what a page consists of.
type PageSpec struct {
	Title, Subtitle string
	Actions         []fyne.CanvasObject // at the right of the title
	Top             fyne.CanvasObject   // between title and content, a banner say; may be nil
	Content         fyne.CanvasObject
	// Fill lets the content take the height that is left, and scroll by
	// itself, as a long list does. Otherwise the page scrolls.
	Fill bool
}

// Page is one view of the window: a title, what can be done here, and the
// content, in a width that reads well.
type Page struct {
	widget.BaseWidget

	title, subtitle *Text
	spec            PageSpec
}

// NewPage returns a page.
func NewPage(spec PageSpec) *Page {
	p := &Page{spec: spec, title: NewText(Heading, spec.Title), subtitle: NewText(Soft, spec.Subtitle)}
	p.subtitle.Hidden = spec.Subtitle == ""
	p.ExtendBaseWidget(p)
	return p
}

// SetTitle replaces title and subtitle.
func (p *Page) SetTitle(title, subtitle string) {
	p.title.SetText(title)
	p.subtitle.Hidden = subtitle == ""
	p.subtitle.SetText(subtitle)
	p.Refresh()
}

// CreateRenderer is called by Fyne.
func (p *Page) CreateRenderer() fyne.WidgetRenderer {
	p.ExtendBaseWidget(p)
	gap, section := theme.SizeForWidget(SizeNameGap, p), theme.SizeForWidget(SizeNameSection, p)
	titles := Vertical(gap/2, p.title, p.subtitle)
	header := container.New(&rowLayout{gap: gap, top: true}, append([]fyne.CanvasObject{titles}, p.spec.Actions...)...)
	objects := []fyne.CanvasObject{header}
	if p.spec.Top != nil {
		objects = append(objects, p.spec.Top)
	}
	objects = append(objects, p.spec.Content)
	column := container.New(&columnLayout{gap: section, fill: true}, objects...)
	inset := theme.SizeForWidget(SizeNamePageInset, p)
	var content fyne.CanvasObject = container.New(&pageLayout{width: theme.SizeForWidget(SizeNamePageWidth, p), inset: inset}, column)
	if !p.spec.Fill {
		content = container.NewVScroll(content)
	}
	return newPanel(p, content, func() surface { return surface{} })
}

// pageLayout gives one object the whole height and a width that reads well, in
// the middle.
type pageLayout struct{ width, inset float32 }

func (l *pageLayout) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	for _, o := range objects {
		width := min(size.Width-2*l.inset, l.width)
		o.Move(fyne.NewPos((size.Width-width)/2, l.inset))
		o.Resize(fyne.NewSize(width, size.Height-2*l.inset))
	}
}

func (l *pageLayout) MinSize(objects []fyne.CanvasObject) fyne.Size {
	size := fyne.Size{}
	for _, o := range objects {
		size = size.Max(o.MinSize())
	}
	return size.AddWidthHeight(2*l.inset, 2*l.inset)
}
