package ui

import (
	"context"
	"errors"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/ui/look"
	"servicesmtp.net/companion/ui/viewmodel"
)

// accountForm asks for an account, has the engine ask the relay whether it
// accepts it, and says what came of it. All is called on the UI goroutine.
type accountForm struct {
	ui      *UI
	engine  Engine // that of the page, also when another has come since
	initial viewmodel.AccountForm
	saved   func(name string, checked bool)
	resized func() // its height has changed; may be nil

	fields       map[string]*field // by the names of viewmodel.AccountForm.Check
	order        []string          // of the fields, those of the relay last
	ofRelay      int               // where those of the relay begin
	other        *widget.Check
	relay        *fyne.Container // what belongs to another relay
	security     *look.Select
	passwordOnly bool // everything else of the account stays

	progress     *fyne.Container
	doing        *look.Text // what is under way
	bar          *widget.ProgressBarInfinite
	verdict      *look.Banner
	save, cancel *widget.Button
	body, bottom *fyne.Container // fields and answers; the buttons
	root         *fyne.Container // both below each other; nil where a dialog holds them
	busy         bool
}

// newAccountForm shows a form filled with initial. saved is called when the
// account is stored; checked says that the relay has accepted it, and not only
// that a person who is offline wanted it stored.
func newAccountForm(u *UI, initial viewmodel.AccountForm, saved func(name string, checked bool)) *accountForm {
	f := &accountForm{ui: u, engine: u.engine, initial: initial, saved: saved, fields: map[string]*field{}}
	f.makeFields()
	f.makeRelay()
	f.bar = widget.NewProgressBarInfinite()
	f.bar.Stop()
	f.doing = look.NewText(look.Soft, "")
	f.progress = look.Vertical(gap(), f.doing, f.bar)
	f.progress.Hidden = true
	f.verdict = look.NewBanner(look.Notice{Tone: look.Muted})
	f.verdict.Hidden = true
	f.save = widget.NewButton(u.say.Say("Save"), func() { f.submit() })
	f.save.Importance = widget.HighImportance
	f.cancel = widget.NewButton(u.say.Say("Cancel"), nil)
	f.cancel.Hidden = true
	f.body = look.Vertical(gap()*3/2,
		f.fields[viewmodel.FieldUser].box, f.fields[viewmodel.FieldPassword].box, f.fields[viewmodel.FieldSenders].box,
		f.other, f.relay, f.progress, f.verdict)
	f.bottom = container.NewHBox(layout.NewSpacer(), f.cancel, f.save)
	return f
}

// newPasswordForm asks only for a new password of an existing account.
func newPasswordForm(u *UI, a app.AccountInfo, saved func(name string, checked bool)) *accountForm {
	initial := viewmodel.EditAccount(a)
	initial.Other = false // the relay stays
	f := newAccountForm(u, initial, saved)
	f.passwordOnly = true
	for name, field := range f.fields {
		field.box.Hidden = name != viewmodel.FieldPassword
	}
	f.fields[viewmodel.FieldPassword].entry.SetPlaceHolder("")
	f.other.Hidden, f.relay.Hidden = true, true
	return f
}

func (f *accountForm) makeFields() {
	p := f.ui.say
	f.add(viewmodel.FieldUser, newField(p.Say("User name")), f.initial.User)
	password := newSecret(p.Say("Password"), p.Say("There is a line break in what you pasted, so it was not taken. Copy the password alone."))
	f.add(viewmodel.FieldPassword, password, f.initial.Password)
	if f.initial.Name != "" {
		password.entry.SetPlaceHolder(p.Say("Empty: the stored password stays"))
	}
	senders := newField(p.Say("Send only mail from (empty: all other senders)"))
	senders.entry.SetPlaceHolder("news@example.com, example.org")
	f.add(viewmodel.FieldSenders, senders, f.initial.Senders)
	// With one account there is nothing to choose from.
	others := len(f.ui.state.Accounts)
	if f.initial.Name != "" {
		others--
	}
	senders.box.Hidden = others <= 0 && f.initial.Senders == ""
}

func (f *accountForm) add(name string, field *field, text string) {
	field.entry.Text = text
	field.entry.OnSubmitted = func(string) { f.submit() }
	f.fields[name], f.order = field, append(f.order, name)
}

// The usual ports of submission (RFC 6409 §3.1, RFC 8314 §3.3).
const (
	portStartTLS = "587"
	portTLS      = "465"
)

