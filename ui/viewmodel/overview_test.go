package viewmodel

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/say"
)

func TestQuota(t *testing.T) {
	december := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name            string
		quota           *app.QuotaState
		tone            Tone
		centre, caption string
		lines           []Line
	}{
		{"not known", nil, Muted, "–", "not known yet", []Line{}},
		{"both limits", &app.QuotaState{Plan: "standard", Emails: 31_000, EmailsLimit: 50_000, Bytes: 310_000_000, BytesLimit: 500_000_000, Reset: december, AsOf: nine},
			Busy, "62%", "used", []Line{{"Plan", "standard"}, {"E-mails", "31,000 of 50,000"}, {"Volume", "310\u00a0MB of 500\u00a0MB"}, {"Left", "19,000 e-mails"},
				{"Begins again", "1 December"}, {"As of", "09:00"}}},
		{"the volume runs out first", &app.QuotaState{Plan: "standard", Emails: 100, EmailsLimit: 50_000, Bytes: 400_000_000, BytesLimit: 500_000_000},
			Warn, "80%", "used", []Line{{"Plan", "standard"}, {"E-mails", "100 of 50,000"}, {"Volume", "400\u00a0MB of 500\u00a0MB"}, {"Left", "100\u00a0MB"}}},
		{"nearly all", &app.QuotaState{Plan: "big", Emails: 49_999_999, EmailsLimit: 50_000_000},
			Warn, "99%", "used", []Line{{"Plan", "big"}, {"E-mails", "49,999,999 of 50,000,000"}, {"Volume", "0\u00a0B"}, {"Left", "1 e-mail"}}},
		{"more than all", &app.QuotaState{Plan: "entry", Emails: 9_500, EmailsLimit: 9_000},
			Alarm, "105%", "used", []Line{{"Plan", "entry"}, {"E-mails", "9,500 of 9,000"}, {"Volume", "0\u00a0B"}, {"Left", "0 e-mails"}}},
		{"no limit", &app.QuotaState{Plan: "free", Emails: 1_240, Bytes: 1_000_000},
			Busy, "1,240", "e-mails, no limit", []Line{{"Plan", "free"}, {"E-mails", "1,240"}, {"Volume", "1\u00a0MB"}, {"Left", "no limit"}}},
		{"just over a half", &app.QuotaState{Plan: "entry", Emails: 53, EmailsLimit: 100},
			Busy, "53%", "used", []Line{{"Plan", "entry"}, {"E-mails", "53 of 100"}, {"Volume", "0\u00a0B"}, {"Left", "47 e-mails"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := newQuota(say.English, c.quota, nine)
			if got.Tone != c.tone || got.Centre != c.centre || got.Caption != c.caption {
				t.Errorf("got %s, %q, %q", got.Tone, got.Centre, got.Caption)
			}
			if diff := cmp.Diff(c.lines, got.Lines); diff != "" {
				t.Error("want -, got +\n" + diff)
			}
			checkSaid(t, newQuota(marked, c.quota, nine), ".Tone", ".Lines[].Value")
		})
	}
}

func TestQuotasNameTheirAccounts(t *testing.T) {
	one := state(app.MoodIdle, app.AccountState{Name: "office"})
	two := state(app.MoodIdle, app.AccountState{Name: "office"}, app.AccountState{Name: "shop"})
	if got := NewQuotas(say.English, one, nine); len(got) != 1 || got[0].Account != "" {
		t.Errorf("one: %+v", got)
	}
	if got := NewQuotas(say.English, two, nine); len(got) != 2 || got[0].Account != "office" || got[1].Account != "shop" {
		t.Errorf("two: %+v", got)
	}
}

// TestSharesStayInTheirPlace: whatever a relay or a spool says, no bar leaves
// its track.
func TestSharesStayInTheirPlace(t *testing.T) {
	within := func(t *rapid.T, what string, v float32) {
		if !(v >= 0 && v <= 1) {
			t.Fatalf("%s is %v", what, v)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.Int64()
		q := &app.QuotaState{Emails: number.Draw(t, "emails"), EmailsLimit: number.Draw(t, "limit"), Bytes: mail.ByteSize(number.Draw(t, "bytes")), BytesLimit: mail.ByteSize(number.Draw(t, "most"))}
		got := newQuota(say.English, q, nine)
		within(t, "the ring", got.Share)
		if full := got.Tone == Alarm; full != (percent(q.Emails, q.EmailsLimit) >= 100 || percent(int64(q.Bytes), int64(q.BytesLimit)) >= 100) {
			t.Fatalf("%+v looks %s", q, got.Tone)
		}
		count := rapid.IntRange(-10, 100_000)
		j := app.JobState{Recipients: count.Draw(t, "recipients"), Counts: app.Counts{Queued: count.Draw(t, "queued"), Deferred: count.Draw(t, "deferred"), Uncertain: count.Draw(t, "uncertain")}}
		within(t, "the job", newJobCard(say.English, j, app.AccountState{}, nine).Share)
		var spans []app.SentSpan
		for i := range rapid.IntRange(0, 40).Draw(t, "spans") {
			spans = append(spans, app.SentSpan{From: nine.Add(time.Duration(i) * SentSpan), Recipients: rapid.IntRange(0, 1_000_000).Draw(t, "n"), Failed: rapid.IntRange(0, 1000).Draw(t, "failed")})
		}
		plot := NewSentPlot(say.English, spans, nine)
		if len(plot.Bars) != 0 && len(plot.Bars) != len(spans) {
			t.Fatalf("%d bars for %d spans", len(plot.Bars), len(spans))
		}
		for _, b := range plot.Bars {
			within(t, "a bar", b.Height)
			within(t, "a bar", b.Failed)
			if b.Failed > b.Height {
				t.Fatalf("%+v", b)
			}
		}
	})
}

