package ui

import (
	"context"

	"fyne.io/fyne/v2"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/ui/look"
	"servicesmtp.net/companion/ui/viewmodel"
)

// Tray is the icon in the desktop's panel. Its methods are called on the UI
// goroutine and do not wait.
type Tray interface {
	// Show draws icon and menu. A line without an action only tells; one
	// without a label is a line between groups.
	Show(icon fyne.Resource, tooltip string, lines []TrayLine)
}

// TrayLine is one line of the tray's menu.
type TrayLine struct {
	Label   string
	Enabled bool
	Quit    bool
	Action  func() // on the UI goroutine
}

// trayKeeper remembers what the tray shows, so that it is only drawn when it
// differs.
type trayKeeper struct {
	shown viewmodel.Tray
	dark  bool // the panel
	drawn bool
}

func (k *trayKeeper) forget() { k.drawn = false }

func (u *UI) showTray(s app.State) {
	if u.cfg.Tray == nil {
		return
	}
	t, dark := viewmodel.NewTray(u.say, s), u.cfg.Desktop.PanelDark()
	if u.tray.drawn && u.tray.dark == dark && t.Equal(u.tray.shown) {
		return
	}
	u.tray = trayKeeper{shown: t, dark: dark, drawn: true}
	lines := make([]TrayLine, len(t.Items))
	for i, item := range t.Items {
		lines[i] = TrayLine{Label: item.Label, Enabled: item.Enabled, Quit: item.Do == viewmodel.TrayQuit, Action: u.trayAction(item.Do)}
	}
	u.cfg.Tray.Show(look.TrayIcon(look.TrayState(t.State), dark), t.Tooltip, lines)
}

func (u *UI) trayAction(d viewmodel.TrayDo) func() {
	switch d {
	case viewmodel.TrayOpen:
		return u.Raise
	case viewmodel.TrayPause:
		return u.ofAll(Engine.Pause)
	case viewmodel.TrayResume:
		return u.ofAll(Engine.Resume)
	case viewmodel.TrayQuit:
		return u.cfg.Quit
	}
	return nil
}

// ofAll is a command for all accounts, if there is an engine.
func (u *UI) ofAll(call func(Engine, context.Context, string) error) func() {
	return func() {
		u.command(func(ctx context.Context, e Engine) error { return call(e, ctx, "") })
	}
}

// trayChanged says that the desktop shows trays, or no longer does. A window
// that was hidden in a tray that is gone comes back, otherwise nobody could
// reach it.
func (u *UI) trayChanged(there bool) {
	u.cfg.Log.Debug("the desktop's tray", "there", there)
	u.trayThere = there
	u.showTray(u.state) // the colour of the panel is known now
	if !there && !u.wanted {
		u.Raise()
	}
}
