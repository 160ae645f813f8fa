package ui

import (
	"context"
	"slices"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/say"
	"servicesmtp.net/companion/assets"
	"servicesmtp.net/companion/ui/look"
	"servicesmtp.net/companion/ui/viewmodel"
)

// settingsPage is all that the window lets a person change.
type settingsPage struct {
	ui       *UI
	accounts *accountsCard
	listen   *listenCard
	window   *windowCard
	root     fyne.CanvasObject
}

func newSettingsPage(u *UI) *settingsPage {
	s := &settingsPage{ui: u}
	// A card that grows or shrinks moves those below it.
	resized := func() { s.root.Refresh() }
	s.accounts, s.listen, s.window = newAccountsCard(u, resized), newListenCard(u, resized), newWindowCard(u, resized)
	cards := []fyne.CanvasObject{s.accounts.root, newPaceCard(u, resized).root, s.listen.root, s.window.root, aboutCard(u)}
	if slices.ContainsFunc(u.state.Listen, func(l app.ListenState) bool { return !l.OK && l.Sentence != "" }) {
		cards[0], cards[1], cards[2] = cards[2], cards[0], cards[1] // what a person comes for first
	}
	s.root = look.NewPage(look.PageSpec{
		Title:   u.say.Say("Settings"),
		Content: look.Vertical(theme.Size(look.SizeNameSection), cards...),
	})
	return s
}

func (s *settingsPage) object() fyne.CanvasObject { return s.root }

func (s *settingsPage) show(state app.State) { s.listen.show(state) }

func (s *settingsPage) enter() {
	s.accounts.load()
	s.window.load()
}

func (s *settingsPage) leave() { s.accounts.question.end() }

// listenCard is where mail programs hand mail in.
type listenCard struct {
	ui          *UI
	engine      Engine // that of the page, also when another has come since
	port        *field
	secure      *field // port with encryption
	secureMeans *look.Text
	auth        *widget.Check
	means       *look.Text // what the choice means
	save        *widget.Button
	trouble     *fyne.Container
	shown       []viewmodel.Trouble
	result      *feedback
	saver       saver[app.ListenPreferences]
	root        *look.Card
}

func newListenCard(u *UI, resized func()) *listenCard {
	c := &listenCard{ui: u, engine: u.engine, port: newField(u.say.Say("Port")), means: look.NewText(look.Caption, ""), result: newFeedback(resized), trouble: look.Vertical(gap())}
	l := viewmodel.NewListener(u.say, u.engine.Preferences().Listen, u.state)
	c.port.entry.Text = l.Port
	c.port.entry.OnSubmitted = func(string) { c.submit() }
	c.port.box.Hidden = l.Port == ""
	c.secure = newField(u.say.Say("Port with encryption (empty: none)"))
	c.secure.entry.Text = l.Secure
	c.secureMeans = look.NewText(look.Caption, l.Means)
	c.secure.entry.OnSubmitted = func(string) { c.submit() }
	c.secure.box.Hidden = c.port.box.Hidden && l.Secure == ""
	c.trouble.Hidden = true
	c.auth = widget.NewCheck(u.say.Say("Mail programs must give the password"), func(bool) { c.explain() })
	c.auth.Checked = l.Auth
	c.save = widget.NewButton(u.say.Say("Save"), c.submit)
	c.saver = saver[app.ListenPreferences]{work: u.work, store: u.engine.SetListen, done: c.saved}
	others := look.NewText(look.Caption, l.Others)
	others.Hidden = l.Others == ""
	c.root = look.NewCard(u.say.Say("Mail programs"), look.Vertical(gap()*3/2,
		look.NewText(look.Soft, u.say.Say("Mail programs on this computer hand their mail in here. After a change of the port, enter it in your mail programs too.")),
		c.trouble, narrow(c.port.box), narrow(c.secure.box),
		c.secureMeans, others, c.auth, c.means, left(c.save), c.result.box))
	c.explain()
	return c
}

// explain says what the choice of the password means.
func (c *listenCard) explain() {
	if c.auth.Checked {
		c.means.SetTone("")
		c.means.SetText(c.ui.say.Say("Only programs that know the password on the page Connect can send."))
		return
	}
	c.means.SetTone(look.Warn)
	c.means.SetText(c.ui.say.Say("Every program and every person on this computer can send in your name, without a password."))
}

func (c *listenCard) submit() {
	c.change(viewmodel.ListenForm{Port: c.port.entry.Text, Secure: c.secure.entry.Text, Auth: c.auth.Checked})
}

func (c *listenCard) change(f viewmodel.ListenForm) {
	old := c.engine.Preferences().Listen
	next, wrong, wrongSecure := viewmodel.ChangeListen(c.ui.say, old, f)
	c.port.setWrong(wrong)
	c.secure.setWrong(wrongSecure)
	if wrong != "" || wrongSecure != "" {
		c.result.say(look.Muted, "")
		return
	}
	c.result.say(look.Muted, c.ui.say.Say("Saving."))
	c.save.Disable()
	c.saver.put(next)
}

func (c *listenCard) saved(p app.ListenPreferences, err error) {
	c.save.Enable()
	l := viewmodel.NewListener(c.ui.say, c.engine.Preferences().Listen, c.ui.state)
	if err != nil {
		c.result.fail(c.ui.wrongNotice(err))
		return
	}
	c.port.entry.SetText(l.Port)
	c.secure.entry.SetText(l.Secure)
	c.result.say(look.Success, c.ui.say.Text(say.T("Saved. Mail programs must use port {{.Port}}.").With("Port", l.Port)))
	if l.Port == "" {
		c.result.say(look.Success, c.ui.say.Say("Saved."))
	}
}

