package viewmodel

import (
	"strings"
	"testing"
	"time"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/say"
)

// The moment at which these tests look.
var queueNow = time.Date(2026, 11, 25, 9, 30, 0, 0, time.UTC)

// Of a message whose text is lost nothing can leave: trying again would not help,
// and the person is told what would.
func TestDamagedJob(t *testing.T) {
	j := app.JobState{ID: "A", Account: "main", State: "queued", Damaged: true, Recipients: 3, Counts: app.Counts{Queued: 3}, AcceptedAt: queueNow}
	accounts := []app.AccountState{{Name: "main", Mood: app.MoodSending}}
	r := NewJobRow(say.English, j, accounts, queueNow)
	if r.State != "Damaged" || r.Tone != Alarm || r.MayRetry || !r.MayTakeBack {
		t.Errorf("row %+v", r)
	}
	v := NewJobView(say.English, j, accounts, queueNow)
	if !strings.Contains(v.Damage, "kept and not sent") || v.MayRetry || !v.MayTakeBack {
		t.Errorf("view %+v", v)
	}
	j.State, j.Counts = "done", app.Counts{Cancelled: 3}
	if v := NewJobView(say.English, j, accounts, queueNow); v.Damage != "" || v.Words != "Taken back" {
		t.Errorf("taken back: %q, %q", v.Words, v.Damage)
	}
}

func TestJobRow(t *testing.T) {
	free := app.AccountState{Name: "main", Mood: app.MoodSending}
	held := app.AccountState{Name: "main", Mood: app.MoodWaiting, Hold: &app.HoldState{Reason: mail.HoldUnreachable}}
	stopped := app.AccountState{Name: "main", Mood: app.MoodPaused, Hold: &app.HoldState{Reason: mail.HoldPaused}}
	for _, c := range []struct {
		name       string
		state      string
		counts     app.Counts
		account    app.AccountState
		recipients string
		words      string
		tone       Tone
		retry      bool
		back       bool
	}{
		{"new", "queued", app.Counts{Queued: 5000}, free, "0 of 5,000", "Waiting", Muted, true, true},
		{"begun", "sending", app.Counts{Queued: 3700, Deferred: 100, Accepted: 1188, Failed: 12}, free, "1,200 of 5,000", "Sending", Busy, true, true},
		{"begun, relay away", "sending", app.Counts{Queued: 3800, Accepted: 1200}, held, "1,200 of 5,000", "Waiting", Warn, true, true},
		{"paused", "sending", app.Counts{Queued: 3800, Accepted: 1200}, stopped, "1,200 of 5,000", "Paused", Muted, false, true},
		{"in doubt, more waits", "uncertain", app.Counts{Queued: 1000, Accepted: 3950, Uncertain: 50}, free, "3,950 of 5,000", "In doubt", Alarm, true, true},
		{"only doubt is left", "uncertain", app.Counts{Accepted: 4950, Uncertain: 50}, stopped, "4,950 of 5,000", "In doubt", Alarm, false, false},
		{"done", "done", app.Counts{Accepted: 5000}, free, "5,000", "Sent", Success, false, false},
		{"done and paused", "done", app.Counts{Accepted: 5000}, stopped, "5,000", "Sent", Success, false, false},
		{"some failed", "done", app.Counts{Accepted: 4988, Failed: 12}, free, "5,000", "Sent, 12 failed", Warn, false, false},
		{"failures stand before what was taken back", "done", app.Counts{Accepted: 4000, Failed: 1, Cancelled: 999}, free, "5,000", "Sent, 1 failed", Warn, false, false},
		{"all failed", "done", app.Counts{Failed: 5000}, free, "5,000", "5,000 failed", Alarm, false, false},
		{"left in doubt", "done", app.Counts{Accepted: 4950, Uncertain: 50}, free, "5,000", "Sent, 50 in doubt", Warn, false, false},
		{"all left in doubt", "done", app.Counts{Uncertain: 5000}, free, "5,000", "5,000 in doubt", Warn, false, false},
		{"taken back", "done", app.Counts{Cancelled: 5000}, free, "5,000", "Taken back", Muted, false, false},
		{"the rest taken back", "done", app.Counts{Accepted: 1200, Cancelled: 3800}, free, "5,000", "Sent, 3,800 taken back", Muted, false, false},
	} {
		j := app.JobState{ID: "A", Account: "main", From: "news@shop.example", Recipients: 5000, Size: 20_480, AcceptedAt: queueNow.Add(-time.Hour), State: c.state, Counts: c.counts}
		got := NewJobRow(say.English, j, []app.AccountState{{Name: "other", Mood: app.MoodPaused}, c.account}, queueNow)
		if got.Recipients != c.recipients || got.State != c.words || got.Tone != c.tone {
			t.Errorf("%s: got %q, %q, %q, want %q, %q, %q", c.name, got.Recipients, got.State, got.Tone, c.recipients, c.words, c.tone)
		}
		if card := newJobCard(say.English, j, c.account, queueNow); card.State != got.State || card.Tone != got.Tone {
			t.Errorf("%s: the overview says %q, %q, the queue %q, %q", c.name, card.State, card.Tone, got.State, got.Tone)
		}
		if got.MayRetry != c.retry || got.MayTakeBack != c.back {
			t.Errorf("%s: got retry %v, take back %v, want %v, %v", c.name, got.MayRetry, got.MayTakeBack, c.retry, c.back)
		}
		if got.From != "news@shop.example" || got.When != "08:30" || got.Size != "20.5\u00a0KB" || got.Account != "main" || got.Job.ID != "A" {
			t.Errorf("%s: got %+v", c.name, got)
		}
	}
	refused := app.JobState{Recipients: 205, State: "done", Counts: app.Counts{Accepted: 205}, Refused: 4}
	if tone, words := jobState(say.English, refused, free); tone != Warn || words != "Sent, 4 failed" {
		t.Errorf("refused by their servers later: got %q, %q", tone, words)
	}
	if got := counts(say.English, outcome(refused)); len(got) != 2 || got[0].Text != "201 sent" || got[1].Text != "4 failed" {
		t.Errorf("refused by their servers later: got %+v", got)
	}
	if got := NewJobRow(say.English, app.JobState{}, nil, queueNow).From; got != "Automatic report" {
		t.Errorf("the empty sender is %q", got)
	}
}

