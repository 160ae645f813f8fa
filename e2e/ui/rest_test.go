//go:build linux

package ui

import (
	"testing"
	"time"

	"servicesmtp.net/companion/e2e/world"
)

// atRest is longer than the window's loop waits before it rests while nobody
// sees it.
const atRest = 33 * time.Second

// TestRest: a companion at rest in the tray takes mail, and does at once what a
// person, the session and a second start ask of it.
func TestRest(t *testing.T) {
	t.Parallel()
	for name, ask := range map[string]func(*desk){
		"quit from the tray": func(d *desk) {
			d.choose(d.watcher.WaitItem(), "Quit")
			if code := d.Companion.Ended(d.t); code != 0 {
				d.t.Errorf("the companion ended with %d", code)
			}
		},
		"end of the session": func(d *desk) {
			if code := d.Companion.Stop(d.t); code != 0 {
				d.t.Errorf("the companion ended with %d", code)
			}
		},
		"second start": func(d *desk) {
			d.secondStart()
			d.win = d.Window(title)
			d.see("1 recipient in the last")
			d.quit()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, offer{world: world.Options{Args: []string{"--hidden"}}})
			d.StartCompanion()
			time.Sleep(atRest)
			to := []string{"rest@dst.invalid"}
			d.MustSend("me@example.com", to, world.Message("at rest", 300))
			d.Far.WaitRecipients(t, 1, 20*time.Second)
			d.Once(to)
			ask(d)
		})
	}
}
