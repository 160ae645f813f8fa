//go:build linux && screenshots

package ui

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"servicesmtp.net/companion/e2e/world"
)

// style is one way in which a window may look.
type style struct {
	name, language, theme string
	scale                 int
}

var styles = []style{{"light-en", "en", "light", 1}, {"dark-it", "it", "dark", 1}, {"light-en-200", "en", "light", 2}, {"dark-it-200", "it", "dark", 2}}

// TestScreenshots makes a picture of every view, in every style, in the folder
// that SCREENSHOTS names, while a newsletter to 5,000 recipients leaves.
func TestScreenshots(t *testing.T) {
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		t.Fatal("SCREENSHOTS names no folder; use make screenshots")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	d := newDesk(t, offer{size: [2]int{2300, 1600}, world: world.Options{Window: world.Release, Fresh: true, RPM: 600, Listen: "127.0.0.1:2525", Auth: "required", Settings: "[window]\nlanguage = \"en\"\ntheme = \"light\"\n"}})
	picture := func(s style, view string) {
		t.Helper()
		d.Move(2299, 1599)                  // nothing is pointed at
		time.Sleep(1500 * time.Millisecond) // until it is drawn
		d.Picture(d.win, filepath.Join(dir, view+"-"+s.name+".png"))
	}
	for _, s := range styles {
		d.dress(s)
		d.open()
		picture(s, "welcome")
		if s != styles[len(styles)-1] {
			d.quit()
			continue
		}
		d.Type("alice")
		d.Key("Tab")
		d.Type(d.Password)
		d.Key("Return")
		d.Until(10*time.Second, "an account", func(s world.Status) bool { return len(s.Accounts) == 1 })
		picture(s, "connected")
		d.quit()
	}
	first := true
	for _, s := range styles {
		d.dress(s)
		d.open()
		if first {
			first = false
			d.newsletter()
		}
		for i, view := range []string{"overview", "queue", "errors", "usage", "connect", "settings", "log"} {
			d.Key(fmt.Sprintf("ctrl+%d", i+1))
			picture(s, view)
			if view == "queue" {
				d.Key("Down", "Return")
				picture(s, "job")
				d.Key("Escape")
			}
			if view == "errors" {
				d.Key("Down", "Return")
				picture(s, "error")
			}
		}
		d.quit()
	}
}

// dress sets language, theme and scale for the next start.
func (d *desk) dress(s style) {
	d.t.Helper()
	text, err := os.ReadFile(d.Path("companion.toml"))
	if err != nil {
		d.t.Fatal(err)
	}
	dressed := regexp.MustCompile(`(?m)^language = .*$`).ReplaceAllString(string(text), fmt.Sprintf("language = %q", s.language))
	dressed = regexp.MustCompile(`(?m)^theme = .*$`).ReplaceAllString(dressed, fmt.Sprintf("theme = %q", s.theme))
	d.Write("companion.toml", dressed)
	d.Opts.Env = append(d.Opts.Env, fmt.Sprintf("FYNE_SCALE=%d", s.scale))
}

// newsletter hands in what is to be seen: personal messages, a newsletter of
// the day before with bad addresses, and one of 5,000 recipients that leaves.
func (d *desk) newsletter() {
	d.t.Helper()
	small := append(world.Addresses(3, "team", "dst.invalid"), "refuse.old.address@dst.invalid", "refuse.typo@dst.invalid")
	d.sendAs("anna@example.com", small, world.Message("Minutes of the meeting", 40_000))
	d.sendAs("anna@example.com", []string{"print@dst.invalid"}, world.Message("Poster", 2_500_000))
	d.Far.WaitRecipients(d.t, 4, time.Minute)
	d.sendAs("news@example.com", world.Addresses(5000, "reader", "dst.invalid"), world.Message("November", 60_000))
	d.Far.WaitRecipients(d.t, 400, 3*time.Minute)
}
