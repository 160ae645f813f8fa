package ui

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
)

// searcher is a page with a search.
type searcher interface{ focusSearch() }

// shortcuts binds the keys that work on every page.
func (u *UI) shortcuts() {
	c := u.win.Canvas()
	bind := func(key fyne.KeyName, f func()) {
		c.AddShortcut(&desktop.CustomShortcut{KeyName: key, Modifier: fyne.KeyModifierShortcutDefault}, func(fyne.Shortcut) { f() })
	}
	bind(fyne.KeyQ, u.cfg.Quit)
	bind(fyne.KeyW, u.closeAsked)
	bind(fyne.KeyF, func() {
		if u.content == nil {
			return
		}
		if s, ok := u.content.current.(searcher); ok {
			s.focusSearch()
		}
	})
	for i, key := range []fyne.KeyName{fyne.Key1, fyne.Key2, fyne.Key3, fyne.Key4, fyne.Key5, fyne.Key6, fyne.Key7} {
		bind(key, func() {
			if u.content != nil && u.content.nav != nil {
				u.content.nav.Select(i)
			}
		})
	}
}
