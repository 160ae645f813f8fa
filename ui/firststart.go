package ui

import (
	"slices"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/widget"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/ui/look"
	"servicesmtp.net/companion/ui/viewmodel"
)

// firstStart leads from nothing to the first message: an account, then the
// mail program.
type firstStart struct {
	ui      *UI
	root    *fyne.Container
	form    *accountForm
	connect *connectView // nil before the account is stored
	verdict *look.Banner
	stored  app.AccountInfo
	checked bool // the relay has accepted it
	plan    bool // the verdict says the plan
	done    *widget.Button
	inSight bool
}

func newFirstStart(u *UI) *firstStart {
	f := &firstStart{ui: u, root: container.NewStack()}
	f.form = newAccountForm(u, viewmodel.AccountForm{}, f.saved)
	f.root.Objects = []fyne.CanvasObject{look.NewPage(look.PageSpec{
		Title:    u.say.Say("Welcome"),
		Subtitle: u.say.Say("Enter the name and the password of your account. They are on the message that the service sent you."),
		Content:  look.Vertical(0, look.NewCard(u.say.Say("Your account"), f.form.object())),
	})}
	return f
}

func (f *firstStart) object() fyne.CanvasObject { return f.root }

func (f *firstStart) enter() {
	f.inSight = true
	if f.connect != nil {
		f.connect.enter()
		return
	}
	f.form.focus()
}

func (f *firstStart) leave() {
	f.inSight = false
	if f.connect != nil {
		f.connect.leave()
	}
}

func (f *firstStart) show(s app.State) {
	if f.connect == nil {
		return
	}
	f.connect.show(s)
	i := slices.IndexFunc(s.Accounts, func(a app.AccountState) bool { return a.Name == f.stored.Name })
	if i >= 0 && !f.plan && s.Accounts[i].Quota != nil {
		f.plan = true
		f.say(s.Accounts[i].Quota)
	}
	if viewmodel.NewConnect(f.ui.say, s, app.Login{}, f.connect.since, time.Now()).Mail.Come {
		f.done.SetText(f.ui.say.Say("Done"))
	}
}

// saved goes on to the mail program.
func (f *firstStart) saved(name string, checked bool) {
	u, engine := f.ui, f.form.engine
	if u.engine != engine { // it has ended meanwhile; what is stored stays
		return
	}
	f.checked = checked
	u.win.Canvas().Unfocus() // the form goes
	f.connect = newConnectView(u, time.Now())
	f.verdict = look.NewBanner(look.Notice{})
	f.say(nil)
	f.done = widget.NewButton(u.say.Say("Do this later"), func() {
		u.first = false
		u.here = pageOverview
		u.build()
	})
	f.done.Importance = widget.HighImportance
	f.root.Objects = []fyne.CanvasObject{look.NewPage(look.PageSpec{
		Title:    u.say.Say("Connect your mail program"),
		Subtitle: u.say.Say("Write this into the settings for outgoing mail of Outlook, Thunderbird or your newsletter program."),
		Top:      f.verdict,
		Content:  look.Vertical(gap()*2, f.connect.root, container.NewHBox(layout.NewSpacer(), f.done)),
	})}
	f.root.Refresh()
	if f.inSight {
		f.connect.enter()
	}
	ask(u.work, engine.Accounts, func(all []app.AccountInfo, err error) {
		if i := slices.IndexFunc(all, func(a app.AccountInfo) bool { return a.Name == name }); err == nil && i >= 0 {
			f.stored = all[i]
			f.say(nil)
			f.show(u.state)
		}
	})
}

// say says that the account works, where its password is, and its plan once
// the relay has told it.
func (f *firstStart) say(q *app.QuotaState) {
	v := viewmodel.NewVerdict(f.ui.say, f.checked, f.stored, q, time.Now())
	text := ""
	if f.stored.Name != "" { // else it is not known yet where the password is
		text = v.Place
	}
	if v.Plan != nil {
		for _, l := range v.Plan.Lines[:2] {
			text = join(text, l.Name+": "+l.Value)
		}
	}
	f.verdict.Set(look.Notice{Tone: look.Tone(v.Tone), Title: v.Title, Text: text})
}
