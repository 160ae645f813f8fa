package look

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// Progress is a thin bar for a share between 0 and 1. What it stands for is
// said by a text beside it.
type Progress struct {
	widget.BaseWidget

	share float32
	tone  Tone
}

// progressHeight is that of the bar; it is thin, because a page may show many.
const progressHeight = 6

// NewProgress returns a bar.
func NewProgress(share float32, tone Tone) *Progress {
	p := &Progress{share: share, tone: tone}
	p.ExtendBaseWidget(p)
	return p
}

// Set replaces share and tone.
func (p *Progress) Set(share float32, tone Tone) {
	if p.share == share && p.tone == tone {
		return
	}
	p.share, p.tone = share, tone
	p.Refresh()
}

// CreateRenderer is called by Fyne.
func (p *Progress) CreateRenderer() fyne.WidgetRenderer {
	p.ExtendBaseWidget(p)
	r := &progressRenderer{p: p, track: &canvas.Rectangle{}, bar: &canvas.Rectangle{}}
	r.track.CornerRadius, r.bar.CornerRadius = progressHeight/2, progressHeight/2
	r.paint()
	return r
}

type progressRenderer struct {
	p          *Progress
	track, bar *canvas.Rectangle
}

func (r *progressRenderer) Destroy() {}

func (r *progressRenderer) Objects() []fyne.CanvasObject {
	return []fyne.CanvasObject{r.track, r.bar}
}

func (r *progressRenderer) MinSize() fyne.Size { return fyne.NewSize(64, progressHeight) }

func (r *progressRenderer) Layout(size fyne.Size) {
	share := clamp(r.p.share)
	width := size.Width * share
	if share > 0 { // a start that can be seen, and round ends
		width = max(width, progressHeight)
	}
	y := (size.Height - progressHeight) / 2
	for o, w := range map[*canvas.Rectangle]float32{r.track: size.Width, r.bar: width} {
		o.Move(fyne.NewPos(0, y))
		o.Resize(fyne.NewSize(w, progressHeight))
	}
	r.bar.Hidden = share <= 0
}

func (r *progressRenderer) Refresh() {
	r.paint()
	r.Layout(r.p.Size())
	canvas.Refresh(r.p)
}

func (r *progressRenderer) paint() {
	r.track.FillColor = theme.ColorForWidget(ColorNameTrack, r.p)
	r.bar.FillColor = theme.ColorForWidget(r.p.tone.ColorName(), r.p)
}

// clamp returns v between 0 and 1; what is no number is 0.
func clamp(v float32) float32 {
	if !(v > 0) {
		return 0
	}
	return min(v, 1)
}
