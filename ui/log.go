package ui

import (
	"context"
	"io"
	"slices"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/say"
	"servicesmtp.net/companion/ui/look"
	"servicesmtp.net/companion/ui/viewmodel"
)

const (
	logLines = 500
	logEvery = 2 * time.Second // how often new lines are looked for while the log is in sight
)

// logPage is the end of the log, for support.
type logPage struct {
	ui       *UI
	engine   Engine
	question asker[[]app.LogLine]
	asked    bool   // the question is open
	end      func() // of following; nil while out of sight

	all   []app.LogLine       // as read
	lines []app.LogLine       // of them, those that the filter lets through
	rows  []viewmodel.LogLine // the same in words
	read  bool                // the log was read once

	filter *look.Select
	widths logColumns
	list   *widget.List
	detail *look.Text // the whole of the line that was chosen
	card   *look.Card // around it
	empty  *look.Empty
	result *feedback
	page   *look.Page
}

func newLogPage(u *UI) *logPage {
	p := &logPage{ui: u, engine: u.engine, question: asker[[]app.LogLine]{work: u.work}, detail: look.NewText(look.Code, "")}
	p.result = newFeedback(func() { p.page.Refresh() })
	p.filter = look.NewSelect([]string{u.say.Say("All lines"), u.say.Say("Warnings and errors")}, nil)
	p.filter.SetSelectedIndex(0)
	p.filter.OnChanged = func(string) { p.fill(true) }
	p.list = widget.NewList(func() int { return len(p.rows) }, p.widths.newRow, func(i widget.ListItemID, o fyne.CanvasObject) { showLogRow(o, p.rows[i]) })
	p.list.HideSeparators = true
	p.list.OnSelected = p.choose
	p.card = look.NewCard("", p.detail, widget.NewButton(u.say.Say("Close"), func() {
		p.card.Hide()
		p.page.Refresh()
	}))
	p.card.Hidden = true
	p.empty = look.NewEmpty("log", u.say.Say("Reading the log."), "", "", nil)
	p.page = look.NewPage(look.PageSpec{
		Title: u.say.Say("Log"), Subtitle: u.say.Say("For support. No addresses, subjects or passwords are in it."),
		Actions: []fyne.CanvasObject{
			p.filter,
			widget.NewButtonWithIcon(u.say.Say("Copy all"), look.Icon("copy"), p.copyAll),
			widget.NewButtonWithIcon(u.say.Say("Save as"), look.Icon("export"), p.saveAs),
		},
		Content: container.NewBorder(p.result.box, p.card, nil, nil, container.NewStack(p.list, p.empty)),
	})
	return p
}

func (p *logPage) object() fyne.CanvasObject { return p.page }

func (p *logPage) show(app.State) {}

func (p *logPage) enter() {
	p.leave()
	p.end = p.ui.work.every(logEvery, p.ask)
}

func (p *logPage) leave() {
	if p.end != nil {
		p.end()
		p.end = nil
	}
	p.question.end()
	p.asked = false
}

func (p *logPage) ask() {
	if p.asked { // a slow disk must not be asked twice
		return
	}
	p.asked = true
	p.question.ask(func(ctx context.Context) ([]app.LogLine, error) { return p.engine.LogTail(ctx, logLines) }, p.answered)
}

func (p *logPage) answered(lines []app.LogLine, err error) {
	p.asked = false
	if err != nil {
		n := p.ui.wrongNotice(err)
		p.all = nil
		p.fill(false)
		p.empty.Set("log", n.Title, n.Text, "")
		p.read = false // what is said now is not that the log is empty
		return
	}
	if p.read && slices.Equal(lines, p.all) {
		return
	}
	first := !p.read
	p.all, p.read = lines, true
	p.fill(first)
}

// fill shows what the filter lets through. The list follows its end unless a
// person has scrolled away from there; end brings it there in any case.
func (p *logPage) fill(end bool) {
	end = end || p.atEnd()
	p.lines = p.all
	none := p.ui.say.Say("The log is empty.")
	if p.filter.SelectedIndex() == 1 {
		p.lines = viewmodel.LogTrouble(p.all)
		none = p.ui.say.Say("There are no warnings and no errors.")
	}
	p.rows = viewmodel.NewLogLines(p.ui.say, p.lines, time.Now())
	p.widths.measure(p.rows)
	p.empty.Set("log", none, "", "")
	p.empty.Hidden, p.list.Hidden = len(p.rows) > 0, len(p.rows) == 0
	p.page.Refresh()
	p.list.Refresh()
	if end && len(p.rows) > 0 {
		p.list.ScrollToBottom()
	}
}

