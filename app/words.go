package app

import (
	"fmt"
	"time"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/pace"
)

// words are the sentence and the action for a hold, for a person who does not
// know SMTP. The server's own reply stands beside them in HoldState.
type words struct{ sentence, action string }

var holdWords = map[mail.HoldReason]words{
	mail.HoldPaused:      {"Sending is paused.", "Resume it when you are ready."},
	mail.HoldCredentials: {"The relay does not accept this account's name or password.", "Enter the password again."},
	mail.HoldNoPassword:  {"The account's password cannot be read.", "Unlock the keyring, or enter the password again."},
	mail.HoldUnreachable: {"The relay cannot be reached from this network.", "Nothing to do: sending goes on by itself when it answers."},
	mail.HoldCertificate: {"The relay's certificate is not trusted, so no password was sent.", "Check this computer's clock, a mail shield of an antivirus program, or ca_file in the settings."},
	mail.HoldNoTLS:       {"The connection to the relay is not protected, so no password was sent.", "Use another network; somebody may be listening on this one."},
	mail.HoldQuota:       {"The plan's volume is used up.", "Upgrade the plan, or wait for the next period."},
	mail.HoldBlocked:     {"The service has blocked this account.", "Ask the service's support."},
	mail.HoldBusy:        {"The relay is busy and asked to try again later.", "Nothing to do: sending goes on by itself."},
	mail.HoldPace:        {"The relay asked to send more slowly.", "Nothing to do: sending goes on by itself."},
	mail.HoldUncertain:   {"It is not known whether the server took some mail.", "Look at the queue and decide whether to send it again."},
	mail.HoldStorage:     {"The spool on this computer cannot be written.", "Make room on the disk, or check the folder's permissions."},
}

// moodOf is the mood that a hold means.
func moodOf(r mail.HoldReason) Mood {
	switch {
	case r == mail.HoldPaused:
		return MoodPaused
	case r.NeedsPerson(), r == mail.HoldStorage, r == mail.HoldCertificate, r == mail.HoldNoTLS:
		return MoodAttention
	}
	return MoodWaiting
}

// describe fills mood, sentence and action of an account's state.
func describe(a *AccountState, now time.Time) {
	if a.Hold != nil {
		w := holdWords[a.Hold.Reason]
		a.Mood, a.Sentence, a.Action = moodOf(a.Hold.Reason), w.sentence, w.action
		if a.Messages > 0 {
			a.Sentence += " " + waiting(a.Messages, a.Recipients)
		}
		if u := a.Hold.Until; u != nil && a.Hold.Reason == mail.HoldQuota {
			a.Sentence += " The next period begins on " + clock(*u, now) + "."
		}
		return
	}
	a.Action = ""
	if a.Recipients == 0 && a.Sending == 0 {
		a.Mood, a.Sentence = MoodIdle, "Everything is sent."
		return
	}
	a.Mood = MoodSending
	a.Sentence = "Sending: " + plural(a.Recipients, "recipient is", "recipients are") + " left"
	if a.FinishAt != nil {
		a.Sentence += ", done at " + clock(*a.FinishAt, now)
	}
	a.Sentence += "."
	if a.Pace.SlowedBy != "" {
		a.Sentence += " " + a.Pace.SlowedBy
	}
}

// summarise fills mood, sentence and action of the whole: the account or part
// that needs a person most speaks for it.
func summarise(s *State) {
	rank := map[Mood]int{MoodIdle: 0, MoodSending: 1, MoodWaiting: 2, MoodPaused: 3, MoodAttention: 4}
	s.Mood, s.Sentence, s.Action = MoodIdle, "Ready. Nothing waits to be sent.", ""
	switch len(s.Accounts) {
	case 0:
		s.Mood, s.Sentence, s.Action = MoodAttention, "No account is set up yet.", "Enter your account with: companionctl account set"
	case 1:
		if a := s.Accounts[0]; a.Mood != MoodIdle {
			s.Mood, s.Sentence, s.Action = a.Mood, a.Sentence, a.Action
		}
	default:
		for _, a := range s.Accounts {
			if rank[a.Mood] > rank[s.Mood] {
				s.Mood, s.Sentence, s.Action = a.Mood, a.Name+": "+a.Sentence, a.Action
			}
		}
	}
	for _, l := range s.Listen {
		if !l.OK && l.Sentence != "" {
			s.Mood, s.Sentence, s.Action = MoodAttention, l.Sentence, l.Action
			break
		}
	}
	if !s.Spool.OK {
		s.Mood, s.Sentence, s.Action = MoodAttention, s.Spool.Sentence, s.Spool.Action
	}
}

// reason puts a reply's code into plain words for the list of errors. The
// enhanced code speaks first (RFC 3463 §3), then the basic one.
func reason(c mail.Code) string {
	if s, ok := enhancedReasons[[2]int{c.Enhanced[1], c.Enhanced[2]}]; ok && c.Enhanced[0] != 0 {
		return s
	}
	switch c.Basic {
	case 550, 551, 553:
		return "The address does not exist or does not take mail."
	case 552:
		return "The mailbox is full, or the message is too large."
	case 556, 521:
		return "The domain does not take mail."
	case 554:
		return "The recipient's server refused the message."
	}
	if c.Permanent() {
		return "The server refused it for good."
	}
	return "The server could not take it in time."
}

var enhancedReasons = map[[2]int]string{
	{1, 1}:  "The address does not exist.",
	{1, 2}:  "The domain does not exist.",
	{1, 3}:  "The address is not written correctly.",
	{1, 6}:  "The mailbox has moved and left no new address.",
	{1, 10}: "The domain does not take mail.",
	{2, 1}:  "The mailbox is switched off.",
	{2, 2}:  "The mailbox is full.",
	{2, 3}:  "The message is too large for this mailbox.",
	{3, 4}:  "The message is too large for the recipient's server.",
	{4, 7}:  "The recipient's server did not take it for days.",
	{6, 7}:  "The address has letters that a server on the way cannot handle.",
	{7, 1}:  "The recipient's server does not want this message.",
	{7, 8}:  "The relay refused name or password.",
}

func waiting(messages, recipients int) string {
	return plural(messages, "message", "messages") + " to " + plural(recipients, "recipient", "recipients") + " " +
		map[bool]string{true: "waits.", false: "wait."}[messages == 1]
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// clock writes a time as people say it: only the hour today, with the date
// otherwise, in the zone of now.
func clock(t, now time.Time) string {
	t = t.In(now.Location())
	if t.YearDay() == now.YearDay() && t.Year() == now.Year() {
		return t.Format("15:04")
	}
	return t.Format("2 January, 15:04")
}

// slowedBy says in words what slows an account, or "".
func slowedBy(e pace.Slowing) string {
	switch {
	case !e.NotBefore.IsZero():
		return "The relay asked to wait."
	case e.Cause == pace.CauseDeferred:
		return fmt.Sprintf("Slowed to %d %%, because many servers asked to try again later.", e.Percent)
	case e.Cause == pace.CauseFailed:
		return fmt.Sprintf("Slowed to %d %%, because many addresses are wrong.", e.Percent)
	case e.Cause == pace.CauseRelay:
		return fmt.Sprintf("Slowed to %d %%, because the relay asked for it.", e.Percent)
	}
	return ""
}
