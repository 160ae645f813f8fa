package look

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/theme"
)

// surface is how the ground under a widget is painted.
type surface struct {
	fill, border fyne.ThemeColorName // empty: none
	radius       float32
	inset        fyne.Size // from the edge to the content
}

// panel renders a widget as one object on a painted ground. The ground is
// asked for at every refresh, so that it follows theme and state.
type panel struct {
	widget  fyne.Widget
	ground  *canvas.Rectangle
	content fyne.CanvasObject
	surface func() surface
}

func newPanel(w fyne.Widget, content fyne.CanvasObject, s func() surface) *panel {
	p := &panel{widget: w, ground: &canvas.Rectangle{}, content: content, surface: s}
	p.paint()
	return p
}

func (p *panel) Destroy() {}

func (p *panel) Objects() []fyne.CanvasObject { return []fyne.CanvasObject{p.ground, p.content} }

func (p *panel) MinSize() fyne.Size {
	inset := p.surface().inset
	return p.content.MinSize().AddWidthHeight(2*inset.Width, 2*inset.Height)
}

func (p *panel) Layout(size fyne.Size) {
	inset := p.surface().inset
	p.ground.Resize(size)
	p.content.Move(fyne.NewPos(inset.Width, inset.Height))
	p.content.Resize(size.SubtractWidthHeight(2*inset.Width, 2*inset.Height))
}

func (p *panel) Refresh() {
	p.paint()
	p.content.Refresh()
	p.Layout(p.widget.Size())
	canvas.Refresh(p.widget)
}

func (p *panel) paint() {
	s := p.surface()
	p.ground.FillColor, p.ground.StrokeColor, p.ground.StrokeWidth = color.Transparent, color.Transparent, 0
	if s.fill != "" {
		p.ground.FillColor = theme.ColorForWidget(s.fill, p.widget)
	}
	if s.border != "" {
		p.ground.StrokeColor, p.ground.StrokeWidth = theme.ColorForWidget(s.border, p.widget), 1
	}
	p.ground.CornerRadius = s.radius
	p.ground.Refresh()
}
