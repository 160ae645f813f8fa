package look

import (
	"math"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// TestRing probes the pixels of the ring at two scales: it begins at the top,
// goes clockwise, and ends where the share says.
func TestRing(t *testing.T) {
	for _, scale := range []float32{1, 2} {
		for _, share := range []float32{0, 0.3, 0.75, 1, 7, float32(math.NaN())} {
			test.NewTempApp(t).Settings().SetTheme(New(ChoiceLight))
			img := draw(NewRing(share, Busy, "12", "of 50"), fyne.NewSquareSize(200), scale)
			for _, at := range []float32{0.1, 0.25, 0.4, 0.5, 0.6, 0.9} {
				angle := 2 * math.Pi * float64(at)
				radius := 200 * (0.5 - ringWidth/2)
				x, y := 100+float32(math.Sin(angle)*radius), 100-float32(math.Cos(angle)*radius)
				want := light[ColorNameTrack]
				if at < share {
					want = light[Busy.ColorName()]
				}
				if got := pixel(img, x*scale, y*scale); got != want {
					t.Errorf("scale %v, share %v: at %v got %v, want %v", scale, share, at, got, want)
				}
			}
		}
	}
}

// TestRingWordsFit: whatever the words, they stay inside the ring.
func TestRingWordsFit(t *testing.T) {
	test.NewTempApp(t).Settings().SetTheme(New(ChoiceLight))
	for _, words := range []string{"7 %", "12,345,678 of 50,000,000", long} {
		r := NewRing(0.5, Busy, words, long)
		r.Resize(fyne.NewSquareSize(ringSide))
		v := test.WidgetRenderer(r).(*ringRenderer)
		inside := ringSide * (1 - 2*ringWidth)
		if got := v.centre.MinSize().Width; got > float32(inside) {
			t.Errorf("%q is %.0f wide, the ring inside only %.0f", words, got, inside)
		}
		if v.caption.MinSize().Height > 2*v.caption.font().height() {
			t.Error("a long caption has two lines at most")
		}
	}
}

func TestProgress(t *testing.T) {
	test.NewTempApp(t).Settings().SetTheme(New(ChoiceDark))
	for share, want := range map[float32]float32{-1: 0, 0: 0, 0.001: progressHeight, 0.5: 100, 1: 200, 3: 200} {
		p := NewProgress(share, Busy)
		p.Resize(fyne.NewSize(200, 10))
		bar := test.WidgetRenderer(p).(*progressRenderer).bar
		got := bar.Size().Width
		if bar.Hidden {
			got = 0
		}
		if got != want {
			t.Errorf("share %v: the bar is %v wide, want %v", share, got, want)
		}
	}
}

func TestCopyField(t *testing.T) {
	a := test.NewTempApp(t)
	a.Settings().SetTheme(New(ChoiceLight))
	f := NewSecretField("Password", "hunter2", CopyWords{"Copy", "Copied", "Show", "Hide"})
	var undo func()
	f.after = func(_ time.Duration, then func()) { undo = then }

	if got := f.shown.Text; got != mask {
		t.Errorf("a masked value shows %q, want %q", got, mask)
	}
	test.Tap(f.copy)
	if got := a.Clipboard().Content(); got != "hunter2" {
		t.Errorf("the clipboard holds %q, want the value", got)
	}
	if f.copy.Text != "Copied" {
		t.Errorf("after copying the button says %q", f.copy.Text)
	}
	undo()
	if f.copy.Text != "Copy" {
		t.Errorf("some time later the button says %q", f.copy.Text)
	}
	test.Tap(f.reveal)
	if f.shown.Text != "hunter2" || f.reveal.Text != "Hide" {
		t.Errorf("revealed: got %q and %q", f.shown.Text, f.reveal.Text)
	}
	f.SetValue("other")
	if f.shown.Text != mask || f.reveal.Text != "Show" {
		t.Errorf("a new value must be masked again: got %q and %q", f.shown.Text, f.reveal.Text)
	}
	f.SetValue("")
	if f.copy.Visible() || f.reveal.Visible() || f.shown.Text != "" {
		t.Error("without a value there is nothing to copy or to show")
	}
	if plain := NewCopyField("Port", "2525", CopyWords{}); plain.reveal.Visible() || plain.shown.Text != "2525" {
		t.Error("a plain value is shown, and has nothing to reveal")
	}
}

// TestAfterEnds holds that the feedback goes away: Fyne's animation calls once
// at its end. The animation of tests ends at once.
func TestAfterEnds(t *testing.T) {
	test.NewTempApp(t)
	calls := 0
	after(time.Hour, func() { calls++ })
	if calls != 1 {
		t.Errorf("called %d times, want once", calls)
	}
}

func TestBanner(t *testing.T) {
	test.NewTempApp(t).Settings().SetTheme(New(ChoiceLight))
	pressed := 0
	n := Notice{Tone: Alarm, Title: "No", Text: "Because", Button: "Do", OnButton: func() { pressed++ }, Details: "535 5.7.8 no", ShowDetails: "Show", HideDetails: "Hide"}
	b := NewBanner(n)
	w := test.NewTempWindow(t, b)
	w.Resize(fyne.NewSize(800, 300))
	test.Tap(b.button)
	if pressed != 1 {
		t.Errorf("the button did its work %d times, want once", pressed)
	}
	closed := b.MinSize().Height
	test.Tap(b.toggle)
	if !b.details.Visible() || b.toggle.Text != "Hide" || b.MinSize().Height <= closed {
		t.Error("the details do not open")
	}
	b.Set(n)
	if !b.details.Visible() {
		t.Error("saying the same again must not close the details")
	}
	n.Details = "421 4.3.2 later"
	b.Set(n)
	if b.details.Visible() || b.details.Text != n.Details {
		t.Error("other details start closed")
	}
	b.Set(Notice{Tone: Success, Title: "Yes"})
	if b.button.Visible() || b.toggle.Visible() || b.text.Visible() {
		t.Error("what is empty takes no place")
	}
	if got := test.WidgetRenderer(b).(*panel).ground.FillColor; got != light[Success.SoftName()] {
		t.Errorf("the ground is %v, want that of success", got)
	}
}

// TestBannerMakesRoom: in a narrow window the buttons go below the words.
func TestBannerMakesRoom(t *testing.T) {
	test.NewTempApp(t).Settings().SetTheme(New(ChoiceLight))
	b := NewBanner(Notice{Tone: Warn, Title: "Title", Text: strings.Repeat("words ", 20), Button: "A rather long button", Details: "x", ShowDetails: "Show details"})
	for _, c := range []struct {
		width float32
		below bool
	}{{900, false}, {420, true}, {900, false}} {
		b.Resize(fyne.NewSize(c.width, 300))
		below := b.button.Position().Y >= b.text.Position().Y+b.text.Size().Height
		if below != c.below {
			t.Errorf("%.0f wide: button below the words %v, want %v", c.width, below, c.below)
		}
	}
}

// TestActionsGoBelowTheTitle where they would leave it too little.
func TestActionsGoBelowTheTitle(t *testing.T) {
	a := test.NewTempApp(t)
	a.Settings().SetTheme(New(ChoiceLight))
	button := widget.NewButton("Copy all of it now", nil)
	p := NewPage(PageSpec{Title: "Log", Subtitle: "For support. No addresses, subjects or passwords are in it.", Actions: []fyne.CanvasObject{button}})
	w := a.NewWindow("")
	w.SetContent(p)
	t.Cleanup(w.Close)
	for _, c := range []struct {
		width float32
		below bool
	}{{800, false}, {380, true}, {800, false}} {
		w.Resize(fyne.NewSize(c.width, 400))
		words := p.subtitle.Position().Y + p.subtitle.Size().Height
		if below := button.Position().Y >= words; below != c.below {
			t.Errorf("%v wide: the action stands at %v below words that end at %v", c.width, button.Position(), words)
		}
		if right := button.Position().X + button.Size().Width; right > c.width-2*p.Theme().Size(SizeNamePageInset) {
			t.Errorf("%v wide: the action ends at %v", c.width, right)
		}
		if height := p.subtitle.MinSize().Height; c.width > 700 && height > 25 {
			t.Errorf("%v wide: the subtitle takes %v", c.width, height)
		}
	}
}

func TestKeyValuesLineUp(t *testing.T) {
	test.NewTempApp(t).Settings().SetTheme(New(ChoiceLight))
	k := NewKeyValues(Pair{"A", "one", ""}, Pair{long, long + " " + long, Warn})
	k.Resize(fyne.NewSize(300, 400))
	rows := test.WidgetRenderer(k).(*keyValuesRenderer).rows
	if rows[0][1].Position().X != rows[1][1].Position().X {
		t.Error("the values do not stand below each other")
	}
	if end := rows[0][0].Size().Width; end > 300/2+0.5 {
		t.Errorf("the keys take %.0f of 300, want half at most", end)
	}
	k.Set(Pair{"Aggiornamento", "one " + long, ""})
	k.Resize(fyne.NewSize(230, 400))
	if key := test.WidgetRenderer(k).(*keyValuesRenderer).rows[0][0]; key.font().width(key.Text) > key.Size().Width {
		t.Errorf("the word %q is broken: it has %.0f", key.Text, key.Size().Width)
	}
	k.Set(Pair{"A", "one", ""})
	if got := len(test.WidgetRenderer(k).Objects()); got != 2 {
		t.Errorf("one row has %d texts, want 2", got)
	}
}

// TestWidgetsFollowTheTheme draws each in light, changes the theme, and
// compares with one that was dark from the start.
func TestWidgetsFollowTheTheme(t *testing.T) {
	for name, build := range specimens() {
		test.NewTempApp(t).Settings().SetTheme(New(ChoiceDark))
		want := draw(build(), fyne.NewSize(420, 240), 1)

		a := test.NewTempApp(t)
		a.Settings().SetTheme(New(ChoiceLight))
		w := test.NewTempWindow(t, build())
		w.SetPadded(false)
		w.Resize(fyne.NewSize(420, 240))
		w.Canvas().Capture()
		a.Settings().SetTheme(New(ChoiceDark))
		got := w.Canvas().Capture()
		differ := 0
		for y := range 240 {
			for x := range 420 {
				if pixel(got, float32(x), float32(y)) != pixel(want, float32(x), float32(y)) {
					differ++
				}
			}
		}
		if differ > 0 {
			t.Errorf("%s: %d pixels kept the look of the theme before", name, differ)
		}
	}
}

// TestGoldens holds how each widget is built, in light and dark.
func TestGoldens(t *testing.T) {
	for _, choice := range []string{ChoiceLight, ChoiceDark} {
		for name, build := range specimens() {
			test.NewTempApp(t).Settings().SetTheme(New(choice))
			w := test.NewTempWindow(t, build())
			w.SetPadded(false)
			w.Resize(fyne.NewSize(420, 240))
			test.AssertRendersToMarkup(t, name+"-"+choice+".xml", w.Canvas())
		}
	}
}

func specimens() map[string]func() fyne.CanvasObject {
	words := CopyWords{"Copy", "Copied", "Show", "Hide"}
	return map[string]func() fyne.CanvasObject{
		"card": func() fyne.CanvasObject {
			return NewCard("Title", NewText(Body, "Content"), widget.NewButton("Act", nil))
		},
		"banner": func() fyne.CanvasObject {
			b := NewBanner(Notice{Tone: Warn, Title: "Title", Text: "Some words that go on for a while and wrap", Button: "Act", Details: "421 later", ShowDetails: "Show", HideDetails: "Hide"})
			b.SetOpen(true)
			return b
		},
		"badge": func() fyne.CanvasObject {
			return Vertical(8, Horizontal(8, -1, NewBadge(Success, "Sent"), NewBadge(Alarm, "Failed")))
		},
		"copyfield": func() fyne.CanvasObject {
			return Vertical(8, NewCopyField("Port", "2525", words), NewSecretField("Password", "x", words))
		},
		"empty":     func() fyne.CanvasObject { return NewEmpty("queue", "Nothing", "Nothing is here.", "Act", nil) },
		"progress":  func() fyne.CanvasObject { return Vertical(8, NewProgress(0.4, Busy), NewProgress(1, Alarm)) },
		"keyvalues": func() fyne.CanvasObject { return NewKeyValues(Pair{"Key", "Value", ""}, Pair{"Other", "Bad", Alarm}) },
		"ring":      func() fyne.CanvasObject { return NewRing(0.4, Busy, "40 %", "of 50,000") },
		"bars":      func() fyne.CanvasObject { return plot(5) },
		"rows":      func() fyne.CanvasObject { return specimenRows() },
		"page": func() fyne.CanvasObject {
			return NewPage(PageSpec{Title: "Title", Subtitle: "Subtitle", Content: NewSection("Section"), Actions: []fyne.CanvasObject{widget.NewButton("Act", nil)}})
		},
	}
}

func specimenRows() *Rows[string] {
	r := NewRows(RowsSpec[string]{
		Columns: []Column[string]{
			{Title: "Name", Width: 100, Grow: 1, Cell: func(s string) Cell { return Cell{Text: s} }},
			{Title: "State", Width: 120, Cell: func(string) Cell { return Cell{Text: "Waiting", Tone: Warn, Badge: true, Icon: "clock"} }},
		},
		Key:  func(s string) string { return s },
		Load: func(gen, offset, limit int) {},
	})
	r.ask(0)
	r.Put(0, 0, []string{"one", long}, 3)
	r.Select(1)
	return r
}

// TestEveryIconDraws renders every icon and looks for ink.
func TestEveryIconDraws(t *testing.T) {
	test.NewTempApp(t).Settings().SetTheme(New(ChoiceLight))
	names := map[string]fyne.Resource{"app": AppIcon()}
	for _, state := range TrayStates() {
		names["tray "+string(state)] = TrayIcon(state, true)
	}
	for _, name := range themeIcons {
		names[name] = Icon(name)
	}
	for name, res := range names {
		img := draw(canvas.NewImageFromResource(res), fyne.NewSquareSize(24), 1)
		ink := 0
		for y := range 24 {
			for x := range 24 {
				if pixel(img, float32(x), float32(y)) != light[theme.ColorNameBackground] {
					ink++
				}
			}
		}
		if ink < 12 {
			t.Errorf("%s: %d pixels drawn, want a picture", name, ink)
		}
	}
}

// TestTrayStatesDifferByShape: somebody who sees no colours tells them apart.
func TestTrayStatesDifferByShape(t *testing.T) {
	test.NewTempApp(t).Settings().SetTheme(New(ChoiceLight))
	for _, size := range []float32{16, 22} {
		shapes := map[string]TrayState{}
		for _, state := range TrayStates() {
			img := draw(canvas.NewImageFromResource(TrayIcon(state, false)), fyne.NewSquareSize(size), 1)
			var shape strings.Builder
			for y := range int(size) {
				for x := range int(size) {
					c := pixel(img, float32(x), float32(y))
					dark := luminance(c) < luminance(light[theme.ColorNameBackground])/2
					shape.WriteByte(map[bool]byte{true: '#', false: '.'}[dark])
				}
			}
			if other, taken := shapes[shape.String()]; taken {
				t.Errorf("%v pixels: %s and %s have the same shape", size, state, other)
			}
			shapes[shape.String()] = state
		}
	}
}
