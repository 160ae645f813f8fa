package ui

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/widget"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/ui/look"
	"servicesmtp.net/companion/ui/viewmodel"
)

// paceCard is how fast mail may leave. Every choice is stored at once; numbers
// that are typed, when their button is pressed.
type paceCard struct {
	ui      *UI
	engine  Engine              // that of the page, also when another has come since
	pace    app.PacePreferences // as last chosen
	quiet   viewmodel.QuietForm
	filling bool // the widgets are being set by the program

	preset             *look.Select
	own                *fyne.Container
	minute, hour, day  *field
	adaptive, quietOn  *widget.Check
	quietFrom, quietTo *look.Select
	quietHours         *fyne.Container
	more               *look.Text // quiet hours that only the file changes
	means              *look.Text
	result             *feedback
	saver              saver[app.PacePreferences]
	root               *look.Card
}

func newPaceCard(u *UI, resized func()) *paceCard {
	p := u.say
	c := &paceCard{ui: u, engine: u.engine, means: look.NewText(look.Body, ""), more: look.NewText(look.Caption, ""), result: newFeedback(resized)}
	c.saver = saver[app.PacePreferences]{work: u.work, store: u.engine.SetPace, done: c.saved}
	c.preset = look.NewSelect(viewmodel.PresetNames(p), func(string) { c.presetChosen() })
	c.minute, c.hour, c.day = newField(p.Say("Recipients a minute")), newField(p.Say("Recipients an hour")), newField(p.Say("Recipients a day"))
	for _, f := range []*field{c.minute, c.hour, c.day} {
		f.entry.SetPlaceHolder(p.Say("no limit"))
		f.entry.OnSubmitted = func(string) { c.ownChosen() }
	}
	c.own = look.Vertical(gap(), container.NewGridWithColumns(3, c.minute.box, c.hour.box, c.day.box), left(widget.NewButton(p.Say("Save"), c.ownChosen)))
	c.adaptive = widget.NewCheck(p.Say("Slow down by itself when servers ask for it"), func(on bool) {
		c.pace.Adaptive = on
		c.save()
	})
	c.quietOn = widget.NewCheck(p.Say("Newsletters wait during quiet hours"), func(bool) { c.quietChosen() })
	c.quietFrom, c.quietTo = look.NewSelect(nil, func(string) { c.quietChosen() }), look.NewSelect(nil, func(string) { c.quietChosen() })
	c.quietHours = look.Vertical(gap(), container.NewGridWithColumns(2, named(p.Say("From"), c.quietFrom), named(p.Say("To"), c.quietTo)), c.more)
	c.fill(u.engine.Preferences().Pace)
	c.root = look.NewCard(p.Say("Pace"), look.Vertical(gap()*3/2,
		named(p.Say("How fast mail leaves"), c.preset), c.own, c.means,
		look.NewText(look.Caption, p.Say("The relay may be stricter; the stricter one counts.")),
		c.adaptive, c.quietOn, c.quietHours, c.result.box))
	return c
}

// fill shows a pace.
func (c *paceCard) fill(pace app.PacePreferences) {
	c.filling = true
	c.pace, c.quiet = pace, viewmodel.NewQuietForm(pace.Quiet)
	c.preset.SetSelectedIndex(viewmodel.PresetOf(pace))
	form := viewmodel.NewPaceForm(pace)
	c.minute.entry.SetText(form.PerMinute)
	c.hour.entry.SetText(form.PerHour)
	c.day.entry.SetText(form.PerDay)
	c.own.Hidden = c.preset.SelectedIndex() < len(viewmodel.Presets)
	c.adaptive.SetChecked(pace.Adaptive)
	hours := viewmodel.Hours(c.quiet.From, c.quiet.To)
	c.quietFrom.SetOptions(hours)
	c.quietTo.SetOptions(hours)
	c.quietFrom.SetSelected(c.quiet.From)
	c.quietTo.SetSelected(c.quiet.To)
	c.quietOn.SetChecked(c.quiet.On)
	c.quietHours.Hidden = !c.quiet.On
	c.more.Text = c.quiet.MoreWords(c.ui.say)
	c.more.Hidden = c.more.Text == ""
	c.means.SetText(viewmodel.PaceWords(c.ui.say, pace))
	c.filling = false
}

func (c *paceCard) presetChosen() {
	if c.filling {
		return
	}
	i := c.preset.SelectedIndex()
	c.own.Hidden = i < len(viewmodel.Presets)
	c.result.resized()
	if c.own.Hidden {
		c.pace.PerMinute, c.pace.PerHour, c.pace.PerDay = viewmodel.Presets[i], 0, 0
		c.save()
		return
	}
	c.result.say(look.Muted, "")
	c.ui.win.Canvas().Focus(c.minute.entry)
}

func (c *paceCard) ownChosen() {
	form := viewmodel.PaceForm{PerMinute: c.minute.entry.Text, PerHour: c.hour.entry.Text, PerDay: c.day.entry.Text}
	next, wrong := form.Apply(c.ui.say, c.pace)
	if wrong != "" {
		c.result.say(look.Alarm, wrong)
		return
	}
	c.pace = next
	c.save()
}

func (c *paceCard) quietChosen() {
	if c.filling {
		return
	}
	c.quiet.On, c.quiet.From, c.quiet.To = c.quietOn.Checked, c.quietFrom.Selected, c.quietTo.Selected
	c.quietHours.Hidden = !c.quiet.On
	c.result.resized()
	quiet, wrong := c.quiet.Quiet(c.ui.say)
	if wrong != "" {
		c.result.say(look.Alarm, wrong)
		return
	}
	c.pace.Quiet = quiet
	c.save()
}

// save stores what was chosen.
func (c *paceCard) save() {
	if c.filling {
		return
	}
	c.means.SetText(viewmodel.PaceWords(c.ui.say, c.pace))
	c.result.say(look.Muted, c.ui.say.Say("Saving."))
	c.saver.put(c.pace)
}

func (c *paceCard) saved(_ app.PacePreferences, err error) {
	if err != nil {
		c.fill(c.engine.Preferences().Pace)
		c.result.resized()
		c.result.fail(c.ui.wrongNotice(err))
		return
	}
	c.result.say(look.Success, c.ui.say.Say("Saved. It counts from the next batch on."))
}

// named puts a name above a widget.
func named(name string, o fyne.CanvasObject) fyne.CanvasObject {
	return look.Vertical(gap()/2, look.NewLine(look.Soft, name), o)
}

// left keeps a button as narrow as its words.
func left(o fyne.CanvasObject) fyne.CanvasObject { return container.NewHBox(o) }

// narrow keeps an entry for a short value from taking the whole width.
func narrow(o fyne.CanvasObject) fyne.CanvasObject { return container.NewGridWithColumns(3, o) }
