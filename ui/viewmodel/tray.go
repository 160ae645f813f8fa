package viewmodel

import (
	"slices"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/say"
)

// TrayState is what the tray's icon shows. The values are those of ui/look.
type TrayState string

// The icons of the tray.
const (
	TrayIdle      TrayState = "idle"
	TraySending   TrayState = "sending"
	TrayPaused    TrayState = "paused"
	TrayAttention TrayState = "attention"
	TrayOffline   TrayState = "offline"
)

// TrayDo is what a line of the tray's menu does.
type TrayDo string

// The lines that do something.
const (
	TrayNothing TrayDo = ""
	TrayOpen    TrayDo = "open"
	TrayPause   TrayDo = "pause"
	TrayResume  TrayDo = "resume"
	TrayQuit    TrayDo = "quit"
)

// TrayItem is a line of the tray's menu. One that does nothing only tells.
type TrayItem struct {
	ID      string // the same for the same line, whatever it says
	Label   string // "" for a separator
	Do      TrayDo
	Enabled bool
}

// Separator says that the item is a line between groups.
func (i TrayItem) Separator() bool { return i.Label == "" }

// Tray is the tray's icon with its menu. It says nothing that changes with
// every batch, so that a menu that is open is not made anew all the time.
type Tray struct {
	State   TrayState
	Tooltip string
	Items   []TrayItem
}

// Equal says that there is nothing to draw anew.
func (t Tray) Equal(o Tray) bool {
	return t.State == o.State && t.Tooltip == o.Tooltip && slices.Equal(t.Items, o.Items)
}

const (
	maxTrayJobs  = 3
	maxTooltip   = 100 // Windows cuts at 127
	maxTrayLabel = 80
	maxTrayFrom  = 40
)

// NewTray says s in the tray.
func NewTray(p say.Printer, s app.State) Tray {
	state := trayLine(p, s)
	t := Tray{State: trayState(s), Tooltip: p.Say("ServiceSMTP Companion")}
	if state != "" {
		t.Tooltip = p.Text(say.T("ServiceSMTP: {{.State}}").With("State", shorten(state, maxTooltip)))
	}
	tell := func(id, label string) {
		if label != "" {
			t.Items = append(t.Items, TrayItem{ID: id, Label: shorten(label, maxTrayLabel)})
		}
	}
	tell("state", state)
	for _, j := range runningNewsletters(s) {
		tell("job-"+string(j.ID), p.Text(say.T("{{.From}}: {{.Percent}}").
			With("From", shorten(sender(p, j), maxTrayFrom)).With("Percent", p.Percent(percent(int64(settled(j)), int64(j.Recipients))))))
	}
	tell("quota", quotaLine(p, s.Accounts))
	works := len(s.Accounts) > 0 && s.Mood != "" && s.Mood != app.MoodStarting && s.Mood != app.MoodStopping
	pause := TrayItem{ID: "pause", Label: p.Say("Pause sending"), Do: TrayPause, Enabled: works}
	if slices.ContainsFunc(s.Accounts, func(a app.AccountState) bool { return a.Mood == app.MoodPaused }) {
		pause.Label, pause.Do = p.Say("Resume sending"), TrayResume
	}
	t.Items = append(t.Items,
		TrayItem{ID: "line-1"},
		TrayItem{ID: "open", Label: p.Say("Open"), Do: TrayOpen, Enabled: true},
		pause,
		TrayItem{ID: "line-2"},
		TrayItem{ID: "quit", Label: p.Say("Quit"), Do: TrayQuit, Enabled: true},
	)
	return t
}

func trayState(s app.State) TrayState {
	switch s.Mood {
	case app.MoodAttention:
		return TrayAttention
	case app.MoodPaused:
		return TrayPaused
	case app.MoodSending:
		return TraySending
	case app.MoodWaiting:
		return trayWaiting(s.Accounts)
	case app.MoodIdle, app.MoodStarting, app.MoodStopping:
	}
	return TrayIdle
}

// trayWaiting tells a network that leads nowhere from a plan that is used up,
// where nothing leaves for days, and from a relay that is only slow.
func trayWaiting(all []app.AccountState) TrayState {
	held := func(r mail.HoldReason) bool {
		return slices.ContainsFunc(all, func(a app.AccountState) bool { return a.Hold != nil && a.Hold.Reason == r })
	}
	switch {
	case held(mail.HoldUnreachable):
		return TrayOffline
	case held(mail.HoldQuota):
		return TrayPaused
	}
	return TraySending
}

// trayLine is the state without numbers that change all the time.
func trayLine(p say.Printer, s app.State) string {
	first := func(w say.Words) string { return p.Words(w[:min(len(w), 1)]) }
	if s.Mood == app.MoodSending {
		return p.Say("Sending")
	}
	a, ok := speaker(s)
	switch {
	case !ok:
		return first(s.Said.Sentence)
	case len(s.Accounts) == 1:
		return first(a.Said.Sentence)
	}
	return p.Text(say.T("{{.Account}}: {{.Sentence}}").With("Account", a.Name).With("Sentence", first(a.Said.Sentence)))
}

// speaker is the account whose words the whole state repeats; there is none
// where a part of the companion itself speaks, or nobody has anything to say.
func speaker(s app.State) (app.AccountState, bool) {
	listen := slices.ContainsFunc(s.Listen, func(l app.ListenState) bool { return !l.OK && l.Sentence != "" })
	if listen || !s.Spool.OK || s.Mood == app.MoodIdle {
		return app.AccountState{}, false
	}
	i := slices.IndexFunc(s.Accounts, func(a app.AccountState) bool { return a.Mood == s.Mood })
	if i < 0 {
		return app.AccountState{}, false
	}
	return s.Accounts[i], true
}

// runningNewsletters are those that leave now. Personal mail is gone before
// anybody has read its line.
func runningNewsletters(s app.State) []app.JobState {
	var out []app.JobState
	for _, j := range s.Jobs {
		if j.Lane != mail.Personal.String() && j.State == "sending" && len(out) < maxTrayJobs {
			out = append(out, j)
		}
	}
	return out
}

// quotaLine is what is left of the plan that is fullest.
func quotaLine(p say.Printer, all []app.AccountState) string {
	most, account := -1, ""
	for _, a := range all {
		if q := a.Quota; q != nil && (q.EmailsLimit > 0 || q.BytesLimit > 0) {
			if used := max(percent(q.Emails, q.EmailsLimit), percent(int64(q.Bytes), int64(q.BytesLimit))); used > most {
				most, account = used, a.Name
			}
		}
	}
	if most < 0 {
		return ""
	}
	line := say.T("{{.Percent}} of the plan is left").With("Percent", p.Percent(max(100-most, 0)))
	if most >= 100 {
		line = say.T("The plan is used up")
	}
	if len(all) > 1 {
		line = say.T("{{.Account}}: {{.Sentence}}").With("Account", account).With("Sentence", line)
	}
	return p.Text(line)
}
