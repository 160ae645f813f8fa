//go:build linux

package ui

import (
	"slices"
	"strings"
	"testing"
	"time"

	"servicesmtp.net/companion/e2e/world"
	"servicesmtp.net/companion/ui/hosttest"
)

// TestTray uses the companion from the panel only: what the icon's menu says
// and does, a click, and the notification at the end of a newsletter.
func TestTray(t *testing.T) {
	t.Parallel()
	d := newDesk(t, offer{world: world.Options{RPM: 300}}) // slow enough to be seen under way
	d.open()
	item := d.watcher.WaitItem()
	idle := d.icon(item)
	menu := item.WaitMenu("a ready companion with its plan", func(m *hosttest.MenuItem) bool {
		return has(m, "Ready. Nothing waits to be sent.") && has(m, "100% of the plan is left")
	})
	for _, label := range []string{"Open", "Pause sending", "Quit"} {
		if line := menu.Find(label); line == nil || !line.Enabled || !line.Visible {
			t.Errorf("menu %q: %q is missing or not enabled", menu.Labels(), label)
		}
	}

	d.choose(item, "Pause sending")
	item.WaitMenu("Resume sending", func(m *hosttest.MenuItem) bool { return has(m, "Resume sending") && has(m, "Sending is paused.") })
	d.Until(30*time.Second, "paused", func(s world.Status) bool { return s.State == "paused" })
	hosttest.Eventually(t, "another icon for paused", func() bool { return d.icon(item) != idle })

	d.hide()
	to := world.Addresses(120, "tray", "dst.invalid")
	d.MustSend("news@example.com", to, world.Message("from the tray", 3000))
	d.choose(item, "Resume sending")
	item.WaitMenu("a newsletter under way", func(m *hosttest.MenuItem) bool { return has(m, "news@example.com: ") })
	d.Far.WaitRecipients(t, len(to), time.Minute)
	d.Once(to)
	note := d.notes.WaitNote("the end of the newsletter", func(n hosttest.Note) bool { return strings.Contains(n.Summary, "news@example.com is out") })
	if !strings.Contains(note.Body, "120 recipients were sent it.") || len(note.Actions) == 0 {
		t.Errorf("note %+v", note)
	}
	if d.HasWindow(title) {
		t.Error("the window came back by itself")
	}

	d.notes.Invoke(note.ID, "do")
	d.win = d.Window(title)
	d.see("Queue", "news@example.com")
	d.shot("from-the-notification")
	d.hide()
	if err := item.Activate(); err != nil {
		t.Fatal(err)
	}
	d.win = d.Window(title)
	d.see("Overview")

	d.choose(item, "Quit")
	if code := d.Companion.Ended(t); code != 0 {
		t.Errorf("the companion ended with %d", code)
	}
}

// TestPanelRestarts: a panel that goes and comes finds the icon again, and a
// window that only its tray could bring back comes by itself.
func TestPanelRestarts(t *testing.T) {
	t.Parallel()
	d := newDesk(t, offer{})
	d.open()
	d.watcher.WaitItem()
	d.hide()
	d.watcher.Stop()
	d.win = d.Window(title)
	d.watcher = hosttest.NewWatcher(d.session)
	item := d.watcher.WaitItem()
	item.WaitMenu("the menu as before", func(m *hosttest.MenuItem) bool { return has(m, "Open") && has(m, "Quit") })
	d.choose(item, "Pause sending") // goes the way that the news of the panel went, which is worked before
	item.WaitMenu("paused", func(m *hosttest.MenuItem) bool { return has(m, "Resume sending") })
	d.hide()
	d.choose(item, "Open")
	d.win = d.Window(title)
	d.quit()
}

// TestSecondStart: it brings the window of the first in front and ends.
func TestSecondStart(t *testing.T) {
	t.Parallel()
	d := newDesk(t, offer{})
	d.open()
	d.hide()
	d.secondStart()
	d.win = d.Window(title)
	d.quit()
}

// TestWithoutTray: closing the window minimises it, and a second start brings
// it back.
func TestWithoutTray(t *testing.T) {
	t.Parallel()
	d := newDesk(t, offer{noTray: true})
	d.open()
	d.see("Ready. Nothing waits to be sent.")
	d.CloseWindow(d.win)
	d.NoWindow(title)
	if !d.Minimised(d.win) {
		t.Error("the window is not in the task bar")
	}
	to := []string{"a@dst.invalid"}
	d.MustSend("me@example.com", to, world.Message("minimised", 300))
	d.Far.WaitRecipients(t, 1, 20*time.Second)
	d.secondStart()
	d.win = d.Window(title)
	d.see("Overview", "1 recipient in the last")
	d.quit()
}

// TestHiddenStart: at login the companion starts in the tray only, and without
// a tray with a window.
func TestHiddenStart(t *testing.T) {
	t.Parallel()
	t.Run("tray", func(t *testing.T) {
		t.Parallel()
		d := newDesk(t, offer{world: world.Options{Args: []string{"--hidden"}}})
		d.StartCompanion()
		item := d.watcher.WaitItem()
		if d.HasWindow(title) {
			t.Error("a window opened")
		}
		d.choose(item, "Open")
		d.win = d.Window(title)
		d.see("Ready. Nothing waits to be sent.")
		d.quit()
	})
	t.Run("no tray", func(t *testing.T) {
		t.Parallel()
		d := newDesk(t, offer{noTray: true, world: world.Options{Args: []string{"--hidden"}}})
		d.open()
		d.see("Ready. Nothing waits to be sent.")
		d.quit()
	})
}

// hide closes the window, which must go into the tray.
func (d *desk) hide() {
	d.t.Helper()
	d.CloseWindow(d.win)
	d.NoWindow(title)
	if d.Minimised(d.win) {
		d.t.Error("the window was minimised, although there is a tray")
	}
}

// has says whether a line of a menu contains a text.
func has(m *hosttest.MenuItem, text string) bool {
	return slices.ContainsFunc(m.Labels(), func(l string) bool { return strings.Contains(l, text) })
}

// choose clicks a line of the tray's menu.
func (d *desk) choose(item *hosttest.Item, label string) {
	d.t.Helper()
	var line *hosttest.MenuItem
	item.WaitMenu(label, func(m *hosttest.MenuItem) bool { line = m.Find(label); return line != nil && line.Enabled })
	if err := item.Click(line.ID); err != nil {
		d.t.Fatal(err)
	}
	// A menu that was drawn anew meanwhile has other numbers, and a panel would
	// have fetched it again before the click.
	if m, err := item.Menu(); err == nil {
		if now := m.Find(label); now != nil && now.ID != line.ID && now.Enabled {
			d.choose(item, label)
		}
	}
}

// icon tells icons apart.
func (d *desk) icon(item *hosttest.Item) string {
	d.t.Helper()
	m, err := item.Icon()
	if err != nil {
		d.t.Fatal(err)
	}
	var b strings.Builder
	for y := m.Bounds().Min.Y; y < m.Bounds().Max.Y; y++ {
		for x := m.Bounds().Min.X; x < m.Bounds().Max.X; x++ {
			r, g, bl, a := m.At(x, y).RGBA()
			b.Write([]byte{byte(r >> 8), byte(g >> 8), byte(bl >> 8), byte(a >> 8)})
		}
	}
	return b.String()
}

// secondStart starts the program once more, which must end at once and well.
func (d *desk) secondStart() {
	d.t.Helper()
	out, errs, code := d.Again()
	if code != 0 || out != "" {
		d.t.Errorf("the second start ended with %d: %s%s", code, out, errs)
	}
}
