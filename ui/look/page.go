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
	Content         fyne.CanvasObject   // takes the height that is left; scrolls where that is too little
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
	header := container.New(&headerLayout{gap: gap}, append([]fyne.CanvasObject{p.title, p.subtitle}, p.spec.Actions...)...)
	objects := []fyne.CanvasObject{header}
	if p.spec.Top != nil {
		objects = append(objects, p.spec.Top)
	}
	objects = append(objects, p.spec.Content)
	column := container.New(&columnLayout{gap: section, fill: true}, objects...)
	inset := theme.SizeForWidget(SizeNamePageInset, p)
	content := container.New(&pageLayout{width: theme.SizeForWidget(SizeNamePageWidth, p), inset: inset}, column)
	return newPanel(p, container.NewVScroll(content), func() surface { return surface{} })
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

// headerLayout puts actions at the right of title and subtitle. Where that
// would leave the title too little, the actions go below, side by side.
type headerLayout struct {
	gap   float32
	below bool // of the last layout
}

// leastTitle is the width that title and subtitle keep beside actions: about
// half a line of a sentence.
const leastTitle = 240

func (l *headerLayout) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	title, subtitle, actions := objects[0], objects[1], visible(objects[2:])
	taken, width := sum(actions, l.gap), size.Width
	l.below = taken > 0 && width-taken-l.gap < l.titleWidth(title)
	if taken > 0 && !l.below {
		width -= taken + l.gap
	}
	y := float32(0)
	for _, o := range visible([]fyne.CanvasObject{title, subtitle}) {
		o.Move(fyne.NewPos(0, y))
		o.Resize(fyne.NewSize(width, o.MinSize().Height))
		height := o.MinSize().Height // now that a wrapped text knows its width
		o.Resize(fyne.NewSize(width, height))
		y += height + l.gap/2
	}
	x := size.Width - taken
	if l.below {
		x, y = 0, y-l.gap/2+l.gap
	} else {
		y = 0
	}
	for _, a := range actions {
		least := a.MinSize()
		a.Move(fyne.NewPos(x, y))
		a.Resize(least)
		x += least.Width + l.gap
	}
}

func (l *headerLayout) MinSize(objects []fyne.CanvasObject) fyne.Size {
	titles, actions := visible(objects[:2]), visible(objects[2:])
	size := fyne.NewSize(sum(actions, l.gap), l.gap/2*float32(max(len(titles)-1, 0)))
	for _, o := range titles {
		least := o.MinSize()
		size.Width = max(size.Width, least.Width)
		size.Height += least.Height
	}
	if l.below {
		size.Height += l.gap + highest(actions)
	} else {
		size.Height = max(size.Height, highest(actions))
	}
	return size
}

// titleWidth is what the title needs beside actions: itself on one line, and
// enough for a subtitle.
func (l *headerLayout) titleWidth(title fyne.CanvasObject) float32 {
	width := float32(leastTitle)
	if t, ok := title.(*Text); ok {
		width = max(width, t.font().width(t.Text))
	}
	return width
}
