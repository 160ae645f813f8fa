package ui

import (
	"context"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/widget"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/ui/look"
	"servicesmtp.net/companion/ui/viewmodel"
)

// queuePage is the list of jobs, or one of them.
type queuePage struct {
	ui     *UI
	engine Engine          // that of the page, also when another has come since
	stack  *fyne.Container // the list, or the job
	list   *look.Page
	job    *jobPage // nil: the list is in sight

	filter  app.JobFilter
	bar     *filterBar
	problem *look.Banner
	empty   *look.Empty
	rows    *look.Rows[viewmodel.JobRow]
	pages   pager
	renewal *renewal
	total   int // that the title names
	inSight bool
	acting  bool // what a person asked for is under way

	pause, resume, retry *widget.Button
	openIt, takeBackIt   *widget.Button // of the selected job
}

var _ page = (*queuePage)(nil)

func newQueuePage(u *UI) *queuePage {
	p := u.say
	q := &queuePage{ui: u, engine: u.engine, pages: pager{work: u.work}}
	q.renewal = newRenewal(u.work, q.renew)
	q.bar = newFilterBar(u, filterSpec{
		hint:    p.Say("Search a sender or a recipient"),
		options: viewmodel.JobFilters(p),
		changed: func(c filterChoice) {
			q.filter = app.JobFilter{Account: c.account, State: c.option, Search: c.search}
			q.showEmpty()
			q.rows.Reload()
		},
		leave: func() { q.rows.Focus(u.win.Canvas()) },
	})
	q.pause = widget.NewButtonWithIcon(p.Say("Pause"), look.Icon("pause"), func() {
		q.act(func(ctx context.Context, e Engine) error { return e.Pause(ctx, "") })
	})
	q.resume = widget.NewButtonWithIcon(p.Say("Resume"), look.Icon("play"), func() {
		q.act(func(ctx context.Context, e Engine) error { return e.Resume(ctx, "") })
	})
	q.retry = widget.NewButtonWithIcon(p.Say("Retry now"), look.Icon("retry"), func() { q.retryJob("") })
	q.openIt = widget.NewButton(p.Say("Open"), func() {
		if row, ok := q.rows.Selected(); ok {
			q.openJob(row.Job)
		}
	})
	q.takeBackIt = widget.NewButton(p.Say("Take back"), q.takeBackSelected)
	q.problem = look.NewBanner(look.Notice{})
	q.problem.Hide()
	q.empty = look.NewEmpty("queue", "", "", "", q.emptyTapped)
	q.showEmpty()
	q.rows = look.NewRows(look.RowsSpec[viewmodel.JobRow]{
		Columns: q.columns(), Key: func(r viewmodel.JobRow) string { return string(r.Job.ID) }, Load: q.load,
		OnSelect: func(viewmodel.JobRow, bool) { q.buttons() },
		OnOpen:   func(r viewmodel.JobRow) { q.openJob(r.Job) }, OnMenu: q.menu, OnKey: q.typedKey, Empty: q.empty,
	})
	q.bar.box.Add(q.openIt)
	q.bar.box.Add(q.takeBackIt)
	q.list = look.NewPage(look.PageSpec{
		Title: p.Say("Queue"), Actions: []fyne.CanvasObject{q.pause, q.resume, q.retry},
		Top: look.Vertical(8, q.problem, q.bar.box), Content: q.rows,
	})
	q.stack = container.NewStack(q.list)
	q.buttons()
	return q
}

