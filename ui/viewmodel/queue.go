package viewmodel

import (
	"strings"
	"time"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/say"
)

// FilterOption is one choice of a filter.
type FilterOption struct {
	Value string // as the façade wants it; "": everything
	Label string
}

// JobFilters are the groups of jobs that a queue's list can be narrowed to.
func JobFilters(p say.Printer) []FilterOption {
	return []FilterOption{
		{"", p.Say("All messages")},
		{"open", p.Say("Not finished")},
		{"uncertain", p.Say("In doubt")},
		{"failed", p.Say("With failures")},
		{"done", p.Say("Finished")},
	}
}

// AccountFilters are the accounts that a list can be narrowed to; none where
// there is only one account.
func AccountFilters(p say.Printer, accounts []app.AccountState) []FilterOption {
	if len(accounts) < 2 {
		return nil
	}
	out := []FilterOption{{"", p.Say("All accounts")}}
	for _, a := range accounts {
		out = append(out, FilterOption{a.Name, a.Name})
	}
	return out
}

// JobRow is one job in the queue's list.
type JobRow struct {
	Job                    app.JobState
	From, Recipients, When string
	Size, Account          string
	State                  string
	Tone                   Tone
	MayRetry, MayTakeBack  bool
}

// NewJobRow says one job. accounts are those of the State.
func NewJobRow(p say.Printer, j app.JobState, accounts []app.AccountState, now time.Time) JobRow {
	r := JobRow{
		Job: j, From: sender(p, j), Size: p.Size(j.Size), Account: j.Account,
		When: p.Moment(say.Moment{Time: j.AcceptedAt, Now: now}), Recipients: p.Number(int64(j.Recipients)),
	}
	if j.State != jobDone {
		r.Recipients = p.Text(say.T("{{.Done}} of {{.All}}").With("Done", settled(j)).With("All", j.Recipients))
	}
	a := accountOf(accounts, j.Account)
	r.Tone, r.State = jobState(p, j, a)
	r.MayTakeBack = mayTakeBack(j)
	r.MayRetry = mayRetry(j, a)
	return r
}

// The states of a job, as app.JobState names them.
const (
	jobSending   = "sending"
	jobUncertain = "uncertain"
	jobDone      = "done"
)

// waiting are the recipients whose mail has not left yet.
func waiting(j app.JobState) int { return j.Counts.Queued + j.Counts.Deferred }

// settled are the recipients of whom it is known what became of them.
func settled(j app.JobState) int { return max(j.Recipients-waiting(j)-j.Counts.Uncertain, 0) }

// mayTakeBack is true while something has not left.
func mayTakeBack(j app.JobState) bool { return j.State != jobDone && waiting(j) > 0 }

// mayRetry is true while something waits that trying again could help.
func mayRetry(j app.JobState, a app.AccountState) bool {
	return mayTakeBack(j) && !paused(a) && !j.Damaged
}

func accountOf(accounts []app.AccountState, name string) app.AccountState {
	for _, a := range accounts {
		if a.Name == name {
			return a
		}
	}
	return app.AccountState{}
}

// paused is whether the user paused the account; something else may hold it
// up too.
func paused(a app.AccountState) bool {
	return a.Mood == app.MoodPaused || a.Hold != nil && a.Hold.Reason == mail.HoldPaused
}

// jobState is how far a job is, in a word or two.
func jobState(p say.Printer, j app.JobState, a app.AccountState) (Tone, string) {
	switch {
	case j.State == jobUncertain:
		return Alarm, p.Say("In doubt")
	case j.State == jobDone:
		return doneState(p, j)
	case j.Damaged:
		return Alarm, p.Say("Damaged")
	case paused(a):
		return Muted, p.Say("Paused")
	case a.Hold != nil: // not for its turn, as the others
		return Warn, p.Say("Waiting")
	case j.State == jobSending:
		return Busy, p.Say("Sending")
	}
	return Muted, p.Say("Waiting")
}

// outcome are a job's recipients by status, where those whose servers refused them after
// the relay had accepted them have failed like all others.
func outcome(j app.JobState) app.Counts {
	c := j.Counts
	refused := min(j.Refused, c.Accepted)
	c.Accepted, c.Failed = c.Accepted-refused, c.Failed+refused
	return c
}