// makeRelay makes what belongs to another relay than the service's.
func (f *accountForm) makeRelay() {
	p := f.ui.say
	f.ofRelay = len(f.order)
	f.add(viewmodel.FieldHost, newField(p.Say("Server")), f.initial.Host)
	f.add(viewmodel.FieldPort, newField(p.Say("Port")), f.initial.Port)
	f.add(viewmodel.FieldAPI, newField(p.Say("Address of the service, for usage and reports (may be empty)")), f.initial.API)
	f.add(viewmodel.FieldCAFile, newField(p.Say("Certificate file of a private authority (may be empty)")), f.initial.CAFile)
	f.fields[viewmodel.FieldCAFile].addButton(p.Say("Choose"), f.chooseCAFile)
	f.fields[viewmodel.FieldAPI].entry.SetPlaceHolder("https://api.example.com")
	f.fields[viewmodel.FieldHost].entry.SetPlaceHolder("smtp.example.com")
	port := f.fields[viewmodel.FieldPort].entry
	if port.Text == "" {
		port.Text = portStartTLS
	}
	f.security = look.NewSelect([]string{viewmodel.SecurityWord(viewmodel.SecurityStartTLS), viewmodel.SecurityWord(viewmodel.SecurityTLS)}, nil)
	f.security.SetSelected(viewmodel.SecurityWord(f.initial.Security))
	f.security.OnChanged = func(string) {
		switch { // the port that goes with it, unless another was typed
		case port.Text == portStartTLS && f.securityValue() == viewmodel.SecurityTLS:
			port.SetText(portTLS)
		case port.Text == portTLS && f.securityValue() == viewmodel.SecurityStartTLS:
			port.SetText(portStartTLS)
		}
	}
	security := look.Vertical(gap()/2, look.NewLine(look.Soft, p.Say("Security")), f.security)
	f.relay = look.Vertical(gap()*3/2, f.fields[viewmodel.FieldHost].box,
		container.NewGridWithColumns(2, f.fields[viewmodel.FieldPort].box, security),
		f.fields[viewmodel.FieldAPI].box, f.fields[viewmodel.FieldCAFile].box)
	f.other = widget.NewCheck(p.Say("Use another relay"), func(bool) { f.showRelay() })
	f.other.Checked = f.initial.Other
	f.relay.Hidden = !f.initial.Other
	f.other.Hidden = f.initial.Name != "" // an existing account has a relay of its own
}

func (f *accountForm) showRelay() {
	f.relay.Hidden = !f.other.Checked
	f.changed()
}

func (f *accountForm) securityValue() string {
	if f.security.Selected == viewmodel.SecurityWord(viewmodel.SecurityTLS) {
		return viewmodel.SecurityTLS
	}
	return viewmodel.SecurityStartTLS
}

// object is the form as a part of a page.
func (f *accountForm) object() fyne.CanvasObject {
	f.root = look.Vertical(gap()*3/2, f.body, f.bottom)
	return f.root
}

// focus gives the keyboard to the first field that is empty.
func (f *accountForm) focus() {
	for i, name := range f.order {
		e := f.fields[name]
		if i == f.ofRelay && f.relay.Hidden {
			return
		}
		if !e.box.Hidden && e.entry.Text == "" {
			f.ui.win.Canvas().Focus(e.entry)
			return
		}
	}
}

// onCancel shows a button that calls off.
func (f *accountForm) onCancel(off func()) {
	f.cancel.OnTapped, f.cancel.Hidden = off, false
}

func (f *accountForm) read() viewmodel.AccountForm {
	text := func(name string) string { return f.fields[name].entry.Text }
	form := viewmodel.AccountForm{
		Name: f.initial.Name, User: text(viewmodel.FieldUser), Password: text(viewmodel.FieldPassword), Senders: text(viewmodel.FieldSenders),
		Other: f.other.Checked, Host: text(viewmodel.FieldHost), Port: text(viewmodel.FieldPort), Security: f.securityValue(),
		API: text(viewmodel.FieldAPI), CAFile: text(viewmodel.FieldCAFile),
	}
	return form
}

// submit checks the form, has the engine ask the relay, and stores the account.
func (f *accountForm) submit() {
	f.doing.SetText(f.ui.say.Say("Asking the relay whether it accepts the account. This may take a minute."))
	f.store(true)
}

