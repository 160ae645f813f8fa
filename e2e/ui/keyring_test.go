//go:build linux

package ui

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"servicesmtp.net/companion/e2e/world"
)

// enterAccountOnly is the first start without mishaps.
func (d *desk) enterAccountOnly() {
	d.t.Helper()
	d.see("Welcome")
	d.Type("alice")
	d.Key("Tab")
	d.Type(d.Password)
	d.Key("Return")
	d.see("The account works")
}

// TestNoDBus: without a session bus there is no keyring, no tray and no
// notification. The window says where the password is, and mail leaves.
func TestNoDBus(t *testing.T) {
	t.Parallel()
	d := newDesk(t, offer{noBus: true, world: world.Options{Fresh: true}})
	d.open()
	d.enterAccountOnly()
	d.see("No keyring of this computer answers")
	d.shot("password-in-a-file")
	d.wantPasswordFile()
	d.click("Do this later")
	d.see("Ready. Nothing waits to be sent.")
	to := []string{"a@dst.invalid"}
	d.MustSend("me@example.com", to, world.Message("no bus", 300))
	d.Far.WaitRecipients(t, 1, 20*time.Second)
	d.CloseWindow(d.win)
	d.NoWindow(title)
	d.secondStart()
	d.win = d.Window(title)
	d.quit()
}

// wantPasswordFile fails unless the password lies in a file for this user only.
func (d *desk) wantPasswordFile() {
	d.t.Helper()
	found := false
	err := filepath.WalkDir(filepath.Join(d.DataDir(), "secrets"), func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm() != 0o600 {
			d.t.Errorf("%s has the mode %o", path, info.Mode().Perm())
		}
		found = found || strings.TrimSpace(string(text)) == d.Password
		return nil
	})
	if err != nil || !found {
		d.t.Errorf("no file holds the password (%v)", err)
	}
}

// TestLockedKeyring: a keyring that is locked at the start holds the queue and
// not the listener; unlocked, everything leaves.
func TestLockedKeyring(t *testing.T) {
	t.Parallel()
	d := newDesk(t, offer{world: world.Options{Fresh: true}})
	d.open()
	d.enterAccountOnly()
	d.quit()
	d.keyring.Lock()
	d.open()
	to := []string{"kept@dst.invalid"}
	d.MustSend("me@example.com", to, world.Message("locked", 300))
	d.see("The account's password cannot be read", "Unlock the keyring", "Enter the password")
	d.shot("locked")
	if n := len(d.Far.Transactions()); n != 0 {
		t.Errorf("%d transactions with a locked keyring", n)
	}
	d.keyring.Unlock()
	d.Key("ctrl+2")
	d.click("Retry now")
	d.Far.WaitRecipients(t, 1, 30*time.Second)
	d.Once(to)
	d.Key("ctrl+1")
	d.see("Ready. Nothing waits to be sent.")
	d.quit()
}

// TestVanishedKeyring: a keyring that goes away keeps nothing from being taken;
// after a restart the window asks for the password, which then lies in a file.
func TestVanishedKeyring(t *testing.T) {
	t.Parallel()
	d := newDesk(t, offer{world: world.Options{Fresh: true}})
	d.open()
	d.enterAccountOnly()
	d.click("Do this later")
	d.keyring.Stop()
	to := []string{"one@dst.invalid", "two@dst.invalid"}
	d.MustSend("me@example.com", to[:1], world.Message("vanished", 300))
	d.Until(30*time.Second, "taken", func(s world.Status) bool { return s.Accounts[0].Messages == 1 || len(d.Far.Transactions()) == 1 })
	d.quit()
	d.open()
	d.MustSend("me@example.com", to[1:], world.Message("after the restart", 300))
	d.see("password cannot be read")
	d.shot("vanished")
	d.click("Enter the password")
	d.see("Password of alice")
	d.Type(d.Password)
	d.Key("Return")
	d.Far.WaitRecipients(t, 2, 30*time.Second)
	d.Once(to)
	d.see("Ready. Nothing waits to be sent.")
	d.quit()
	d.wantPasswordFile()
}