func (q *queuePage) columns() []look.Column[viewmodel.JobRow] {
	p := q.ui.say
	list := []look.Column[viewmodel.JobRow]{
		{Title: p.Say("Sender"), Width: 160, Grow: 2, Cell: func(r viewmodel.JobRow) look.Cell { return look.Cell{Text: r.From} }},
		{Title: p.Say("Recipients"), Width: 110, Align: fyne.TextAlignTrailing, Cell: func(r viewmodel.JobRow) look.Cell { return look.Cell{Text: r.Recipients} }},
		{Title: p.Say("State"), Width: 150, Cell: func(r viewmodel.JobRow) look.Cell {
			return look.Cell{Text: r.State, Tone: look.Tone(string(r.Tone)), Badge: true}
		}},
		{Title: p.Say("Size"), Width: 80, Drop: 3, Align: fyne.TextAlignTrailing, Cell: func(r viewmodel.JobRow) look.Cell { return look.Cell{Text: r.Size, Quiet: true} }},
		{Title: p.Say("Handed in"), Width: 150, Drop: 1, Cell: func(r viewmodel.JobRow) look.Cell { return look.Cell{Text: r.When, Quiet: true} }},
	}
	if len(q.ui.state.Accounts) > 1 {
		list = append(list, look.Column[viewmodel.JobRow]{Title: p.Say("Account"), Width: 100, Drop: 2,
			Cell: func(r viewmodel.JobRow) look.Cell { return look.Cell{Text: r.Account, Quiet: true} }})
	}
	return list
}

func (q *queuePage) object() fyne.CanvasObject { return q.stack }

func (q *queuePage) enter() {
	q.inSight = true
	if q.job != nil {
		q.job.enter()
		return
	}
	q.bar.apply()
	q.renewal.now(q.ui.state)
}

func (q *queuePage) leave() {
	q.inSight = false
	q.stop()
	if q.job != nil {
		q.job.leave()
	}
}

// stop gives up what the list has asked.
func (q *queuePage) stop() {
	q.pages.end()
	q.renewal.end()
	q.bar.end()
}

func (q *queuePage) show(s app.State) {
	if q.job != nil {
		q.job.show(s)
		return
	}
	q.bar.setAccounts(viewmodel.AccountFilters(q.ui.say, s.Accounts))
	q.buttons()
	q.renewal.changed(s)
}

func (q *queuePage) renew() {
	if q.inSight && q.job == nil {
		q.rows.Renew()
	}
}

// load asks for a part of the list.
func (q *queuePage) load(gen, offset, limit int) {
	e, f := q.engine, q.filter
	loadPage(&q.pages, gen, func(ctx context.Context) (app.JobList, error) {
		return e.BrowseJobs(ctx, f, offset, limit)
	}, func(l app.JobList, err error) {
		showProblem(q.ui, q.list, q.problem, err, q.rows.Renew)
		if err != nil {
			q.rows.Failed(gen, offset)
			return
		}
		rows, now := make([]viewmodel.JobRow, 0, len(l.Jobs)), time.Now()
		for _, j := range l.Jobs {
			rows = append(rows, viewmodel.NewJobRow(q.ui.say, j, q.ui.state.Accounts, now))
		}
		q.rows.Put(gen, offset, rows, l.Total)
		if q.total != l.Total {
			q.total = l.Total
			q.list.SetTitle(q.ui.say.Say("Queue"), viewmodel.QueueSummary(q.ui.say, l.Total))
		}
		q.buttons()
	})
}

// buttons enables what can be done now.
func (q *queuePage) buttons() {
	can := viewmodel.NewQueueActions(q.ui.state)
	enable(q.pause, can.Pause && !q.acting)
	enable(q.resume, can.Resume && !q.acting)
	enable(q.retry, can.Retry && !q.acting)
	moved := setVisible(q.resume, can.Resume)
	if setVisible(q.pause, can.Pause || !can.Resume) || moved {
		q.list.Refresh()
	}
	row, ok := q.rows.Selected()
	enable(q.openIt, ok)
	enable(q.takeBackIt, ok && row.MayTakeBack && !q.acting)
}

// menu is that of one row.
func (q *queuePage) menu(r viewmodel.JobRow, at fyne.Position) {
	p := q.ui.say
	open := fyne.NewMenuItem(p.Say("Open"), func() { q.openJob(r.Job) })
	retry := fyne.NewMenuItem(p.Say("Retry now"), func() { q.retryJob(r.Job.ID) })
	back := fyne.NewMenuItem(p.Say("Take back"), func() { q.takeBack(r.Job.ID) })
	retry.Disabled, back.Disabled = !r.MayRetry || q.acting, !r.MayTakeBack || q.acting
	widget.ShowPopUpMenuAtPosition(fyne.NewMenu("", open, retry, back), q.ui.win.Canvas(), at)
}

