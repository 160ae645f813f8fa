package app

import (
	"errors"
	"strconv"
	"strings"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/say"
	"servicesmtp.net/companion/app/secret"
	"servicesmtp.net/companion/app/settings"
	"servicesmtp.net/companion/app/spool"
)

var folderWords = words{
	sentence: say.T("The data folder cannot be made."),
	action:   say.T("Check the permissions of the folder that it lies in."),
	terminal: "Check its permissions, or choose another with --data.",
}

func noSuchAccount(name string) error {
	return words{
		sentence: say.T("There is no account {{.Account}}.").With("Account", strconv.Quote(name)),
		action:   say.T("It may have been removed meanwhile."),
		terminal: "See: companionctl account list",
	}.problem(ErrNotFound)
}

// jobError puts a refusal of the spool into words.
func jobError(job mail.JobID, err error) error {
	switch {
	case errors.Is(err, spool.ErrNotFound):
		return words{
			sentence: say.T("There is no message {{.Job}} in the queue.").With("Job", strconv.Quote(string(job))),
			action:   say.T("Look at the queue."),
			terminal: "See: companionctl queue list",
		}.problem(ErrNotFound)
	case errors.Is(err, spool.ErrState):
		return words{
			sentence: say.T("The message is done already; there is nothing left to change."),
			action:   say.T("Open it in the queue to see what became of it."),
			terminal: "See: companionctl queue show " + string(job),
		}.problem(err)
	}
	return spoolError(err)
}

// spoolError puts a failure of the spool into words.
func spoolError(err error) error { return spoolWords(err).problem(err) }

func spoolWords(err error) words {
	for _, p := range spoolProblems {
		if errors.Is(err, p.err) {
			return p.words
		}
	}
	return words{sentence: say.T("The spool cannot be used."), action: say.T("Look at the log."), do: DeedLog}
}

var spoolProblems = []struct {
	err error
	words
}{
	{spool.ErrLocked, words{
		sentence: say.T("The companion is already running with this data folder."),
		action:   say.T("Use the one that runs, or end it first."),
		terminal: "Use it, or end it with: companionctl stop",
	}},
	{spool.ErrNetworkFS, words{
		sentence: say.T("The data folder is on a network drive, where mail could be lost."),
		action:   say.T("Choose a folder on a disk of this computer."),
		terminal: "Choose a folder on a disk of this computer with --data.",
	}},
	{spool.ErrDiskFull, words{
		sentence: say.T("The disk is full, so new mail cannot be taken. What waits is safe."),
		action:   say.T("Make room on the disk."),
	}},
	{spool.ErrFull, words{
		sentence: say.T("The spool is full, so new mail cannot be taken. What waits is safe."),
		action:   say.T("Wait until some has left, or take some back in the queue."), do: DeedQueue,
		terminal: "Wait until some has left, or raise max_size in the settings.",
	}},
	{spool.ErrReadOnly, words{
		sentence: say.T("The spool's folder cannot be written, so new mail cannot be taken. What waits is safe."),
		action:   say.T("Check the folder's permissions."), do: DeedLog,
	}},
	{spool.ErrNewer, words{
		sentence: say.T("The spool was written by a newer version of the companion."),
		action:   say.T("Install that version again."),
	}},
	{spool.ErrDamagedAgain, words{
		sentence: say.T("The spool was damaged again right after it was rebuilt, so this disk cannot be trusted. What waits is kept."),
		action:   say.T("Check this disk, then start the companion again."), do: DeedLog,
	}},
	{spool.ErrDamaged, words{
		sentence: say.T("Part of the spool is damaged; what can be read is delivered."),
		action:   say.T("Look at the log, and check this disk."), do: DeedLog,
	}},
}

// settingsError is a failure to change the settings: the sentence says what
// could not be done, err why not. In English the technical cause stands in the
// sentence; other languages leave it to the details.
func settingsError(sentence, action say.Text, err error) *UserError {
	u := userError(sentence, action, err)
	u.Sentence = strings.TrimSuffix(u.Sentence, ".") + ": " + strings.TrimSuffix(err.Error(), ".") + "."
	u.Said.Sentence = append(u.Said.Sentence, settingsWords(err)...)
	return u
}

// invalid puts what Settings.Validate refused into words.
func invalid(err error) *UserError {
	return &UserError{Sentence: strings.TrimSuffix(err.Error(), ".") + ".", Err: err, Said: Said{Sentence: settingsWords(err)}}
}

func settingsWords(err error) say.Words {
	var wrong *settings.Error
	if errors.As(err, &wrong) {
		return wrong.Words()
	}
	return nil
}

// secretError puts a failure of the keyring into words.
func secretError(err error) error {
	var failed *secret.Error
	if !errors.As(err, &failed) {
		return &UserError{Sentence: "The password cannot be stored.", Err: err}
	}
	return &UserError{
		Sentence: failed.Sentence, Action: failed.Action, Err: err,
		Said: words{sentence: failed.Said.Sentence, action: failed.Said.Action}.said(),
	}
}
