package viewmodel

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/say"
)

// Notification is a word on the desktop, outside of the window. One with the
// same ID replaces the one before.
type Notification struct {
	ID     string
	Title  string
	Body   string
	Urgent bool
	// What helps, with its button; "" for none.
	Deed    app.Deed
	Button  string
	Account string     // that it is about; "" for all or none
	Job     mail.JobID // that it is about, or ""
}

// Notify says what became so urgent between two States that the desktop should
// tell: a person must act, or the service has something to say. What stays as
// it was is not told again. At the start, that is from the zero State or from
// one that is starting, everything that a person must do counts as new.
//
// An account that is missing altogether is not told: the window shows it.
func Notify(p say.Printer, prev, next app.State) []Notification {
	if !running(next) {
		return nil
	}
	if !running(prev) {
		prev = app.State{}
	}
	was, is := troubles(prev), troubles(next)
	var out []Notification
	for _, id := range slices.Sorted(maps.Keys(is)) {
		if t := is[id]; was[id].reason != t.reason {
			out = append(out, Notification{
				ID: id, Title: p.Words(t.said.Sentence[:min(len(t.said.Sentence), 1)]), Body: p.Words(t.said.Action), Urgent: true,
				Deed: t.do, Button: DeedLabel(p, t.do), Account: t.account,
			})
			if len(next.Accounts) > 1 && t.account != "" {
				out[len(out)-1].Title = p.Text(say.T("{{.Account}}: {{.Sentence}}").With("Account", t.account).With("Sentence", out[len(out)-1].Title))
			}
		}
	}
	return append(out, newWords(p, prev, next)...)
}

// Settled lists the notifications that are of no use any more, because what
// they asked for is done.
func Settled(prev, next app.State) []string {
	if !running(prev) || !running(next) {
		return nil
	}
	is := troubles(next)
	var out []string
	for id := range troubles(prev) {
		if _, still := is[id]; !still {
			out = append(out, id)
		}
	}
	for _, n := range prev.Notices {
		if !slices.ContainsFunc(next.Notices, sameNotice(n)) {
			out = append(out, noticeID(n))
		}
	}
	slices.Sort(out)
	return out
}

// running says that a State speaks of an engine at work.
func running(s app.State) bool {
	return s.Mood != "" && s.Mood != app.MoodStarting && s.Mood != app.MoodStopping
}

// trouble is something that a person must act on.
type trouble struct {
	reason  string // another one is told again
	said    app.Said
	do      app.Deed
	account string
}

// troubles are those of a State by the ID of their notification.
func troubles(s app.State) map[string]trouble {
	out := map[string]trouble{}
	spool := !s.Spool.OK && s.Spool.Sentence != ""
	if spool {
		out["spool"] = trouble{reason: s.Spool.Sentence, said: s.Spool.Said, do: s.Spool.Do}
	}
	for _, l := range s.Listen {
		if !l.OK && l.Sentence != "" { // one port on two families is one trouble
			out["listen"] = trouble{reason: l.Sentence, said: l.Said, do: app.DeedListen}
			break
		}
	}
	for _, a := range s.Accounts {
		if a.Mood != app.MoodAttention || a.Hold == nil || (spool && a.Hold.Reason == mail.HoldStorage) {
			continue
		}
		out["account-"+a.Name] = trouble{reason: string(a.Hold.Reason), said: a.Said, do: a.Do, account: a.Name}
	}
	return out
}

// fewNotices are told each for itself; more are told together.
const fewNotices = 2

// newWords are the service's warnings that were not there before.
func newWords(p say.Printer, prev, next app.State) []Notification {
	var fresh []app.NoticeState
	for _, n := range next.Notices {
		if (n.Severity == "warning" || n.Severity == "critical") && !slices.ContainsFunc(prev.Notices, sameNotice(n)) && !older(n, prev.Notices) {
			fresh = append(fresh, inLanguage(p, n))
		}
	}
	urgent := slices.ContainsFunc(fresh, func(n app.NoticeState) bool { return n.Severity == "critical" })
	if len(fresh) > fewNotices {
		return []Notification{{
			ID: "notices", Title: p.Text(say.N(len(fresh), "The service has {{.N}} message for you.", "The service has {{.N}} messages for you.")),
			Body: p.Say("Open the companion to read them."), Urgent: urgent,
		}}
	}
	var out []Notification
	for _, n := range fresh {
		out = append(out, Notification{
			ID: noticeID(n), Title: shorten(n.Subject, maxTitle), Body: shorten(n.Body, maxBody), Urgent: n.Severity == "critical", Account: n.Account,
		})
	}
	return out
}

// Desktops show about this much.
const (
	maxTitle = 100
	maxBody  = 300
)

// older says that a notice is not new: it came in sight because others, newer
// ones, were seen. A full list ends with the oldest that fits.
func older(n app.NoticeState, list []app.NoticeState) bool {
	return len(list) >= app.MaxStateNotices && n.At.Before(list[len(list)-1].At)
}

func sameNotice(n app.NoticeState) func(app.NoticeState) bool {
	return func(o app.NoticeState) bool { return n.Account == o.Account && n.ID == o.ID }
}

func noticeID(n app.NoticeState) string { return fmt.Sprintf("notice-%s-%d", n.Account, n.ID) }

// manyRecipients is from where on a job counts as a newsletter, in whatever
// lane it went: more than one batch.
const manyRecipients = 50

func newsletter(j app.JobState) bool {
	return j.Lane == mail.Bulk.String() || j.Recipients > manyRecipients
}

// Ended lists the newsletters that were in progress in prev and are not in
// next. They are candidates: a State has only the oldest jobs, and none when
// they could not be read, so ask the engine for each and give it to Finished.
func Ended(prev, next app.State) []mail.JobID {
	var out []mail.JobID
	for _, j := range prev.Jobs {
		gone := !slices.ContainsFunc(next.Jobs, func(n app.JobState) bool { return n.ID == j.ID })
		if gone && newsletter(j) && running(next) {
			out = append(out, j.ID)
		}
	}
	return out
}

// Finished says that a newsletter is out; ok is false where there is nothing
// to tell: it is no newsletter, it is not done, or a person took it back.
func Finished(p say.Printer, j app.JobState) (n Notification, ok bool) {
	if !newsletter(j) || j.State != "done" || j.Counts.Cancelled > 0 {
		return Notification{}, false
	}
	n = Notification{ID: "job-" + string(j.ID), Job: j.ID, Deed: app.DeedQueue, Button: DeedLabel(p, app.DeedQueue), Account: j.Account}
	n.Title = p.Text(say.T("The newsletter of {{.From}} is out.").With("From", shorten(sender(p, j), maxTrayFrom)))
	c := outcome(j)
	parts := say.Words{say.N(c.Accepted, "{{.N}} recipient was sent it.", "{{.N}} recipients were sent it.")}
	if c.Failed > 0 {
		parts = append(parts, say.N(c.Failed, "{{.N}} was refused.", "{{.N}} were refused."))
	}
	if c.Uncertain > 0 {
		parts = append(parts, say.N(c.Uncertain, "Of {{.N}} it is not known.", "Of {{.N}} it is not known."))
	}
	n.Body = strings.TrimSpace(p.Words(parts))
	return n, true
}
