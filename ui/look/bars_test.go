package look

import (
	"fmt"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/test"
)

func plot(bars int) *Bars {
	spec := BarsSpec{Caption: "sum", Empty: "nothing", YLabels: []YLabel{{0, "0"}, {1, "10,000"}}}
	for i := range bars {
		spec.Bars = append(spec.Bars, Bar{Height: 0.5, Failed: 0.1, Label: fmt.Sprint(i+1, " November"), Caption: fmt.Sprint("bar ", i)})
	}
	return NewBars(spec)
}

// TestBarLabelsNeverOverlap tries all widths that a window may give, with
// labels below every bar and below some.
func TestBarLabelsNeverOverlap(t *testing.T) {
	test.NewTempApp(t).Settings().SetTheme(New(ChoiceLight))
	for _, bars := range []int{1, 2, 7, 30, 36, 90} {
		for _, each := range []int{1, 6} {
			b := plot(bars)
			for i := range b.spec.Bars {
				if i%each != 0 {
					b.spec.Bars[i].Label = ""
				}
			}
			for width := float32(barsWidth); width < 1000; width += 17 {
				b.Resize(fyne.NewSize(width, 200))
				checkLabels(t, b, width)
			}
		}
	}
}

func checkLabels(t *testing.T, b *Bars, width float32) {
	t.Helper()
	r := test.WidgetRenderer(b).(*barsRenderer)
	end, shown := float32(-1000), 0
	var last *canvas.Text
	for _, label := range r.labels {
		if label.Text != "" {
			last = label
		}
		if label.Hidden {
			continue
		}
		shown++
		if label.Position().X < end+labelGap {
			t.Errorf("%d bars in %.0f: label %q begins at %.0f, the one before ends at %.0f", len(r.labels), width, label.Text, label.Position().X, end)
		}
		end = label.Position().X + label.Size().Width
		if end > width+0.5 || label.Position().X < 0 {
			t.Errorf("%d bars in %.0f: label %q sticks out", len(r.labels), width, label.Text)
		}
	}
	if shown == 0 || last.Hidden {
		t.Errorf("%d bars in %.0f: the last label must be among those shown", len(r.labels), width)
	}
}

func TestBarsSayWhatIsLookedAt(t *testing.T) {
	test.NewTempApp(t).Settings().SetTheme(New(ChoiceLight))
	b := plot(3)
	b.Resize(fyne.NewSize(400, 200))
	r := test.WidgetRenderer(b).(*barsRenderer)
	says := func(when, want string) {
		t.Helper()
		if got := r.caption.Text; got != want {
			t.Errorf("%s: got %q, want %q", when, got, want)
		}
	}
	at := func(i int) *desktop.MouseEvent {
		return &desktop.MouseEvent{PointEvent: fyne.PointEvent{Position: fyne.NewPos(b.spans[i].x+1, 100)}}
	}
	says("at first", "sum")
	b.MouseIn(at(0))
	says("mouse on the first", "bar 0")
	b.MouseMoved(at(2))
	says("mouse on the last", "bar 2")
	b.MouseOut()
	says("mouse away", "sum")
	b.FocusGained()
	says("focused", "bar 2")
	for _, step := range []struct {
		key  fyne.KeyName
		want string
	}{{fyne.KeyLeft, "bar 1"}, {fyne.KeyHome, "bar 0"}, {fyne.KeyLeft, "bar 0"}, {fyne.KeyRight, "bar 1"}, {fyne.KeyEnd, "bar 2"}, {fyne.KeyRight, "bar 2"}} {
		b.TypedKey(&fyne.KeyEvent{Name: step.key})
		says(string(step.key), step.want)
	}
	b.Set(BarsSpec{Caption: "less", Empty: "nothing", Bars: b.spec.Bars[:1]})
	says("the bar looked at is gone", "less")
	b.FocusLost()
	b.Set(BarsSpec{Empty: "nothing"})
	b.TypedKey(&fyne.KeyEvent{Name: fyne.KeyLeft})
	b.MouseMoved(&desktop.MouseEvent{})
	if !r.empty.Visible() || r.empty.Text != "nothing" {
		t.Error("a plot without bars must say so")
	}
}

// TestBarsHeights probes the pixels of stacked bars at two scales.
func TestBarsHeights(t *testing.T) {
	for _, scale := range []float32{1, 2} {
		test.NewTempApp(t).Settings().SetTheme(New(ChoiceLight))
		b := NewBars(BarsSpec{Bars: []Bar{{Height: 1, Failed: 0.5}, {Height: 0.5}, {Height: 0.0001}, {}}})
		img := draw(b, fyne.NewSize(400, 200), scale)
		r := test.WidgetRenderer(b).(*barsRenderer)
		bottom := r.bars[0].Position().Y + r.bars[0].Size().Height
		top := r.failed[0].Position().Y
		for _, c := range []struct {
			name  string
			bar   int
			share float32 // of the plot's height, from below
			want  fyne.ThemeColorName
		}{
			{"accepted below", 0, 0.25, Busy.ColorName()},
			{"failed on top", 0, 0.75, Alarm.ColorName()},
			{"half", 1, 0.45, Busy.ColorName()},
			{"above half", 1, 0.55, "background"},
			{"nearly nothing is still seen", 2, 0.005, Busy.ColorName()},
			{"nothing", 3, 0.005, "background"},
		} {
			x := b.spans[c.bar].x + b.spans[c.bar].width/2
			y := bottom - (bottom-top)*c.share
			if got, want := pixel(img, x*scale, y*scale), light[c.want]; got != want {
				t.Errorf("scale %v, %s: got %v, want %v", scale, c.name, got, want)
			}
		}
	}
}
