package viewmodel

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/say"
)

func notice(id int64, severity string) app.NoticeState {
	return app.NoticeState{Account: "office", ID: id, At: nine.Add(time.Duration(id) * time.Minute), Severity: severity, Subject: "About your plan", Body: "It is nearly used up."}
}

func withNotices(s app.State, list ...app.NoticeState) app.State {
	s.Notices = list
	return s
}

func TestNotify(t *testing.T) {
	fine := state(app.MoodIdle, account("office", app.MoodIdle, "", "Everything is sent."))
	starting := fine
	starting.Mood = app.MoodStarting
	password := account("office", app.MoodAttention, mail.HoldCredentials, "Wrong password.")
	password.Do = app.DeedPassword
	wrong := state(app.MoodAttention, password)
	blocked := state(app.MoodAttention, account("office", app.MoodAttention, mail.HoldBlocked, "Blocked."))
	two := state(app.MoodAttention, password, account("shop", app.MoodAttention, mail.HoldBlocked, "Blocked."))
	startingWrong, stoppingWrong := wrong, wrong
	startingWrong.Mood, stoppingWrong.Mood = app.MoodStarting, app.MoodStopping
	paused := state(app.MoodPaused, account("office", app.MoodPaused, mail.HoldPaused, "Sending is paused."))
	offline := state(app.MoodWaiting, account("office", app.MoodWaiting, mail.HoldUnreachable, "No way out."))
	disk := state(app.MoodAttention, account("office", app.MoodAttention, mail.HoldStorage, "The spool cannot be written."))
	disk.Spool = app.SpoolState{Sentence: "The disk is full.", Said: said("The disk is full.", "Make room."), Do: app.DeedLog}
	port := state(app.MoodAttention, account("office", app.MoodIdle, "", "Everything is sent."))
	for _, a := range []string{"127.0.0.1:2525", "[::1]:2525"} {
		port.Listen = append(port.Listen, app.ListenState{Address: a, Sentence: "Port 2525 is in use at " + a, Said: said("Port 2525 is in use.", "End that program.")})
	}
	warned := withNotices(fine, notice(3, "warning"), notice(2, "info"), notice(1, "critical"))
	for _, c := range []struct {
		name       string
		prev, next app.State
		want       []string // id, title, body, deed
	}{
		{"nothing", fine, fine, nil},
		{"start", app.State{}, fine, nil},
		{"start with a wrong password", app.State{}, wrong, []string{"account-office|Wrong password.|Do it.|password!"}},
		{"not while it starts", app.State{}, startingWrong, nil},
		{"but after it", startingWrong, wrong, []string{"account-office|Wrong password.|Do it.|password!"}},
		{"stopping", wrong, stoppingWrong, nil},
		{"password refused", fine, wrong, []string{"account-office|Wrong password.|Do it.|password!"}},
		{"still", wrong, wrong, nil},
		{"another reason", wrong, blocked, []string{"account-office|Blocked.|Do it.|!"}},
		{"a second account", wrong, two, []string{"account-shop|shop: Blocked.|Do it.|!"}},
		{"settled", wrong, fine, nil},
		{"paused by a person", fine, paused, nil},
		{"goes on by itself", fine, offline, nil},
		{"disk, told once", fine, disk, []string{"spool|The disk is full.|Make room.|log!"}},
		{"port, told once", starting, port, []string{"listen|Port 2525 is in use.|End that program.|listen!"}},
		{"no account", app.State{}, state(app.MoodAttention), nil},
		{"notices", fine, warned, []string{"notice-office-3|About your plan|It is nearly used up.|", "notice-office-1|About your plan|It is nearly used up.|!"}},
		{"seen ones", warned, withNotices(fine, notice(3, "warning")), nil},
		{"one more", warned, withNotices(fine, notice(4, "warning"), notice(3, "warning")), []string{"notice-office-4|About your plan|It is nearly used up.|"}},
		{"many", app.State{}, withNotices(fine, notice(3, "warning"), notice(2, "warning"), notice(1, "warning")),
			[]string{"notices|The service has 3 messages for you.|Open the companion to read them.|"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, n := range Notify(say.English, c.prev, c.next) {
				line := fmt.Sprintf("%s|%s|%s|%s", n.ID, n.Title, n.Body, n.Deed)
				if n.Urgent {
					line += "!"
				}
				got = append(got, line)
				if (n.Deed != "") != (n.Button != "") {
					t.Errorf("deed %q has the button %q", n.Deed, n.Button)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error("want -, got +\n" + diff)
			}
			checkSaid(t, Notify(marked, c.prev, c.next), ".ID", ".Deed", ".Account", ".Job", ".Title", ".Body")
		})
	}
}

// TestOldNoticesAreNotNews: when newer ones were seen, older ones come in
// sight at the end of the list.
func TestOldNoticesAreNotNews(t *testing.T) {
	fine := state(app.MoodIdle, account("office", app.MoodIdle, "", "Everything is sent."))
	list := func(from, to int64) (out []app.NoticeState) {
		for id := from; id >= to; id-- {
			out = append(out, notice(id, "critical"))
		}
		return out
	}
	prev, next := withNotices(fine, list(30, 11)...), withNotices(fine, list(29, 10)...)
	if len(prev.Notices) != app.MaxStateNotices {
		t.Fatal("the list is not full")
	}
	if got := Notify(say.English, prev, next); len(got) != 0 {
		t.Errorf("told %+v", got)
	}
}

func TestSettled(t *testing.T) {
	fine := state(app.MoodIdle, account("office", app.MoodIdle, "", "Everything is sent."))
	wrong := withNotices(state(app.MoodAttention, account("office", app.MoodAttention, mail.HoldCredentials, "Wrong password.")), notice(1, "critical"))
	for _, c := range []struct {
		name       string
		prev, next app.State
		want       []string
	}{
		{"done", wrong, fine, []string{"account-office", "notice-office-1"}},
		{"still", wrong, wrong, nil},
		{"start", app.State{}, fine, nil},
		{"stop", wrong, app.State{Mood: app.MoodStopping}, nil},
	} {
		if diff := cmp.Diff(c.want, Settled(c.prev, c.next)); diff != "" {
			t.Errorf("%s: want -, got +\n%s", c.name, diff)
		}
	}
}

func TestNewsletterEnds(t *testing.T) {
	letter, personal, team := newsletterJob("A", 5000, 10), newsletterJob("B", 3, 1), newsletterJob("C", 60, 1)
	personal.Lane, team.Lane = "personal", "personal"
	before, after := state(app.MoodSending), state(app.MoodIdle)
	before.Jobs = []app.JobState{letter, personal, team}
	if diff := cmp.Diff([]mail.JobID{"A", "C"}, Ended(before, after)); diff != "" {
		t.Error("want -, got +\n" + diff)
	}
	if got := Ended(before, before); got != nil {
		t.Errorf("%v ended without a change", got)
	}
	if got := Ended(before, app.State{Mood: app.MoodStopping}); got != nil {
		t.Errorf("%v ended with the engine", got)
	}
	done := func(c app.Counts) app.JobState {
		j := newsletterJob("A", 5000, 0)
		j.State, j.Counts = "done", c
		return j
	}
	for _, c := range []struct {
		name string
		job  app.JobState
		want string
	}{
		{"all sent", done(app.Counts{Accepted: 5000}), "5,000 recipients were sent it."},
		{"some refused", done(app.Counts{Accepted: 4949, Failed: 1, Uncertain: 50}), "4,949 recipients were sent it. 1 was refused. Of 50 it is not known."},
		{"one sent", done(app.Counts{Accepted: 1, Failed: 4999}), "1 recipient was sent it. 4,999 were refused."},
		{"taken back", done(app.Counts{Accepted: 1, Cancelled: 4999}), ""},
		{"the list could not be read", letter, ""},
		{"personal", func() app.JobState { j := personal; j.State = "done"; return j }(), ""},
	} {
		n, ok := Finished(say.English, c.job)
		if n.Body != c.want || ok != (c.want != "") {
			t.Errorf("%s: %q, %v, want %q", c.name, n.Body, ok, c.want)
		}
		if ok && (n.ID != "job-A" || n.Title != "The newsletter of news@example.com is out." || n.Urgent || n.Deed != app.DeedQueue) {
			t.Errorf("%s: %+v", c.name, n)
		}
		n, _ = Finished(marked, c.job)
		checkSaid(t, n, ".ID", ".Deed", ".Account", ".Job")
	}
}

// TestNotifyOnce: over any course of States, what stays is never told twice,
// and what a person must act on is told.
func TestNotifyOnce(t *testing.T) {
	reasons := []mail.HoldReason{"", mail.HoldCredentials, mail.HoldBlocked, mail.HoldUnreachable, mail.HoldUncertain}
	moods := map[mail.HoldReason]app.Mood{"": app.MoodIdle, mail.HoldCredentials: app.MoodAttention, mail.HoldBlocked: app.MoodAttention,
		mail.HoldUnreachable: app.MoodWaiting, mail.HoldUncertain: app.MoodAttention}
	rapid.Check(t, func(t *rapid.T) {
		prev, was := app.State{}, mail.NotHeld
		for range rapid.IntRange(1, 20).Draw(t, "steps") {
			r := rapid.SampledFrom(reasons).Draw(t, "reason")
			next := state(moods[r], account("office", moods[r], r, "It is so."))
			got := len(Notify(say.English, prev, next))
			want := 0
			if r != was && moods[r] == app.MoodAttention {
				want = 1
			}
			if got != want {
				t.Fatalf("from %q to %q: %d notifications, want %d", was, r, got, want)
			}
			if again := Notify(say.English, next, next); len(again) != 0 {
				t.Fatalf("told again: %+v", again)
			}
			prev, was = next, r
		}
	})
}
