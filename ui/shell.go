package ui

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/say"
	"servicesmtp.net/companion/ui/look"
)

// The pages, in the order of the navigation.
const (
	pageOverview = "overview"
	pageQueue    = "queue"
	pageErrors   = "errors"
	pageUsage    = "usage"
	pageConnect  = "connect"
	pageSettings = "settings"
	pageLog      = "log"
)

// page is one view of the window. All is called on the UI goroutine.
type page interface {
	object() fyne.CanvasObject
	show(app.State) // a new State while the page is in sight
	enter()         // the page comes in sight; show follows
	leave()         // it goes out of sight: what was asked is of no use any more
}

// shell is the window with an engine: the navigation and the page in sight.
type shell struct {
	ui   *UI
	root fyne.CanvasObject

	titles  []navTitle
	nav     *navList
	body    *fyne.Container
	current page
	inSight bool
}

type navTitle struct{ name, icon, title string }

func newShell(u *UI) *shell {
	s := &shell{ui: u, body: container.NewStack()}
	if u.first {
		s.current = newFirstStart(u)
		s.root = container.NewStack(space(windowLeast), s.current.object())
		return s
	}
	p := u.say
	s.titles = []navTitle{
		{pageOverview, "overview", p.Say("Overview")},
		{pageQueue, "queue", p.Say("Queue")},
		{pageErrors, "errors", p.Say("Errors")},
		{pageUsage, "usage", p.Say("Usage")},
		{pageConnect, "connect", p.Say("Connect")},
		{pageSettings, "settings", p.Say("Settings")},
		{pageLog, "log", p.Say("Log")},
	}
	s.nav = newNavList(s.titles, u.typedKey)
	s.nav.OnSelected = func(i widget.ListItemID) { s.open(s.titles[i].name) }
	s.root = container.NewStack(space(windowLeast), container.NewBorder(nil, nil, s.side(), nil, s.body))
	s.nav.Select(s.index(u.here))
	return s
}

// side is the column with the navigation.
func (s *shell) side() fyne.CanvasObject {
	mark := canvas.NewImageFromResource(look.AppIcon())
	mark.FillMode = canvas.ImageFillContain
	mark.SetMinSize(fyne.NewSquareSize(markSize))
	version := s.ui.say.Text(say.T("Version {{.Version}}").With("Version", s.ui.cfg.Version))
	head := sideRow(mark, look.NewLine(look.Subheading, "ServiceSMTP"))
	foot := sideRow(space(fyne.NewSize(markSize, 0)), look.NewLine(look.Caption, version))
	column := container.NewBorder(container.NewPadded(head), container.NewPadded(foot), nil, nil, container.NewPadded(s.nav))
	return container.NewBorder(nil, nil, nil, newGroundLine(), container.NewStack(newGround(look.ColorNameCard), space(fyne.NewSize(sideWidth, 0)), column))
}

const (
	sideWidth = 184
	markSize  = 28 // the icons of the pages stand in its middle
)

// sideRow is a line of the navigation: something in the mark's width, then
// words, which stand below each other in all lines.
func sideRow(mark fyne.CanvasObject, words *look.Text) *fyne.Container {
	return container.NewPadded(look.Horizontal(10, 1, mark, words))
}

// space takes place and shows nothing.
func space(size fyne.Size) fyne.CanvasObject {
	r := canvas.NewRectangle(nil)
	r.SetMinSize(size)
	return r
}

func (s *shell) index(name string) int {
	for i, t := range s.titles {
		if t.name == name {
			return i
		}
	}
	return 0
}

// open brings a page in sight.
func (s *shell) open(name string) {
	u := s.ui
	if s.current != nil {
		s.current.leave()
	}
	u.here = name
	switch name {
	case pageQueue:
		s.current = newQueuePage(u)
	case pageErrors:
		s.current = newErrorsPage(u)
	case pageUsage:
		s.current = newUsagePage(u)
	case pageConnect:
		s.current = newConnectPage(u)
	case pageSettings:
		s.current = newSettingsPage(u)
	case pageLog:
		s.current = newLogPage(u)
	default:
		s.current = newOverviewPage(u)
	}
	s.body.Objects = []fyne.CanvasObject{s.current.object()}
	s.body.Refresh()
	if s.inSight {
		s.current.enter()
		s.current.show(u.state)
	}
}

