//go:build linux

package ui

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"servicesmtp.net/companion/e2e/world"
	"servicesmtp.net/companion/ui/hosttest"
)

func TestMain(m *testing.M) { os.Exit(world.Main(m, true)) }

const title = "ServiceSMTP Companion"

// desk is a person's computer: a session, a screen and the companion on it.
type desk struct {
	*world.World
	*hosttest.Display
	t       *testing.T
	session *hosttest.Session
	watcher *hosttest.Watcher       // nil: no tray
	notes   *hosttest.Notifications // nil: no notification service
	keyring *hosttest.Keyring       // nil: no keyring
	win     hosttest.Window
	shots   int
}

// offer is what a computer does not have, and what else differs.
type offer struct {
	noBus, noTray, noKeyring bool
	size                     [2]int // of the screen; zero: 1200 by 860
	env                      []string
	world                    world.Options
}

const keyringPassword = "login"

// newDesk makes a computer and a relay. The companion is not started yet.
func newDesk(t *testing.T, o offer) *desk {
	t.Helper()
	d := &desk{t: t, session: hosttest.NewSession(t)}
	env := d.session.Env()
	if o.noBus {
		d.session.Stop()
		env = slices.DeleteFunc(env, func(v string) bool { return strings.HasPrefix(v, "DBUS_SESSION_BUS_ADDRESS=") })
	} else {
		d.notes = hosttest.NewNotifications(d.session)
		if !o.noTray {
			d.watcher = hosttest.NewWatcher(d.session)
		}
		if !o.noKeyring {
			d.keyring = hosttest.NewKeyring(d.session, keyringPassword)
		}
	}
	if o.size[0] == 0 {
		o.size = [2]int{1200, 860}
	}
	d.Display = hosttest.NewDisplay(t, o.size[0], o.size[1])
	d.StartWindowManager()
	env = append(append(env, d.Display.Env()...), "FYNE_THEME=light")
	o.world.Env = append(env, o.env...)
	if o.world.Window == "" {
		o.world.Window = world.Debug
	}
	o.world.Args = append(o.world.Args, "--debug")
	d.World = world.Relay(t, o.world)
	d.WriteCompanionConfig()
	t.Cleanup(d.check)
	return d
}

// open starts the companion and waits for its window.
func (d *desk) open() {
	d.t.Helper()
	os.Remove(d.logFile())
	d.StartCompanion()
	d.t.Cleanup(func() {
		if d.t.Failed() {
			d.shot("failed") // before it is ended
		}
	})
	d.win = d.Window(title)
	d.Focus(d.win)
	hosttest.Eventually(d.t, "the companion knows whether there is a tray", func() bool { return strings.Contains(d.log(), "the desktop's tray") })
}

// shot keeps a picture of the screen.
func (d *desk) shot(name string) {
	d.t.Helper()
	d.shots++
	d.Screenshot(filepath.Join(d.t.ArtifactDir(), fmt.Sprintf("%02d-%s.png", d.shots, name)))
}

// see waits until the window says all the texts.
func (d *desk) see(texts ...string) {
	d.t.Helper()
	d.See(d.win, texts...)
}

// click clicks on a text in the window.
func (d *desk) click(text string) {
	d.t.Helper()
	d.ClickText(d.win, text)
}

// quit ends the companion as a person does, and wants it to end in good order.
func (d *desk) quit() {
	d.t.Helper()
	d.Focus(d.win)
	d.Key("ctrl+q")
	if code := d.Companion.Ended(d.t); code != 0 {
		d.t.Errorf("the companion ended with %d", code)
	}
}

func (d *desk) logFile() string { return filepath.Join(d.DataDir(), "companion.log") }

// log is the companion's own since it was opened last.
func (d *desk) log() string {
	text, err := os.ReadFile(d.logFile())
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// check is what holds for every companion that has ended.
func (d *desk) check() {
	if d.Companion == nil {
		return
	}
	if strings.Contains(d.Companion.Said(), "Error in Fyne call thread") {
		d.t.Errorf("a widget was touched on a wrong goroutine:\n%s", world.Tail(d.Companion.Said(), 40))
	}
	if strings.Contains(d.log(), "goroutines left") {
		d.t.Errorf("goroutines are left at the end:\n%s", world.Tail(d.log(), 3))
	}
	if strings.Contains(d.log()+d.Companion.Said(), d.Password) {
		d.t.Error("the password is in a log")
	}
	if d.t.Failed() {
		d.t.Logf("log of the window:\n%s", world.Tail(d.log(), 20))
	}
}
