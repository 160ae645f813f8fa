package ui

import (
	"context"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/widget"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/say"
	"servicesmtp.net/companion/ui/look"
	"servicesmtp.net/companion/ui/viewmodel"
)

// accountsCard lists the accounts.
type accountsCard struct {
	ui       *UI
	engine   Engine // that of the page, also when another has come since
	question asker[[]app.AccountInfo]
	list     *fyne.Container
	result   *feedback
	root     *look.Card
}

func newAccountsCard(u *UI, resized func()) *accountsCard {
	c := &accountsCard{ui: u, engine: u.engine, question: asker[[]app.AccountInfo]{work: u.work}, list: look.Vertical(gap() * 3), result: newFeedback(resized)}
	add := widget.NewButtonWithIcon(u.say.Say("Add another account"), look.Icon("plus"), func() {
		u.accountDialog(u.say.Say("Add an account"), newAccountForm(u, viewmodel.AccountForm{}, c.saved))
	})
	c.root = look.NewCard(u.say.Say("Accounts"), look.Vertical(gap()*3/2, c.result.box, c.list), add)
	return c
}

// load asks for the accounts.
func (c *accountsCard) load() {
	c.question.ask(c.engine.Accounts, func(accounts []app.AccountInfo, err error) {
		if err != nil {
			c.result.fail(c.ui.wrongNotice(err))
			return
		}
		c.list.Objects = nil
		for i, card := range viewmodel.NewAccountCards(c.ui.say, accounts) {
			if i > 0 {
				c.list.Add(widget.NewSeparator())
			}
			c.list.Add(c.row(card, accounts[i]))
		}
		c.result.resized()
	})
}

func (c *accountsCard) row(card viewmodel.AccountCard, a app.AccountInfo) fyne.CanvasObject {
	p := c.ui.say
	pairs := make([]look.Pair, 0, len(card.Lines))
	for _, l := range card.Lines {
		pairs = append(pairs, look.Pair{Key: l.Name, Value: l.Value})
	}
	password := widget.NewButtonWithIcon(p.Say("Change password"), look.Icon("key"), func() { c.ui.passwordDialog(a, c.saved) })
	edit := widget.NewButton(p.Say("Edit"), func() {
		c.ui.accountDialog(p.Text(say.T("Account {{.Name}}").With("Name", a.Name)), newAccountForm(c.ui, viewmodel.EditAccount(a), c.saved))
	})
	var forget *widget.Button
	forget = widget.NewButtonWithIcon(p.Say("Forget"), look.Icon("trash"), func() { c.forget(a.Name, forget) })
	return look.Vertical(gap(), look.NewLine(look.Strong, card.Name), look.NewKeyValues(pairs...), container.NewHBox(password, edit, forget))
}

func (c *accountsCard) saved(name string, checked bool) {
	c.result.say(look.Success, c.ui.say.Text(say.T("The relay accepts the account {{.Name}}. It is stored.").With("Name", name)))
	if !checked {
		c.result.say(look.Warn, c.ui.say.Text(say.T("The account {{.Name}} is stored. The relay was not asked.").With("Name", name)))
	}
	c.load()
}

func (c *accountsCard) forget(name string, b *widget.Button) {
	p := c.ui.say
	c.ui.confirm(p.Text(say.T("Forget the account {{.Name}}?").With("Name", name)),
		p.Say("The companion forgets its password and its reports. The account at the service stays."), p.Say("Forget"), func() {
			done := busy(b)
			c.ui.work.do(func(ctx context.Context) error { return c.engine.ForgetAccount(ctx, name) }, func(err error) {
				done()
				if err != nil {
					c.result.fail(c.ui.wrongNotice(err))
					return
				}
				c.result.say(look.Muted, p.Text(say.T("The account {{.Name}} is forgotten.").With("Name", name)))
				c.load()
			})
		})
}

// passwordDialog asks for a new password of an account.
func (u *UI) passwordDialog(a app.AccountInfo, saved func(name string, checked bool)) {
	u.accountDialog(u.say.Text(say.T("Password of {{.User}}").With("User", a.User)), newPasswordForm(u, a, saved))
}

// accountDialog shows a form above the window. It goes away when the account
// is stored.
func (u *UI) accountDialog(title string, f *accountForm) {
	var d *formDialog
	f.onCancel(func() { d.Hide() })
	d = u.showForm(title, f.body, f.bottom, func() {
		if !f.busy {
			d.Hide()
		}
	})
	f.resized = d.fit
	saved := f.saved
	f.saved = func(name string, checked bool) {
		d.Hide()
		saved(name, checked)
	}
	f.focus()
}