// atEnd says whether the last line is in sight, or nearly.
func (p *logPage) atEnd() bool {
	row := p.widths.newRow().MinSize().Height + theme.Padding() // as widget.List counts it
	return p.list.GetScrollOffset()+p.list.Size().Height >= float32(len(p.rows)-1)*row
}

// choose shows the whole of a line; the list cuts it off. New lines move the
// others, so none stays selected.
func (p *logPage) choose(i widget.ListItemID) {
	p.list.UnselectAll()
	r := p.rows[i]
	p.detail.SetText(r.Text)
	p.card.SetTitle(p.ui.say.Text(say.T("{{.Level}}, {{.At}}").With("Level", r.Level).With("At", r.At)))
	p.card.Show()
	p.page.Refresh()
	p.list.ScrollTo(i) // the card takes place from the list
}

func (p *logPage) copyAll() {
	fyne.CurrentApp().Clipboard().SetContent(viewmodel.LogText(p.lines))
	p.result.say(look.Success, p.ui.say.Say("Copied"))
}

func (p *logPage) saveAs() {
	text := viewmodel.LogText(p.lines)
	saveFile(p.ui, saveSpec[int]{
		title: p.ui.say.Say("Save the log"), name: "companion-log.txt",
		write: func(_ context.Context, w io.Writer) (int, error) { return io.WriteString(w, text) },
		done:  func(string, int) { p.result.say(look.Success, p.ui.say.Say("The log is saved.")) },
	})
}

// logColumns puts level, time and text beside each other, in the same places
// in every row.
type logColumns struct{ level, at float32 }

func (c *logColumns) newRow() fyne.CanvasObject {
	at := look.NewLine(look.Caption, "")
	at.Overflow = look.Keep
	return container.New(c, look.NewBadge(look.Muted, ""), at, look.NewLine(look.Code, ""))
}

// measure finds the widths that the rows need.
func (c *logColumns) measure(rows []viewmodel.LogLine) {
	*c = logColumns{}
	widths := map[string]float32{} // most rows say the same
	width := func(text string, o func() fyne.CanvasObject) float32 {
		if _, known := widths[text]; !known {
			widths[text] = o().MinSize().Width
		}
		return widths[text]
	}
	for _, r := range rows {
		c.level = max(c.level, width(r.Level, func() fyne.CanvasObject { return look.NewBadge(look.Muted, r.Level) }))
		c.at = max(c.at, width(r.At, func() fyne.CanvasObject {
			at := look.NewLine(look.Caption, r.At)
			at.Overflow = look.Keep
			return at
		}))
	}
}

// Layout is called by Fyne.
func (c *logColumns) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	x := float32(0)
	for i, width := range []float32{c.level, c.at, max(size.Width-c.level-c.at-2*gap(), 0)} {
		least := objects[i].MinSize()
		if i == 0 {
			objects[i].Resize(least) // a badge is as wide as its word
		} else {
			objects[i].Resize(fyne.NewSize(width, least.Height))
		}
		objects[i].Move(fyne.NewPos(x, (size.Height-least.Height)/2))
		x += width + gap()
	}
}

// MinSize is called by Fyne.
func (c *logColumns) MinSize(objects []fyne.CanvasObject) fyne.Size {
	size := fyne.NewSize(c.level+c.at+2*gap(), 0)
	for _, o := range objects {
		size.Height = max(size.Height, o.MinSize().Height)
	}
	return size
}

func showLogRow(o fyne.CanvasObject, l viewmodel.LogLine) {
	row := o.(*fyne.Container)
	row.Objects[0].(*look.Badge).Set(look.Tone(string(l.Tone)), l.Level)
	row.Objects[1].(*look.Text).SetText(l.At)
	row.Objects[2].(*look.Text).SetText(l.Text)
	row.Refresh()
}
