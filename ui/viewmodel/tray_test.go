package viewmodel

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/say"
)

func labels(t Tray) []string {
	out := []string{}
	for _, i := range t.Items {
		if i.Separator() {
			out = append(out, "-")
			continue
		}
		label := i.Label
		if !i.Enabled {
			label = "(" + label + ")"
		}
		out = append(out, label)
	}
	return out
}

func TestTray(t *testing.T) {
	quota := account("office", app.MoodSending, mail.NotHeld, "Sending: 3,800 recipients are left.")
	quota.Quota = &app.QuotaState{Emails: 31_000, EmailsLimit: 50_000, Bytes: 310_000_000, BytesLimit: 500_000_000}
	busy := state(app.MoodSending, quota)
	personal := newsletterJob("P", 3, 1)
	personal.Lane = "personal"
	queued := newsletterJob("Q", 100, 100)
	queued.State = "queued"
	busy.Jobs = []app.JobState{newsletterJob("A", 5000, 3800), personal, queued, newsletterJob("B", 100, 50), newsletterJob("C", 3, 1), newsletterJob("D", 3, 1)}
	full := quota
	full.Name, full.Mood, full.Hold = "shop", app.MoodWaiting, &app.HoldState{Reason: mail.HoldQuota}
	full.Said = said("The plan's volume is used up.", "")
	full.Quota = &app.QuotaState{Emails: 50_000, EmailsLimit: 50_000}
	spool := state(app.MoodAttention, account("office", app.MoodIdle, mail.NotHeld, "Everything is sent."))
	spool.Spool = app.SpoolState{Sentence: "The disk is full."}
	spool.Said = said("The disk is full.", "Make room.")
	for _, c := range []struct {
		name    string
		state   app.State
		icon    TrayState
		tooltip string
		items   []string
	}{
		{"before the first State", app.State{}, TrayIdle, "ServiceSMTP Companion", []string{"-", "Open", "(Pause sending)", "-", "Quit"}},
		{"no account", state(app.MoodAttention), TrayAttention, "ServiceSMTP: Ready. Nothing waits to be sent.",
			[]string{"(Ready. Nothing waits to be sent.)", "-", "Open", "(Pause sending)", "-", "Quit"}},
		{"idle", state(app.MoodIdle, account("office", app.MoodIdle, "", "Everything is sent.")), TrayIdle, "ServiceSMTP: Ready. Nothing waits to be sent.",
			[]string{"(Ready. Nothing waits to be sent.)", "-", "Open", "Pause sending", "-", "Quit"}},
		{"sending", busy, TraySending, "ServiceSMTP: Sending", []string{"(Sending)", "(news@example.com: 24%)", "(news@example.com: 50%)",
			"(news@example.com: 66%)", "(38% of the plan is left)", "-", "Open", "Pause sending", "-", "Quit"}},
		{"paused", state(app.MoodPaused, account("office", app.MoodPaused, mail.HoldPaused, "Sending is paused.")), TrayPaused, "ServiceSMTP: Sending is paused.",
			[]string{"(Sending is paused.)", "-", "Open", "Resume sending", "-", "Quit"}},
		{"no way out", state(app.MoodWaiting, account("office", app.MoodWaiting, mail.HoldBusy, "The relay is busy."),
			account("shop", app.MoodWaiting, mail.HoldUnreachable, "The relay cannot be reached.")), TrayOffline, "ServiceSMTP: office: The relay is busy.",
			[]string{"(office: The relay is busy.)", "-", "Open", "Pause sending", "-", "Quit"}},
		{"plan used up", state(app.MoodWaiting, quota, full), TrayPaused, "ServiceSMTP: shop: The plan's volume is used up.",
			[]string{"(shop: The plan's volume is used up.)", "(shop: The plan is used up)", "-", "Open", "Pause sending", "-", "Quit"}},
		{"slow relay", state(app.MoodWaiting, account("office", app.MoodWaiting, mail.HoldBusy, "The relay is busy.")), TraySending, "ServiceSMTP: The relay is busy.",
			[]string{"(The relay is busy.)", "-", "Open", "Pause sending", "-", "Quit"}},
		{"wrong password", state(app.MoodAttention, account("office", app.MoodAttention, mail.HoldCredentials, "Wrong password.")), TrayAttention,
			"ServiceSMTP: Wrong password.", []string{"(Wrong password.)", "-", "Open", "Pause sending", "-", "Quit"}},
		{"spool", spool, TrayAttention, "ServiceSMTP: The disk is full.", []string{"(The disk is full.)", "-", "Open", "Pause sending", "-", "Quit"}},
		{"stopping", state(app.MoodStopping, account("office", app.MoodIdle, "", "x")), TrayIdle, "ServiceSMTP: Ready. Nothing waits to be sent.",
			[]string{"(Ready. Nothing waits to be sent.)", "-", "Open", "(Pause sending)", "-", "Quit"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := NewTray(say.English, c.state)
			if got.State != c.icon || got.Tooltip != c.tooltip {
				t.Errorf("got %s, %q, want %s, %q", got.State, got.Tooltip, c.icon, c.tooltip)
			}
			if diff := cmp.Diff(c.items, labels(got)); diff != "" {
				t.Error("want -, got +\n" + diff)
			}
			checkSaid(t, NewTray(marked, c.state), ".State", ".ID", ".Do", ".Items[].Label")
		})
	}
}

