// Package host asks and tells the desktop that the program runs on: is there a
// tray, show this notification, start with the login, is the panel dark.
//
// It promises an answer in bounded time: every question has a deadline of its
// own, a hanging panel or notification service costs seconds and never the
// program. It never starts a session bus, a panel or a notification service of
// its own accord (a notification may wake the service that the desktop
// registered for it), never shows text that it was not given, and knows
// nothing of mail.
//
// Goroutines: [WatchTray] has one, which ends with its context before the
// channel closes; a [Notifier] has one, which [Notifier.Close] waits for.
//
// Everything here does I/O. None of it belongs on a user interface's
// goroutine.
//
// On Linux and the BSDs it speaks D-Bus through godbus, on connections of its
// own: the library's shared connection gives every listener everybody's
// signals. Not through esiqveland/notify: its calls take no context, so a
// hanging service hangs the program; its Close does not wait for its loop; and
// a signal with another body than expected ends the program.
//
// On Windows and macOS there is always a tray, notifications go to a function
// of the caller, and starting at login is a registry value or a launch agent.
// These two have been built and checked, and their texts are tested, but they
// have not run on such a system.
//
// Specifications: Status Notifier Item 0.1, Desktop Notifications 1.2, Desktop
// Entry 1.5, Desktop Application Autostart 0.5, XDG Desktop Portal Settings.
package host

import "errors"

// ID names the program to the desktop: its desktop entry, its launch agent and
// its registry value.
const ID = "net.servicesmtp.companion"

var (
	// ErrNoService says that this desktop has nothing that could do it.
	ErrNoService = errors.New("no such service on this desktop")
	// ErrTimeout says that the desktop did not answer in time.
	ErrTimeout = errors.New("the desktop does not answer")
	// ErrPath says that the program lies where a login entry cannot name it.
	ErrPath = errors.New("a login entry cannot name this path")
)
