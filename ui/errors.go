package ui

import (
	"context"
	"io"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/ui/look"
	"servicesmtp.net/companion/ui/viewmodel"
)

// errorsPage is the list of addresses that failed. It holds what the search
// selects, at most app.MaxErrors.
type errorsPage struct {
	engine Engine // that of the page, also when another has come since
	ui     *UI
	filter app.ErrorQuery
	held   errorList
	known  bool // held has been read

	page    *look.Page
	bar     *filterBar
	problem *look.Banner
	stale   *look.Banner
	empty   *look.Empty
	rows    *look.Rows[viewmodel.ErrorRow]
	details *rowDetails
	asks    asker[errorList]
	pages   pager

	refresh, export *widget.Button
}

// errorList is a list of errors with what is known of it. Nobody changes it.
type errorList struct {
	list        []app.AddressError
	counts      viewmodel.ErrorCounts
	more, stale bool
}

var _ page = (*errorsPage)(nil)

func newErrorsPage(u *UI) *errorsPage {
	p := u.say
	e := &errorsPage{ui: u, engine: u.engine, asks: asker[errorList]{work: u.work}, pages: pager{work: u.work}}
	e.bar = newFilterBar(u, filterSpec{
		hint: p.Say("Search an address or a reply"), accounts: viewmodel.AccountFilters(p, u.state.Accounts), leave: func() { e.rows.Focus(u.win.Canvas()) },
		changed: func(c filterChoice) {
			e.filter = app.ErrorQuery{Account: c.account, Search: c.search}
			e.read(true)
		},
	})
	e.problem, e.stale = look.NewBanner(look.Notice{}), look.NewBanner(look.Notice{
		Tone: look.Warn, Title: p.Say("The relay could not be asked now."),
		Text: p.Say("The newest errors of the recipients' servers may be missing."),
	})
	e.problem.Hide()
	e.stale.Hide()
	e.details = newRowDetails(u, func() { e.page.Refresh() })
	e.empty = look.NewEmpty("check", "", "", "", func() { e.bar.clear() })
	e.showEmpty()
	e.rows = look.NewRows(look.RowsSpec[viewmodel.ErrorRow]{
		Columns: errorColumns(u), Key: func(r viewmodel.ErrorRow) string { return r.Key }, Load: e.load, Empty: e.empty,
		OnSelect: func(r viewmodel.ErrorRow, ok bool) { e.details.set(ok, r.Address, r.Words(), r.Reply) }, OnKey: e.typedKey,
	})
	e.refresh = widget.NewButtonWithIcon(p.Say("Refresh"), look.Icon("retry"), func() { e.read(false) })
	e.export = widget.NewButtonWithIcon(p.Say("Save as CSV"), look.Icon("export"), e.save)
	e.page = look.NewPage(look.PageSpec{
		Title: p.Say("Errors"), Subtitle: " ", Actions: []fyne.CanvasObject{e.refresh, e.export},
		Top:     look.Vertical(8, e.problem, e.stale, e.bar.box),
		Content: container.NewBorder(nil, e.details.object, nil, nil, e.rows),
	})
	e.export.Disable()
	return e
}

func errorColumns(u *UI) []look.Column[viewmodel.ErrorRow] {
	p := u.say
	list := []look.Column[viewmodel.ErrorRow]{
		{Title: p.Say("Address"), Width: 150, Grow: 2, Cell: func(r viewmodel.ErrorRow) look.Cell { return look.Cell{Text: r.Address} }},
		{Title: p.Say("Reason"), Width: 196, Grow: 3, Cell: func(r viewmodel.ErrorRow) look.Cell { return look.Cell{Text: r.Reason} }},
		{Title: p.Say("Reply of the server"), Width: 120, Grow: 2, Drop: 3, Cell: func(r viewmodel.ErrorRow) look.Cell { return look.Cell{Text: r.Reply, Quiet: true} }},
		{Title: p.Say("Refused by"), Width: 170, Drop: 2, Cell: func(r viewmodel.ErrorRow) look.Cell { return look.Cell{Text: r.Source, Quiet: true} }},
		{Title: p.Say("When"), Width: 130, Drop: 1, Cell: func(r viewmodel.ErrorRow) look.Cell { return look.Cell{Text: r.When, Quiet: true} }},
	}
	if len(u.state.Accounts) > 1 {
		list = append(list, look.Column[viewmodel.ErrorRow]{Title: p.Say("Account"), Width: 100, Drop: 4,
			Cell: func(r viewmodel.ErrorRow) look.Cell { return look.Cell{Text: r.Account, Quiet: true} }})
	}
	return list
}

func (e *errorsPage) object() fyne.CanvasObject { return e.page }

func (e *errorsPage) enter() {
	e.bar.apply()
	e.read(false)
}

func (e *errorsPage) leave() {
	e.asks.end()
	e.pages.end()
	e.bar.end()
	e.refresh.Enable() // what it asked for is given up
}

func (e *errorsPage) show(s app.State) {
	e.bar.setAccounts(viewmodel.AccountFilters(e.ui.say, s.Accounts))
}

// focusList takes the keyboard to the list.
func (e *errorsPage) focusList() { e.rows.Focus(e.ui.win.Canvas()) }

func (e *errorsPage) focusSearch() { e.bar.focus() }

