package ui

import (
	"context"
	"io"
	"slices"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/widget"

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

	secure     *look.Card // the way with encryption; hidden where there is none
	secured    *fyne.Container
	secureNote *look.Text
	seenSecure []viewmodel.Field

	listen []string // the addresses for which login was asked
}

func newConnectView(u *UI, since time.Time) *connectView {
	c := &connectView{
		ui: u, engine: u.engine, since: since, asked: asker[app.Login]{work: u.work}, fields: container.NewVBox(),
		trouble: look.NewBanner(look.Notice{Tone: look.Alarm}), note: look.NewText(look.Soft, ""), mail: look.NewBanner(look.Notice{Tone: look.Muted}),
	}
	c.trouble.Hide()
	c.secured, c.secureNote = container.NewVBox(), look.NewText(look.Soft, "")
	save := widget.NewButtonWithIcon(u.say.Say("Save the certificate"), look.Icon("export"), c.saveCertificate)
	c.secure = look.NewCard(u.say.Say("For programs that insist on encryption"), look.Vertical(gap(), c.secured, c.secureNote, left(save)))
	c.secure.Hide()
	c.root = look.Vertical(u.cfg.App.Settings().Theme().Size(look.SizeNameSection), c.trouble,
		look.NewCard(u.say.Say("Outgoing server (SMTP)"), look.Vertical(gap(), c.fields, c.note)), c.mail, c.secure)
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
		c.showFields(c.fields, v.Fields)
	}
	if !same(v.Secure.Fields, c.seenSecure) {
		c.seenSecure = v.Secure.Fields
		c.showFields(c.secured, v.Secure.Fields)
		c.secureNote.SetText(v.Secure.Note)
		setHidden(c.secure, len(v.Secure.Fields) == 0)
		c.root.Refresh()
	}
	c.note.SetText(v.Note)
	c.mail.Set(look.Notice{Tone: look.Tone(v.Mail.Tone), Icon: mailIcon(v.Mail), Title: v.Mail.Text})
}

// saveCertificate writes what mail programs must trust where a person wants it.
func (c *connectView) saveCertificate() {
	u, engine := c.ui, c.engine
	saveFile(u, saveSpec[struct{}]{
		title: u.say.Say("Save the certificate"), name: viewmodel.CertificateFile,
		write: func(ctx context.Context, w io.Writer) (struct{}, error) {
			cert, err := engine.Certificate(ctx)
			if err == nil {
				_, err = io.WriteString(w, cert.PEM)
			}
			return struct{}{}, err
		},
		done: func(path string, _ struct{}) {
			u.announce(u.say.Say("The certificate is saved"), viewmodel.CertificateWritten(u.say, path))
		},
	})
}

func (c *connectView) showFields(to *fyne.Container, list []viewmodel.Field) {
	objects := make([]fyne.CanvasObject, len(list))
	for i, f := range list {
		if f.Secret {
			objects[i] = look.NewSecretField(f.Name, f.Value, c.ui.copyWords())
		} else {
			objects[i] = look.NewCopyField(f.Name, f.Value, c.ui.copyWords())
		}
	}
	to.Objects = objects
	to.Refresh()
}

func mailIcon(m viewmodel.LastMail) string {
	switch {
	case m.Come:
		return "check"
	case m.Tone == viewmodel.Warn:
		return "warning"
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
