package ui

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/say"
	"servicesmtp.net/companion/ui/look"
)

// queued is a Dispatcher whose functions run when a test waits for them.
type queued chan func()

func (q queued) Do(f func()) { q <- f }

// until runs what comes until there is nothing more to wait for.
func (q queued) until(done func() bool) {
	for !done() {
		(<-q)()
	}
}

// lists is a façade with jobs and errors; what it is not asked here it has not.
type lists struct {
	Engine

	mu         sync.Mutex // guards what follows
	jobs       []app.JobState
	recipients []app.RecipientState
	errors     []app.AddressError
	stale      bool
	fail       error // of everything
	asked      []string
	onResolve  func(batch int) error
}

func (l *lists) note(format string, args ...any) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked = append(l.asked, fmt.Sprintf(format, args...))
	return l.fail
}

func (l *lists) was(what string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Contains(l.asked, what)
}

func (l *lists) BrowseJobs(_ context.Context, f app.JobFilter, offset, limit int) (app.JobList, error) {
	err := l.note("jobs %q %q %q from %d", f.Search, f.State, f.Account, offset)
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []app.JobState
	for _, j := range l.jobs {
		if strings.Contains(j.From, f.Search) {
			found = append(found, j)
		}
	}
	part := found[min(offset, len(found)):]
	return app.JobList{Total: len(found), Jobs: part[:min(limit, len(part))]}, err
}

func (l *lists) Job(_ context.Context, id mail.JobID, _ string, _ int) (app.JobDetail, error) {
	err := l.note("job %s", id)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, j := range l.jobs {
		if j.ID == id {
			return app.JobDetail{JobState: j}, err
		}
	}
	return app.JobDetail{}, app.ErrNotFound
}

func (l *lists) BrowseRecipients(_ context.Context, _ mail.JobID, f app.RecipientFilter, offset, limit int) (app.RecipientList, error) {
	err := l.note("recipients %q %q from %d", f.Search, f.Status, offset)
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []app.RecipientState
	for _, r := range l.recipients {
		if f.Status == "" || r.Status == f.Status {
			found = append(found, r)
		}
	}
	part := found[min(offset, len(found)):]
	return app.RecipientList{Total: len(found), Recipients: part[:min(limit, len(part))]}, err
}

func (l *lists) AllErrors(_ context.Context, q app.ErrorQuery) ([]app.AddressError, bool, bool, error) {
	err := l.note("errors %q %q", q.Search, q.Account)
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []app.AddressError
	for _, e := range l.errors {
		if strings.Contains(e.Address, q.Search) {
			found = append(found, e)
		}
	}
	return found, false, l.stale, err
}

func (l *lists) Pause(_ context.Context, account string) error { return l.note("pause %q", account) }

func (l *lists) Retry(_ context.Context, id mail.JobID) error { return l.note("retry %q", id) }

func (l *lists) Cancel(_ context.Context, id mail.JobID) error { return l.note("cancel %s", id) }

func (l *lists) Resolve(_ context.Context, id mail.JobID, batch int, again bool) error {
	if err := l.note("resolve %s %d %v", id, batch, again); err != nil {
		return err
	}
	if l.onResolve != nil {
		return l.onResolve(batch)
	}
	return nil
}

// listUI is a UI with a window and no shell.
func listUI(t *testing.T, e Engine, s app.State) (*UI, queued) {
	t.Helper()
	a := test.NewTempApp(t)
	a.Settings().SetTheme(look.New(look.ChoiceLight))
	q := make(queued, 1000)
	u := &UI{cfg: Config{App: a, Dispatch: q, Log: slog.New(slog.DiscardHandler)}, work: newWork(q), say: say.English, engine: e, state: s}
	u.win = test.NewTempWindow(t, nil)
	u.win.SetPadded(false)
	u.win.Resize(fyne.NewSize(900, 720))
	t.Cleanup(u.work.stop)
	return u, q
}

// enter shows a page as the shell does.
func enterPage(u *UI, p page) {
	u.win.SetContent(p.object())
	u.win.Resize(fyne.NewSize(900, 720))
	p.enter()
	p.show(u.state)
}

// button is the button that says so, in what lies on top of the window.
func button(t *testing.T, u *UI, words string) *widget.Button {
	t.Helper()
	var top fyne.CanvasObject = u.win.Content()
	if o := u.win.Canvas().Overlays().Top(); o != nil {
		top = o
	}
	for _, o := range test.LaidOutObjects(top) {
		if b, ok := o.(*widget.Button); ok && b.Text == words {
			return b
		}
	}
	t.Fatalf("there is no button %q", words)
	return nil
}

