// Package ui is the window and the tray: a skin over app's façade.
//
// It promises that nothing waits on the UI goroutine: every call of the façade,
// of the disk and of the desktop runs on a goroutine of work (work.go), and its
// answer comes back through the one Dispatcher (dispatch.go), which is the only
// caller of fyne.Do. Views copy what package viewmodel decided; what they show
// comes from State, which Watch brings, and from queries. A window that is
// hidden costs nothing but the tray.
//
// It never opens a file of the engine, never sees a password but the one that a
// person types or asks to see, and never decides anything about mail.
//
// UI.Stop cancels and waits for every goroutine that this package started.
package ui