// submitUnchecked stores the account as it is: the relay could not be asked.
func (f *accountForm) submitUnchecked() {
	f.doing.SetText(f.ui.say.Say("Saving."))
	f.store(false)
}

func (f *accountForm) store(checked bool) {
	if f.busy {
		return
	}
	form := f.read()
	if !f.check(form) {
		f.changed()
		return
	}
	f.setBusy(true)
	engine := f.engine
	ask(f.ui.work, func(ctx context.Context) (string, error) {
		existing, err := engine.Accounts(ctx)
		if err != nil {
			return "", err
		}
		in := form.Input(existing)
		in.Skip = !checked
		return in.Name, engine.SetAccount(ctx, in)
	}, func(name string, err error) { f.answered(name, checked, err) })
}

// chooseCAFile lets a person look for the certificate file.
func (f *accountForm) chooseCAFile() {
	entry := f.fields[viewmodel.FieldCAFile].entry
	d := dialog.NewFileOpen(func(file fyne.URIReadCloser, err error) {
		switch {
		case err != nil:
			f.ui.wrong(err)
		case file != nil:
			entry.SetText(file.URI().Path())
			if err := file.Close(); err != nil { // only its name was wanted
				f.ui.cfg.Log.Info("the chosen certificate file cannot be closed", "err", err)
			}
		}
	}, f.ui.win)
	f.ui.choose(d, f.ui.say.Say("Choose the certificate file"))
}

// check says under each field what is wrong with it, and goes to the first.
func (f *accountForm) check(form viewmodel.AccountForm) bool {
	wrong := form.Check(f.ui.say)
	if f.passwordOnly {
		wrong = map[string]string{}
		if words := viewmodel.CheckPassword(f.ui.say, form.Password); words != "" {
			wrong[viewmodel.FieldPassword] = words
		}
	}
	first := true
	for _, name := range f.order {
		f.fields[name].setWrong(wrong[name])
		if wrong[name] != "" && first {
			first = false
			f.ui.win.Canvas().Focus(f.fields[name].entry)
		}
	}
	return len(wrong) == 0
}

func (f *accountForm) answered(name string, checked bool, err error) {
	f.setBusy(false)
	f.verdict.Hidden = false
	if err != nil {
		f.failed(err)
		return
	}
	f.fields[viewmodel.FieldPassword].entry.SetText("") // nobody needs it here any more
	f.save.SetText(f.ui.say.Say("Save"))
	if f.verdict.Hidden = !checked; checked {
		f.verdict.Set(look.Notice{Tone: look.Success, Title: f.ui.say.Say("The relay accepts the account.")})
	}
	f.changed()
	f.saved(name, checked)
}

// failed says why the account is not stored. Somebody who is offline can try
// again or store it unchecked; everybody else has something to put right.
func (f *accountForm) failed(err error) {
	n := f.ui.wrongNotice(err)
	if errors.Is(err, app.ErrUnreachable) {
		n.Button, n.OnButton = f.ui.say.Say("Save without checking"), f.submitUnchecked
		f.save.SetText(f.ui.say.Say("Try again"))
		f.verdict.Set(n)
		f.changed()
		return
	}
	f.save.SetText(f.ui.say.Say("Save"))
	f.verdict.Set(n)
	f.changed()
	f.again()
}

// again lets a person type the password anew at once: it is what most often
// was wrong.
func (f *accountForm) again() {
	password := f.fields[viewmodel.FieldPassword].entry
	f.ui.win.Canvas().Focus(password)
	password.TypedShortcut(&fyne.ShortcutSelectAll{})
}

// setBusy holds the form still while the relay is asked. It cannot be called
// off then: an account must not be stored by halves.
func (f *accountForm) setBusy(busy bool) {
	f.busy = busy
	for _, w := range []fyne.Disableable{f.save, f.cancel, f.other, f.security} {
		enable(w, !busy)
	}
	for _, field := range f.fields {
		enable(field.entry, !busy)
		if field.button != nil {
			enable(field.button, !busy)
		}
	}
	f.progress.Hidden, f.verdict.Hidden = !busy, true
	if busy {
		f.bar.Start()
	} else {
		f.bar.Stop()
	}
	f.changed()
}

func (f *accountForm) changed() {
	f.body.Refresh()
	if f.root != nil {
		f.root.Refresh()
	}
	if f.resized != nil {
		f.resized()
	}
}

// gap is between things that belong together.
func gap() float32 { return theme.Size(look.SizeNameGap) }