// show takes a new State to the page in sight.
func (s *shell) show(state app.State) {
	if s.inSight {
		s.current.show(state)
	}
}

// seen says whether the window is in sight: a page that nobody sees asks
// nothing.
func (s *shell) seen(yes bool) {
	if yes == s.inSight {
		return
	}
	s.inSight = yes
	if yes {
		s.current.enter()
		s.current.show(s.ui.state)
		return
	}
	s.current.leave()
}

func (s *shell) leave() {
	if s.inSight {
		s.current.leave()
	}
}

// navList is Fyne's list of the pages. A key that it has no use for is the
// page's: a click on the navigation takes the keyboard there.
type navList struct {
	widget.List
	other func(fyne.KeyName)
}

func newNavList(titles []navTitle, other func(fyne.KeyName)) *navList {
	l := &navList{other: other}
	l.Length = func() int { return len(titles) }
	l.CreateItem = newNavRow
	l.UpdateItem = func(i widget.ListItemID, o fyne.CanvasObject) { showNavRow(o, titles[i]) }
	l.HideSeparators = true
	l.ExtendBaseWidget(l)
	return l
}

// TypedKey is called by Fyne.
func (l *navList) TypedKey(e *fyne.KeyEvent) {
	switch e.Name {
	case fyne.KeyUp, fyne.KeyDown, fyne.KeySpace:
		l.List.TypedKey(e)
	default:
		l.other(e.Name)
	}
}

func newNavRow() fyne.CanvasObject {
	icon := widget.NewIcon(look.Icon("help"))
	return sideRow(container.NewGridWrap(fyne.NewSize(markSize, icon.MinSize().Height), icon), look.NewLine(look.Body, ""))
}

func showNavRow(o fyne.CanvasObject, t navTitle) {
	row := o.(*fyne.Container).Objects[0].(*fyne.Container)
	row.Objects[0].(*fyne.Container).Objects[0].(*widget.Icon).SetResource(look.Icon(t.icon))
	row.Objects[1].(*look.Text).SetText(t.title)
}

// ground is a rectangle in a colour of the theme.
type ground struct {
	widget.BaseWidget
	name fyne.ThemeColorName
	line bool
}

func newGround(name fyne.ThemeColorName) *ground {
	g := &ground{name: name}
	g.ExtendBaseWidget(g)
	return g
}

// newGroundLine is a thin line from top to bottom.
func newGroundLine() *ground {
	g := newGround(look.ColorNameBorder)
	g.line = true
	return g
}

// MinSize is a pixel for a line, and nothing for a ground.
func (g *ground) MinSize() fyne.Size {
	if g.line {
		return fyne.NewSize(theme.SeparatorThicknessSize(), 0)
	}
	return fyne.Size{}
}

// CreateRenderer is called by Fyne.
func (g *ground) CreateRenderer() fyne.WidgetRenderer {
	r := canvas.NewRectangle(g.Theme().Color(g.name, fyne.CurrentApp().Settings().ThemeVariant()))
	return &groundRenderer{g: g, r: r}
}

type groundRenderer struct {
	g *ground
	r *canvas.Rectangle
}

func (r *groundRenderer) Destroy()                     {}
func (r *groundRenderer) Layout(size fyne.Size)        { r.r.Resize(size) }
func (r *groundRenderer) MinSize() fyne.Size           { return fyne.Size{} }
func (r *groundRenderer) Objects() []fyne.CanvasObject { return []fyne.CanvasObject{r.r} }
func (r *groundRenderer) Refresh() {
	r.r.FillColor = r.g.Theme().Color(r.g.name, fyne.CurrentApp().Settings().ThemeVariant())
	r.r.Refresh()
}