// doneState says what became of a job that is done: the worst first.
func doneState(p say.Printer, j app.JobState) (Tone, string) {
	c := outcome(j)
	switch {
	case c.Failed > 0 && c.Accepted == 0:
		return Alarm, p.Text(say.N(c.Failed, "{{.N}} failed", "{{.N}} failed"))
	case c.Failed > 0:
		return Warn, p.Text(say.T("Sent, {{.Failed}}").With("Failed", say.N(c.Failed, "{{.N}} failed", "{{.N}} failed")))
	case c.Uncertain > 0 && c.Accepted == 0:
		return Warn, p.Text(say.N(c.Uncertain, "{{.N}} in doubt", "{{.N}} in doubt"))
	case c.Uncertain > 0:
		return Warn, p.Text(say.T("Sent, {{.Doubt}}").With("Doubt", say.N(c.Uncertain, "{{.N}} in doubt", "{{.N}} in doubt")))
	case c.Cancelled > 0 && c.Accepted == 0:
		return Muted, p.Say("Taken back")
	case c.Cancelled > 0:
		return Muted, p.Text(say.T("Sent, {{.TakenBack}}").With("TakenBack", say.N(c.Cancelled, "{{.N}} taken back", "{{.N}} taken back")))
	}
	return Success, p.Say("Sent")
}

// QueueActions are what can be done with the whole queue now. Where some
// accounts are paused and some are not, both can be done.
type QueueActions struct{ Pause, Resume, Retry bool }

// NewQueueActions looks at the accounts.
func NewQueueActions(s app.State) QueueActions {
	var q QueueActions
	for _, a := range s.Accounts {
		if paused(a) {
			q.Resume = true
			continue
		}
		q.Pause = true
		q.Retry = q.Retry || a.Messages > 0 || a.Hold != nil
	}
	return q
}

// QueueSummary is the line under the title of the queue: how many messages the
// list has.
func QueueSummary(p say.Printer, total int) string {
	return p.Text(say.N(total, "{{.N}} message", "{{.N}} messages"))
}

// Question is asked before something that cannot be undone.
type Question struct{ Title, Text, Button string }

// TakeBack asks whether a job is to be taken back, with what that means: how
// many will not get it, and for how many it is too late.
func TakeBack(p say.Printer, j app.JobState) Question {
	words := say.Words{say.N(waiting(j), "{{.N}} recipient will not get it.", "{{.N}} recipients will not get it.")}
	if n := j.Counts.Accepted; n > 0 {
		words = append(words, say.N(n, "To {{.N}} recipient it has gone out; that cannot be undone.", "To {{.N}} recipients it has gone out; that cannot be undone."))
	} else {
		words = append(words, say.T("It has not gone out to anybody yet."))
	}
	if n := j.Counts.Uncertain; n > 0 {
		words = append(words, say.N(n, "Of {{.N}} recipient nobody knows whether it went out; that stays in doubt.", "Of {{.N}} recipients nobody knows whether it went out; that stays in doubt."))
	}
	if j.State != "queued" {
		words = append(words, say.T("What is leaving at this very moment may still arrive."))
	}
	return Question{Title: p.Say("Take this message back?"), Text: p.Words(words), Button: p.Say("Take back")}
}

// Count is a number of recipients with what became of them.
type Count struct {
	Tone Tone
	Text string
}

// JobView is one job with everything that is known of it.
type JobView struct {
	Title, Subtitle string
	State           Tone
	Words           string // the state
	Share           float32
	Progress        string // recipients
	Batches         string
	Finish          string  // "" where it is not known
	Counts          []Count // those that are not 0
	LastReply       string  // of a server, or ""
	Report          string  // that the sender was told of failures, or ""
	Damage          string  // why it is not sent; "" where it is whole

	Doubt       string // what is in doubt and why; "" where nothing is
	MayRetry    bool
	MayTakeBack bool
}

// NewJobView says j. accounts are those of the State.
func NewJobView(p say.Printer, j app.JobState, accounts []app.AccountState, now time.Time) JobView {
	a := accountOf(accounts, j.Account)
	v := JobView{
		Title: sender(p, j), Share: share(int64(settled(j)), int64(j.Recipients)),
		Progress:  p.Text(say.N(j.Recipients, "{{.Done}} of {{.N}} recipient", "{{.Done}} of {{.N}} recipients").With("Done", settled(j))),
		Batches:   p.Text(say.N(j.Batches, "{{.Done}} of {{.N}} batch", "{{.Done}} of {{.N}} batches").With("Done", j.BatchesDone)),
		LastReply: j.LastReply, MayRetry: mayRetry(j, a), MayTakeBack: mayTakeBack(j), Counts: counts(p, outcome(j)),
	}
	v.Subtitle = p.Text(kind(j).With("When", say.Moment{Time: j.AcceptedAt, Now: now}).With("Size", j.Size))
	if len(accounts) > 1 {
		v.Subtitle = p.Text(say.T("{{.What}}, account {{.Account}}").With("What", v.Subtitle).With("Account", j.Account))
	}
	v.State, v.Words = jobState(p, j, a)
	if j.FinishAt != nil && j.State != jobDone {
		v.Finish = p.Text(say.T("Done at {{.At}}").With("At", say.Moment{Time: *j.FinishAt, Now: now}))
	}
	if j.Report != nil {
		v.Report = p.Text(say.T("A report of the failures was made for the sender: {{.At}}.").With("At", say.Moment{Time: j.Report.At, Now: now}))
	}
	if j.Damaged && j.State != jobDone {
		v.Damage = p.Say("The text of this message was damaged on the disk, so it is kept and not sent. Take it back, and send it again from the mail program.")
	}
	if j.State == jobUncertain {
		v.Doubt = p.Words(say.Words{
			say.N(j.Counts.Uncertain, "The connection broke at the wrong moment, so nobody knows whether {{.N}} recipient got this message.",
				"The connection broke at the wrong moment, so nobody knows whether {{.N}} recipients got this message."),
			say.T("Only you can decide: if you send again, it may arrive twice. If you leave it, it may never have arrived."),
		})
	}
	return v
}

