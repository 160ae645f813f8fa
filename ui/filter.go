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

// What long lists have in common: a bar that narrows them, questions that are
// given up when nobody waits for the answers, and news once a second.

// typing is how long a search waits for the next letter.
const typing = 250 * time.Millisecond

// leastSearch is the width in which the hint in a search can be read.
const leastSearch = 280

// filterChoice is what a bar's fields say.
type filterChoice struct{ search, option, account string }

type filterSpec struct {
	hint     string                   // in the empty search
	options  []viewmodel.FilterOption // none: no such choice
	accounts []viewmodel.FilterOption
	changed  func(filterChoice)
	leave    func() // the keyboard goes down to the list
}

// filterBar narrows a list by a search and up to two choices.
type filterBar struct {
	ui     *UI
	spec   filterSpec
	choice filterChoice
	box    *fyne.Container
	search *searchEntry
	option *look.Select
	// account stays away while there is only one.
	account *look.Select
	wait    asker[struct{}] // for the next letter
}

func newFilterBar(u *UI, spec filterSpec) *filterBar {
	b := &filterBar{ui: u, spec: spec, wait: asker[struct{}]{work: u.work}}
	b.search = newSearchEntry(b)
	b.search.SetPlaceHolder(spec.hint)
	b.search.Icon = look.Icon("search")
	b.search.OnChanged = func(string) {
		b.wait.ask(func(ctx context.Context) (struct{}, error) { return struct{}{}, waitFor(ctx, typing) },
			func(struct{}, error) { b.apply() })
	}
	b.search.OnSubmitted = func(string) {
		b.apply()
		spec.leave()
	}
	b.option, b.account = look.NewSelect(nil, nil), look.NewSelect(nil, nil)
	b.fill(b.option, spec.options)
	b.fill(b.account, spec.accounts)
	b.option.OnChanged = func(string) { b.apply() }
	b.account.OnChanged = func(string) { b.apply() }
	b.box = look.Toolbar(gap(), leastSearch, b.search, b.option, b.account)
	return b
}

// fill gives a choice its options, the first of which is chosen.
func (b *filterBar) fill(s *look.Select, options []viewmodel.FilterOption) {
	labels := make([]string, 0, len(options))
	for _, o := range options {
		labels = append(labels, o.Label)
	}
	s.Options, s.Selected, s.Hidden = labels, "", len(labels) == 0
	if len(labels) > 0 {
		s.Selected = labels[0]
	}
}

// setAccounts follows accounts that come and go.
func (b *filterBar) setAccounts(options []viewmodel.FilterOption) {
	same := len(options) == len(b.spec.accounts)
	for i := range options {
		same = same && options[i] == b.spec.accounts[i]
	}
	if same {
		return
	}
	b.spec.accounts = options
	b.fill(b.account, options)
	b.box.Refresh()
	b.apply()
}

// apply tells what the fields say, if that is new.
func (b *filterBar) apply() {
	b.wait.end()
	c := filterChoice{search: b.search.Text, option: chosen(b.option, b.spec.options), account: chosen(b.account, b.spec.accounts)}
	if c != b.choice {
		b.choice = c
		b.spec.changed(c)
	}
}

func chosen(s *look.Select, options []viewmodel.FilterOption) string {
	if i := s.SelectedIndex(); i >= 0 && i < len(options) {
		return options[i].Value
	}
	return ""
}

// clear narrows the list no more.
func (b *filterBar) clear() {
	b.search.Entry.Text = ""
	b.search.Refresh()
	b.fill(b.option, b.spec.options)
	b.fill(b.account, b.spec.accounts)
	b.option.Refresh()
	b.account.Refresh()
	b.apply()
}

// focus takes the keyboard to the search.
func (b *filterBar) focus() { b.ui.win.Canvas().Focus(b.search) }

// end gives up what was typed last.
func (b *filterBar) end() { b.wait.end() }

// leave takes the keyboard to the list, or away where that has no rows.
func (b *filterBar) leave() {
	b.spec.leave()
	if c := b.ui.win.Canvas(); c.Focused() == b.search {
		c.Unfocus()
	}
}

