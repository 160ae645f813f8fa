package ui

import (
	"slices"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
)

// searcher is a page with a search.
type searcher interface{ focusSearch() }

// lister is a page that is mostly a list.
type lister interface{ focusList() }

// keyTaker is a page with a use for single keys that no widget wants.
type keyTaker interface{ typedKey(fyne.KeyName) bool }

// pageKeys open the pages, in the order of the navigation.
var pageKeys = []fyne.KeyName{fyne.Key1, fyne.Key2, fyne.Key3, fyne.Key4, fyne.Key5, fyne.Key6, fyne.Key7}

// windowShortcut gives the window its own keys while an entry has the keyboard:
// Fyne asks only the entry.
func windowShortcut(o fyne.CanvasObject, s fyne.Shortcut) bool {
	key, ok := s.(*desktop.CustomShortcut)
	if !ok || key.Modifier != fyne.KeyModifierShortcutDefault || !slices.Contains(append([]fyne.KeyName{fyne.KeyQ, fyne.KeyW, fyne.KeyF}, pageKeys...), key.KeyName) {
		return false
	}
	c, ok := fyne.CurrentApp().Driver().CanvasForObject(o).(fyne.Shortcutable)
	if ok {
		c.TypedShortcut(s)
	}
	return ok
}

// shortcuts binds the keys that work on every page.
func (u *UI) shortcuts() {
	c := u.win.Canvas()
	bind := func(key fyne.KeyName, f func()) {
		c.AddShortcut(&desktop.CustomShortcut{KeyName: key, Modifier: fyne.KeyModifierShortcutDefault}, func(fyne.Shortcut) { f() })
	}
	c.SetOnTypedKey(func(e *fyne.KeyEvent) { u.typedKey(e.Name) })
	bind(fyne.KeyQ, u.cfg.Quit)
	bind(fyne.KeyW, u.closeAsked)
	bind(fyne.KeyF, func() {
		if u.content == nil || u.asking() {
			return
		}
		if s, ok := u.content.current.(searcher); ok {
			s.focusSearch()
		}
	})
	for i, key := range pageKeys {
		bind(key, func() {
			if u.content != nil && u.content.nav != nil && !u.asking() {
				u.content.nav.Select(i)
				if l, ok := u.content.current.(lister); ok {
					l.focusList() // the hands are on the keyboard
				}
			}
		})
	}
}

// asking says that a question or a menu lies above the page, which must be
// answered first.
func (u *UI) asking() bool { return u.win.Canvas().Overlays().Top() != nil }

// typedKey gives the page in sight a key that no widget wants. A question above
// the page keeps it away.
func (u *UI) typedKey(name fyne.KeyName) {
	if u.asking() {
		if name == fyne.KeyEscape && u.escape != nil {
			u.escape()
		}
		return
	}
	if u.content == nil {
		return
	}
	if k, ok := u.content.current.(keyTaker); ok {
		k.typedKey(name)
	}
}
