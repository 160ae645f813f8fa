package main

import (
	"log/slog"
	"runtime"

	"fyne.io/fyne/v2"
	fynedesktop "fyne.io/fyne/v2/driver/desktop"
	"fyne.io/systray"

	"servicesmtp.net/companion/ui"
)

// tray is Fyne's. Where there is no session bus it logs a line and does nothing.
type tray struct {
	app fynedesktop.App
	// menu is always the same one: when the panel takes it at last, Fyne shows
	// the menu that it was given first, whatever came since.
	menu *fyne.Menu
}

// newTray is nil where Fyne has no tray.
func newTray(log *slog.Logger) ui.Tray {
	a, ok := fyne.CurrentApp().(fynedesktop.App)
	if !ok {
		log.Info("this system has no tray")
		return nil
	}
	return &tray{app: a, menu: fyne.NewMenu("")}
}

// onTrayClick is called before Fyne's loop: the icon says at once whether a
// click does more than open its menu. On macOS it never does.
func onTrayClick(open func()) {
	if runtime.GOOS != "darwin" {
		systray.SetOnTapped(open)
	}
}

// Show implements ui.Tray.
func (t *tray) Show(icon fyne.Resource, tooltip string, lines []ui.TrayLine) {
	items := make([]*fyne.MenuItem, len(lines))
	for i, l := range lines {
		if l.Label == "" {
			items[i] = fyne.NewMenuItemSeparator()
			continue
		}
		items[i] = fyne.NewMenuItem(l.Label, l.Action)
		items[i].Disabled, items[i].IsQuit = !l.Enabled, l.Quit
	}
	t.app.SetSystemTrayIcon(icon)
	t.menu.Items = items
	t.app.SetSystemTrayMenu(t.menu)
	systray.SetTooltip(tooltip) // Fyne has none; the tray that it has just started does
}