// show renews what is wrong with the addresses.
func (c *listenCard) show(state app.State) {
	l := viewmodel.NewListener(c.ui.say, c.engine.Preferences().Listen, state)
	if c.secureMeans.Text != l.Means {
		c.secureMeans.SetText(l.Means)
	}
	if slices.Equal(l.Trouble, c.shown) {
		return
	}
	c.shown = l.Trouble
	c.trouble.Objects = nil
	for _, t := range l.Trouble {
		c.trouble.Add(look.NewBanner(look.Notice{
			Tone: look.Alarm, Title: t.Title, Text: t.Text, Button: t.Offer,
			OnButton: func() { c.change(taken(l, t)) },
		}))
	}
	c.trouble.Hidden = len(l.Trouble) == 0
	c.result.resized()
}

// taken are the settings in force with the port that is offered.
func taken(l viewmodel.Listener, t viewmodel.Trouble) viewmodel.ListenForm {
	f := viewmodel.ListenForm{Port: l.Port, Secure: l.Secure, Auth: l.Auth}
	if t.Secure {
		f.Secure = t.Port
	} else {
		f.Port = t.Port
	}
	return f
}

// windowCard is how the window looks and when it starts.
type windowCard struct {
	ui       *UI
	start    *widget.Check
	filling  bool // start is being set by the program
	language *look.Select
	theme    *look.Select
	result   *feedback
	starts   saver[bool]
	looks    saver[app.WindowPreferences]
	root     *look.Card
}

func newWindowCard(u *UI, resized func()) *windowCard {
	p := u.say
	c := &windowCard{ui: u, result: newFeedback(resized)}
	c.start = widget.NewCheck(p.Say("Start when you log in"), func(on bool) {
		if !c.filling {
			c.result.say(look.Muted, p.Say("Saving."))
			c.starts.put(on)
		}
	})
	c.start.Disable() // until it is known
	languages, themes := viewmodel.NewLanguages(p, assets.Languages()), viewmodel.NewThemes(p)
	c.language, c.theme = look.NewSelect(languages.Words, nil), look.NewSelect(themes.Words, nil)
	c.language.SetSelectedIndex(languages.Index(u.window.Language))
	c.theme.SetSelectedIndex(themes.Index(u.window.Theme))
	changed := func(string) {
		c.result.say(look.Muted, p.Say("Saving."))
		c.looks.put(app.WindowPreferences{
			Language: languages.Values[max(c.language.SelectedIndex(), 0)], Theme: themes.Values[max(c.theme.SelectedIndex(), 0)],
		})
	}
	c.language.OnChanged, c.theme.OnChanged = changed, changed
	c.starts = saver[bool]{work: u.work, done: c.startSaved,
		store: func(_ context.Context, on bool) error { return u.cfg.Desktop.SetAutostart(on) }}
	c.looks = saver[app.WindowPreferences]{work: u.work, store: u.engine.SetWindow, done: c.lookSaved}
	c.root = look.NewCard(p.Say("Window"), look.Vertical(gap()*3/2, c.start,
		container.NewGridWithColumns(2, named(p.Say("Language"), c.language), named(p.Say("Theme"), c.theme)), c.result.box))
	return c
}

// load asks the desktop whether the companion starts at login: the desktop's
// own settings may have changed it.
func (c *windowCard) load() {
	ask(c.ui.work, func(context.Context) (bool, error) { return c.ui.cfg.Desktop.Autostart() }, func(on bool, err error) {
		if c.starts.busy {
			return
		}
		if err != nil {
			c.result.fail(c.startNotice(err))
			return
		}
		c.setStart(on)
		c.start.Enable()
	})
}

func (c *windowCard) setStart(on bool) {
	c.filling = true
	c.start.SetChecked(on)
	c.filling = false
}

func (c *windowCard) startSaved(on bool, err error) {
	if err != nil {
		c.setStart(!on)
		c.result.fail(c.startNotice(err))
		return
	}
	c.result.say(look.Success, c.ui.say.Say("Saved."))
}

func (c *windowCard) startNotice(err error) look.Notice {
	p := c.ui.say
	return look.Notice{
		Tone: look.Warn, Title: p.Say("The start at login cannot be changed."), Text: p.Say("Look for it in the settings of your desktop."),
		Details: err.Error(), ShowDetails: p.Say("Details"), HideDetails: p.Say("Hide details"),
	}
}

// lookSaved puts language and theme into force, also when another page is in
// sight by now.
func (c *windowCard) lookSaved(w app.WindowPreferences, err error) {
	if err != nil {
		c.result.fail(c.ui.wrongNotice(err))
		return
	}
	c.ui.applyWindow(w)
	c.ui.build()
}

func aboutCard(u *UI) fyne.CanvasObject {
	return look.NewCard(u.say.Say("About"), look.Vertical(gap(),
		look.NewText(look.Body, u.say.Text(say.T("ServiceSMTP Companion {{.Version}}").With("Version", u.cfg.Version))),
		look.NewText(look.Caption, u.say.Say("Free software under the Apache License, version 2.0."))))
}
