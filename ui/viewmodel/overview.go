package viewmodel

import (
	"time"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/say"
)

// Quota is the plan of one account as a ring with numbers.
type Quota struct {
	Account string // "" where there is only one
	Known   bool
	Share   float32 // of the limit that is nearest, 0 where there is none
	Tone    Tone
	Centre  string // the number in the ring
	Caption string // below it
	Lines   []Line
}

// Line is a name with its value.
type Line struct{ Name, Value string }

// From so many hundredths on a quota looks urgent.
const (
	nearLimit = 80
	atLimit   = 100
)

// NewQuotas lists the accounts' quotas, in the order of the accounts.
func NewQuotas(p say.Printer, s app.State, now time.Time) []Quota {
	out := make([]Quota, 0, len(s.Accounts))
	for _, a := range s.Accounts {
		q := newQuota(p, a.Quota, now)
		if len(s.Accounts) > 1 {
			q.Account = a.Name
		}
		out = append(out, q)
	}
	return out
}

func newQuota(p say.Printer, q *app.QuotaState, now time.Time) Quota {
	if q == nil {
		return Quota{Tone: Muted, Centre: "–", Caption: p.Say("not known yet"), Lines: []Line{}}
	}
	emails, bytes := share(q.Emails, q.EmailsLimit), share(int64(q.Bytes), int64(q.BytesLimit))
	used := max(percent(q.Emails, q.EmailsLimit), percent(int64(q.Bytes), int64(q.BytesLimit)))
	out := Quota{Known: true, Share: max(emails, bytes), Tone: Busy}
	switch {
	case used >= atLimit:
		out.Tone = Alarm
	case used >= nearLimit:
		out.Tone = Warn
	}
	switch {
	case q.EmailsLimit <= 0 && q.BytesLimit <= 0:
		out.Centre, out.Caption = p.Number(q.Emails), p.Say("e-mails, no limit")
	default:
		out.Centre, out.Caption = p.Percent(used), p.Say("used")
	}
	out.Lines = []Line{{p.Say("Plan"), q.Plan}, {p.Say("E-mails"), amount(p, p.Number(q.Emails), p.Number(q.EmailsLimit), q.EmailsLimit)}}
	out.Lines = append(out.Lines, Line{p.Say("Volume"), amount(p, p.Size(q.Bytes), p.Size(q.BytesLimit), int64(q.BytesLimit))})
	out.Lines = append(out.Lines, Line{p.Say("Left"), left(p, q)})
	if !q.Reset.IsZero() {
		out.Lines = append(out.Lines, Line{p.Say("Begins again"), p.Day(say.Day{Time: q.Reset.In(now.Location())})})
	}
	if !q.AsOf.IsZero() {
		out.Lines = append(out.Lines, Line{p.Say("As of"), p.Moment(say.Moment{Time: q.AsOf, Now: now})})
	}
	return out
}

// amount is "31,000 of 50,000", or only what was used where there is no limit.
func amount(p say.Printer, used, limit string, max int64) string {
	if max <= 0 {
		return used
	}
	return p.Text(say.T("{{.Used}} of {{.Limit}}").With("Used", used).With("Limit", limit))
}

// left is what may still be used, in the unit that runs out first.
func left(p say.Printer, q *app.QuotaState) string {
	emails, bytes := share(q.Emails, q.EmailsLimit), share(int64(q.Bytes), int64(q.BytesLimit))
	switch {
	case q.EmailsLimit <= 0 && q.BytesLimit <= 0:
		return p.Say("no limit")
	case q.BytesLimit > 0 && (bytes > emails || q.EmailsLimit <= 0):
		return p.Size(max(q.BytesLimit-q.Bytes, 0))
	}
	n := max(q.EmailsLimit-q.Emails, 0)
	return p.Text(say.N(int(n), "{{.N}} e-mail", "{{.N}} e-mails"))
}

// NeverUsed says that no mail program has ever been connected, as far as is
// known: nothing came since the start, nothing waits, nothing was sent in any
// account's period.
func NeverUsed(s app.State) bool {
	for _, a := range s.Accounts {
		if a.Quota != nil && a.Quota.Emails > 0 {
			return false
		}
	}
	return s.LastMail == nil && len(s.Jobs) == 0
}

