package app

import (
	"time"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/pace"
	"servicesmtp.net/companion/app/say"
	"servicesmtp.net/companion/app/uplink"
)

// words are a sentence and an action for a person who does not know SMTP. The
// server's own reply stands beside them in HoldState.
type words struct {
	sentence, action say.Text
	terminal         string // in place of the action, English, where only a terminal or the settings file can do it
	do               Deed
}

// said is the same for any language.
func (w words) said() Said {
	s := Said{Sentence: say.Words{w.sentence}}
	if !w.action.IsZero() {
		s.Action = say.Words{w.action}
	}
	return s
}

// english is the action as the terminal says it.
func (w words) english() string {
	if w.terminal != "" {
		return w.terminal
	}
	return w.action.String()
}

// problem is a failure with these words.
func (w words) problem(err error) *UserError {
	return &UserError{Sentence: w.sentence.String(), Action: w.english(), Err: err, Said: w.said()}
}

var holdWords = map[mail.HoldReason]words{
	mail.HoldPaused: {
		sentence: say.T("Sending is paused."),
		action:   say.T("Resume it when you are ready."), do: DeedResume,
	},
	mail.HoldCredentials: {
		sentence: say.T("The relay does not accept this account's name or password."),
		action:   say.T("Enter the password again."), do: DeedPassword,
	},
	mail.HoldNoPassword: {
		sentence: say.T("The account's password cannot be read."),
		action:   say.T("Unlock the keyring, or enter the password again."), do: DeedPassword,
	},
	mail.HoldUnreachable: {
		sentence: say.T("The relay cannot be reached from this network."),
		action:   say.T("Nothing to do: sending goes on by itself when it answers."), do: DeedRetry,
	},
	mail.HoldCertificate: {
		sentence: say.T("The relay's certificate is not trusted, so no password was sent."),
		action:   say.T("Check this computer's clock, and whether an antivirus program inspects mail."), do: DeedRetry,
		terminal: "Check this computer's clock, a mail shield of an antivirus program, or ca_file in the settings.",
	},
	mail.HoldNoTLS: {
		sentence: say.T("The connection to the relay is not protected, so no password was sent."),
		action:   say.T("Use another network; somebody may be listening on this one."), do: DeedRetry,
	},
	mail.HoldQuota: {
		sentence: say.T("The plan's volume is used up."),
		action:   say.T("Upgrade the plan, or wait for the next period."), do: DeedUsage,
	},
	mail.HoldBlocked: {
		sentence: say.T("The service has blocked this account."),
		action:   say.T("Ask the service's support."), do: DeedRetry,
	},
	mail.HoldBusy: {
		sentence: say.T("The relay is busy and asked to try again later."),
		action:   say.T("Nothing to do: sending goes on by itself."), do: DeedRetry,
	},
	mail.HoldPace: {
		sentence: say.T("The relay asked to send more slowly."),
		action:   say.T("Nothing to do: sending goes on by itself."), do: DeedRetry,
	},
	mail.HoldUncertain: {
		sentence: say.T("It is not known whether the server took some mail."),
		action:   say.T("Look at the queue and decide whether to send it again."), do: DeedQueue,
	},
	mail.HoldStorage: {
		sentence: say.T("The spool on this computer cannot be written."),
		action:   say.T("Make room on the disk, or check the folder's permissions."), do: DeedLog,
	},
}

// testWords say, in place of holdWords, why an account was not stored: then
// nothing goes on by itself.
var testWords = map[mail.HoldReason]words{
	mail.HoldUnreachable: {
		sentence: say.T("The relay cannot be reached from this network."),
		action:   say.T("Check the server's name and the network, then try again."),
	},
	mail.HoldBusy: {
		sentence: say.T("The relay is busy and asked to try again later."),
		action:   say.T("Try again in a few minutes."),
	},
}

// detailWords go before holdWords where uplink knows more than the reason.
var detailWords = map[string]words{
	uplink.Stripped: {
		sentence: say.T("A network device or an antivirus program removes the encryption, so no password was sent."),
		action:   say.T("Switch off the scanning of outgoing mail in the antivirus program or firewall, or use another network."), do: DeedRetry,
	},
	uplink.Refused: {
		sentence: say.T("The relay refuses to take mail from here."),
		action:   say.T("Read the relay's own words in the details, or ask the service's support."), do: DeedRetry,
	},
	uplink.NoLogin: {
		sentence: say.T("The relay offers no way to log in that this program knows."),
		action:   say.T("Check the server's name in the account's settings."), do: DeedRetry,
	},
}

