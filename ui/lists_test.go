package ui

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
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
