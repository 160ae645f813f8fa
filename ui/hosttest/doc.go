// Package hosttest is a desktop session for tests, made of real parts on a
// private bus: a session bus, a tray, a notification service, a keyring and a
// display. Only tests import it. It runs on Linux.
//
// It promises that a test neither sees nor touches the session of the person
// who runs it: the bus starts no services, and home and XDG folders are the
// session's own. What a part starts ends with the test, and is killed should
// the test's process die. A part that cannot do its work fails the test; a
// missing program names its Debian package, and is never a reason to skip.
//
// Its helpers poll, because a test cannot be woken by a process that knows
// nothing of it; every wait ends after [Patience].
//
// Programs: dbus-daemon (package dbus-daemon), gnome-keyring-daemon
// (gnome-keyring) for [NewKeyring]; Xvfb (xvfb), openbox (openbox), xdotool
// (xdotool) and import (imagemagick) for [NewDisplay].
//
// Methods that have no error result fail the test, so they belong on the
// test's goroutine.
package hosttest
