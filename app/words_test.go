package app

import (
	"cmp"
	"errors"
	"strings"
	"testing"
	"time"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/pace"
	"servicesmtp.net/companion/app/proxy"
	"servicesmtp.net/companion/app/spool"
	"servicesmtp.net/companion/app/uplink"
)

func TestEveryHoldHasWords(t *testing.T) {
	seen := map[string]mail.HoldReason{}
	stripped := AccountState{Hold: &HoldState{Reason: mail.HoldNoTLS, Detail: uplink.Stripped}}
	describe(&stripped, time.Now())
	if !strings.Contains(stripped.Sentence, "removes the encryption") || stripped.Mood != MoodAttention {
		t.Errorf("stripped: %s, %q", stripped.Mood, stripped.Sentence)
	}
	seen[stripped.Sentence] = "stripped"
	for _, detail := range []string{uplink.Refused, uplink.NoLogin} { // neither ends by itself
		a := AccountState{Hold: &HoldState{Reason: mail.HoldBusy, Detail: detail}}
		describe(&a, time.Now())
		if _, ok := seen[a.Sentence]; ok || strings.Contains(a.Action, "Nothing to do") || strings.Contains(a.Sentence, "later") {
			t.Errorf("%s: %q / %q", detail, a.Sentence, a.Action)
		}
		seen[a.Sentence] = mail.HoldBusy
	}
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
		if said := a.Said; said.Sentence.String() != a.Sentence || len(said.Action) != 1 {
			t.Errorf("%s: said %q / %q", r, said.Sentence, said.Action)
		}
		if r.NeedsPerson() && r != mail.HoldPaused && a.Mood != MoodAttention {
			t.Errorf("%s: mood %s", r, a.Mood)
		}
	}
}

func TestDescribe(t *testing.T) {
	now := time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)
	today, later := now.Add(time.Hour), now.AddDate(0, 0, 6)
	slow := slowedBy(pace.Slowing{Percent: 40, Cause: pace.CauseFailed})
	for _, c := range []struct {
		name, want string
		state      AccountState
		mood       Mood
	}{
		{"idle", "Everything is sent.", AccountState{}, MoodIdle},
		{"one", "Sending: 1 recipient is left.", AccountState{Messages: 1, Recipients: 1}, MoodSending},
		{"many", "Sending: 350 recipients are left, done at 10:00.", AccountState{Messages: 1, Recipients: 350, FinishAt: &today}, MoodSending},
		{"thousands", "Sending: 5,000 recipients are left.", AccountState{Messages: 1, Recipients: 5000}, MoodSending},
		{"slow", "Sending: 5 recipients are left. Slowed to 40 %, because many addresses are wrong.", AccountState{Recipients: 5, Pace: PaceState{Slowed: slow}}, MoodSending},
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
	now := time.Now()
	account := func(name string, hold *HoldState) AccountState {
		a := AccountState{Name: name, Hold: hold}
		describe(&a, now)
		return a
	}
	idle := account("a", nil)
	paused := account("b", &HoldState{Reason: mail.HoldPaused})
	blocked := account("c", &HoldState{Reason: mail.HoldBlocked})
	busy := listenState(proxy.Listener{Address: "127.0.0.1:2525", Err: &proxy.BindError{Reason: proxy.ErrInUse}, Offered: "127.0.0.1:2526"})
	fine, full := SpoolState{OK: true}, spoolState(spool.Totals{}, spool.ErrFull)
	ready := "Ready. Nothing waits to be sent."
	for _, c := range []struct {
		name             string
		state            State
		mood             Mood
		do               Deed
		sentence, action string // "": as the sentence and the action for any language
		window           string // the action there, where it is another
	}{
		{"no account", State{Spool: fine}, MoodAttention, DeedSetAccount, "No account is set up yet.",
			"Enter your account with: companionctl account set", "Enter your account."},
		{"one idle", State{Spool: fine, Accounts: []AccountState{idle}}, MoodIdle, DeedNone, ready, "", ""},
		{"one paused", State{Spool: fine, Accounts: []AccountState{paused}}, MoodPaused, DeedResume, "Sending is paused.", "Resume it when you are ready.", ""},
		{"worst of three", State{Spool: fine, Accounts: []AccountState{paused, blocked, idle}}, MoodAttention, DeedRetry,
			"c: The service has blocked this account.", "Ask the service's support.", ""},
		{"port", State{Spool: fine, Accounts: []AccountState{idle}, Listen: []ListenState{{OK: true}, busy}}, MoodAttention, DeedListen,
			"Port 2525 is in use by another program, so mail programs cannot reach the companion at 127.0.0.1:2525.",
			"End that program, or choose another port in the settings and in your mail program. 127.0.0.1:2526 is free.", ""},
		{"spool speaks loudest", State{Spool: full, Accounts: []AccountState{blocked}, Listen: []ListenState{busy}}, MoodAttention, DeedQueue,
			"The spool is full, so new mail cannot be taken. What waits is safe.",
			"Wait until some has left, or raise max_size in the settings.", "Wait until some has left, or take some back in the queue."},
		{"family not there", State{Spool: fine, Accounts: []AccountState{idle}, Listen: []ListenState{{OK: true}, {}}}, MoodIdle, DeedNone, ready, "", ""},
	} {
		summarise(&c.state)
		got := c.state
		if got.Mood != c.mood || got.Sentence != c.sentence || got.Action != c.action || got.Do != c.do {
			t.Errorf("%s: got %s, %q / %q, do %q", c.name, got.Mood, got.Sentence, got.Action, got.Do)
		}
		if said := got.Said; said.Sentence.String() != c.sentence || said.Action.String() != cmp.Or(c.window, c.action) {
			t.Errorf("%s: for any language %q / %q", c.name, said.Sentence, said.Action)
		}
	}
}