// wordsOf are the words of a hold; detail is what uplink knows beside it.
func wordsOf(r mail.HoldReason, detail string) words {
	if w, ok := detailWords[detail]; ok {
		return w
	}
	return holdWords[r]
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

// describe fills mood and words of an account's state.
func describe(a *AccountState, now time.Time) {
	a.Said, a.Action, a.Do = Said{}, "", DeedNone
	switch {
	case a.Hold != nil:
		w := wordsOf(a.Hold.Reason, a.Hold.Detail)
		a.Mood, a.Said, a.Action, a.Do = moodOf(a.Hold.Reason), w.said(), w.english(), w.do
		if a.Recipients > 0 {
			a.Said.Sentence = append(a.Said.Sentence, waiting(a.Messages, a.Recipients))
		}
		if u := a.Hold.Until; u != nil && a.Hold.Reason == mail.HoldQuota {
			next := say.T("The next period begins on {{.At}}.").With("At", say.Moment{Time: *u, Now: now})
			a.Said.Sentence = append(a.Said.Sentence, next)
		}
	case a.Recipients == 0 && a.Sending == 0:
		a.Mood, a.Said.Sentence = MoodIdle, say.Words{say.T("Everything is sent.")}
	default:
		a.Mood, a.Said.Sentence = MoodSending, say.Words{left(a.Recipients, a.FinishAt, now)}
		if !a.Pace.Slowed.IsZero() {
			a.Said.Sentence = append(a.Said.Sentence, a.Pace.Slowed)
		}
	}
	a.Sentence = a.Said.Sentence.String()
}

// left says how many recipients are to be sent, and until when.
func left(recipients int, finish *time.Time, now time.Time) say.Text {
	if finish == nil {
		return say.N(recipients, "Sending: {{.N}} recipient is left.", "Sending: {{.N}} recipients are left.")
	}
	return say.N(recipients, "Sending: {{.N}} recipient is left, done at {{.At}}.", "Sending: {{.N}} recipients are left, done at {{.At}}.").
		With("At", say.Moment{Time: *finish, Now: now})
}

func waiting(messages, recipients int) say.Text {
	return say.N(messages, "{{.N}} message to {{.Recipients}} waits.", "{{.N}} messages to {{.Recipients}} wait.").
		With("Recipients", say.N(recipients, "{{.N}} recipient", "{{.N}} recipients"))
}

var (
	readyWords     = words{sentence: say.T("Ready. Nothing waits to be sent.")}
	startingWords  = words{sentence: say.T("Starting.")}
	stoppingWords  = words{sentence: say.T("Stopping. What waits leaves at the next start.")}
	noAccountWords = words{
		sentence: say.T("No account is set up yet."),
		action:   say.T("Enter your account."), do: DeedSetAccount,
		terminal: "Enter your account with: companionctl account set",
	}
)

// strayWords tell of mail that nobody sends.
func strayWords(account string) words {
	return words{
		sentence: say.T("Mail waits for the account {{.Account}}, which is not in the settings.").With("Account", account),
		action:   say.T("Set up an account of this name, or take the mail back in the queue."), do: DeedQueue,
		terminal: "Set up an account of this name with: companionctl account set. Or take the mail back with: companionctl queue cancel",
	}
}

// say fills mood and words of the whole.
func (s *State) say(m Mood, w words) {
	s.Mood, s.Said, s.Sentence, s.Action, s.Do = m, w.said(), w.sentence.String(), w.english(), w.do
}

// summarise fills mood and words of the whole: the account or part that needs
// a person most speaks for it.
func summarise(s *State) {
	rank := map[Mood]int{MoodIdle: 0, MoodSending: 1, MoodWaiting: 2, MoodPaused: 3, MoodAttention: 4}
	s.say(MoodIdle, readyWords)
	if len(s.Accounts) == 0 {
		s.say(MoodAttention, noAccountWords)
	}
	for _, a := range s.Accounts {
		if rank[a.Mood] <= rank[s.Mood] {
			continue
		}
		s.Mood, s.Said, s.Action, s.Do = a.Mood, a.Said, a.Action, a.Do
		if len(s.Accounts) > 1 {
			s.Said.Sentence = say.Words{say.T("{{.Account}}: {{.Sentence}}").With("Account", a.Name).With("Sentence", a.Said.Sentence)}
		}
		s.Sentence = s.Said.Sentence.String()
	}
	for _, l := range s.Listen {
		if !l.OK && l.Sentence != "" {
			s.Mood, s.Said, s.Sentence, s.Action, s.Do = MoodAttention, l.Said, l.Sentence, l.Action, l.Do
			break
		}
	}
	if !s.Spool.OK {
		s.Mood, s.Said, s.Sentence, s.Action, s.Do = MoodAttention, s.Spool.Said, s.Spool.Sentence, s.Spool.Action, s.Spool.Do
	}
}

// slowedBy says in words what slows an account, or nothing.
func slowedBy(e pace.Slowing) say.Text {
	switch {
	case !e.NotBefore.IsZero():
		return say.T("The relay asked to wait.")
	case e.Cause == pace.CauseDeferred:
		return say.T("Slowed to {{.Percent}} %, because many servers asked to try again later.").With("Percent", e.Percent)
	case e.Cause == pace.CauseFailed:
		return say.T("Slowed to {{.Percent}} %, because many addresses are wrong.").With("Percent", e.Percent)
	case e.Cause == pace.CauseRelay:
		return say.T("Slowed to {{.Percent}} %, because the relay asked for it.").With("Percent", e.Percent)
	}
	return say.Text{}
}
