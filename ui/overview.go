package ui

import (
	"context"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/widget"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/ui/look"
	"servicesmtp.net/companion/ui/viewmodel"
)

// overviewPage says how everything is: one sentence, what was used, what is
// under way, and what the service has to say.
type overviewPage struct {
	ui     *UI
	engine Engine
	root   *look.Page

	headline *look.Banner
	notices  *fyne.Container
	tiles    *fyne.Container // the accounts' plans, and what was sent
	sentCard *look.Card
	plot     *look.Bars
	jobs     *fyne.Container
	sent     asker[[]app.SentSpan]
	end      func() // of the plot's clock; nil out of sight

	shownNotices []viewmodel.Notice
	shownQuotas  []viewmodel.Quota
	shownJobs    []viewmodel.JobCard
}

// leastTile is the width in which a plan's ring and numbers stand beside each
// other.
const leastTile = 380

// plotEvery is how often the plot is read anew while it is in sight.
const plotEvery = 10 * time.Second

func newOverviewPage(u *UI) *overviewPage {
	o := &overviewPage{
		ui: u, engine: u.engine, headline: look.NewBanner(look.Notice{Tone: look.Muted}), plot: look.NewBars(look.BarsSpec{}),
		sent: asker[[]app.SentSpan]{work: u.work},
	}
	section := u.cfg.App.Settings().Theme().Size(look.SizeNameSection)
	o.notices, o.jobs = look.Vertical(gap()), look.Vertical(gap())
	o.notices.Hidden, o.jobs.Hidden = true, true // an empty one would still take a gap
	o.sentCard = look.NewCard(u.say.Say("Sent lately"), o.plot)
	o.tiles = look.Tiles(section, leastTile, o.sentCard)
	o.root = look.NewPage(look.PageSpec{
		Title: u.say.Say("Overview"), Content: look.Vertical(section, o.headline, o.notices, o.tiles, o.jobs),
	})
	return o
}

func (o *overviewPage) object() fyne.CanvasObject { return o.root }

func (o *overviewPage) enter() { o.end = o.ui.work.every(plotEvery, o.askSent) }

func (o *overviewPage) leave() {
	if o.end != nil {
		o.end()
		o.end = nil
	}
	o.sent.end()
}

func (o *overviewPage) askSent() {
	since := time.Now().Add(-viewmodel.SentHours * time.Hour)
	o.sent.ask(func(ctx context.Context) ([]app.SentSpan, error) {
		return o.engine.Sent(ctx, "", since, viewmodel.SentSpan)
	}, func(spans []app.SentSpan, err error) {
		if err != nil {
			o.ui.cfg.Log.Warn("what was sent lately cannot be read", "err", err)
			return
		}
		o.plot.Set(bars(viewmodel.NewSentPlot(o.ui.say, spans, time.Now())))
	})
}

func bars(p viewmodel.Plot) look.BarsSpec {
	spec := look.BarsSpec{Caption: p.Caption, Empty: p.Empty}
	for _, b := range p.Bars {
		spec.Bars = append(spec.Bars, look.Bar(b))
	}
	for _, t := range p.Ticks {
		spec.YLabels = append(spec.YLabels, look.YLabel(t))
	}
	return spec
}

func (o *overviewPage) show(s app.State) {
	now := time.Now()
	h := viewmodel.NewHeadline(o.ui.say, s)
	n := o.ui.notice(h)
	if h.Deed == app.DeedNone && viewmodel.NeverUsed(s) {
		n.Text = o.ui.say.Say("To send mail, connect your mail program with the companion.")
		n.Button, n.OnButton = o.ui.say.Say("Connect a mail program"), func() { o.ui.openPage(pageConnect) }
	}
	o.headline.Set(n)
	if v := viewmodel.NewNotices(o.ui.say, s, now); !same(v, o.shownNotices) {
		o.shownNotices = v
		o.showNotices(v)
	}
	o.showQuotas(viewmodel.NewQuotas(o.ui.say, s, now))
	o.showJobs(s, now)
}

func (o *overviewPage) showNotices(list []viewmodel.Notice) {
	objects := make([]fyne.CanvasObject, 0, len(list))
	for _, n := range list {
		objects = append(objects, look.NewBanner(look.Notice{
			Tone: look.Tone(n.Tone), Title: n.Title, Text: n.Text, Button: o.ui.say.Say("Got it"),
			OnButton: func() {
				o.ui.work.do(func(ctx context.Context) error { return o.engine.SeeNotice(ctx, n.Account, n.ID) }, o.ui.wrong)
			},
		}))
	}
	o.fill(o.notices, objects)
}

// fill shows objects in a part of the page. The whole page is laid out anew
// only where the part comes or goes: this happens several times a second.
func (o *overviewPage) fill(part *fyne.Container, objects []fyne.CanvasObject) {
	part.Objects = objects
	if setVisible(part, len(objects) > 0) {
		o.root.Refresh()
		return
	}
	part.Refresh()
}

func (o *overviewPage) showQuotas(list []viewmodel.Quota) {
	if sameQuotas(list, o.shownQuotas) {
		return
	}
	o.shownQuotas = list
	if o.end != nil {
		o.askSent() // what was used and what was sent are not to contradict each other
	}
	cards := make([]fyne.CanvasObject, 0, len(list)+1)
	for _, q := range list {
		pairs := make([]look.Pair, len(q.Lines))
		for i, l := range q.Lines {
			pairs[i] = look.Pair{Key: l.Name, Value: l.Value}
		}
		title := o.ui.say.Say("Your plan")
		if q.Account != "" {
			title = q.Account
		}
		ring := look.NewRing(q.Share, look.Tone(q.Tone), q.Centre, q.Caption)
		cards = append(cards, look.NewCard(title, look.Horizontal(gap()*2, 1, ring, look.NewKeyValues(pairs...))))
	}
	o.fill(o.tiles, append(cards, o.sentCard))
}

func (o *overviewPage) showJobs(s app.State, now time.Time) {
	cards, more := viewmodel.NewJobCards(o.ui.say, s, now)
	if same(cards, o.shownJobs) {
		return
	}
	o.shownJobs = cards
	objects := []fyne.CanvasObject{}
	if len(cards) > 0 {
		objects = append(objects, look.NewSection(o.ui.say.Say("Under way"),
			widget.NewButtonWithIcon(o.ui.say.Say("Show all"), look.Icon("queue"), func() { o.ui.openPage(pageQueue) })))
	}
	for _, c := range cards {
		objects = append(objects, o.card(c))
	}
	if more != "" {
		objects = append(objects, look.NewText(look.Soft, more))
	}
	o.fill(o.jobs, objects)
}

func (o *overviewPage) card(c viewmodel.JobCard) fyne.CanvasObject {
	facts := look.NewText(look.Soft, join(c.Batches, c.Pace, c.Finish))
	rows := []fyne.CanvasObject{
		look.Horizontal(gap(), 0, look.NewLine(look.Strong, c.Count), look.NewBadge(look.Tone(c.Tone), c.State)),
		look.NewProgress(c.Share, look.Tone(c.Tone)), facts,
	}
	if c.Slowed != "" {
		t := look.NewText(look.Body, c.Slowed)
		t.Tone = look.Warn
		rows = append(rows, t)
	}
	kind := look.NewLine(look.Caption, c.Kind)
	kind.Overflow = look.Keep
	return look.NewCard(c.Title, look.Vertical(gap(), rows...), kind)
}