// TestTrayStaysWhileCountsChange: a menu that a person has open is not made
// anew with every batch.
func TestTrayStaysWhileCountsChange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		mood := rapid.SampledFrom([]app.Mood{app.MoodIdle, app.MoodSending, app.MoodPaused, app.MoodWaiting, app.MoodAttention}).Draw(t, "mood")
		draw := func(which string) app.State {
			a := account("office", mood, mail.HoldBusy, "It is so.")
			n := rapid.IntRange(1, 99).Draw(t, which)
			a.Recipients, a.Messages = n, n
			a.Said.Sentence = append(a.Said.Sentence, say.N(n, "{{.N}} message waits.", "{{.N}} messages wait."))
			a.Quota = &app.QuotaState{Emails: 40_000 + int64(n), EmailsLimit: 50_000}
			s := state(mood, a)
			s.Jobs = []app.JobState{newsletterJob("A", 10_000, 5000+n-99)}
			return s
		}
		a, b := NewTray(say.English, draw("before")), NewTray(say.English, draw("after"))
		if !a.Equal(b) {
			t.Fatalf("%q became %q", labels(a), labels(b))
		}
		if c := NewTray(marked, draw("other")); a.Equal(c) {
			t.Fatal("another language draws nothing anew")
		}
	})
}

func TestTrayKeepsItsLinesApart(t *testing.T) {
	s := state(app.MoodSending, account("office", app.MoodSending, "", "x"))
	j := newsletterJob("A", 10, 5)
	j.From = strings.Repeat("verylong", 40) + "\n@example.com"
	s.Jobs = []app.JobState{j}
	seen := map[string]bool{}
	for _, i := range NewTray(say.English, s).Items {
		if seen[i.ID] || i.ID == "" {
			t.Errorf("the line %+v has no ID of its own", i)
		}
		seen[i.ID] = true
		if n := utf8.RuneCountInString(i.Label); n > maxTrayLabel || strings.ContainsAny(i.Label, "\n") {
			t.Errorf("%q has %d characters", i.Label, n)
		}
	}
}

func TestNumbers(t *testing.T) {
	for part := range int64(101) {
		if got := percent(part, 100); got != int(part) {
			t.Errorf("%d of 100 is %d %%", part, got)
		}
	}
	for _, c := range []struct {
		part, whole int64
		want        int
	}{{49_999_999, 50_000_000, 99}, {50_000_001, 50_000_000, 100}, {60, 50, 120}, {0, 0, 0}, {5, 0, 0}, {-5, 50, 0}, {1 << 62, 1 << 62, 100}, {1 << 61, 1 << 62, 50}} {
		if got := percent(c.part, c.whole); got != c.want {
			t.Errorf("%d of %d is %d %%, want %d", c.part, c.whole, got, c.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s")
		n := rapid.IntRange(1, 20).Draw(t, "n")
		got := shorten(s, n)
		if utf8.RuneCountInString(got) > n || strings.ContainsAny(got, "\r\n\t\x00") || shorten(got, n) != got {
			t.Fatalf("%q", got)
		}
	})
}