func says(u *UI, words string) bool {
	var top fyne.CanvasObject = u.win.Content()
	if o := u.win.Canvas().Overlays().Top(); o != nil {
		top = o
	}
	for _, o := range test.LaidOutObjects(top) {
		if text, ok := o.(*look.Text); ok && strings.Contains(text.Text, words) {
			return true
		}
	}
	return false
}

// twoJobs is a queue with one job on its way and one done.
func twoJobs() *lists {
	at := time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)
	l := &lists{jobs: []app.JobState{
		{ID: "B", Account: "home", From: "news@shop.example", Lane: "bulk", State: "sending", Recipients: 5000, Batches: 100, BatchesDone: 24, Size: 20_480, AcceptedAt: at,
			Counts: app.Counts{Queued: 3800, Accepted: 1200}},
		{ID: "A", Account: "home", From: "ada@shop.example", Lane: "personal", State: "done", Recipients: 1, Batches: 1, BatchesDone: 1, Size: 900, AcceptedAt: at.Add(-time.Hour),
			Counts: app.Counts{Accepted: 1}},
	}}
	for i := range 5000 {
		status := "queued"
		if i < 1200 {
			status = "accepted"
		}
		l.recipients = append(l.recipients, app.RecipientState{Address: fmt.Sprintf("r%d@x.example", i), Batch: i/50 + 1, Status: status, At: at})
	}
	return l
}

var oneAccount = app.State{Seq: 1, Accounts: []app.AccountState{{Name: "home", Mood: app.MoodSending, Messages: 1}}}

func TestQueueShowsAndFilters(t *testing.T) {
	l := twoJobs()
	u, d := listUI(t, l, oneAccount)
	p := newQueuePage(u)
	enterPage(u, p)
	total := func() int { n, _ := p.rows.Total(); return n }
	d.until(func() bool { return total() == 2 })
	if !says(u, "news@shop.example") || !says(u, "1,200 of 5,000") || !says(u, "2 messages") {
		t.Error("the list does not show the jobs")
	}
	p.focusSearch()
	if u.win.Canvas().Focused() != p.bar.search {
		t.Error("the search has not got the keyboard")
	}
	test.Type(p.bar.search, "ada")
	p.bar.search.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	d.until(func() bool { return total() == 1 })
	if !l.was(`jobs "ada" "" "" from 0`) {
		t.Errorf("asked %q", l.asked)
	}
	test.Type(p.bar.search, "?")
	p.bar.search.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	d.until(func() bool { n, known := p.rows.Total(); return known && n == 0 })
	test.Tap(button(t, u, "Clear filter"))
	d.until(func() bool { return total() == 2 })
	if p.bar.search.Text != "" {
		t.Errorf("the search says %q after it was cleared", p.bar.search.Text)
	}
	p.bar.option.SetSelected("In doubt")
	d.until(func() bool { return l.was(`jobs "" "uncertain" "" from 0`) })
}

func TestQueueButtons(t *testing.T) {
	l := twoJobs()
	u, d := listUI(t, l, oneAccount)
	p := newQueuePage(u)
	enterPage(u, p)
	d.until(func() bool { n, _ := p.rows.Total(); return n == 2 })
	check := func(when string, open, back bool) {
		t.Helper()
		if p.openIt.Disabled() == open || p.takeBackIt.Disabled() == back {
			t.Errorf("%s: open %v, take back %v, want %v, %v", when, !p.openIt.Disabled(), !p.takeBackIt.Disabled(), open, back)
		}
	}
	check("nothing is selected", false, false)
	p.rows.Select(1)
	check("a job is done", true, false)
	p.rows.Select(0)
	check("a job is on its way", true, true)
	if p.resume.Visible() || p.pause.Disabled() || p.retry.Disabled() {
		t.Error("what can be done with the queue is not offered")
	}
	test.Tap(p.pause)
	if !p.pause.Disabled() || !p.takeBackIt.Disabled() {
		t.Error("something else can be asked for meanwhile")
	}
	d.until(func() bool { return !p.acting })
	if !l.was(`pause ""`) {
		t.Errorf("asked %q", l.asked)
	}
	u.state = app.State{Seq: 2, Accounts: []app.AccountState{{Name: "home", Mood: app.MoodPaused, Messages: 1}}}
	p.show(u.state)
	if p.pause.Visible() || p.resume.Disabled() || !p.retry.Disabled() {
		t.Error("a paused queue does not offer to resume, and only that")
	}
}