func TestNeverUsed(t *testing.T) {
	fresh := app.AccountState{Name: "office", Quota: &app.QuotaState{EmailsLimit: 50_000}}
	used := app.AccountState{Name: "shop", Quota: &app.QuotaState{Emails: 1}}
	came, waits := state(app.MoodIdle, fresh), state(app.MoodIdle, fresh)
	came.LastMail, waits.Jobs = &app.LastMail{}, []app.JobState{newsletterJob("A", 1, 1)}
	for _, c := range []struct {
		name  string
		state app.State
		want  bool
	}{
		{"nothing is known", state(app.MoodIdle, app.AccountState{Name: "office"}), true},
		{"a new account", state(app.MoodIdle, fresh), true},
		{"another was used", state(app.MoodIdle, fresh, used), false},
		{"mail came", came, false},
		{"mail waits", waits, false},
	} {
		if got := NeverUsed(c.state); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestJobCards(t *testing.T) {
	sending := app.AccountState{Name: "office", Mood: app.MoodSending, Messages: 1, Recipients: 3800, Pace: app.PaceState{PerMinute: 600}, FinishAt: at(time.Hour)}
	letter := newsletterJob("A", 5000, 3800)
	letter.Batches, letter.BatchesDone = 100, 24
	held := sending
	held.Mood, held.FinishAt, held.Hold, held.Said = app.MoodWaiting, nil, &app.HoldState{Reason: mail.HoldUnreachable}, said("The relay cannot be reached.", "")
	slow := sending
	slow.Messages, slow.Pace.Slowed = 2, say.T("The relay asked to wait.")
	doubt := letter
	doubt.State, doubt.Counts = "uncertain", app.Counts{Accepted: 4950, Uncertain: 50}
	note := letter
	note.Lane, note.From, note.Recipients, note.Batches, note.BatchesDone, note.Counts = "personal", "", 1, 1, 0, app.Counts{Queued: 1}
	for _, c := range []struct {
		name    string
		job     app.JobState
		account app.AccountState
		want    JobCard
	}{
		{"sending", letter, sending, JobCard{ID: "A", Title: "news@example.com", Kind: "Newsletter", Tone: Busy, State: "Sending", Share: 0.24,
			Count: "1,200 of 5,000 recipients", Batches: "24 of 100 batches", Finish: "Done at 10:00", Pace: "600 recipients a minute"}},
		{"held up", letter, held, JobCard{ID: "A", Title: "news@example.com", Kind: "Newsletter", Tone: Warn, State: "Waiting", Share: 0.24,
			Count: "1,200 of 5,000 recipients", Batches: "24 of 100 batches", Pace: "600 recipients a minute", Slowed: "The relay cannot be reached."}},
		{"one of two, slowed", letter, slow, JobCard{ID: "A", Title: "news@example.com", Kind: "Newsletter", Tone: Busy, State: "Sending", Share: 0.24,
			Count: "1,200 of 5,000 recipients", Batches: "24 of 100 batches", Pace: "600 recipients a minute", Slowed: "The relay asked to wait."}},
		{"in doubt", doubt, sending, JobCard{ID: "A", Title: "news@example.com", Kind: "Newsletter", Tone: Alarm, State: "In doubt", Share: 0.99,
			Count: "4,950 of 5,000 recipients", Batches: "24 of 100 batches", Pace: "600 recipients a minute", Doubt: true}},
		{"a report", note, sending, JobCard{ID: "A", Title: "Automatic report", Kind: "Personal message", Tone: Busy, State: "Sending", Share: 0,
			Count: "0 of 1 recipient", Batches: "0 of 1 batch", Finish: "Done at 10:00", Pace: "600 recipients a minute"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, newJobCard(say.English, c.job, c.account, nine)); diff != "" {
				t.Error("want -, got +\n" + diff)
			}
			checkSaid(t, newJobCard(marked, c.job, c.account, nine), ".ID", ".Title", ".Tone")
		})
	}
	s := state(app.MoodSending, sending, app.AccountState{Name: "shop", Messages: 12})
	s.Jobs = []app.JobState{letter}
	if cards, more := NewJobCards(say.English, s, nine); len(cards) != 1 || more != "12 more messages wait." {
		t.Errorf("%d cards, %q", len(cards), more)
	}
	s.Accounts[1].Messages = 0
	if _, more := NewJobCards(say.English, s, nine); more != "" {
		t.Errorf("nothing more waits, but %q", more)
	}
}

func TestNotices(t *testing.T) {
	s := state(app.MoodIdle)
	for i, severity := range []string{"info", "warning", "critical"} {
		s.Notices = append(s.Notices, app.NoticeState{Account: "office", ID: int64(i), At: nine, Severity: severity, Subject: "Your plan", Body: "It is {{.so}}."})
	}
	s.Notices = append(s.Notices, app.NoticeState{ID: 3, At: nine, Severity: "critical", Subject: "English", Body: "English",
		Said: app.Said{Sentence: say.Words{say.T("Check this disk.")}, Action: say.Words{say.T("Look at the log.")}}}) // of this computer
	want := []Notice{
		{"office", 0, Muted, "Your plan (09:00)", "It is {{.so}}."},
		{"office", 1, Warn, "Your plan (09:00)", "It is {{.so}}."},
		{"office", 2, Alarm, "Your plan (09:00)", "It is {{.so}}."},
		{"", 3, Alarm, "Check this disk. (09:00)", "Look at the log."},
	}
	if diff := cmp.Diff(want, NewNotices(say.English, s, nine)); diff != "" {
		t.Error("want -, got +\n" + diff)
	}
}