func kind(j app.JobState) say.Text {
	switch {
	case j.ReportTo != "":
		return say.T("Report of failures, {{.Size}}, made {{.When}}")
	case j.Lane == mail.Personal.String():
		return say.T("Personal message, {{.Size}}, handed in {{.When}}")
	}
	return say.T("Newsletter, {{.Size}}, handed in {{.When}}")
}

func counts(p say.Printer, c app.Counts) []Count {
	list := []Count{}
	add := func(t Tone, n int, text say.Text) {
		if n > 0 {
			list = append(list, Count{t, p.Text(text)})
		}
	}
	add(Success, c.Accepted, say.N(c.Accepted, "{{.N}} sent", "{{.N}} sent"))
	add(Muted, c.Queued, say.N(c.Queued, "{{.N}} waiting", "{{.N}} waiting"))
	add(Warn, c.Deferred, say.N(c.Deferred, "{{.N}} delayed", "{{.N}} delayed"))
	add(Alarm, c.Failed, say.N(c.Failed, "{{.N}} failed", "{{.N}} failed"))
	add(Alarm, c.Uncertain, say.N(c.Uncertain, "{{.N}} in doubt", "{{.N}} in doubt"))
	add(Muted, c.Cancelled, say.N(c.Cancelled, "{{.N}} taken back", "{{.N}} taken back"))
	return list
}

// Decide asks once more before a doubt is ended by a person's word.
func Decide(p say.Printer, sendAgain bool) Question {
	if sendAgain {
		return Question{
			Title: p.Say("Send again?"), Button: p.Say("Send again"),
			Text: p.Say("Recipients who got the message already may get it a second time. This cannot be undone."),
		}
	}
	return Question{
		Title: p.Say("Leave it as it is?"), Button: p.Say("Leave it"),
		Text: p.Say("The companion will not try again. Recipients who did not get the message will never get it. This cannot be undone."),
	}
}

// RecipientFilters are the statuses that a list of recipients can be narrowed
// to.
func RecipientFilters(p say.Printer) []FilterOption {
	list := []FilterOption{{"", p.Say("All recipients")}}
	for _, status := range []string{"queued", "accepted", "delivered", "deferred", "failed", "uncertain", "cancelled"} {
		_, word := recipientStatus(p, status)
		list = append(list, FilterOption{status, word})
	}
	return list
}

// RecipientRow is one recipient of a job.
type RecipientRow struct {
	Key     string
	Address string
	Status  string
	Tone    Tone
	Reply   string // of a server, or ""
	When    string
}

// NewRecipientRow says one recipient.
func NewRecipientRow(p say.Printer, r app.RecipientState, now time.Time) RecipientRow {
	row := RecipientRow{Key: r.Address, Address: r.Address, Reply: reply(r.Code, r.Reply), When: p.Moment(say.Moment{Time: r.At, Now: now})}
	row.Tone, row.Status = recipientStatus(p, r.Status)
	return row
}

// reply is a server's answer with its code, on one line.
func reply(code, text string) string { return strings.Join(strings.Fields(code+" "+text), " ") }

func recipientStatus(p say.Printer, status string) (Tone, string) {
	switch status {
	case "queued":
		return Muted, p.Say("Waiting")
	case "accepted": // the relay has it; "delivered" once the recipient's server took it
		return Busy, p.Say("Sent")
	case "delivered":
		return Success, p.Say("Delivered")
	case "deferred":
		return Warn, p.Say("Delayed")
	case "failed":
		return Alarm, p.Say("Failed")
	case "uncertain":
		return Alarm, p.Say("In doubt")
	case "cancelled":
		return Muted, p.Say("Taken back")
	}
	return Muted, status
}
