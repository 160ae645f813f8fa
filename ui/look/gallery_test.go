package look

import (
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/software"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"
)

// TestGallery draws all widgets on some sheets, light and dark.
// LOOK_GALLERY=DIR keeps the pictures, to be looked at, and draws them in two
// pixels per unit, too.
func TestGallery(t *testing.T) {
	dir, scales := os.Getenv("LOOK_GALLERY"), []float32{1, 2}
	if dir == "" {
		dir, scales = t.TempDir(), scales[:1]
	}
	for _, choice := range []string{ChoiceLight, ChoiceDark} {
		test.NewTempApp(t).Settings().SetTheme(New(choice))
		for _, scale := range scales {
			for _, sheet := range []struct {
				name    string
				content fyne.CanvasObject
				size    fyne.Size
			}{
				{"wide", gallery(), fyne.NewSize(1000, 0)},
				{"narrow", gallery(), fyne.NewSize(520, 0)},
				{"list-wide", galleryList(), fyne.NewSize(1000, 420)},
				{"list-narrow", galleryList(), fyne.NewSize(420, 420)},
			} {
				img := draw(sheet.content, sheet.size, scale)
				if got, want := img.Bounds().Dx(), int(sheet.size.Width*scale); got != want {
					t.Errorf("%s %s: %d pixels wide, want %d", choice, sheet.name, got, want)
				}
				keep(t, filepath.Join(dir, fmt.Sprintf("%s-%s-%v.png", sheet.name, choice, scale)), img)
			}
		}
	}
}

// draw renders an object in a size; a height of 0 is what it needs.
func draw(o fyne.CanvasObject, size fyne.Size, scale float32) image.Image {
	c := software.NewCanvas()
	c.SetPadded(false)
	c.SetScale(scale)
	c.SetContent(o)
	for range 3 { // wrapped text needs the width before it knows its height
		height := size.Height
		if height == 0 {
			height = o.MinSize().Height
		}
		c.Resize(fyne.NewSize(size.Width, height))
	}
	return c.Capture()
}

func keep(t *testing.T, name string, img image.Image) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(f, img); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// long is what German does to a narrow column.
const long = "Donaudampfschifffahrtsgesellschaftskapitänsversammlungsprotokoll"

func gallery() fyne.CanvasObject {
	words := CopyWords{Copy: "Copy", Copied: "Copied", Show: "Show", Hide: "Hide"}
	details := NewBanner(Notice{Tone: Alarm, Title: "The relay does not accept your password", Text: "Nothing is lost. Sending goes on when the password is right.",
		Button: "Enter password…", Details: "535 5.7.8 authentication credentials invalid (AUTH PLAIN)", ShowDetails: "Show details", HideDetails: "Hide details"})
	details.SetOpen(true)
	badges := container.NewHBox()
	for _, tone := range Tones() {
		badges.Add(NewBadge(tone, "State "+string(tone)))
	}
	buttons := container.NewHBox(widget.NewButtonWithIcon("Pause", Icon("pause"), nil), widget.NewButtonWithIcon("Send", Icon("plane"), nil))
	buttons.Objects[1].(*widget.Button).Importance = widget.HighImportance
	column := Vertical(16,
		NewBanner(Notice{Tone: Success, Title: "Everything has been sent", Text: "Nothing is waiting."}),
		NewBanner(Notice{Tone: Busy, Title: "Sending to 18,240 people", Text: "About 5 hours to go. You can use the computer for other things, and close this window.", Button: "Pause"}),
		NewBanner(Notice{Tone: Warn, Icon: "offline", Title: "No network", Text: "Your mail is kept and leaves when the network is back."}),
		details,
		NewBanner(Notice{Tone: Muted, Title: long, Text: long + " " + long, Button: "Später erinnern"}),
		badges,
		Tiles(16, 300,
			NewCard("For your mail program", Vertical(12,
				NewCopyField("Server", "127.0.0.1", words), NewCopyField("Port", "2525", words), NewSecretField("Password", "secret", words))),
			NewCard("Quota", Vertical(8, NewText(Figure, "12,480"), NewText(Soft, "e-mails left of 50,000"), NewProgress(0.75, Busy), NewProgress(0.97, Warn), NewProgress(0, Busy), NewProgress(1, Alarm))),
			NewCard("Details", NewKeyValues(Pair{"From", "newsletter@example.org", ""}, Pair{"Recipients", "18,240", ""}, Pair{"State", "Waiting for the network", Warn},
				Pair{"Empfangsbestätigungsadresse", long + "@example.org", ""}), widget.NewButtonWithIcon("", Icon("more"), nil)),
		),
		Tiles(16, 300,
			NewCard("This month", Tiles(16, 130, NewRing(0.62, Busy, "62 %", "of 50,000 e-mails"), NewRing(1.2, Alarm, "5,4 GB", "Donaudampfschifffahrtsgesellschaft zu viel"))),
			NewCard("Last 30 days", month()),
			NewCard("Nothing yet", NewBars(BarsSpec{Empty: "Nothing has been sent in these days."}))),
		NewSection("Newsletters", buttons),
		NewCard("", NewEmpty("queue", "Nothing is waiting", "Mail that your programs hand over appears here until it has been sent.", "Set up a mail program", nil)),
	)
	return NewPage(PageSpec{Title: "Overview", Subtitle: "Account office, on relay.example", Actions: []fyne.CanvasObject{
		widget.NewButtonWithIcon("Pause sending", Icon("pause"), nil)}, Content: column})
}

func month() *Bars {
	var bars []Bar
	for day := range 30 {
		h := float32(day*day%17) / 20
		bars = append(bars, Bar{Height: h, Failed: h * float32(day%4) / 12, Label: fmt.Sprintf("%d Nov", day+1), Caption: fmt.Sprintf("%d November: 1,234 sent, 12 failed", day+1)})
	}
	b := NewBars(BarsSpec{Bars: bars, YLabels: []YLabel{{0, "0"}, {0.5, "5,000"}, {1, "10,000"}}, Caption: "44,120 sent, 310 failed"})
	b.look(22)
	return b
}

func galleryList() fyne.CanvasObject {
	r := NewRows(RowsSpec[int]{
		Columns: []Column[int]{
			{Title: "Subject", Width: 160, Grow: 2, Cell: func(i int) Cell { return Cell{Text: fmt.Sprint(i, " ", long)} }},
			{Title: "From", Width: 120, Grow: 1, Drop: 2, Cell: func(int) Cell { return Cell{Text: "newsletter@example.org", Quiet: true} }},
			{Title: "State", Width: 120, Cell: func(i int) Cell {
				tone := Tones()[i%5]
				return Cell{Text: "State " + string(tone), Tone: tone, Badge: true, Icon: map[bool]string{true: "clock"}[i%3 == 0]}
			}},
			{Title: "Recipients", Width: 90, Drop: 1, Align: fyne.TextAlignTrailing, Cell: func(i int) Cell { return Cell{Text: fmt.Sprint(i * 37)} }},
			{Title: "Result", Width: 90, Cell: func(i int) Cell { return Cell{Text: "Failed", Tone: Alarm, Icon: "alarm"} }},
		},
		Key:  func(i int) string { return fmt.Sprint(i) },
		Load: func(gen, offset, limit int) {},
	})
	r.ask(0)
	r.Put(0, 0, []int{0, 1, 2, 3, 4, 5, 6}, 1000)
	r.list.focused = true
	r.Select(2)
	return NewPage(PageSpec{Title: "Queue", Subtitle: "1,000 messages", Content: r})
}
