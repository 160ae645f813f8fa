package ui

import (
	"context"
	"log/slog"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/lang"
	"fyne.io/fyne/v2/widget"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/say"
	"servicesmtp.net/companion/ui/look"
)

// Config says what a UI works with.
type Config struct {
	App      fyne.App
	Dispatch Dispatcher
	Desktop  Desktop
	Tray     Tray // nil: this system has none
	Window   app.WindowPreferences
	Version  string
	Log      *slog.Logger
	// Retry is called when a person asks to start the engine again after Fail;
	// takeOver means that the engine that already runs is to be ended first.
	Retry func(takeOver bool)
	Quit  func() // the person wants to quit
	// Rest is called on the UI goroutine when nobody sees the window any more,
	// and again when somebody does; nil is fine.
	Rest func(yes bool)
}

// UI is the window with its tray. Its methods are called on the UI goroutine
// unless they say otherwise.
type UI struct {
	cfg    Config
	work   *work
	say    say.Printer
	system fyne.Locale

	win     fyne.Window
	content *shell // nil while no engine is attached or the window is away
	engine  Engine
	state   app.State
	states  *latest[app.State]
	window  app.WindowPreferences

	tray      trayKeeper
	notes     noteKeeper
	failure   *Failure
	wanted    bool   // the window is to be seen
	here      string // the page in sight
	first     bool   // the first start's pages are in sight
	trayThere bool
	escape    func() // calls off the question in front; nil: there is none
	folder    string // where a file was saved last; "": none was
}

// Desktop is what the desktop around the window offers.
type Desktop interface {
	WatchTray(ctx context.Context) <-chan bool
	Notify(ctx context.Context, n Note) error
	Withdraw(ctx context.Context, id string)
	PanelDark() bool // as known last; does not wait
	Autostart() (enabled bool, err error)
	SetAutostart(enabled bool) error
	Minimise(w fyne.Window)
	Minimised(w fyne.Window) bool
	Restore(w fyne.Window) // out of the task bar, if it is there
}

// Failure is why there is no engine, for a person.
type Failure struct {
	Said    app.Said
	Details string
	Runs    bool // an engine already runs, without a window
}

// windowSize is that of the first start; Fyne keeps what a person makes of it.
var windowSize = fyne.NewSize(1080, 720)

// windowLeast is how small a person can make the window: what a small laptop
// has room for. No page may need more.
var windowLeast = fyne.NewSize(760, 520)

// New returns a UI without an engine. It opens no window yet.
func New(cfg Config) *UI {
	u := &UI{cfg: cfg, work: newWork(cfg.Dispatch), system: lang.SystemLocale(), here: pageOverview, window: cfg.Window}
	u.states = &latest[app.State]{ui: cfg.Dispatch, apply: u.show}
	u.applyWindow(cfg.Window)
	return u
}

// Start shows the window, or only the tray where hidden is set and there is
// one, and begins to watch the desktop. It is called once, before Fyne's loop.
func (u *UI) Start(hidden bool) {
	u.wanted = !hidden
	u.sight(u.wanted)
	u.state.Mood = app.MoodStarting
	u.cfg.App.Lifecycle().SetOnEnteredForeground(u.keyboard)
	u.cfg.App.Lifecycle().SetOnExitedForeground(u.away)
	u.build() // with the tray: Fyne starts one only when it is there before its loop
	u.work.start(func(ctx context.Context) {
		for there := range u.cfg.Desktop.WatchTray(ctx) {
			u.cfg.Dispatch.Do(func() { u.trayChanged(there) })
		}
	})
	if u.wanted {
		u.win.Show()
	}
}

// Stop ends and waits for everything that the UI started. It is called after
// Fyne's loop has ended, or from elsewhere than the UI goroutine.
func (u *UI) Stop() { u.work.stop() }

// Attach gives the UI a running engine; it may be called on any goroutine.
func (u *UI) Attach(e Engine) {
	window := e.Preferences().Window
	u.work.start(func(ctx context.Context) {
		u.cfg.Dispatch.Do(func() {
			u.engine, u.failure, u.state = e, nil, e.State()
			u.first = len(u.state.Accounts) == 0
			u.applyWindow(window)
			u.build()
		})
		for s := range e.Watch(ctx) {
			u.states.put(s)
		}
	})
}

// Fail shows why there is no engine; it may be called on any goroutine.
func (u *UI) Fail(f Failure) {
	u.cfg.Dispatch.Do(func() {
		u.engine, u.failure = nil, &f
		u.state = app.State{Mood: app.MoodAttention, Said: f.Said}
		u.build()
		u.Raise()
	})
}