// act does what a person asked for, and nothing else until that is done.
func (q *queuePage) act(call func(context.Context, Engine) error) {
	if q.acting {
		return
	}
	e := q.engine
	q.setActing(true)
	q.ui.work.do(func(ctx context.Context) error { return call(ctx, e) }, func(err error) {
		q.setActing(false)
		q.ui.wrong(err)
		if q.inSight {
			q.enter() // what was done shows at once
		}
	})
}

func (q *queuePage) setActing(yes bool) {
	q.acting = yes
	q.buttons()
	if q.job != nil {
		q.job.buttons()
	}
}

// retryJob tries again now: one job, or everything.
func (q *queuePage) retryJob(id mail.JobID) {
	q.act(func(ctx context.Context, e Engine) error { return e.Retry(ctx, id) })
}

func (q *queuePage) takeBackSelected() {
	if row, ok := q.rows.Selected(); ok && row.MayTakeBack {
		q.takeBack(row.Job.ID)
	}
}

// takeBack asks, with the numbers of this moment, and takes a job back.
func (q *queuePage) takeBack(id mail.JobID) {
	if q.acting {
		return
	}
	e := q.engine
	q.setActing(true)
	ask(q.ui.work, func(ctx context.Context) (app.JobState, error) { return readJob(ctx, e, id) }, func(j app.JobState, err error) {
		q.setActing(false)
		if err != nil || !q.inSight {
			q.ui.wrong(err)
			return
		}
		asked := viewmodel.TakeBack(q.ui.say, j)
		q.ui.confirm(asked.Title, asked.Text, asked.Button, func() {
			q.act(func(ctx context.Context, e Engine) error { return e.Cancel(ctx, id) })
		})
	})
}

// openJob shows one job in place of the list.
func (q *queuePage) openJob(j app.JobState) {
	q.stop()
	if q.job != nil {
		q.job.leave()
	}
	q.job = newJobPage(q, j)
	q.stack.Objects = []fyne.CanvasObject{q.job.object()}
	q.stack.Refresh()
	if q.inSight {
		q.job.enter()
		q.focusList()
	}
}

// closeJob goes back to the list.
func (q *queuePage) closeJob() {
	if q.job == nil {
		return
	}
	q.job.leave()
	q.job = nil
	q.stack.Objects = []fyne.CanvasObject{q.list}
	q.stack.Refresh()
	if q.inSight {
		q.enter()
		q.show(q.ui.state)
		q.focusList()
	}
}

// focusList takes the keyboard to the list in sight.
func (q *queuePage) focusList() {
	if q.job != nil {
		q.job.rows.Focus(q.ui.win.Canvas())
		return
	}
	q.rows.Focus(q.ui.win.Canvas())
}

// focusSearch takes the keyboard to the search in sight.
func (q *queuePage) focusSearch() {
	if q.job != nil {
		q.job.bar.focus()
		return
	}
	q.bar.focus()
}

// typedKey takes a key that no widget wanted, and tells whether it was ours:
// Esc goes back from a job, Delete asks to take one back.
func (q *queuePage) typedKey(name fyne.KeyName) bool {
	switch {
	case name == fyne.KeyEscape && q.job != nil:
		q.closeJob()
	case name == fyne.KeyDelete && q.job != nil:
		q.job.askTakeBack()
	case name == fyne.KeyDelete:
		q.takeBackSelected()
	default:
		return false
	}
	return true
}

// showEmpty says why the list is empty, should it be.
func (q *queuePage) showEmpty() {
	p := q.ui.say
	if q.filter != (app.JobFilter{}) {
		q.empty.Set("search", p.Say("Nothing matches"), p.Say("No message fits the search and the filter."), p.Say("Clear filter"))
		return
	}
	q.empty.Set("queue", p.Say("No mail yet"), p.Say("Connect your mail program to the companion. What it sends is then seen here."), p.Say("Connect a mail program"))
}

func (q *queuePage) emptyTapped() {
	if q.filter != (app.JobFilter{}) {
		q.bar.clear()
		return
	}
	q.ui.openPage(pageConnect)
}
