//go:build linux

package ui

import (
	"os"
	"path/filepath"
	"testing"

	"servicesmtp.net/companion/e2e/world"
)

// A message whose stored text changed is kept, shown as damaged, and the window
// says what to do.
func TestDamagedMessage(t *testing.T) {
	t.Parallel()
	d := newDesk(t, offer{})
	d.open()
	d.Relay.Kill()
	d.MustSend("me@example.com", []string{"kept@dst.invalid"}, world.Message("torn", 300_000))
	files, err := filepath.Glob(filepath.Join(d.DataDir(), "spool", "bodies", "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("stored messages %v, %v", files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)/2] ^= 1
	if err := os.WriteFile(files[0], text, 0o600); err != nil {
		t.Fatal(err)
	}
	d.see("Retry now")
	d.StartRelay()
	d.click("Retry now")
	d.see("Part of the spool is damaged")
	d.Key("ctrl+2")
	d.see("Damaged")
	d.Key("Down", "Return")
	d.see("kept and not sent")
	d.shot("damaged")
	if got := d.Far.Counts(); len(got) != 0 {
		t.Errorf("it was delivered: %v", got)
	}
	d.quit()
}
