package main

import (
	"context"
	"log/slog"
	"os"
	"runtime"
	"sync/atomic"

	"fyne.io/fyne/v2"
	"fyne.io/systray"
	"github.com/go-gl/glfw/v3.4/glfw"

	"servicesmtp.net/companion/ui"
	"servicesmtp.net/companion/ui/host"
)

// desktop joins ui with what package host knows of this desktop.
type desktop struct {
	log    *slog.Logger
	notes  *host.Notifier
	start  host.Autostart
	dark   atomic.Bool
	chosen func(id string, button bool) // a notification
	opened func()                       // the tray's menu
}

// buttonKey is the action behind a note's button.
const buttonKey = "do"

// newDesktop gets the arguments with which the program finds its data again
// when it starts with the login.
func newDesktop(log *slog.Logger, folders []string) *desktop {
	d := &desktop{log: log.With("part", "desktop")}
	d.dark.Store(runtime.GOOS == "linux")
	d.notes = host.NewNotifier(host.NotifierConfig{
		AppName: "ServiceSMTP Companion", DesktopEntry: host.ID,
		OnAction: func(id, key string) { d.chosen(id, key == buttonKey) },
		Fallback: func(n host.Note) error {
			fyne.CurrentApp().SendNotification(fyne.NewNotification(n.Title, n.Body))
			return nil
		},
	})
	program, err := os.Executable()
	if err != nil {
		d.log.Warn("start at login is not possible", "err", err)
	}
	d.start = host.Autostart{Exec: program, Args: append([]string{"--hidden"}, folders...), Name: "ServiceSMTP Companion", Icon: host.ID}
	if err := d.start.Refresh(); err != nil {
		d.log.Warn("what starts the program at login may be out of date", "err", err)
	}
	return d
}

// WatchTray also keeps the icon registered with a panel that comes back, and
// says when a person opens its menu.
func (d *desktop) WatchTray(ctx context.Context) <-chan bool {
	out := make(chan bool)
	go func() { // ends with the channel of host, which ends with ctx
		defer close(out)
		if dark, known := host.PanelDark(ctx); known {
			d.dark.Store(dark)
		}
		states, first := host.WatchTray(ctx), true
		for {
			select {
			case there, ok := <-states:
				if !ok {
					return
				}
				if there && !first {
					if err := host.ReturnToTray(ctx); err != nil {
						d.log.Info("the tray's icon has not returned", "err", err)
					}
				}
				first = false
				select {
				case out <- there:
				case <-ctx.Done():
				}
			case <-systray.TrayOpenedCh:
				d.opened()
			}
		}
	}()
	return out
}

// PanelDark is what the desktop said, or else a guess: on Linux most panels are
// dark.
func (d *desktop) PanelDark() bool { return d.dark.Load() }

func (d *desktop) Notify(ctx context.Context, n ui.Note) error {
	note := host.Note{ID: n.ID, Title: n.Title, Body: n.Body, Urgent: n.Urgent, Icon: host.ID}
	if n.Button != "" {
		note.Actions = []host.Action{{Key: buttonKey, Label: n.Button}}
	}
	return d.notes.Notify(ctx, note)
}

func (d *desktop) Withdraw(ctx context.Context, id string) {
	if err := d.notes.Withdraw(ctx, id); err != nil {
		d.log.Debug("a notification stays on the screen", "err", err)
	}
}

func (d *desktop) Autostart() (bool, error) { return d.start.Enabled() }

func (d *desktop) SetAutostart(on bool) error {
	if on {
		return d.start.Enable()
	}
	return d.start.Disable()
}

// Minimise, Minimised and Restore reach the window of GLFW: Fyne has no way to
// them. Inside of RunWithContext it is the current one.
func (d *desktop) Minimise(w fyne.Window) { withGLFW(w, (*glfw.Window).Iconify) }

// Minimised implements ui.Desktop.
func (d *desktop) Minimised(w fyne.Window) (is bool) {
	withGLFW(w, func(g *glfw.Window) { is = g.GetAttrib(glfw.Iconified) == glfw.True })
	return is
}

// Restore implements ui.Desktop. GLFW's own would make a maximised window
// smaller.
func (d *desktop) Restore(w fyne.Window) {
	withGLFW(w, func(g *glfw.Window) {
		if g.GetAttrib(glfw.Iconified) == glfw.True {
			g.Restore()
		}
	})
}

func withGLFW(w fyne.Window, f func(*glfw.Window)) {
	c, ok := w.(interface{ RunWithContext(func()) })
	if !ok {
		return
	}
	c.RunWithContext(func() {
		if g := glfw.GetCurrentContext(); g != nil {
			f(g)
		}
	})
}

func (d *desktop) close() {
	if err := d.notes.Close(); err != nil {
		d.log.Debug("notifications end", "err", err)
	}
}
