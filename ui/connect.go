package ui

import (
	"slices"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/ui/look"
	"servicesmtp.net/companion/ui/viewmodel"
)

// connectPage says what to write into a mail program, and what came of it.
type connectPage struct {
	ui   *UI
	root fyne.CanvasObject
	*connectView
}

func newConnectPage(u *UI) *connectPage {
	c := &connectPage{ui: u, connectView: newConnectView(u, time.Time{})}
	c.root = look.NewPage(look.PageSpec{
		Title:    u.say.Say("Connect your mail program"),
		Subtitle: u.say.Say("Write this into the settings for outgoing mail of Outlook, Thunderbird or your newsletter program."),
		Content:  c.connectView.root,
	})
	return c
}

func (c *connectPage) object() fyne.CanvasObject { return c.root }

// connectView is the fields with the line that waits for the first message.
type connectView struct {
	ui      *UI
	engine  Engine
	since   time.Time // only mail that came later counts
	login   app.Login
	asked   asker[app.Login]
	root    *fyne.Container
	trouble *look.Banner
	fields  *fyne.Container
	note    *look.Text
	mail    *look.Banner
	seen    []viewmodel.Field
	listen  []string // the addresses for which login was asked
}

func newConnectView(u *UI, since time.Time) *connectView {
	c := &connectView{
		ui: u, engine: u.engine, since: since, asked: asker[app.Login]{work: u.work}, fields: container.NewVBox(),
		trouble: look.NewBanner(look.Notice{Tone: look.Alarm}), note: look.NewText(look.Soft, ""), mail: look.NewBanner(look.Notice{Tone: look.Muted}),
	}
	c.trouble.Hide()
	c.root = look.Vertical(u.cfg.App.Settings().Theme().Size(look.SizeNameSection), c.trouble,
		look.NewCard(u.say.Say("Outgoing server (SMTP)"), look.Vertical(gap(), c.fields, c.note)), c.mail)
	return c
}

func (c *connectView) enter() { c.ask() }
func (c *connectView) leave() { c.asked.end() }

// ask reads the login; the password may come from a keyring, which may be slow.
func (c *connectView) ask() {
	c.asked.ask(c.engine.Login, func(l app.Login, err error) {
		if err != nil {
			c.trouble.Set(c.ui.wrongNotice(err))
			c.trouble.Show()
			return
		}
		c.login = l
		c.show(c.ui.state)
	})
}

func (c *connectView) show(s app.State) {
	var listen []string
	for _, l := range s.Listen {
		if l.OK {
			listen = append(listen, l.Address)
		}
	}
	if c.listen != nil && !slices.Equal(listen, c.listen) {
		c.ask() // the addresses have changed
	}
	c.listen = listen
	v := viewmodel.NewConnect(c.ui.say, s, c.login, c.since, time.Now())
	if v.Trouble != nil {
		c.trouble.Set(c.ui.notice(*v.Trouble))
	}
	setHidden(c.trouble, v.Trouble == nil)
	if !same(v.Fields, c.seen) {
		c.seen = v.Fields
		c.showFields(v.Fields)
	}
	c.note.SetText(v.Note)
	c.mail.Set(look.Notice{Tone: look.Tone(v.Mail.Tone), Icon: mailIcon(v.Mail.Come), Title: v.Mail.Text})
}

func (c *connectView) showFields(list []viewmodel.Field) {
	objects := make([]fyne.CanvasObject, len(list))
	for i, f := range list {
		if f.Secret {
			objects[i] = look.NewSecretField(f.Name, f.Value, c.ui.copyWords())
		} else {
			objects[i] = look.NewCopyField(f.Name, f.Value, c.ui.copyWords())
		}
	}
	c.fields.Objects = objects
	c.fields.Refresh()
}

func mailIcon(come bool) string {
	if come {
		return "check"
	}
	return "clock"
}

func setHidden(o fyne.CanvasObject, hidden bool) {
	if hidden {
		o.Hide()
		return
	}
	o.Show()
}
