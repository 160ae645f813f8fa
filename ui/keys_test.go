package ui

import (
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"servicesmtp.net/companion/app"
)

// press types a key as the window does: at what has the keyboard, or else at
// the window itself.
func press(u *UI, name fyne.KeyName) {
	c, e := u.win.Canvas(), &fyne.KeyEvent{Name: name}
	if f := c.Focused(); f != nil {
		f.TypedKey(e)
		return
	}
	c.OnTypedKey()(e)
}

// shellUI is a UI with navigation, and a page in sight.
func shellUI(t *testing.T, e Engine, s app.State, page string) (*UI, queued) {
	t.Helper()
	u, d := listUI(t, e, s)
	u.here = page
	u.content = newShell(u)
	u.win.SetContent(u.content.root)
	u.win.Resize(fyne.NewSize(1080, 720))
	u.content.seen(true)
	u.shortcuts()
	return u, d
}

func TestDeleteAndEscInTheQueue(t *testing.T) {
	l := twoJobs()
	u, d := shellUI(t, l, oneAccount, pageQueue)
	p, ok := u.content.current.(*queuePage)
	if !ok {
		t.Fatal("the queue is not in sight")
	}
	d.until(func() bool { n, _ := p.rows.Total(); return n == 2 })
	asked := func() bool { return u.win.Canvas().Overlays().Top() != nil }
	for _, at := range []struct {
		name  string
		focus func()
	}{
		{"the list", func() { p.rows.Focus(u.win.Canvas()) }},
		{"nothing", u.win.Canvas().Unfocus},
		{"the navigation", func() { u.win.Canvas().Focus(u.content.nav) }},
	} {
		p.rows.Select(0)
		at.focus()
		press(u, fyne.KeyDelete)
		d.until(func() bool { return asked() && !p.acting })
		press(u, fyne.KeyDelete) // what lies below the question gets nothing
		if p.acting {
			t.Errorf("%s has the keyboard: Delete asks again below the question", at.name)
		}
		test.Tap(button(t, u, "Cancel"))
		d.until(func() bool { return !asked() })

		p.openJob(l.jobs[0])
		at.focus()
		press(u, fyne.KeyEscape)
		if p.job != nil {
			t.Errorf("%s has the keyboard: Esc does not go back to the queue", at.name)
		}
	}
	if l.was("cancel B") {
		t.Error("a job was taken back without a yes")
	}
}

func TestEscLeavesTheSearch(t *testing.T) {
	l := twoJobs()
	u, d := shellUI(t, l, oneAccount, pageQueue)
	p, _ := u.content.current.(*queuePage)
	total := func() int { n, _ := p.rows.Total(); return n }
	d.until(func() bool { return total() == 2 })
	p.openJob(l.jobs[0])
	d.until(func() bool { n, _ := p.job.rows.Total(); return n == 5000 })
	p.focusSearch()
	test.Type(p.job.bar.search, "x")
	press(u, fyne.KeyEscape)
	if p.job == nil || p.job.bar.search.Text != "" || u.win.Canvas().Focused() != p.job.bar.search {
		t.Fatal("the first Esc does not only empty the search")
	}
	press(u, fyne.KeyEscape)
	if p.job == nil || u.win.Canvas().Focused() == p.job.bar.search {
		t.Fatal("the second Esc does not only leave the search")
	}
	press(u, fyne.KeyEscape)
	if p.job != nil {
		t.Error("the third Esc does not go back to the queue")
	}

	l.mu.Lock()
	l.jobs = nil
	l.mu.Unlock()
	p.rows.Renew()
	d.until(func() bool { return total() == 0 })
	p.focusSearch()
	press(u, fyne.KeyEscape)
	if f := u.win.Canvas().Focused(); f == p.bar.search {
		t.Error("without rows the search is not left")
	}
}

func TestEscPutsTheDetailsOfAnErrorAway(t *testing.T) {
	l := &lists{errors: []app.AddressError{{Address: "a@x.example", Reason: "The mailbox is full.", Code: "552", Reply: "full"}}}
	u, d := shellUI(t, l, oneAccount, pageErrors)
	p, _ := u.content.current.(*errorsPage)
	d.until(func() bool { n, _ := p.rows.Total(); return n == 1 })
	p.rows.Select(0)
	p.rows.Focus(u.win.Canvas())
	if !p.details.object.Visible() {
		t.Fatal("the details are not in sight")
	}
	press(u, fyne.KeyEscape)
	if p.details.object.Visible() {
		t.Error("Esc does not put the details away")
	}
}

func TestTwoClicksOpenAJob(t *testing.T) {
	u, d := shellUI(t, twoJobs(), oneAccount, pageQueue)
	p, _ := u.content.current.(*queuePage)
	d.until(func() bool { n, _ := p.rows.Total(); return n == 2 })
	at := fyne.CurrentApp().Driver().AbsolutePositionForObject(p.rows).AddXY(60, 60)
	test.TapCanvas(u.win.Canvas(), at)
	if row, ok := p.rows.Selected(); !ok || row.Job.ID != "B" || p.job != nil {
		t.Fatalf("one click selects %q, want the first job and nothing else", row.Job.ID)
	}
	test.TapCanvas(u.win.Canvas(), at)
	if p.job == nil || p.job.job.ID != "B" {
		t.Error("two clicks do not open the job")
	}
}
