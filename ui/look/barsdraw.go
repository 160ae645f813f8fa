package look

import (
	"image/color"
	"math"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/theme"
)

// The measures of a plot.
const (
	barsHeight = 200 // the least, with caption and labels
	barsWidth  = 240
	barWidest  = 36 // a few bars must not become blocks
	barGap     = 0.28
	barRound   = 3
	labelGap   = 10 // least between two labels
)

// CreateRenderer is called by Fyne.
func (b *Bars) CreateRenderer() fyne.WidgetRenderer {
	b.ExtendBaseWidget(b)
	v := &barsRenderer{b: b, focus: &canvas.Rectangle{}, band: &canvas.Rectangle{}, caption: NewLine(Caption, ""), empty: NewText(Soft, "")}
	v.empty.Align = fyne.TextAlignCenter
	v.Refresh()
	return v
}

// barsRenderer draws on plain rectangles and texts, made anew when the number
// of bars changes.
type barsRenderer struct {
	b              *Bars
	focus, band    *canvas.Rectangle // around everything; behind the bar looked at
	caption, empty *Text
	bars, failed   []*canvas.Rectangle
	labels         []*canvas.Text
	lines          []*canvas.Line
	lineLabels     []*canvas.Text
	objects        []fyne.CanvasObject
}

func (v *barsRenderer) Destroy() {}

func (v *barsRenderer) Objects() []fyne.CanvasObject { return v.objects }

func (v *barsRenderer) MinSize() fyne.Size { return fyne.NewSize(barsWidth, barsHeight) }

func (v *barsRenderer) Refresh() {
	v.make()
	v.paint()
	v.Layout(v.b.Size())
	v.caption.Refresh()
	v.empty.Refresh()
	canvas.Refresh(v.b)
}

func (v *barsRenderer) make() {
	spec := v.b.spec
	if len(v.bars) == len(spec.Bars) && len(v.lines) == len(spec.YLabels) && v.objects != nil {
		return
	}
	v.bars, v.failed, v.labels, v.lines, v.lineLabels = nil, nil, nil, nil, nil
	v.objects = []fyne.CanvasObject{v.focus, v.caption, v.empty}
	for range spec.YLabels {
		line, label := &canvas.Line{StrokeWidth: 1}, &canvas.Text{Alignment: fyne.TextAlignTrailing}
		v.lines, v.lineLabels = append(v.lines, line), append(v.lineLabels, label)
		v.objects = append(v.objects, line, label)
	}
	v.objects = append(v.objects, v.band)
	for range spec.Bars {
		bar, failed, label := &canvas.Rectangle{}, &canvas.Rectangle{}, &canvas.Text{Alignment: fyne.TextAlignCenter}
		v.bars, v.failed, v.labels = append(v.bars, bar), append(v.failed, failed), append(v.labels, label)
		v.objects = append(v.objects, bar, failed, label)
	}
}

func (v *barsRenderer) paint() {
	tint := func(name fyne.ThemeColorName) color.Color { return theme.ColorForWidget(name, v.b) }
	spec, f := v.b.spec, v.labelFont()
	v.caption.Text, v.empty.Text = v.b.caption(), spec.Empty
	v.band.FillColor, v.band.CornerRadius = tint(theme.ColorNameHover), barRound
	v.focus.StrokeColor, v.focus.StrokeWidth, v.focus.CornerRadius = tint(theme.ColorNamePrimary), 1.5, v.b.Theme().Size(theme.SizeNameInputRadius)
	v.focus.Hidden = !v.b.focused
	for i, y := range spec.YLabels {
		v.lines[i].StrokeColor = tint(ColorNameGrid)
		v.lineLabels[i].Text, v.lineLabels[i].TextSize, v.lineLabels[i].Color = y.Label, f.size, tint(theme.ColorNamePlaceHolder)
	}
	for i, bar := range spec.Bars {
		v.bars[i].FillColor, v.failed[i].FillColor = tint(Busy.ColorName()), tint(Alarm.ColorName())
		v.labels[i].Text, v.labels[i].TextSize, v.labels[i].Color = bar.Label, f.size, tint(theme.ColorNamePlaceHolder)
	}
}

func (v *barsRenderer) labelFont() font {
	return font{size: v.b.Theme().Size(theme.SizeNameCaptionText)}
}

