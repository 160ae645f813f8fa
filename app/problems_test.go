package app

import (
	"errors"
	"io/fs"
	"testing"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/say"
	"servicesmtp.net/companion/app/secret"
	"servicesmtp.net/companion/app/settings"
	"servicesmtp.net/companion/app/spool"
)

// The terminal's sentence may hold a technical cause, and its action a
// command; what is said in any language holds neither.
func TestProblems(t *testing.T) {
	bad := settings.Default()
	bad.Pace.PerHour, bad.Pace.PerDay = -1, -1
	for _, c := range []struct {
		name             string
		err              error
		terminal         string
		sentence, action string // for any language
	}{
		{"no account", noSuchAccount("a\nb"), `There is no account "a\nb". See: companionctl account list`,
			`There is no account "a\nb".`, "It may have been removed meanwhile."},
		{"no job", jobError("01J", spool.ErrNotFound), `There is no message "01J" in the queue. See: companionctl queue list`,
			`There is no message "01J" in the queue.`, "Look at the queue."},
		{"job done", jobError("01J", spool.ErrState), "The message is done already; there is nothing left to change. See: companionctl queue show 01J",
			"The message is done already; there is nothing left to change.", "Open it in the queue to see what became of it."},
		{"spool locked", spoolError(spool.ErrLocked), "The companion is already running with this data folder. Use it, or end it with: companionctl stop",
			"The companion is already running with this data folder.", "Use the one that runs, or end it first."},
		{"network folder", spoolError(spool.ErrNetworkFS), "The data folder is on a network drive, where mail could be lost. Choose a folder on a disk of this computer with --data.",
			"The data folder is on a network drive, where mail could be lost.", "Choose a folder on a disk of this computer."},
		{"read-only folder", spoolError(spool.ErrReadOnly), "The spool's folder cannot be written, so new mail cannot be taken. What waits is safe. Check the folder's permissions.",
			"The spool's folder cannot be written, so new mail cannot be taken. What waits is safe.", "Check the folder's permissions."},
		{"spool, anything", spoolError(errors.New("odd")), "The spool cannot be used. Look at the log.", "The spool cannot be used.", "Look at the log."},
		{"keyring", secretError(&secret.Error{Kind: secret.ErrAbsent, Sentence: "None.", Action: "Set credential.", Said: secret.Said{Sentence: say.T("No keyring."), Action: say.T("Install one.")}}),
			"None. Set credential.", "No keyring.", "Install one."},
		{"keyring, anything", secretError(errors.New("odd")), "The password cannot be stored.", "The password cannot be stored.", ""},
		{"two limits", invalid(bad.Validate()),
			"pace.recipients_per_hour: write a whole number, 0 for no such limit.\npace.recipients_per_day: write a whole number, 0 for no such limit.",
			"A limit is a whole number; 0 means no limit.", ""},
		{"settings file", settingsError(say.T("It cannot be stored."), say.T("Check it."), fs.ErrPermission),
			"It cannot be stored: permission denied. Check it.", "It cannot be stored.", "Check it."},
		{"settings refused", settingsError(say.T("It cannot be stored."), say.Text{}, bad.Validate()),
			"It cannot be stored: pace.recipients_per_hour: write a whole number, 0 for no such limit.\npace.recipients_per_day: write a whole number, 0 for no such limit.",
			"It cannot be stored. A limit is a whole number; 0 means no limit.", ""},
		{"constant", &UserError{Sentence: "A.", Action: "B."}, "A. B.", "A.", "B."},
		{"certificate", holdWords[mail.HoldCertificate].problem(nil),
			"The relay's certificate is not trusted, so no password was sent. Check this computer's clock, a mail shield of an antivirus program, or ca_file in the settings.",
			"The relay's certificate is not trusted, so no password was sent.", "Check this computer's clock, and whether an antivirus program inspects mail."},
	} {
		said, ok := Words(c.err)
		if !ok || said.Sentence.String() != c.sentence || said.Action.String() != c.action {
			t.Errorf("%s: said %q / %q", c.name, said.Sentence, said.Action)
		}
		if got := c.err.Error(); got != c.terminal {
			t.Errorf("%s: got %q, want %q", c.name, got, c.terminal)
		}
	}
	if _, ok := Words(errors.New("plain")); ok {
		t.Error("a plain error has words")
	}
}