// searchEntry is an entry that Esc empties, and then leaves for the list, as
// the down key does.
type searchEntry struct {
	widget.Entry
	bar *filterBar
}

func newSearchEntry(b *filterBar) *searchEntry {
	s := &searchEntry{bar: b}
	s.ExtendBaseWidget(s)
	return s
}

// TypedShortcut is called by Fyne.
func (s *searchEntry) TypedShortcut(short fyne.Shortcut) {
	if !windowShortcut(s, short) {
		s.Entry.TypedShortcut(short)
	}
}

// TypedKey is called by Fyne.
func (s *searchEntry) TypedKey(e *fyne.KeyEvent) {
	switch {
	case e.Name == fyne.KeyDown:
		s.bar.spec.leave()
	case e.Name == fyne.KeyEscape && s.Text != "":
		s.SetText("")
	case e.Name == fyne.KeyEscape:
		s.bar.leave()
	default:
		s.Entry.TypedKey(e)
	}
}

// pager runs the questions of a list. Those of an older generation are ended.
type pager struct {
	work   *work
	gen    int
	ctx    context.Context // of this generation; nil: none was asked
	cancel context.CancelFunc
}

// loadPage asks one of them. then is not called any more once the list has a
// newer generation or the page went out of sight.
func loadPage[T any](p *pager, gen int, call func(context.Context) (T, error), then func(T, error)) {
	if p.ctx == nil || gen != p.gen {
		p.end()
		p.gen = gen
		p.ctx, p.cancel = context.WithCancel(p.work.ctx)
	}
	ctx := p.ctx
	p.work.start(func(context.Context) {
		v, err := call(ctx)
		if ctx.Err() != nil {
			return
		}
		p.work.ui.Do(func() {
			if ctx.Err() == nil {
				then(v, err)
			}
		})
	})
}

// end gives up all questions.
func (p *pager) end() {
	if p.cancel != nil {
		p.cancel()
		p.ctx, p.cancel = nil, nil
	}
}

// renewEvery is how often a list in sight follows a State that changes.
const renewEvery = time.Second

// renewal renews a list when the State changes, at most once in renewEvery,
// and never misses the last change.
type renewal struct {
	renew   func()
	wait    asker[struct{}]
	waiting bool
	seq     uint64
	at      time.Time
}

func newRenewal(w *work, renew func()) *renewal {
	return &renewal{renew: renew, wait: asker[struct{}]{work: w}}
}

// changed takes a State.
func (r *renewal) changed(s app.State) {
	if s.Seq == r.seq || r.waiting {
		r.seq = s.Seq
		return
	}
	left := renewEvery - time.Since(r.at)
	if left <= 0 {
		r.now(s)
		return
	}
	r.seq, r.waiting = s.Seq, true
	r.wait.ask(func(ctx context.Context) (struct{}, error) { return struct{}{}, waitFor(ctx, left) }, func(struct{}, error) {
		r.waiting, r.at = false, time.Now()
		r.renew()
	})
}

// now renews at once; s is what the list will show.
func (r *renewal) now(s app.State) {
	r.end()
	r.seq, r.at = s.Seq, time.Now()
	r.renew()
}

// end gives up the renewal that waits.
func (r *renewal) end() {
	r.wait.end()
	r.waiting = false
}

// waitFor waits, or returns why it could not.
func waitFor(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// showProblem says in a banner above a list why it could not be read.
func showProblem(u *UI, page *look.Page, b *look.Banner, err error, again func()) {
	if err != nil {
		n := u.wrongNotice(err)
		n.Button, n.OnButton = u.say.Say("Try again"), again
		b.Set(n)
	}
	if setVisible(b, err != nil) || err != nil {
		page.Refresh()
	}
}

func enable(w fyne.Disableable, yes bool) {
	switch {
	case yes && w.Disabled():
		w.Enable()
	case !yes && !w.Disabled():
		w.Disable()
	}
}

// setVisible shows or hides o, and tells whether that changed anything: what
// it stands in has to be laid out again then.
func setVisible(o fyne.CanvasObject, yes bool) bool {
	switch {
	case yes == o.Visible():
		return false
	case yes:
		o.Show()
	default:
		o.Hide()
	}
	return true
}