// typedKey takes a key that no widget wanted: Esc puts the details away.
func (e *errorsPage) typedKey(name fyne.KeyName) bool {
	_, selected := e.rows.Selected()
	if name != fyne.KeyEscape || !selected {
		return false
	}
	e.rows.Select(-1)
	return true
}

// read reads the whole list again; other says that another list is asked for.
func (e *errorsPage) read(other bool) {
	engine, q := e.engine, e.filter
	e.refresh.Disable()
	e.asks.ask(func(ctx context.Context) (errorList, error) { return readErrors(ctx, engine, q) }, func(l errorList, err error) {
		e.refresh.Enable()
		showProblem(e.ui, e.page, e.problem, err, func() { e.read(other) })
		if err != nil {
			return
		}
		e.held, e.known = l, true
		e.showEmpty()
		e.page.SetTitle(e.ui.say.Say("Errors"), viewmodel.ErrorSummary(e.ui.say, l.counts))
		if setVisible(e.stale, l.stale) {
			e.page.Refresh()
		}
		enable(e.export, len(l.list) > 0)
		if other {
			e.rows.Reload()
			return
		}
		e.rows.Renew()
	})
}

func readErrors(ctx context.Context, e Engine, q app.ErrorQuery) (errorList, error) {
	list, more, stale, err := e.AllErrors(ctx, q)
	if err != nil {
		return errorList{}, err
	}
	return errorList{list: list, counts: viewmodel.CountErrors(list, more), more: more, stale: stale}, nil
}

// load cuts a part out of what is held. What the list asks before that has
// been read gets no answer: it is asked again then.
func (e *errorsPage) load(gen, offset, limit int) {
	if !e.known {
		return
	}
	l, p := e.held, e.ui.say
	loadPage(&e.pages, gen, func(context.Context) ([]viewmodel.ErrorRow, error) {
		part, now := l.list[min(offset, len(l.list)):], time.Now()
		part = part[:min(limit, len(part))]
		rows := make([]viewmodel.ErrorRow, 0, len(part))
		for _, a := range part {
			rows = append(rows, viewmodel.NewErrorRow(p, a, now))
		}
		return rows, nil
	}, func(rows []viewmodel.ErrorRow, _ error) {
		e.rows.Put(gen, offset, rows, len(l.list))
	})
}

// showEmpty says why the list is empty, should it be.
func (e *errorsPage) showEmpty() {
	p := e.ui.say
	if e.filter != (app.ErrorQuery{}) {
		e.empty.Set("search", p.Say("Nothing matches"), p.Say("No failed address fits the search."), p.Say("Clear filter"))
		return
	}
	e.empty.Set("check", p.Say("No address has failed."), "", "")
}

// save writes what the search selects where a person wants it.
func (e *errorsPage) save() {
	u, engine, q := e.ui, e.engine, e.filter
	saveFile(u, saveSpec[errorList]{
		title: u.say.Say("Save the errors as CSV"), name: viewmodel.ErrorsFile(time.Now()),
		write: func(ctx context.Context, w io.Writer) (errorList, error) { return exportErrors(ctx, engine, q, w) },
		done: func(path string, l errorList) {
			u.announce(u.say.Say("The errors are saved"), viewmodel.ErrorsWritten(u.say, path, len(l.list), l.more, l.stale))
		},
	})
}

// exportErrors reads the list that q selects and writes it as CSV.
func exportErrors(ctx context.Context, e Engine, q app.ErrorQuery, w io.Writer) (errorList, error) {
	l, err := readErrors(ctx, e, q)
	if err != nil {
		return errorList{}, err
	}
	return l, app.WriteErrorsCSV(w, l.list)
}

// rowDetails is the selected row in full: a server's reply may be long.
type rowDetails struct {
	object fyne.CanvasObject
	title  *look.Card
	words  *look.Text
	reply  *widget.Label // its text can be selected
	copied string
	moved  func() // it appeared or went
}

func newRowDetails(u *UI, moved func()) *rowDetails {
	d := &rowDetails{moved: moved, words: look.NewText(look.Body, ""), reply: widget.NewLabel("")}
	d.reply.Wrapping, d.reply.Selectable, d.reply.TextStyle.Monospace = fyne.TextWrapWord, true, true
	// The label has a margin of its own: its text lines up with the words.
	reply := container.New(layout.NewCustomPaddedLayout(0, 0, -theme.InnerPadding(), 0), d.reply)
	scroll := container.NewVScroll(look.Vertical(0, d.words, reply))
	scroll.SetMinSize(fyne.NewSize(0, detailsHeight))
	copyIt := widget.NewButtonWithIcon(u.say.Say("Copy"), look.Icon("copy"), func() { u.cfg.App.Clipboard().SetContent(d.copied) })
	copyIt.Importance = widget.LowImportance
	d.title = look.NewCard(" ", scroll, copyIt)
	d.object = container.New(layout.NewCustomPaddedLayout(8, 0, 0, 0), d.title)
	d.object.Hide()
	return d
}

// detailsHeight holds a reply of one line; longer ones scroll. The rows above
// need the place more.
const detailsHeight = 60

// set shows a row, or nothing.
func (d *rowDetails) set(ok bool, title, words, reply string) {
	if all := title + "\n" + words + "\n" + reply; ok && all != d.copied {
		d.copied = all
		d.title.SetTitle(title)
		d.words.SetText(words)
		d.reply.SetText(reply)
	}
	if setVisible(d.object, ok) {
		d.moved()
	}
}
