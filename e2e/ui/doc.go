// Package ui drives the built desktop app from outside: a window on a display
// that nobody sees, a mouse, a keyboard, a tray, a notification service and a
// keyring on a private session bus, and behind it a real relay. It knows of the
// window what a person knows: what can be read in it.
//
// Pictures of the steps are kept with go test -artifacts.
package ui