func TestListenState(t *testing.T) {
	bind := func(reason error, hint string) error { return &proxy.BindError{Reason: reason, Hint: hint} }
	for _, c := range []struct {
		name             string
		listener         proxy.Listener
		sentence, action string
	}{
		{"well", proxy.Listener{Address: "127.0.0.1:2525", OK: true}, "", ""},
		{"family not there", proxy.Listener{Address: "[::1]:2525", Err: bind(proxy.ErrNoFamily, "")}, "", ""},
		{"denied", proxy.Listener{Address: "127.0.0.1:25", Err: bind(proxy.ErrDenied, "Ask the administrator."), Offered: "127.0.0.1:2525"},
			"The system does not let the companion use port 25.",
			"Choose a port above 1023 in the settings and in your mail program. 127.0.0.1:2525 is free. Ask the administrator."},
		{"not ours", proxy.Listener{Address: "192.0.2.1:25", Err: bind(proxy.ErrNoAddress, "")},
			"This computer does not have the address 192.0.2.1:25.", "Use 127.0.0.1 in the settings."},
		{"other", proxy.Listener{Address: "127.0.0.1:25", Err: errors.New("odd")},
			"Mail programs cannot reach the companion at 127.0.0.1:25.", "Choose another address in the settings."},
	} {
		got := listenState(c.listener)
		if got.Sentence != c.sentence || got.Action != c.action || got.Said.Sentence.String() != c.sentence {
			t.Errorf("%s: got %q / %q, said %q", c.name, got.Sentence, got.Action, got.Said.Sentence)
		}
	}
}

// A user of the window has no terminal and no settings file at hand.
func TestNoWordsOfTheTerminalForAnyLanguage(t *testing.T) {
	all := []words{noAccountWords, detailWords[uplink.Stripped], folderWords, spoolWords(spool.ErrClosed)}
	for _, w := range holdWords {
		all = append(all, w)
	}
	for _, w := range testWords {
		all = append(all, w)
	}
	for _, p := range spoolProblems {
		all = append(all, p.words)
	}
	said := []Said{}
	for _, w := range all {
		said = append(said, w.said())
	}
	for _, err := range []error{noSuchAccount("x"), jobError("x", spool.ErrNotFound), jobError("x", spool.ErrState)} {
		s, ok := Words(err)
		if !ok || len(s.Sentence) == 0 {
			t.Errorf("%v has no words", err)
		}
		said = append(said, s)
	}
	for _, s := range said {
		for _, term := range []string{"companionctl", "--", ".toml", "_"} {
			if words := s.Sentence.String() + s.Action.String(); strings.Contains(words, term) {
				t.Errorf("%q holds %q", words, term)
			}
		}
	}
}
