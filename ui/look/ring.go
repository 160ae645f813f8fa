package look

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// Ring shows a share of a whole around one big word or number.
type Ring struct {
	widget.BaseWidget

	share           float32
	tone            Tone
	centre, caption string
}

// The ring's width is a part of its size, so that it looks alike in all sizes.
const (
	ringSide  = 136 // the least
	ringWidth = 0.09
)

// NewRing returns a ring filled from the top, clockwise. A share over 1 is a
// full ring; that it is too much is said by tone and words.
func NewRing(share float32, tone Tone, centre, caption string) *Ring {
	r := &Ring{share: share, tone: tone, centre: centre, caption: caption}
	r.ExtendBaseWidget(r)
	return r
}

// Set replaces everything.
func (r *Ring) Set(share float32, tone Tone, centre, caption string) {
	r.share, r.tone, r.centre, r.caption = share, tone, centre, caption
	r.Refresh()
}

// AccessibilityLabel is what the ring says in words.
func (r *Ring) AccessibilityLabel() string { return r.centre + " " + r.caption }

// AccessibilityRole says that this is read, not used.
func (r *Ring) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleText }

// CreateRenderer is called by Fyne.
func (r *Ring) CreateRenderer() fyne.WidgetRenderer {
	r.ExtendBaseWidget(r)
	v := &ringRenderer{r: r, track: canvas.NewArc(0, 360, 1-2*ringWidth, nil), arc: canvas.NewArc(0, 0, 1-2*ringWidth, nil),
		centre: &canvas.Text{Alignment: fyne.TextAlignCenter}, caption: NewText(Caption, "")}
	v.caption.Align, v.caption.MaxLines = fyne.TextAlignCenter, 2
	v.update()
	return v
}

type ringRenderer struct {
	r          *Ring
	track, arc *canvas.Arc
	centre     *canvas.Text
	caption    *Text
}

func (v *ringRenderer) Destroy() {}

func (v *ringRenderer) Objects() []fyne.CanvasObject {
	return []fyne.CanvasObject{v.track, v.arc, v.centre, v.caption}
}

func (v *ringRenderer) MinSize() fyne.Size { return fyne.NewSquareSize(ringSide) }

func (v *ringRenderer) Layout(size fyne.Size) {
	side := min(size.Width, size.Height)
	corner := fyne.NewPos((size.Width-side)/2, (size.Height-side)/2)
	thick := side * ringWidth
	for _, o := range []*canvas.Arc{v.track, v.arc} {
		o.Move(corner)
		o.Resize(fyne.NewSquareSize(side))
	}
	v.arc.CornerRadius = thick / 2
	v.arc.EndAngle = 360 * clamp(v.r.share)
	if v.arc.EndAngle > 0 { // a start that can be seen: as long as it is wide
		v.arc.EndAngle = max(v.arc.EndAngle, 360*thick/(3.14*side))
	}
	v.arc.Hidden = v.arc.EndAngle == 0

	// The words keep clear of the ring: this is the width of the square that
	// fits inside it, a little more for the middle line.
	inside := (side - 2*thick) * 0.78
	f := font{size: v.r.Theme().Size(SizeNameFigureText), style: fyne.TextStyle{Bold: true}}
	for f.width(v.r.centre) > inside && f.size > v.r.Theme().Size(theme.SizeNameCaptionText) {
		f.size--
	}
	v.centre.Text, v.centre.TextSize, v.centre.TextStyle = f.ellipsis(v.r.centre, inside), f.size, f.style
	v.caption.Resize(fyne.NewSize(inside*0.86, v.caption.MinSize().Height))
	captionHeight := v.caption.MinSize().Height
	if v.r.caption == "" {
		captionHeight = 0
	}
	y := corner.Y + (side-f.height()-captionHeight)/2
	v.centre.Move(fyne.NewPos(corner.X+(side-inside)/2, y))
	v.centre.Resize(fyne.NewSize(inside, f.height()))
	v.caption.Move(fyne.NewPos(corner.X+(side-inside*0.86)/2, y+f.height()))
	v.caption.Resize(fyne.NewSize(inside*0.86, captionHeight))
}

func (v *ringRenderer) Refresh() {
	v.update()
	v.Layout(v.r.Size())
	v.track.Refresh()
	v.arc.Refresh()
	v.caption.Refresh()
	canvas.Refresh(v.r)
}

func (v *ringRenderer) update() {
	v.track.FillColor = theme.ColorForWidget(ColorNameTrack, v.r)
	v.arc.FillColor = theme.ColorForWidget(v.r.tone.ColorName(), v.r)
	v.centre.Color = theme.ColorForWidget(theme.ColorNameForeground, v.r)
	v.caption.Text, v.caption.Hidden = v.r.caption, v.r.caption == ""
}
