package ui

import (
	"context"
	"reflect"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/ui/look"
	"servicesmtp.net/companion/ui/viewmodel"
)

// jobPage is one job of the queue with its recipients.
type jobPage struct {
	ui     *UI
	queue  *queuePage // it does what is asked for, and is gone back to
	job    app.JobState
	filter app.RecipientFilter

	page    *look.Page
	problem *look.Banner
	head    *jobHead
	bar     *filterBar
	rows    *look.Rows[viewmodel.RecipientRow]
	details *rowDetails
	pages   pager
	renewal *renewal
	fresh   asker[app.JobState]

	retry, takeBack *widget.Button
}

func newJobPage(q *queuePage, j app.JobState) *jobPage {
	u, p := q.ui, q.ui.say
	g := &jobPage{ui: u, queue: q, job: j, fresh: asker[app.JobState]{work: u.work}}
	g.pages.work = u.work
	g.renewal = newRenewal(u.work, g.renew)
	g.head = newJobHead(u, g.resolve)
	g.problem = look.NewBanner(look.Notice{})
	g.problem.Hide()
	g.bar = newFilterBar(u, filterSpec{
		hint: p.Say("Search a recipient"), options: viewmodel.RecipientFilters(p), leave: func() { g.rows.Focus(u.win.Canvas()) },
		changed: func(c filterChoice) {
			g.filter = app.RecipientFilter{Status: c.option, Search: c.search}
			g.rows.Reload()
		},
	})
	g.details = newRowDetails(u, func() { g.page.Refresh() })
	g.rows = look.NewRows(look.RowsSpec[viewmodel.RecipientRow]{
		Columns: recipientColumns(u), Key: func(r viewmodel.RecipientRow) string { return r.Key }, Load: g.load,
		OnSelect: func(r viewmodel.RecipientRow, ok bool) { g.details.set(ok, r.Address, r.Status, r.Reply) },
		OnKey:    q.typedKey,
		Empty:    look.NewEmpty("search", p.Say("No recipient fits the search and the filter."), "", p.Say("Clear filter"), g.bar.clear),
	})
	back := widget.NewButtonWithIcon(p.Say("Back to the queue"), theme.NavigateBackIcon(), q.closeJob)
	g.retry = widget.NewButtonWithIcon(p.Say("Retry now"), look.Icon("retry"), func() { q.retryJob(g.job.ID) })
	g.takeBack = widget.NewButtonWithIcon(p.Say("Take back"), look.Icon("cancel"), g.askTakeBack)
	g.page = look.NewPage(look.PageSpec{
		Title: p.Say("Message"), Subtitle: " ", Actions: []fyne.CanvasObject{back, g.retry, g.takeBack},
		Top:     look.Vertical(8, g.problem, g.head.object, g.bar.box),
		Content: container.NewBorder(nil, g.details.object, nil, nil, g.rows),
	})
	g.fill()
	return g
}

func recipientColumns(u *UI) []look.Column[viewmodel.RecipientRow] {
	p := u.say
	return []look.Column[viewmodel.RecipientRow]{
		{Title: p.Say("Recipient"), Width: 180, Grow: 2, Cell: func(r viewmodel.RecipientRow) look.Cell { return look.Cell{Text: r.Address} }},
		{Title: p.Say("State"), Width: 110, Cell: func(r viewmodel.RecipientRow) look.Cell {
			return look.Cell{Text: r.Status, Tone: look.Tone(string(r.Tone)), Badge: true}
		}},
		{Title: p.Say("Reply of the server"), Width: 160, Grow: 3, Drop: 1, Cell: func(r viewmodel.RecipientRow) look.Cell { return look.Cell{Text: r.Reply, Quiet: true} }},
		{Title: p.Say("When"), Width: 150, Drop: 2, Cell: func(r viewmodel.RecipientRow) look.Cell { return look.Cell{Text: r.When, Quiet: true} }},
	}
}

func (g *jobPage) object() fyne.CanvasObject { return g.page }

