package look

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// rowItem draws one row, or the header above the rows. Without cells it draws
// a placeholder.
type rowItem struct {
	widget.BaseWidget

	tracks   []track
	cells    []Cell
	selected bool
	focused  bool // the list has the keyboard: the selected row shows it
	header   bool
	onTap    func()
	onMenu   func(at fyne.Position)
}

// A row that took only one kind of tap would lose the other: Fyne gives a
// click to the innermost object that takes any.
var (
	_ fyne.Tappable          = (*rowItem)(nil)
	_ fyne.SecondaryTappable = (*rowItem)(nil)
)

func newRowItem(tracks []track) *rowItem {
	i := &rowItem{tracks: tracks}
	i.ExtendBaseWidget(i)
	return i
}

func (i *rowItem) set(cells []Cell, selected bool) {
	i.cells, i.selected = cells, selected
	i.Refresh()
}

// Tapped selects the row.
func (i *rowItem) Tapped(*fyne.PointEvent) {
	if i.onTap != nil {
		i.onTap()
	}
}

// TappedSecondary asks for the row's menu.
func (i *rowItem) TappedSecondary(e *fyne.PointEvent) {
	if i.onMenu != nil {
		i.onMenu(e.AbsolutePosition)
	}
}

// CreateRenderer is called by Fyne.
func (i *rowItem) CreateRenderer() fyne.WidgetRenderer {
	i.ExtendBaseWidget(i)
	r := &rowRenderer{item: i, ground: &canvas.Rectangle{}, bar: &canvas.Rectangle{}}
	for range i.tracks {
		c := rowCell{ground: &canvas.Rectangle{}, icon: &canvas.Image{FillMode: canvas.ImageFillContain}, text: NewLine(Body, "")}
		r.cells = append(r.cells, c)
		r.objects = append(r.objects, c.ground, c.icon, c.text)
	}
	r.objects = append([]fyne.CanvasObject{r.ground, r.bar}, r.objects...)
	r.update()
	return r
}

type rowCell struct {
	ground *canvas.Rectangle // of a badge, or of a placeholder
	icon   *canvas.Image
	text   *Text
}

type rowRenderer struct {
	item        *rowItem
	ground, bar *canvas.Rectangle // of a selected row
	cells       []rowCell
	objects     []fyne.CanvasObject
}

// The inside of a row. The right is wider: the scroll bar lies over it.
const (
	rowInset      = 14
	rowInsetRight = 18
	rowGap        = 18
	rowIcon       = 18
	badgeInset    = 8
)

func (r *rowRenderer) Destroy() {}

func (r *rowRenderer) Objects() []fyne.CanvasObject { return r.objects }

func (r *rowRenderer) MinSize() fyne.Size {
	th := r.item.Theme()
	height := fyne.MeasureText("M", th.Size(theme.SizeNameText), fyne.TextStyle{}).Height + 2*th.Size(theme.SizeNamePadding)
	if r.item.header {
		height += th.Size(theme.SizeNamePadding)
	}
	width := float32(0)
	for _, t := range r.item.tracks {
		if t.drop == 0 { // narrower than this they shrink, down to a third
			width += t.least/3 + rowGap
		}
	}
	return fyne.NewSize(width+rowInset+rowInsetRight, height)
}

func (r *rowRenderer) Layout(size fyne.Size) {
	r.ground.Resize(size)
	r.bar.Move(fyne.NewPos(2, 6))
	r.bar.Resize(fyne.NewSize(3, size.Height-12))
	for i, s := range place(r.item.tracks, size.Width-rowInset-rowInsetRight, rowGap) {
		s.x += rowInset
		r.layoutCell(i, s, size.Height)
	}
}

func (r *rowRenderer) layoutCell(i int, s span, height float32) {
	c, align := r.cells[i], r.item.tracks[i].align
	shown := s.width > 0
	c.text.Hidden = !shown || r.item.cells == nil
	if r.item.cells == nil { // a placeholder is about as long as a word
		c.icon.Hidden = true
		c.ground.Hidden = !shown
		width := min(s.width*2/3, 120)
		c.ground.Move(fyne.NewPos(start(align, s, width), (height-10)/2))
		c.ground.Resize(fyne.NewSize(width, 10))
		return
	}
	cell := r.item.cells[i]
	c.icon.Hidden = !shown || cell.Icon == ""
	c.ground.Hidden = !shown || !cell.Badge || cell.Text == ""
	textHeight := c.text.MinSize().Height
	before, after := float32(0), float32(0)
	if cell.Badge {
		before, after = badgeInset, badgeInset
	}
	if cell.Icon != "" {
		before += rowIcon + 6
	}
	natural := c.text.font().width(c.text.Text)
	width := min(natural+before+after, s.width)
	x := start(align, s, width)
	c.ground.Move(fyne.NewPos(x, (height-textHeight)/2-2))
	c.ground.Resize(fyne.NewSize(width, textHeight+4))
	c.icon.Move(fyne.NewPos(x+after, (height-rowIcon)/2))
	c.icon.Resize(fyne.NewSquareSize(rowIcon))
	c.text.Move(fyne.NewPos(x+before, 0))
	c.text.Resize(fyne.NewSize(max(width-before-after, 0), height))
}

// start is where something of a width begins in a column.
func start(align fyne.TextAlign, s span, width float32) float32 {
	switch align {
	case fyne.TextAlignTrailing:
		return s.x + s.width - width
	case fyne.TextAlignCenter:
		return s.x + (s.width-width)/2
	}
	return s.x
}

func (r *rowRenderer) Refresh() {
	r.update()
	r.Layout(r.item.Size())
	canvas.Refresh(r.item)
}

func (r *rowRenderer) update() {
	r.ground.Hidden, r.bar.Hidden = !r.item.selected, !r.item.selected
	ground, bar := theme.ColorNameHover, Muted.ColorName()
	if r.item.focused {
		ground, bar = theme.ColorNameSelection, theme.ColorNamePrimary
	}
	r.ground.FillColor, r.bar.FillColor = theme.ColorForWidget(ground, r.item), theme.ColorForWidget(bar, r.item)
	r.ground.CornerRadius, r.bar.CornerRadius = r.item.Theme().Size(theme.SizeNameSelectionRadius), 1.5
	for i, c := range r.cells {
		if r.item.cells == nil {
			c.ground.FillColor, c.ground.CornerRadius = theme.ColorForWidget(ColorNameTrack, r.item), 5
			continue
		}
		r.updateCell(c, r.item.cells[i])
	}
}

func (r *rowRenderer) updateCell(c rowCell, cell Cell) {
	c.text.Text, c.text.Tone, c.text.Role = cell.Text, cell.Tone, Body
	switch {
	case r.item.header:
		c.text.Role = Caption
	case cell.Badge:
		c.text.Role = Caption
		if cell.Tone == "" {
			c.text.Tone = Muted
		}
	case cell.Quiet:
		c.text.Role = Soft
	}
	c.ground.FillColor, c.ground.CornerRadius = color.Transparent, 20
	if cell.Badge {
		c.ground.FillColor = theme.ColorForWidget(c.text.Tone.SoftName(), r.item)
	}
	if cell.Icon != "" {
		c.icon.Resource = theme.NewColoredResource(source(cell.Icon), c.text.colorName())
		c.icon.Refresh()
	}
	c.text.Refresh()
}
