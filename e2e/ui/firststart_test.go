//go:build linux

package ui

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"

	"servicesmtp.net/companion/e2e/world"
)

// TestFirstStart is a person's way from nothing to the first newsletter, once
// with the build that is released and once with the one that watches threads.
func TestFirstStart(t *testing.T) {
	t.Parallel()
	for _, build := range []string{world.Release, world.Debug} {
		t.Run(build, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, offer{world: world.Options{Fresh: true, Window: build, Auth: "required", RPM: 200}}) // slow enough to be looked at
			d.open()
			d.enterAccount()
			d.connectMailProgram()
			d.sendNewsletter()
			d.shot("done")
			d.quit()
		})
	}
}

// enterAccount enters the account, after a wrong password.
func (d *desk) enterAccount() {
	d.t.Helper()
	d.see("Welcome", "User name", "Save")
	d.shot("welcome")
	d.Key("Return")
	d.see("Enter the user name", "Enter the password")
	d.shot("nothing-entered")
	d.Type("alice")
	d.Key("Tab")
	d.Type("not the password")
	d.Key("Return")
	d.see("does not accept this account's name or password")
	d.shot("wrong-password")
	d.Type(d.Password) // in place of the wrong one
	d.click("Save")
	d.see("The account works", "this computer's keyring", "Connect your mail program")
	d.shot("connect")
	if got, _ := d.keyring.Lookup("net.servicesmtp.companion", "relay/alice"); got != d.Password {
		d.t.Errorf("the keyring has %q, want the account's password", got)
	}
}

// connectMailProgram sends the first message with what the window says.
func (d *desk) connectMailProgram() {
	d.t.Helper()
	d.see("Waiting for the first message")
	var login struct{ User, Password, Address string }
	if err := json.Unmarshal([]byte(d.Must("connect", "--json")), &login); err != nil {
		d.t.Fatal(err)
	}
	host, port, _ := strings.Cut(d.SMTP, ":")
	d.see("Server", host, "Port", port, "User name", login.User)
	out, err := exec.CommandContext(d.t.Context(), "swaks", "--silent", "2", "--server", host, "--port", port, "--from", "me@example.com",
		"--to", "friend@dst.invalid", "--helo", "Thunderbird", "--auth", "PLAIN", "--auth-user", login.User, "--auth-password", login.Password).CombinedOutput()
	if err != nil {
		d.t.Fatalf("swaks: %v\n%s", err, out)
	}
	d.see("A message to 1 recipient came from", "Everything works")
	d.Far.WaitRecipients(d.t, 1, 20*time.Second)
	d.shot("first-message")
	d.click("Done")
	d.see("Ready. Nothing waits", "Overview", "used")
	d.shot("overview")
}

// sendNewsletter sends to 120 recipients and watches them leave.
func (d *desk) sendNewsletter() {
	d.t.Helper()
	to := world.Addresses(120, "news", "dst.invalid")
	d.sendAs("news@example.com", to, world.Message("news", 20_000))
	d.see("Sending", "of 120 recipients")
	d.shot("sending")
	d.Key("ctrl+2")
	d.see("Queue", "news@example.com")
	d.shot("queue")
	d.Key("Down", "Return")
	d.see("r0.news@dst.invalid", "Take back")
	d.shot("job")
	d.Key("Escape")
	d.see("2 messages", "me@example.com")
	d.Far.WaitRecipients(d.t, 121, time.Minute)
	d.Once(append(to, "friend@dst.invalid"))
	d.Key("ctrl+1")
	d.see("Ready. Nothing waits")
}

// sendAs hands a message in with the login that the companion gives.
func (d *desk) sendAs(from string, to []string, data string) {
	d.t.Helper()
	var login struct{ User, Password string }
	if err := json.Unmarshal([]byte(d.Must("connect", "--json")), &login); err != nil {
		d.t.Fatal(err)
	}
	host, port, _ := strings.Cut(d.SMTP, ":")
	d.Write("news.eml", data)
	out, err := exec.CommandContext(d.t.Context(), "swaks", "--silent", "2", "--server", host, "--port", port, "--from", from,
		"--to", strings.Join(to, ","), "--data", "@"+d.Path("news.eml"),
		"--auth", "PLAIN", "--auth-user", login.User, "--auth-password", login.Password).CombinedOutput()
	if err != nil {
		d.t.Fatalf("swaks: %v\n%s", err, world.Tail(string(out), 10))
	}
}