func TestTakeBackAsksWithTheNumbersOfNow(t *testing.T) {
	l := twoJobs()
	u, d := listUI(t, l, oneAccount)
	p := newQueuePage(u)
	enterPage(u, p)
	d.until(func() bool { n, _ := p.rows.Total(); return n == 2 })
	p.rows.Select(0)
	l.mu.Lock()
	l.jobs[0].Counts = app.Counts{Queued: 3000, Accepted: 2000} // since the list was read
	l.mu.Unlock()
	if !p.typedKey(fyne.KeyDelete) {
		t.Fatal("the page has no use for Delete")
	}
	d.until(func() bool { return u.win.Canvas().Overlays().Top() != nil })
	if !says(u, "3,000 recipients will not get it. To 2,000 recipients it has gone out") {
		t.Error("the question has not the numbers of now")
	}
	if l.was("cancel B") {
		t.Fatal("it was taken back before the answer")
	}
	test.Tap(button(t, u, "Take back"))
	d.until(func() bool { return l.was("cancel B") && !p.acting })
}

func TestQueueOpensAJobAndComesBack(t *testing.T) {
	l := twoJobs()
	u, d := listUI(t, l, oneAccount)
	p := newQueuePage(u)
	enterPage(u, p)
	d.until(func() bool { n, _ := p.rows.Total(); return n == 2 })
	p.rows.Select(0)
	test.Tap(p.openIt)
	d.until(func() bool { n, _ := p.job.rows.Total(); return n == 5000 })
	for _, words := range []string{"Newsletter, 20.5", "1,200 of 5,000 recipients", "3,800 waiting", "r0@x.example"} {
		if !says(u, words) {
			t.Errorf("the job does not say %q", words)
		}
	}
	if p.job.head.doubt.Visible() {
		t.Error("a job that is not in doubt asks what to do")
	}
	p.job.rows.Select(3)
	if !p.job.details.object.Visible() {
		t.Error("the selected recipient is not shown in full")
	}
	p.job.bar.option.SetSelected("Delivered")
	d.until(func() bool { n, known := p.job.rows.Total(); return known && n == 0 })
	if p.job.details.object.Visible() {
		t.Error("a recipient that is no longer listed is shown in full")
	}
	if !p.typedKey(fyne.KeyEscape) || p.job != nil || p.typedKey(fyne.KeyEscape) {
		t.Error("Esc does not close the job, and nothing but the job")
	}
	if row, ok := p.rows.Selected(); !ok || row.Job.ID != "B" {
		t.Errorf("selected %q, %v after coming back", row.Job.ID, ok)
	}
}

func TestDoubtIsEndedAfterAQuestion(t *testing.T) {
	l := twoJobs()
	l.jobs[0].State, l.jobs[0].Counts = "uncertain", app.Counts{Accepted: 4950, Uncertain: 50}
	for i := range l.recipients {
		l.recipients[i].Status = "accepted"
	}
	for i := 100; i < 150; i++ {
		l.recipients[i].Status = "uncertain"
	}
	u, d := listUI(t, l, oneAccount)
	p := newQueuePage(u)
	enterPage(u, p)
	p.openJob(l.jobs[0])
	d.until(func() bool { return l.was("job B") })
	if !says(u, "50 recipients got this message") {
		t.Fatal("the doubt is not explained")
	}
	test.Tap(button(t, u, "Send again"))
	if !says(u, "a second time") || l.was("resolve B 3 true") {
		t.Fatal("it does not ask first")
	}
	test.Tap(button(t, u, "Send again")) // of the question
	d.until(func() bool { return l.was("resolve B 3 true") && !p.acting })
}

// A failure is told in the page, once, and goes when it is over.
func TestQueueSaysWhatIsWrong(t *testing.T) {
	l := twoJobs()
	l.fail = &app.UserError{Sentence: "The disk is full.", Action: "Make room."}
	u, d := listUI(t, l, oneAccount)
	p := newQueuePage(u)
	enterPage(u, p)
	d.until(p.problem.Visible)
	if !says(u, "The disk is full.") {
		t.Error("the cause is not told")
	}
	l.mu.Lock()
	l.fail = nil
	l.mu.Unlock()
	test.Tap(button(t, u, "Try again"))
	d.until(func() bool { n, _ := p.rows.Total(); return n == 2 })
	if p.problem.Visible() {
		t.Error("the problem stays in sight")
	}
}

func TestResolveAll(t *testing.T) {
	refused := errors.New("it is done")
	l := &lists{jobs: []app.JobState{{ID: "B", State: "uncertain"}}}
	for i := range 2500 { // three calls
		l.recipients = append(l.recipients, app.RecipientState{Batch: i/50 + 1, Status: "uncertain"})
	}
	l.onResolve = func(batch int) error {
		if batch == 7 { // it was left as it is before
			return refused
		}
		return nil
	}
	if err := resolveAll(t.Context(), l, "B", false); !errors.Is(err, refused) {
		t.Errorf("still in doubt: got %v, want %v", err, refused)
	}
	l.jobs[0].State, l.asked = "done", nil
	if err := resolveAll(t.Context(), l, "B", false); err != nil {
		t.Errorf("no longer in doubt: got %v", err)
	}
	var resolved []string
	for _, a := range l.asked {
		if strings.HasPrefix(a, "resolve ") {
			resolved = append(resolved, a)
		}
	}
	if len(resolved) != 50 || resolved[0] != "resolve B 1 false" || resolved[49] != "resolve B 50 false" {
		t.Errorf("resolved %d: %q", len(resolved), resolved)
	}
}