func (g *jobPage) enter() {
	g.bar.apply()
	g.renewal.now(g.ui.state)
}

func (g *jobPage) leave() {
	g.pages.end()
	g.renewal.end()
	g.bar.end()
	g.fresh.end()
}

func (g *jobPage) show(s app.State) {
	g.take(g.job) // the accounts may be paused, and the job's end be known
	g.renewal.changed(s)
}

// renew asks for the job and for the recipients in sight.
func (g *jobPage) renew() {
	e, id := g.queue.engine, g.job.ID
	g.fresh.ask(func(ctx context.Context) (app.JobState, error) { return readJob(ctx, e, id) }, func(j app.JobState, err error) {
		showProblem(g.ui, g.page, g.problem, err, g.renew)
		if err == nil {
			g.take(j)
		}
	})
	g.rows.Renew()
}

// take shows a newer job. When it will be done is told by State only.
func (g *jobPage) take(j app.JobState) {
	j.FinishAt = nil
	for _, known := range g.ui.state.Jobs {
		if known.ID == j.ID {
			j.FinishAt = known.FinishAt
		}
	}
	g.job = j
	g.fill()
}

func (g *jobPage) fill() {
	v := viewmodel.NewJobView(g.ui.say, g.job, g.ui.state.Accounts, time.Now())
	if g.head.set(v) {
		g.page.SetTitle(v.Title, v.Subtitle)
	}
	g.buttons()
}

// buttons enables what can be done with the job now.
func (g *jobPage) buttons() {
	v := viewmodel.NewJobView(g.ui.say, g.job, g.ui.state.Accounts, time.Now())
	enable(g.retry, v.MayRetry && !g.queue.acting)
	enable(g.takeBack, v.MayTakeBack && !g.queue.acting)
	enable(g.head.again, !g.queue.acting)
	enable(g.head.leaveIt, !g.queue.acting)
}

func (g *jobPage) load(gen, offset, limit int) {
	e, id, f := g.queue.engine, g.job.ID, g.filter
	loadPage(&g.pages, gen, func(ctx context.Context) (app.RecipientList, error) {
		return e.BrowseRecipients(ctx, id, f, offset, limit)
	}, func(l app.RecipientList, err error) {
		if err != nil {
			showProblem(g.ui, g.page, g.problem, err, g.renew)
			g.rows.Failed(gen, offset)
			return
		}
		rows, now := make([]viewmodel.RecipientRow, 0, len(l.Recipients)), time.Now()
		for _, r := range l.Recipients {
			rows = append(rows, viewmodel.NewRecipientRow(g.ui.say, r, now))
		}
		g.rows.Put(gen, offset, rows, l.Total)
		r, ok := g.rows.Selected()
		g.details.set(ok, r.Address, r.Status, r.Reply)
	})
}

func (g *jobPage) askTakeBack() {
	if !g.takeBack.Disabled() {
		g.queue.takeBack(g.job.ID)
	}
}

// resolve asks once more, and ends the doubt about every batch.
func (g *jobPage) resolve(sendAgain bool) {
	asked, id := viewmodel.Decide(g.ui.say, sendAgain), g.job.ID
	g.ui.confirm(asked.Title, asked.Text, asked.Button, func() {
		g.queue.act(func(ctx context.Context, e Engine) error { return resolveAll(ctx, e, id, sendAgain) })
	})
}

// readJob reads a job without its recipients.
func readJob(ctx context.Context, e Engine, id mail.JobID) (app.JobState, error) {
	d, err := e.Job(ctx, id, "", 1)
	return d.JobState, err
}

// resolveAll ends the doubt about all batches of a job. A batch that was left
// as it is before still has recipients in doubt, but is done and refused: only
// when the job is in doubt afterwards did something go wrong.
func resolveAll(ctx context.Context, e Engine, id mail.JobID, sendAgain bool) error {
	batches, err := doubtful(ctx, e, id)
	if err != nil {
		return err
	}
	var first error
	for _, n := range batches {
		if err := e.Resolve(ctx, id, n, sendAgain); err != nil && first == nil {
			first = err
		}
	}
	if first == nil {
		return nil
	}
	j, err := readJob(ctx, e, id)
	if err != nil {
		return err
	}
	if j.State != "uncertain" {
		return nil
	}
	return first
}