// A report of ours says whom it goes to, and its message says that there is one.
func TestReportsAreShown(t *testing.T) {
	report := app.JobState{ID: "B", Lane: "personal", ReportTo: "alice@example.com", ReportOf: "A", AcceptedAt: queueNow, Size: 2000, Recipients: 1}
	if got := NewJobRow(say.English, report, nil, queueNow).From; got != "Report to alice@example.com" {
		t.Errorf("in the list: %q", got)
	}
	v := NewJobView(say.English, report, nil, queueNow)
	if v.Title != "Report to alice@example.com" || !strings.HasPrefix(v.Subtitle, "Report of failures, 2\u00a0KB, made ") || v.Report != "" {
		t.Errorf("by itself: %+v", v)
	}
	if c := newJobCard(say.English, report, app.AccountState{}, queueNow); c.Kind != "Report of failures" {
		t.Errorf("card %+v", c)
	}
	letter := app.JobState{ID: "A", From: "alice@example.com", Report: &app.ReportState{Job: "B", At: queueNow}}
	want := "A report of the failures was made for the sender: " + queueNow.Format("15:04") + "."
	if got := NewJobView(say.English, letter, nil, queueNow).Report; got != want {
		t.Errorf("of the message: %q, want %q", got, want)
	}
}

func TestQueueActions(t *testing.T) {
	runs := app.AccountState{Name: "a", Mood: app.MoodIdle}
	full := app.AccountState{Name: "b", Mood: app.MoodSending, Messages: 2}
	held := app.AccountState{Name: "c", Mood: app.MoodAttention, Hold: &app.HoldState{Reason: mail.HoldCredentials}}
	stopped := app.AccountState{Name: "d", Mood: app.MoodPaused, Messages: 3}
	// Something else may be told first of an account that is paused.
	both := app.AccountState{Name: "e", Mood: app.MoodAttention, Messages: 3, Hold: &app.HoldState{Reason: mail.HoldPaused}}
	for _, c := range []struct {
		name     string
		accounts []app.AccountState
		want     QueueActions
	}{
		{"no account", nil, QueueActions{}},
		{"nothing waits", []app.AccountState{runs}, QueueActions{Pause: true}},
		{"mail waits", []app.AccountState{runs, full}, QueueActions{Pause: true, Retry: true}},
		{"held", []app.AccountState{held}, QueueActions{Pause: true, Retry: true}},
		{"paused", []app.AccountState{stopped, both}, QueueActions{Resume: true}},
		{"one of two paused", []app.AccountState{stopped, runs}, QueueActions{Pause: true, Resume: true}},
	} {
		if got := NewQueueActions(app.State{Accounts: c.accounts}); got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestTakeBackSaysTheNumbers(t *testing.T) {
	for _, c := range []struct {
		name  string
		state string
		c     app.Counts
		want  string
	}{
		{"nothing left yet", "queued", app.Counts{Queued: 1},
			"1 recipient will not get it. It has not gone out to anybody yet."},
		{"in the middle", "sending", app.Counts{Queued: 3000, Deferred: 800, Accepted: 1188, Failed: 12},
			"3,800 recipients will not get it. To 1,188 recipients it has gone out; that cannot be undone. What is leaving at this very moment may still arrive."},
		{"in doubt too", "uncertain", app.Counts{Queued: 2, Accepted: 1, Uncertain: 50},
			"2 recipients will not get it. To 1 recipient it has gone out; that cannot be undone. Of 50 recipients nobody knows whether it went out; that stays in doubt. What is leaving at this very moment may still arrive."},
	} {
		if got := TakeBack(say.English, app.JobState{State: c.state, Counts: c.c}); got.Text != c.want || got.Button != "Take back" {
			t.Errorf("%s: got %q\nwant %q", c.name, got.Text, c.want)
		}
	}
}

func TestFilters(t *testing.T) {
	accounts := []app.AccountState{{Name: "home"}, {Name: "office"}}
	for _, c := range []struct {
		name string
		got  []FilterOption
		want string
	}{
		{"jobs", JobFilters(say.English), "=All messages open=Not finished uncertain=In doubt failed=With failures done=Finished"},
		{"recipients", RecipientFilters(say.English),
			"=All recipients queued=Waiting accepted=Sent delivered=Delivered deferred=Delayed failed=Failed uncertain=In doubt cancelled=Taken back"},
		{"one account", AccountFilters(say.English, accounts[:1]), ""},
		{"two accounts", AccountFilters(say.English, accounts), "=All accounts home=home office=office"},
	} {
		var words []string
		seen := map[string]bool{}
		for _, o := range c.got {
			words = append(words, o.Value+"="+o.Label)
			if seen[o.Label] {
				t.Errorf("%s: %q stands twice, so that it cannot be chosen", c.name, o.Label)
			}
			seen[o.Label] = true
		}
		if got := strings.Join(words, " "); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestJobView(t *testing.T) {
	at := queueNow.Add(time.Hour)
	j := app.JobState{
		Account: "home", Lane: "bulk", From: "news@shop.example", Size: 20_480, AcceptedAt: queueNow.Add(-24 * time.Hour), Recipients: 5000, Batches: 100, BatchesDone: 24,
		State: "sending", Counts: app.Counts{Queued: 3700, Deferred: 100, Accepted: 1188, Failed: 12}, FinishAt: &at, LastReply: "451 4.7.1 later",
	}
	one := []app.AccountState{{Name: "home", Mood: app.MoodSending}}
	v := NewJobView(say.English, j, one, queueNow)
	counts := ""
	for _, c := range v.Counts {
		counts += string(c.Tone) + ": " + c.Text + "; "
	}
	for _, c := range []struct{ name, got, want string }{
		{"title", v.Title, "news@shop.example"},
		{"subtitle", v.Subtitle, "Newsletter, 20.5\u00a0KB, handed in 24 November, 09:30"},
		{"state", v.Words, "Sending"},
		{"progress", v.Progress, "1,200 of 5,000 recipients"},
		{"batches", v.Batches, "24 of 100 batches"},
		{"finish", v.Finish, "Done at 10:30"},
		{"counts", counts, "success: 1,188 sent; muted: 3,700 waiting; warn: 100 delayed; alarm: 12 failed; "},
		{"reply", v.LastReply, "451 4.7.1 later"},
		{"doubt", v.Doubt, ""},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, c.got, c.want)
		}
	}
	if v.Share != 0.24 || !v.MayRetry || !v.MayTakeBack {
		t.Errorf("got share %v, retry %v, take back %v", v.Share, v.MayRetry, v.MayTakeBack)
	}

	j.State, j.Lane, j.Counts = "uncertain", "personal", app.Counts{Accepted: 4999, Uncertain: 1}
	v = NewJobView(say.English, j, append(one, app.AccountState{Name: "office"}), queueNow)
	if want := "Personal message, 20.5\u00a0KB, handed in 24 November, 09:30, account home"; v.Subtitle != want {
		t.Errorf("got %q, want %q", v.Subtitle, want)
	}
	if want := "The connection broke at the wrong moment, so nobody knows whether 1 recipient got this message. Only you can decide: " +
		"if you send again, it may arrive twice. If you leave it, it may never have arrived."; v.Doubt != want {
		t.Errorf("got %q, want %q", v.Doubt, want)
	}
	if j.State = "done"; NewJobView(say.English, j, one, queueNow).Finish != "" {
		t.Error("a job that is done says when it will be")
	}
}

func TestRecipientRow(t *testing.T) {
	for _, c := range []struct {
		status, words string
		tone          Tone
	}{
		{"queued", "Waiting", Muted}, {"accepted", "Sent", Busy}, {"delivered", "Delivered", Success}, {"deferred", "Delayed", Warn},
		{"failed", "Failed", Alarm}, {"uncertain", "In doubt", Alarm}, {"cancelled", "Taken back", Muted}, {"bounced", "bounced", Muted},
	} {
		got := NewRecipientRow(say.English, app.RecipientState{Address: "ada@x.example", Status: c.status, Code: "550 5.1.1", Reply: "no\r\nsuch  user", At: queueNow}, queueNow)
		want := RecipientRow{Key: "ada@x.example", Address: "ada@x.example", Status: c.words, Tone: c.tone, Reply: "550 5.1.1 no such user", When: "09:30"}
		if got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	if got := NewRecipientRow(say.English, app.RecipientState{At: queueNow}, queueNow).Reply; got != "" {
		t.Errorf("no reply is %q", got)
	}
}

func TestDecideSaysWhatCanHappen(t *testing.T) {
	for again, want := range map[bool]string{true: "a second time", false: "will never get it"} {
		if got := Decide(say.English, again); !strings.Contains(got.Text, want) || got.Title == "" || got.Button == "" {
			t.Errorf("again %v: got %+v", again, got)
		}
	}
}
