package viewmodel

import (
	"slices"
	"strings"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/say"
)

// Headline is the state of everything in one sentence, with one thing to do.
type Headline struct {
	Tone    Tone
	Title   string
	Text    string // what can be done, or ""
	Button  string // of the deed; "" where there is nothing that a button could do
	Deed    app.Deed
	Account string // that the deed is for; "" for all, or where no account speaks
	Details string // what a machine said, or ""
}

// NewHeadline says s.
func NewHeadline(p say.Printer, s app.State) Headline {
	h := Headline{Tone: toneOf(s.Mood), Title: p.Words(s.Said.Sentence), Text: p.Words(s.Said.Action), Deed: s.Do, Button: DeedLabel(p, s.Do)}
	if a, ok := speaker(s); ok {
		h.Account = a.Name
	}
	running := func(a app.AccountState) bool { return a.Mood != app.MoodPaused }
	if s.Do == app.DeedResume && !slices.ContainsFunc(s.Accounts, running) {
		h.Account = "" // they were paused together
	}
	h.Details = details(s)
	return h
}

// DeedLabel is what a button says that does d, "" for none.
func DeedLabel(p say.Printer, d app.Deed) string {
	switch d {
	case app.DeedSetAccount:
		return p.Say("Enter your account")
	case app.DeedPassword:
		return p.Say("Enter the password")
	case app.DeedResume:
		return p.Say("Resume sending")
	case app.DeedRetry:
		return p.Say("Retry now")
	case app.DeedQueue:
		return p.Say("Look at the queue")
	case app.DeedListen:
		return p.Say("Choose another port")
	case app.DeedLog:
		return p.Say("Look at the log")
	case app.DeedUsage:
		return p.Say("Look at the usage")
	case app.DeedNone:
	}
	return ""
}

// details are the servers' own words behind a hold.
func details(s app.State) string {
	var lines []string
	for _, a := range s.Accounts {
		if a.Hold == nil {
			continue
		}
		for _, line := range []string{a.Hold.Reply, a.Hold.Detail} {
			if line != "" {
				lines = append(lines, a.Name+": "+line)
			}
		}
	}
	return strings.Join(lines, "\n")
}
