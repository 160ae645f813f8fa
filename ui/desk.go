package ui

import (
	"errors"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/widget"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/ui/look"
)

// copyWords are the words of every field that can be copied.
func (u *UI) copyWords() look.CopyWords {
	return look.CopyWords{Copy: u.say.Say("Copy"), Copied: u.say.Say("Copied"), Show: u.say.Say("Show"), Hide: u.say.Say("Hide")}
}

// confirm asks before something is done that cannot be undone. yes is what the
// button says; it is called only when the person presses it.
func (u *UI) confirm(title, text, button string, yes func()) {
	body := look.NewText(look.Body, text)
	d := dialog.NewCustomConfirm(title, button, u.say.Say("Cancel"), body, func(ok bool) {
		if ok {
			yes()
		}
	}, u.win)
	d.Resize(dialogSize)
	u.escapes(d, d.Hide)
	d.Show()
}

// escapes lets Esc do what calls a dialog off.
func (u *UI) escapes(d interface{ SetOnClosed(func()) }, off func()) {
	below := u.escape
	u.escape = off
	d.SetOnClosed(func() { u.escape = below })
}

// wrong shows why something that a person asked for was not done. Its details
// are what a machine said.
func (u *UI) wrong(err error) {
	if err == nil {
		return
	}
	notice := u.wrongNotice(err)
	d := dialog.NewCustom(u.say.Say("That did not work"), u.say.Say("Close"), look.NewBanner(notice), u.win)
	d.Resize(dialogSize)
	u.escapes(d, d.Hide)
	d.Show()
}

// wrongNotice says an error in words.
func (u *UI) wrongNotice(err error) look.Notice {
	n := look.Notice{Tone: look.Alarm, ShowDetails: u.say.Say("Details"), HideDetails: u.say.Say("Hide details")}
	said, ok := app.Words(err)
	if !ok {
		n.Title, n.Text = u.say.Say("The companion could not do this."), u.say.Say("Look at the log.")
		n.Details = err.Error()
		return n
	}
	n.Title, n.Text, n.Details = u.say.Words(said.Sentence), u.say.Words(said.Action), cause(err)
	return n
}

// busy disables a button while what it asked for is under way.
func busy(b *widget.Button) (done func()) {
	b.Disable()
	return b.Enable
}

// cause is the technical cause under the words of an error, or "".
func cause(err error) string {
	var u *app.UserError
	if errors.As(err, &u) && u.Err != nil {
		return u.Err.Error()
	}
	return ""
}

// dialogSize is what a question or an answer takes; longer texts wrap.
var dialogSize = fyne.NewSize(460, 0)

// formDialog is a form above the window. What it asks scrolls where the window
// is low; its buttons stay in sight.
type formDialog struct {
	*dialog.CustomDialog
	win           fyne.Window
	body, buttons fyne.CanvasObject
}

// showForm shows a form; off is what its button to call off does.
func (u *UI) showForm(title string, body, buttons fyne.CanvasObject, off func()) *formDialog {
	// A field's edge needs the bit of room that a scroll would cut off.
	content := container.NewBorder(nil, container.NewPadded(buttons), nil, nil, container.NewVScroll(container.NewPadded(body)))
	d := &formDialog{CustomDialog: dialog.NewCustomWithoutButtons(title, content, u.win), win: u.win, body: body, buttons: buttons}
	d.fit()
	u.escapes(d, off)
	d.Show()
	return d
}

// fit lets the form have its height as far as the window has room.
func (d *formDialog) fit() {
	const width, frame = 520, 120 // frame: title and margins of the dialog
	height := d.body.MinSize().Height + d.buttons.MinSize().Height + frame
	d.Resize(fyne.NewSize(width, min(height, d.win.Canvas().Size().Height-40)))
	if top := d.win.Canvas().Overlays().Top(); top != nil {
		top.Refresh() // into the middle again
	}
}
