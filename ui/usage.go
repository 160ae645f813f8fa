package ui

import (
	"context"
	"slices"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/ui/look"
	"servicesmtp.net/companion/ui/viewmodel"
)

// usagePage is what an account used in its period, as the relay tells it.
type usagePage struct {
	ui       *UI
	engine   Engine
	question asker[app.Usage]
	names    []string // of the accounts
	account  string   // the chosen one

	choice  *look.Select // hidden where there is nothing to choose
	refresh *widget.Button
	asking  *fyne.Container
	bar     *widget.ProgressBarInfinite
	wrong   *look.Banner
	body    *fyne.Container
	page    *look.Page
}

func newUsagePage(u *UI) *usagePage {
	p := &usagePage{ui: u, engine: u.engine, question: asker[app.Usage]{work: u.work}}
	p.choice = look.NewSelect(nil, func(name string) { p.choose(name) })
	p.choice.Hidden = true
	p.refresh = widget.NewButtonWithIcon(u.say.Say("Refresh"), look.Icon("retry"), p.ask)
	p.bar = widget.NewProgressBarInfinite()
	p.bar.Stop()
	p.asking = look.Vertical(gap(), look.NewText(look.Caption, u.say.Say("Asking the relay.")), p.bar)
	p.wrong = look.NewBanner(look.Notice{Tone: look.Warn})
	p.wrong.Hidden = true
	p.body = look.Vertical(theme.Size(look.SizeNameSection))
	p.setAsking(false)
	p.page = look.NewPage(look.PageSpec{
		Title: u.say.Say("Usage"), Subtitle: u.say.Say("What your plan counts, as the relay tells it."),
		Actions: []fyne.CanvasObject{p.choice, p.refresh},
		Content: look.Vertical(theme.Size(look.SizeNameSection), p.asking, p.wrong, p.body),
	})
	p.accounts(u.state)
	return p
}

func (p *usagePage) object() fyne.CanvasObject { return p.page }

func (p *usagePage) enter() { p.ask() }

func (p *usagePage) leave() {
	p.question.end()
	p.setAsking(false)
}

// show follows the accounts: one may be new, or forgotten.
func (p *usagePage) show(s app.State) {
	if p.accounts(s) {
		p.clear()
		p.ask()
	}
}

// accounts takes over the accounts' names and says whether the chosen one has
// changed.
func (p *usagePage) accounts(s app.State) (changed bool) {
	names := make([]string, 0, len(s.Accounts))
	for _, a := range s.Accounts {
		names = append(names, a.Name)
	}
	if slices.Equal(names, p.names) {
		return false
	}
	p.names = names
	before := p.account
	if !slices.Contains(names, p.account) {
		p.account = ""
		if len(names) > 0 {
			p.account = names[0]
		}
	}
	p.choice.Options, p.choice.Selected, p.choice.Hidden = names, p.account, len(names) < 2
	p.choice.Refresh()
	return p.account != before
}

func (p *usagePage) choose(name string) {
	if name == p.account {
		return
	}
	p.account = name
	p.clear()
	p.ask()
}

// clear takes away what belongs to another account.
func (p *usagePage) clear() {
	p.body.Objects = nil
	p.body.Refresh()
	p.wrong.Hide()
}

// ask asks the relay, which may take seconds. What was told before stays in
// sight until then.
func (p *usagePage) ask() {
	if p.account == "" {
		return
	}
	p.setAsking(true)
	account := p.account
	p.question.ask(func(ctx context.Context) (app.Usage, error) { return p.engine.Usage(ctx, account) }, p.answered)
}

func (p *usagePage) setAsking(asking bool) {
	enable(p.refresh, !asking)
	p.asking.Hidden = !asking
	if asking {
		p.bar.Start()
	} else {
		p.bar.Stop()
	}
	if p.page != nil {
		p.page.Refresh()
	}
}

func (p *usagePage) answered(u app.Usage, err error) {
	p.setAsking(false)
	if err != nil {
		p.failed(err)
		return
	}
	v := viewmodel.NewUsage(p.ui.say, u, time.Now())
	p.wrong.Hidden = v.Stale == ""
	p.wrong.Set(look.Notice{Tone: look.Warn, Title: v.Stale})
	p.body.Objects = []fyne.CanvasObject{p.totals(v), p.plot(v)}
	if len(v.Days) > 0 {
		p.body.Objects = append(p.body.Objects, p.days(v))
	}
	p.body.Refresh()
	p.page.Refresh()
}

// failed says why there is nothing new; what was told before stays.
func (p *usagePage) failed(err error) {
	n := p.ui.wrongNotice(err)
	n.Tone = look.Warn
	if len(p.body.Objects) == 0 {
		p.body.Objects = []fyne.CanvasObject{look.NewEmpty("usage", n.Title, n.Text, p.ui.say.Say("Try again"), p.ask)}
		p.wrong.Hidden = true
	} else if _, empty := p.body.Objects[0].(*look.Empty); !empty {
		p.wrong.Set(n)
		p.wrong.Hidden = false
	}
	p.body.Refresh()
	p.page.Refresh()
}

func (p *usagePage) totals(v viewmodel.Usage) fyne.CanvasObject {
	pairs := make([]look.Pair, 0, len(v.Lines))
	for _, l := range v.Lines {
		pairs = append(pairs, look.Pair{Key: l.Name, Value: l.Value})
	}
	ring := look.NewRing(v.Share, look.Tone(string(v.Tone)), v.Centre, v.Below)
	return look.NewCard(v.Period, look.Horizontal(gap()*3, 1, ring, look.NewKeyValues(pairs...)))
}

func (p *usagePage) plot(v viewmodel.Usage) fyne.CanvasObject {
	spec := look.BarsSpec{Caption: v.Plot.Caption, Empty: v.Plot.Empty}
	for _, b := range v.Plot.Bars {
		spec.Bars = append(spec.Bars, look.Bar{Height: b.Height, Failed: b.Failed, Label: b.Label, Caption: b.Caption})
	}
	for _, t := range v.Plot.Ticks {
		spec.YLabels = append(spec.YLabels, look.YLabel{At: t.At, Label: t.Label})
	}
	return look.NewCard(p.ui.say.Say("E-mails by day"), look.NewBars(spec))
}

func (p *usagePage) days(v viewmodel.Usage) fyne.CanvasObject {
	rows := []fyne.CanvasObject{tableRow(look.Caption, p.ui.say.Say("Day"), p.ui.say.Say("E-mails"), p.ui.say.Say("Volume"))}
	for _, d := range v.Days {
		rows = append(rows, widget.NewSeparator(), tableRow(look.Body, d.Day, d.Emails, d.Size))
	}
	return look.NewCard(p.ui.say.Say("Days on which anything was sent"), look.Vertical(gap()/2, rows...))
}

// tableRow is a name with numbers, which stand at the right.
func tableRow(role look.Role, name string, numbers ...string) fyne.CanvasObject {
	cells := []fyne.CanvasObject{look.NewLine(role, name)}
	for _, n := range numbers {
		cell := look.NewLine(role, n)
		cell.Align = fyne.TextAlignTrailing
		cells = append(cells, cell)
	}
	return container.NewGridWithColumns(len(cells), cells...)
}
