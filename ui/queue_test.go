package ui

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"servicesmtp.net/companion/app"
)

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

// A message whose sender was told of failures says so, and the report is listed
// by whom it goes to.
func TestReportsOfFailures(t *testing.T) {
	l := twoJobs()
	l.jobs[1].Counts = app.Counts{Failed: 1}
	l.jobs[1].Report = &app.ReportState{Job: "C", At: l.jobs[1].AcceptedAt}
	report := l.jobs[1]
	report.ID, report.From, report.ReportTo, report.ReportOf, report.Report = "C", "", "ada@shop.example", "A", nil
	l.jobs = append(l.jobs, report)
	u, d := listUI(t, l, oneAccount)
	p := newQueuePage(u)
	enterPage(u, p)
	d.until(func() bool { n, _ := p.rows.Total(); return n == 3 })
	if !says(u, "Report to ada@shop.example") {
		t.Error("the list does not say what the report is")
	}
	const told = "A report of the failures was made for the sender"
	for id, want := range map[int]bool{0: false, 1: true, 2: false} {
		p.openJob(l.jobs[id])
		if says(u, told) != want {
			t.Errorf("job %s says that there is a report: %v", l.jobs[id].ID, !want)
		}
		p.closeJob()
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