// JobCard is one job in progress.
type JobCard struct {
	ID      mail.JobID
	Title   string // whose mail it is
	Kind    string // newsletter or personal message
	Tone    Tone
	State   string
	Share   float32
	Count   string // "1,200 of 5,000 recipients"
	Batches string
	Finish  string // when it will be done, or ""
	Pace    string
	Slowed  string // what slows it, or ""
	Doubt   bool   // a person must decide of a batch
}

// NewJobCards lists the jobs in progress, oldest first; more is how many there
// are beyond those.
func NewJobCards(p say.Printer, s app.State, now time.Time) (cards []JobCard, more string) {
	accounts := make(map[string]app.AccountState, len(s.Accounts))
	waiting := 0
	for _, a := range s.Accounts {
		accounts[a.Name] = a
		waiting += a.Messages
	}
	for _, j := range s.Jobs {
		cards = append(cards, newJobCard(p, j, accounts[j.Account], now))
	}
	if n := waiting - len(s.Jobs); n > 0 && len(s.Jobs) > 0 {
		more = p.Text(say.N(n, "{{.N}} more message waits.", "{{.N}} more messages wait."))
	}
	return cards, more
}

func newJobCard(p say.Printer, j app.JobState, a app.AccountState, now time.Time) JobCard {
	gone := settled(j)
	c := JobCard{
		ID: j.ID, Title: sender(p, j), Share: share(int64(gone), int64(j.Recipients)),
		Kind: p.Say("Newsletter"), Doubt: j.State == jobUncertain,
		Count:   p.Text(say.N(j.Recipients, "{{.Done}} of {{.N}} recipient", "{{.Done}} of {{.N}} recipients").With("Done", gone)),
		Batches: p.Text(say.N(j.Batches, "{{.Done}} of {{.N}} batch", "{{.Done}} of {{.N}} batches").With("Done", j.BatchesDone)),
	}
	switch {
	case j.ReportTo != "":
		c.Kind = p.Say("Report of failures")
	case j.Lane == mail.Personal.String():
		c.Kind = p.Say("Personal message")
	}
	c.Tone, c.State = jobState(p, j, a)
	if a.Pace.PerMinute > 0 {
		c.Pace = p.Text(say.N(a.Pace.PerMinute, "{{.N}} recipient a minute", "{{.N}} recipients a minute"))
	}
	finish := j.FinishAt
	if finish == nil && len(a.Name) > 0 && a.Messages == 1 {
		finish = a.FinishAt
	}
	if finish != nil && !c.Doubt {
		c.Finish = p.Text(say.T("Done at {{.At}}").With("At", say.Moment{Time: *finish, Now: now}))
	}
	c.Slowed = p.Text(a.Pace.Slowed)
	if a.Hold != nil && !c.Doubt {
		c.Slowed = p.Words(a.Said.Sentence[:min(len(a.Said.Sentence), 1)]) // what waits in all stands above
	}
	return c
}

// sender is whose mail it is; the empty reverse-path is that of reports
// (RFC 5321 §4.5.5), and of those that the companion made itself it is known
// whom they go to.
func sender(p say.Printer, j app.JobState) string {
	switch {
	case j.ReportTo != "":
		return p.Text(say.T("Report to {{.Address}}").With("Address", j.ReportTo))
	case j.From == "":
		return p.Say("Automatic report")
	}
	return j.From
}

// Notice is a word of the service.
type Notice struct {
	Account string
	ID      int64
	Tone    Tone
	Title   string
	Text    string
}

// inLanguage puts a notice of this computer into words; the service's own have
// the language that it writes.
func inLanguage(p say.Printer, n app.NoticeState) app.NoticeState {
	if len(n.Said.Sentence) > 0 {
		n.Subject, n.Body = p.Words(n.Said.Sentence), p.Words(n.Said.Action)
	}
	return n
}

// NewNotices lists the notices that nobody has seen yet.
func NewNotices(p say.Printer, s app.State, now time.Time) []Notice {
	out := make([]Notice, 0, len(s.Notices))
	for _, n := range s.Notices {
		n = inLanguage(p, n)
		v := Notice{Account: n.Account, ID: n.ID, Tone: Muted, Title: n.Subject, Text: n.Body}
		switch n.Severity {
		case "warning":
			v.Tone = Warn
		case "critical":
			v.Tone = Alarm
		}
		v.Title = p.Text(say.T("{{.Subject}} ({{.When}})").With("Subject", n.Subject).With("When", say.Moment{Time: n.At, Now: now}))
		out = append(out, v)
	}
	return out
}
