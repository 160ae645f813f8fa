package ui

import (
	"context"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/ui/viewmodel"
)

// Note is a word on the desktop, outside of the window.
type Note struct {
	ID, Title, Body string
	Urgent          bool
	Button          string // "" for none
}

// noteKeeper remembers what the notes on the desktop offer.
type noteKeeper struct {
	offered map[string]viewmodel.Notification
}

// notify tells the desktop what changed between two States, where a person
// must act or a newsletter has ended.
func (u *UI) notify(before, now app.State) {
	for _, n := range viewmodel.Notify(u.say, before, now) {
		u.tell(n)
	}
	if gone := viewmodel.Settled(before, now); len(gone) > 0 {
		u.work.start(func(ctx context.Context) {
			for _, id := range gone {
				u.cfg.Desktop.Withdraw(ctx, id)
			}
		})
	}
	e := u.engine
	for _, id := range viewmodel.Ended(before, now) {
		ask(u.work, func(ctx context.Context) (app.JobState, error) { return jobOf(ctx, e, id) }, func(j app.JobState, err error) {
			if err != nil {
				u.cfg.Log.Warn("a job that has ended cannot be read", "err", err)
				return
			}
			if n, ok := viewmodel.Finished(u.say, j); ok {
				u.tell(n)
			}
		})
	}
}

func jobOf(ctx context.Context, e Engine, id mail.JobID) (app.JobState, error) {
	d, err := e.Job(ctx, id, "", 1)
	return d.JobState, err
}

func (u *UI) tell(n viewmodel.Notification) {
	if u.notes.offered == nil {
		u.notes.offered = make(map[string]viewmodel.Notification)
	}
	u.notes.offered[n.ID] = n
	u.work.do(func(ctx context.Context) error {
		return u.cfg.Desktop.Notify(ctx, Note{ID: n.ID, Title: n.Title, Body: n.Body, Urgent: n.Urgent, Button: n.Button})
	}, func(err error) {
		if err != nil {
			u.cfg.Log.Info("the desktop shows no notifications", "err", err)
		}
	})
}

// NoteChosen says that a person clicked a note, or its button; it may be called
// on any goroutine.
func (u *UI) NoteChosen(id string, button bool) {
	u.cfg.Dispatch.Do(func() {
		u.Raise()
		if n, ok := u.notes.offered[id]; ok && button {
			u.do(n.Deed, n.Account)
		}
	})
}