func (v *barsRenderer) Layout(size fyne.Size) {
	f, spec := v.labelFont(), v.b.spec
	gap := v.b.Theme().Size(SizeNameGap)
	v.focus.Resize(size)
	v.caption.Resize(fyne.NewSize(size.Width, f.height()))
	v.empty.Hidden = len(spec.Bars) > 0 || spec.Empty == ""
	v.empty.Move(fyne.NewPos(0, (size.Height-v.empty.MinSize().Height)/2))
	v.empty.Resize(fyne.NewSize(size.Width, v.empty.MinSize().Height))

	left := float32(0)
	for _, y := range spec.YLabels {
		left = max(left, f.width(y.Label)+gap)
	}
	// The plot begins half a label below the caption: the topmost line's label
	// stands in the middle of its line.
	top := f.height() + gap + f.height()/2
	plot := fyne.NewSize(size.Width-left, max(size.Height-top-f.height()-gap/2, 0))
	for i, y := range spec.YLabels {
		at := top + plot.Height*(1-clamp(y.At))
		v.lines[i].Move(fyne.NewPos(left, at))
		v.lines[i].Resize(fyne.NewSize(plot.Width, 0))
		v.lineLabels[i].Move(fyne.NewPos(0, at-f.height()/2))
		v.lineLabels[i].Resize(fyne.NewSize(left-gap, f.height()))
	}
	v.b.spans = barSpans(len(spec.Bars), left, plot.Width)
	v.layoutBars(top, plot)
	v.layoutLabels(fyne.NewPos(0, top+plot.Height+gap/2), size.Width)
}

// barSpans divides the plot among n bars. They stand on whole units, so that
// the two parts of a bar have the same edges.
func barSpans(n int, left, width float32) []span {
	spans := make([]span, n)
	slot := width / float32(max(n, 1))
	wide := max(whole(min(slot*(1-barGap), barWidest)), 1)
	for i := range spans {
		spans[i] = span{whole(left + slot*float32(i) + (slot-wide)/2), wide}
	}
	return spans
}

func whole(v float32) float32 { return float32(math.Round(float64(v))) }

func (v *barsRenderer) layoutBars(top float32, plot fyne.Size) {
	v.band.Hidden = v.b.looked < 0
	for i, bar := range v.b.spec.Bars {
		s := v.b.spans[i]
		height, failed := plot.Height*clamp(bar.Height), plot.Height*clamp(min(bar.Failed, bar.Height))
		if bar.Height > 0 { // one mail among thousands is still to be seen
			height = max(height, 2)
		}
		if bar.Failed > 0 {
			failed = max(failed, 2)
		}
		height = max(height, failed)
		height, failed = whole(height), whole(failed)
		y := whole(top+plot.Height) - height
		v.failed[i].Move(fyne.NewPos(s.x, y))
		v.failed[i].Resize(fyne.NewSize(s.width, failed))
		v.bars[i].Move(fyne.NewPos(s.x, y+failed))
		v.bars[i].Resize(fyne.NewSize(s.width, height-failed))
		v.failed[i].Hidden, v.bars[i].Hidden = failed == 0, height == failed
		round := min(barRound, s.width/2)
		for _, r := range []*canvas.Rectangle{v.failed[i], v.bars[i]} { // round is only what is on top
			r.TopLeftCornerRadius, r.TopRightCornerRadius = 0, 0
		}
		upper := v.bars[i]
		if failed > 0 {
			upper = v.failed[i]
		}
		upper.TopLeftCornerRadius, upper.TopRightCornerRadius = round, round
		if i == v.b.looked {
			v.band.Move(fyne.NewPos(s.x-s.width*0.15, top))
			v.band.Resize(fyne.NewSize(s.width*1.3, plot.Height))
		}
	}
}

// layoutLabels shows as many labels as have room, at even distances, the last
// always among them: that is the newest.
func (v *barsRenderer) layoutLabels(at fyne.Position, right float32) {
	f := v.labelFont()
	var labelled []int
	places := make([]span, len(v.labels))
	for i, label := range v.labels {
		label.Hidden = true
		if label.Text == "" {
			continue
		}
		width := f.width(label.Text)
		middle := v.b.spans[i].x + v.b.spans[i].width/2
		places[i] = span{max(min(middle-width/2, right-width), 0), width}
		labelled = append(labelled, i)
		label.Move(fyne.NewPos(places[i].x, at.Y))
		label.Resize(fyne.NewSize(width, f.height()))
	}
	for step := 1; len(labelled) > 0; step++ {
		chosen := every(labelled, step)
		if apart(places, chosen, labelGap) {
			for _, i := range chosen {
				v.labels[i].Hidden = false
			}
			return
		}
	}
}

// every returns each step-th of list, counted from its end, in order.
func every(list []int, step int) []int {
	var chosen []int
	for i := (len(list) - 1) % step; i < len(list); i += step {
		chosen = append(chosen, list[i])
	}
	return chosen
}

// apart tells whether the chosen places keep a gap between each other.
func apart(places []span, chosen []int, gap float32) bool {
	for n := 1; n < len(chosen); n++ {
		if left := places[chosen[n-1]]; left.x+left.width+gap > places[chosen[n]].x {
			return false
		}
	}
	return true
}
