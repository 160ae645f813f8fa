package ui

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/widget"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/ui/look"
)

// starting is what is seen until the engine answers: usually nothing at all.
func (u *UI) starting() fyne.CanvasObject {
	bar := widget.NewProgressBarInfinite()
	return container.NewCenter(container.NewVBox(
		look.NewLine(look.Soft, u.say.Say("The companion is starting.")), bar))
}

// failed says why there is no engine, and what can be done.
func (u *UI) failed() fyne.CanvasObject {
	f := u.failure
	notice := look.Notice{
		Tone: look.Alarm, Title: u.say.Words(f.Said.Sentence), Text: u.say.Words(f.Said.Action), Details: f.Details,
		ShowDetails: u.say.Say("Details"), HideDetails: u.say.Say("Hide details"),
		Button: u.say.Say("Try again"), OnButton: func() { u.retry(false) },
	}
	if f.Runs {
		notice.Tone = look.Warn
		notice.Button = u.say.Say("End it and start here")
		notice.OnButton = func() { u.retry(true) }
	}
	quit := widget.NewButton(u.say.Say("Quit"), u.cfg.Quit)
	return look.NewPage(look.PageSpec{
		Title: u.say.Say("The companion cannot start"), Content: look.NewBanner(notice), Actions: []fyne.CanvasObject{quit},
	})
}

func (u *UI) retry(takeOver bool) {
	u.failure, u.state = nil, app.State{Mood: app.MoodStarting}
	u.build()
	u.cfg.Retry(takeOver)
}