// Raise brings the window in front, wherever it was.
func (u *UI) Raise() {
	u.wanted = true
	u.cfg.Desktop.Restore(u.win)
	u.sight(true)
	if u.content != nil {
		u.content.show(u.state)
	}
	u.win.Show()
	u.win.RequestFocus()
}

// sight says whether a person can see the window. What nobody sees asks
// nothing, and rests.
func (u *UI) sight(yes bool) {
	if u.content != nil {
		u.content.seen(yes)
	}
	if u.cfg.Rest != nil {
		u.cfg.Rest(!yes)
	}
}

// keyboard says that the window got it: it may come out of the task bar.
func (u *UI) keyboard() { u.sight(u.wanted) }

// show takes a new State to everything that shows one.
func (u *UI) show(s app.State) {
	if u.engine == nil {
		return // the last word of one that has ended
	}
	before := u.state
	u.state = s
	u.showTray(s)
	u.notify(before, s)
	if u.content == nil {
		return
	}
	if !u.first && len(s.Accounts) == 0 && len(before.Accounts) > 0 {
		u.first = true // the last account was removed
		u.build()
		return
	}
	if u.wanted {
		u.content.show(s)
	}
}

// closeAsked is the window's close button: the companion goes on in the tray,
// or, where there is none, in the task bar.
func (u *UI) closeAsked() {
	u.cfg.Log.Debug("the window is closed", "tray", u.trayThere)
	if u.failure != nil {
		u.cfg.Quit()
		return
	}
	if u.trayThere {
		u.wanted = false
		u.sight(false)
		u.win.Hide()
		return
	}
	u.cfg.Desktop.Minimise(u.win)
}

// away is called when the window has lost the keyboard. If it went into the
// task bar, nobody sees it until it has the keyboard again. Some window
// managers know no task bar and leave it where it is.
func (u *UI) away() {
	u.work.start(func(ctx context.Context) {
		select { // the window manager may say so a little later
		case <-ctx.Done():
		case <-time.After(time.Second):
			u.cfg.Dispatch.Do(u.lookAway)
		}
	})
}

func (u *UI) lookAway() {
	if u.cfg.Desktop.Minimised(u.win) {
		u.sight(false)
	}
}

// applyWindow puts language and theme into force.
func (u *UI) applyWindow(w app.WindowPreferences) {
	u.window = w
	p, err := useLanguage(w.Language, u.system)
	if err != nil {
		u.cfg.Log.Warn("the window speaks English", "err", err)
	}
	u.say = p
	u.cfg.App.Settings().SetTheme(look.New(w.Theme))
}

// build makes the window's content anew: at the start, when an engine comes or
// goes, and after a change of language.
func (u *UI) build() {
	if u.win == nil {
		u.win = u.cfg.App.NewWindow(u.say.Say("ServiceSMTP Companion"))
		u.win.SetIcon(look.AppIcon())
		u.win.SetPadded(false)
		u.win.Resize(windowSize)
		u.win.SetCloseIntercept(u.closeAsked)
	}
	if u.content != nil {
		u.content.leave()
		u.content = nil
	}
	still(u.win.Content())
	if u.engine == nil { // questions to one that is gone
		for all := u.win.Canvas().Overlays(); all.Top() != nil; {
			all.Remove(all.Top())
		}
		u.escape = nil
	}
	switch {
	case u.failure != nil:
		u.win.SetContent(u.failed())
	case u.engine == nil:
		u.win.SetContent(u.starting())
	default:
		u.content = newShell(u)
		u.win.SetContent(u.content.root)
		u.content.seen(u.wanted)
	}
	u.shortcuts()
	u.tray.forget()
	u.showTray(u.state)
}

// still ends the bars in a content that goes out of sight. Fyne lets them run
// on, and draws the whole window anew for each of their steps.
func still(o fyne.CanvasObject) {
	switch o := o.(type) {
	case *widget.ProgressBarInfinite:
		o.Stop()
	case *fyne.Container:
		for _, part := range o.Objects {
			still(part)
		}
	}
}

// RaiseFromElsewhere is Raise for any goroutine.
func (u *UI) RaiseFromElsewhere() { u.cfg.Dispatch.Do(u.Raise) }

// QuitFromElsewhere quits from any goroutine.
func (u *UI) QuitFromElsewhere() { u.cfg.Dispatch.Do(u.cfg.Quit) }