// doubtPage is how many recipients are read at a time.
const doubtPage = 1000

// doubtful are the batches with recipients in doubt, in order.
func doubtful(ctx context.Context, e Engine, id mail.JobID) ([]int, error) {
	var batches []int
	seen := map[int]bool{}
	for offset := 0; ; {
		l, err := e.BrowseRecipients(ctx, id, app.RecipientFilter{Status: "uncertain"}, offset, doubtPage)
		if err != nil {
			return nil, err
		}
		for _, r := range l.Recipients {
			if !seen[r.Batch] {
				seen[r.Batch] = true
				batches = append(batches, r.Batch)
			}
		}
		offset += len(l.Recipients)
		if len(l.Recipients) == 0 || offset >= l.Total {
			return batches, nil
		}
	}
}

// jobHead tells how far a job is, and asks what to do in doubt.
type jobHead struct {
	object fyne.CanvasObject

	view            viewmodel.JobView // that is shown
	state           *look.Badge
	counts          *fyne.Container
	bar             *look.Progress
	progress, extra *look.Text
	reply, report   *look.Text
	damage          *look.Text
	doubt           *look.Card
	doubtText       *look.Text
	again, leaveIt  *widget.Button
}

func newJobHead(u *UI, resolve func(sendAgain bool)) *jobHead {
	p := u.say
	h := &jobHead{
		state: look.NewBadge(look.Muted, ""), counts: container.NewHBox(), bar: look.NewProgress(0, look.Muted),
		progress: look.NewLine(look.Strong, ""), extra: look.NewLine(look.Soft, ""), reply: look.NewLine(look.Caption, ""), report: look.NewLine(look.Caption, ""), doubtText: look.NewText(look.Body, ""),
		damage: look.NewText(look.Body, ""),
	}
	h.extra.Overflow = look.Keep
	h.again = widget.NewButtonWithIcon(p.Say("Send again"), look.Icon("retry"), func() { resolve(true) })
	h.leaveIt = widget.NewButton(p.Say("Leave it"), func() { resolve(false) })
	h.doubt = look.NewCard(p.Say("What should become of it?"), h.doubtText, h.leaveIt, h.again)
	card := look.NewCard("", look.Vertical(10,
		look.Horizontal(10, 1, h.state, h.progress, h.extra), h.bar, look.Horizontal(10, 1, h.counts, h.reply), h.damage, h.report))
	h.object = look.Vertical(8, h.doubt, card)
	return h
}

// set shows v, and tells whether that changed anything.
func (h *jobHead) set(v viewmodel.JobView) bool {
	if reflect.DeepEqual(v, h.view) {
		return false
	}
	h.view = v
	tone := look.Tone(string(v.State))
	h.state.Set(tone, v.Words)
	h.bar.Set(v.Share, tone)
	h.progress.SetText(v.Progress)
	h.extra.SetText(v.Batches)
	if v.Finish != "" {
		h.extra.SetText(v.Finish)
	}
	badges := make([]fyne.CanvasObject, 0, len(v.Counts))
	for _, c := range v.Counts {
		badges = append(badges, look.NewBadge(look.Tone(string(c.Tone)), c.Text))
	}
	h.counts.Objects = badges
	h.counts.Refresh()
	h.reply.SetText(v.LastReply)
	h.damage.SetText(v.Damage)
	h.report.SetText(v.Report)
	h.doubtText.SetText(v.Doubt)
	setVisible(h.reply, v.LastReply != "")
	setVisible(h.damage, v.Damage != "")
	setVisible(h.report, v.Report != "")
	setVisible(h.doubt, v.Doubt != "")
	h.object.Refresh()
	return true
}
