//go:build linux

package ui

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"servicesmtp.net/companion/e2e/world"
)

// Each mishap is said in the window with what to do, kept as a picture, and
// over when its cause is.

func (d *desk) sendOne(to string) {
	d.t.Helper()
	d.MustSend("me@example.com", []string{to}, world.Message("kept", 300))
}

// over waits until what was kept has left, once.
func (d *desk) over(to ...string) {
	d.t.Helper()
	d.Far.WaitRecipients(d.t, len(to), time.Minute)
	d.Once(to)
	d.Key("ctrl+1")
	d.see("Ready. Nothing waits to be sent.")
	d.quit()
}

func TestWrongPassword(t *testing.T) {
	t.Parallel()
	d := newDesk(t, offer{})
	right := d.Password
	d.Write("password", "not the password")
	d.open()
	d.sendOne("kept@dst.invalid")
	d.see("The relay does not accept this account's name or password.", "Enter the password again.")
	d.shot("wrong-password")
	d.click("Enter the password")
	d.see("Password of alice")
	d.Type(right)
	d.Key("Return")
	d.over("kept@dst.invalid")
}

func TestUnreachableRelay(t *testing.T) {
	t.Parallel()
	d := newDesk(t, offer{})
	d.open()
	d.Relay.Kill()
	d.sendOne("kept@dst.invalid")
	d.see("The relay cannot be reached from this network.", "sending goes on by itself", "Retry now")
	d.shot("unreachable")
	d.StartRelay()
	d.click("Retry now")
	d.over("kept@dst.invalid")
}

func TestUntrustedCertificate(t *testing.T) {
	t.Parallel()
	d := newDesk(t, offer{})
	trust := d.Distrust()
	d.open()
	d.sendOne("kept@dst.invalid")
	d.see("The relay's certificate is not trusted, so no password was sent.", "Check this computer's clock")
	d.shot("certificate")
	trust()
	d.click("Retry now")
	d.over("kept@dst.invalid")
}

func TestFullQuota(t *testing.T) {
	t.Parallel()
	d := newDesk(t, offer{world: world.Options{Plan: "unlimited-entry-month"}}) // 9,000 e-mails, then cut off
	d.open()
	big := world.Addresses(8990, "big", "dst.invalid")
	d.MustSend("news@example.com", big, world.Message("fills the plan", 300))
	d.Far.WaitRecipients(t, len(big), 3*time.Minute)
	held := world.Addresses(11, "held", "dst.invalid") // one more than is left
	d.MustSend("news@example.com", held, world.Message("too many", 300))
	d.see("The plan's volume is used up.", "Upgrade the plan", "8,990 of 9,000", "Look at the usage")
	d.shot("quota")
	d.click("Look at the usage")
	d.see("Usage", "8,990")
	d.shot("quota-usage")
	d.Relayd("account", "set-plan", "alice", "unlimited-standard", "--free")
	d.Key("ctrl+2")
	d.click("Retry now")
	d.over(append(big, held...)...)
}

func TestBusyPort(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", world.Free(t))
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	d := newDesk(t, offer{world: world.Options{Listen: taken.Addr().String()}})
	d.open()
	d.see(fmt.Sprintf("Port %d is in use by another program", port), "Choose another port")
	d.shot("busy-port")
	d.click("Choose another port")
	d.see("Settings", "Use port")
	d.shot("busy-port-settings")
	d.click("Use port")
	d.see("Saved. Mail programs must use port")
	d.shot("busy-port-mended")
	s := d.Until(30*time.Second, "another port", func(s world.Status) bool { return s.Listen[0].OK })
	if s.Listen[0].Address == taken.Addr().String() {
		t.Error("still the same port")
	}
	d.SMTP = s.Listen[0].Address
	d.sendOne("after@dst.invalid")
	d.over("after@dst.invalid")
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	var o world.Options
	want := "The spool is full"
	if o.SmallDisk(t) {
		want = "The disk is full"
	}
	d := newDesk(t, offer{world: o})
	d.open()
	d.Must("queue", "pause")
	var kept []string
	var refused error
	for i := 0; i < 40 && refused == nil; i++ {
		to := fmt.Sprintf("full%d@dst.invalid", i)
		if refused = d.Send("me@example.com", []string{to}, world.Message("filling", 400_000)); refused == nil {
			kept = append(kept, to)
		}
	}
	if refused == nil || !strings.Contains(refused.Error(), "452") {
		t.Fatalf("%d taken, then %v; want 452", len(kept), refused)
	}
	d.see(want, "What waits is safe", "Make room on the disk")
	d.shot("full-disk")
	d.Must("queue", "resume")
	d.over(kept...)
}
