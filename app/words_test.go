package app

import (
	"strings"
	"testing"
	"time"

	"servicesmtp.net/companion/app/mail"
)

func TestEveryHoldHasWords(t *testing.T) {
	seen := map[string]mail.HoldReason{}
	for _, r := range []mail.HoldReason{mail.HoldPaused, mail.HoldCredentials, mail.HoldNoPassword, mail.HoldUnreachable, mail.HoldCertificate,
		mail.HoldNoTLS, mail.HoldQuota, mail.HoldBlocked, mail.HoldBusy, mail.HoldPace, mail.HoldUncertain, mail.HoldStorage} {
		a := AccountState{Hold: &HoldState{Reason: r}, Messages: 1, Recipients: 2}
		describe(&a, time.Now())
		if a.Action == "" || !strings.HasSuffix(a.Sentence, "1 message to 2 recipients waits.") {
			t.Errorf("%s: %q / %q", r, a.Sentence, a.Action)
		}
		if other, ok := seen[a.Sentence]; ok {
			t.Errorf("%s and %s say the same", r, other)
		}
		seen[a.Sentence] = r
		if r.NeedsPerson() && r != mail.HoldPaused && a.Mood != MoodAttention {
			t.Errorf("%s: mood %s", r, a.Mood)
		}
	}
}

func TestDescribe(t *testing.T) {
	now := time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)
	today, later := now.Add(time.Hour), now.AddDate(0, 0, 6)
	for _, c := range []struct {
		name, want string
		state      AccountState
		mood       Mood
	}{
		{"idle", "Everything is sent.", AccountState{}, MoodIdle},
		{"one", "Sending: 1 recipient is left.", AccountState{Messages: 1, Recipients: 1}, MoodSending},
		{"many", "Sending: 350 recipients are left, done at 10:00.", AccountState{Messages: 1, Recipients: 350, FinishAt: &today}, MoodSending},
		{"slow", "Sending: 5 recipients are left. Many addresses are wrong.", AccountState{Recipients: 5, Pace: PaceState{SlowedBy: "Many addresses are wrong."}}, MoodSending},
		{"quota", "The plan's volume is used up. 2 messages to 9 recipients wait. The next period begins on 1 December, 09:00.",
			AccountState{Messages: 2, Recipients: 9, Hold: &HoldState{Reason: mail.HoldQuota, Until: &later}}, MoodWaiting},
		{"last answer awaited", "Sending: 0 recipients are left.", AccountState{Sending: 1}, MoodSending},
	} {
		describe(&c.state, now)
		if c.state.Sentence != c.want || c.state.Mood != c.mood {
			t.Errorf("%s: got %q %s, want %q %s", c.name, c.state.Sentence, c.state.Mood, c.want, c.mood)
		}
	}
}

func TestSummarise(t *testing.T) {
	idle := AccountState{Name: "a", Mood: MoodIdle, Sentence: "Everything is sent."}
	held := AccountState{Name: "b", Mood: MoodAttention, Sentence: "Bad.", Action: "Mend."}
	fine := SpoolState{OK: true}
	for _, c := range []struct {
		name     string
		state    State
		mood     Mood
		sentence string
	}{
		{"no account", State{Spool: fine}, MoodAttention, "No account is set up yet."},
		{"one idle", State{Spool: fine, Accounts: []AccountState{idle}}, MoodIdle, "Ready. Nothing waits to be sent."},
		{"worst of two", State{Spool: fine, Accounts: []AccountState{held, idle}}, MoodAttention, "b: Bad."},
		{"port", State{Spool: fine, Accounts: []AccountState{idle}, Listen: []ListenState{{OK: true}, {Sentence: "Port busy."}}}, MoodAttention, "Port busy."},
		{"spool speaks loudest", State{Spool: SpoolState{Sentence: "Disk full."}, Accounts: []AccountState{held}, Listen: []ListenState{{Sentence: "Port busy."}}}, MoodAttention, "Disk full."},
		{"family not there", State{Spool: fine, Accounts: []AccountState{idle}, Listen: []ListenState{{OK: true}, {}}}, MoodIdle, "Ready. Nothing waits to be sent."},
	} {
		summarise(&c.state)
		if c.state.Mood != c.mood || c.state.Sentence != c.sentence {
			t.Errorf("%s: got %s %q, want %s %q", c.name, c.state.Mood, c.state.Sentence, c.mood, c.sentence)
		}
	}
}

func TestReason(t *testing.T) {
	for want, c := range map[string]mail.Code{
		"The address does not exist.":                                     {Basic: 550, Enhanced: [3]int{5, 1, 1}},
		"The mailbox is full.":                                            {Basic: 552, Enhanced: [3]int{5, 2, 2}},
		"The address does not exist or does not take mail.":               {Basic: 550},
		"The recipient's server refused the message.":                     {Basic: 554, Enhanced: [3]int{5, 0, 0}},
		"The server refused it for good.":                                 {Basic: 571},
		"The server could not take it in time.":                           {Basic: 451},
		"The domain does not take mail.":                                  {Basic: 556, Enhanced: [3]int{5, 1, 10}},
		"The recipient's server does not want this message.":              {Basic: 554, Enhanced: [3]int{5, 7, 1}},
		"The mailbox is full, or the message is too large.":               {Basic: 552},
		"The message is too large for the recipient's server.":            {Basic: 552, Enhanced: [3]int{5, 3, 4}},
		"The recipient's server did not take it for days.":                {Basic: 451, Enhanced: [3]int{4, 4, 7}},
		"The relay refused name or password.":                             {Basic: 535, Enhanced: [3]int{5, 7, 8}},
		"The mailbox has moved and left no new address.":                  {Basic: 551, Enhanced: [3]int{5, 1, 6}},
		"The address is not written correctly.":                           {Basic: 501, Enhanced: [3]int{5, 1, 3}},
		"The mailbox is switched off.":                                    {Basic: 550, Enhanced: [3]int{5, 2, 1}},
		"The domain does not exist.":                                      {Basic: 550, Enhanced: [3]int{5, 1, 2}},
		"The message is too large for this mailbox.":                      {Basic: 552, Enhanced: [3]int{5, 2, 3}},
		"The address has letters that a server on the way cannot handle.": {Basic: 553, Enhanced: [3]int{5, 6, 7}},
	} {
		if got := reason(c); got != want {
			t.Errorf("%v: got %q, want %q", c, got, want)
		}
	}
}