// atOnce runs on the caller's goroutine, one function at a time; a test that
// stands for the UI goroutine must go through it too.
type atOnce struct{ mu sync.Mutex }

func (a *atOnce) Do(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f()
}

func TestRenewalSeesTheLastChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWork(&atOnce{})
		defer w.stop()
		var at []time.Duration
		start := time.Now()
		r := newRenewal(w, func() { at = append(at, time.Since(start)) })
		w.ui.Do(func() { r.now(app.State{Seq: 1}) })
		for seq := range uint64(15) { // 1.5 s of changes
			w.ui.Do(func() { r.changed(app.State{Seq: seq + 1}) })
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
		}
		time.Sleep(time.Hour)
		w.ui.Do(func() { r.changed(app.State{Seq: 15}) }) // nothing new
		synctest.Wait()
		if want := []time.Duration{0, time.Second + 0, 2 * time.Second}; !slices.EqualFunc(at, want, func(a, b time.Duration) bool { return (a - b).Abs() < 200*time.Millisecond }) {
			t.Errorf("renewed at %v, want about %v", at, want)
		}
		w.ui.Do(func() { r.changed(app.State{Seq: 16}) }) // long after: at once
		w.ui.Do(func() { r.changed(app.State{Seq: 17}) })
		w.ui.Do(func() { r.end() })
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(at) != 4 {
			t.Errorf("renewed %d times, want 4: none after the end", len(at))
		}
	})
}

func TestPagerDropsWhatNobodyWaitsFor(t *testing.T) {
	d := make(queued, 10)
	w := newWork(d)
	defer w.stop()
	p := &pager{work: w}
	var got []string
	ended := make(chan struct{})
	loadPage(p, 1, func(ctx context.Context) (string, error) { <-ctx.Done(); close(ended); return "old", nil }, func(s string, _ error) { got = append(got, s) })
	answer := func(s string) func(context.Context) (string, error) {
		return func(context.Context) (string, error) { return s, nil }
	}
	take := func(s string, _ error) { got = append(got, s) }
	loadPage(p, 2, answer("a"), take)
	<-ended
	loadPage(p, 2, answer("b"), take) // the same generation: the one before goes on
	d.until(func() bool { return len(got) == 2 })
	loadPage(p, 2, answer("late"), take)
	f := <-d
	p.end()
	f()
	slices.Sort(got)
	if want := []string{"a", "b"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestErrorsPage(t *testing.T) {
	l := &lists{stale: true}
	for i := range 1234 {
		l.errors = append(l.errors, app.AddressError{Address: fmt.Sprintf("r%d@x.example", i), Code: "550 5.1.1", Reason: "The address does not exist.", Reply: "no such user here", Source: "recipient"})
	}
	u, d := listUI(t, l, oneAccount)
	p := newErrorsPage(u)
	if !p.export.Disabled() {
		t.Error("a list that is not known can be exported")
	}
	enterPage(u, p)
	total := func() int { n, _ := p.rows.Total(); return n }
	d.until(func() bool { return total() == 1234 })
	for _, words := range []string{"1,234 addresses have failed.", "The address does not exist.", "The recipient's server", "The relay could not be asked now."} {
		if !says(u, words) {
			t.Errorf("the page does not say %q", words)
		}
	}
	p.rows.Select(2)
	if !p.details.object.Visible() || p.details.reply.Text != "550 5.1.1 no such user here" {
		t.Errorf("the reply is %q", p.details.reply.Text)
	}
	test.Tap(button(t, u, "Copy"))
	if got, want := u.cfg.App.Clipboard().Content(), "r2@x.example\nThe address does not exist.\n550 5.1.1 no such user here"; got != want {
		t.Errorf("copied %q, want %q", got, want)
	}
	test.Type(p.bar.search, "r77@")
	p.bar.search.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	d.until(func() bool { return total() == 1 })
	if p.export.Disabled() || p.details.object.Visible() {
		t.Error("another list does not begin anew")
	}
	test.Type(p.bar.search, "?")
	p.bar.search.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	d.until(func() bool { n, known := p.rows.Total(); return known && n == 0 })
	if !p.export.Disabled() || !says(u, "No failed address fits the search.") {
		t.Error("an empty list is not told as such")
	}
	l.mu.Lock()
	l.errors, l.stale = nil, false
	l.mu.Unlock()
	test.Tap(button(t, u, "Clear filter"))
	d.until(func() bool { return says(u, "No address has failed.") })
	if p.stale.Visible() {
		t.Error("the note about the relay stays")
	}
}
