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
	flip(t, files[0], 150_000)
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

// flip changes one bit of a file where it stands: a file written anew is empty
// for a moment, in which the companion would find it too short.
func flip(t *testing.T, path string, at int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	octet := make([]byte, 1)
	if _, err := f.ReadAt(octet, at); err != nil {
		t.Fatal(err)
	}
	octet[0] ^= 1
	if _, err := f.WriteAt(octet, at); err != nil {
		t.Fatal(err)
	}
}
