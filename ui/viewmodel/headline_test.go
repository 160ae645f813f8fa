package viewmodel

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/say"
)

func TestHeadline(t *testing.T) {
	password := account("office", app.MoodAttention, mail.HoldCredentials, "Wrong password.")
	password.Do, password.Hold.Reply, password.Hold.Detail = app.DeedPassword, "535 5.7.8 no", "AUTH failed"
	resume := account("office", app.MoodPaused, mail.HoldPaused, "Paused.")
	resume.Do = app.DeedResume
	port := state(app.MoodAttention, password)
	port.Listen = []app.ListenState{{Sentence: "Port 2525 is in use."}}
	port.Said, port.Do = said("Port 2525 is in use.", "Choose another."), app.DeedListen
	for _, c := range []struct {
		name  string
		state app.State
		want  Headline
	}{
		{"idle", state(app.MoodIdle, account("office", app.MoodIdle, "", "Everything is sent.")), Headline{Tone: Success, Title: "Ready. Nothing waits to be sent."}},
		{"sending", state(app.MoodSending, account("office", app.MoodSending, "", "Sending.")), Headline{Tone: Busy, Title: "Sending.", Text: "Do it.", Account: "office"}},
		{"the second account", state(app.MoodAttention, account("shop", app.MoodSending, "", "Sending."), password),
			Headline{Tone: Alarm, Title: "Wrong password.", Text: "Do it.", Deed: app.DeedPassword, Button: "Enter the password", Account: "office", Details: "office: 535 5.7.8 no\noffice: AUTH failed"}},
		{"a port", port, Headline{Tone: Alarm, Title: "Port 2525 is in use.", Text: "Choose another.", Deed: app.DeedListen, Button: "Choose another port", Details: "office: 535 5.7.8 no\noffice: AUTH failed"}},
		{"all paused", state(app.MoodPaused, resume, resume), Headline{Tone: Muted, Title: "Paused.", Text: "Do it.", Deed: app.DeedResume, Button: "Resume sending"}},
		{"one paused", state(app.MoodPaused, account("shop", app.MoodSending, "", "Sending."), resume),
			Headline{Tone: Muted, Title: "Paused.", Text: "Do it.", Deed: app.DeedResume, Button: "Resume sending", Account: "office"}},
	} {
		if diff := cmp.Diff(c.want, NewHeadline(say.English, c.state)); diff != "" {
			t.Errorf("%s: want -, got +\n%s", c.name, diff)
		}
		checkSaid(t, NewHeadline(marked, c.state), ".Tone", ".Deed", ".Account", ".Details")
	}
	for _, d := range []app.Deed{app.DeedSetAccount, app.DeedPassword, app.DeedResume, app.DeedRetry, app.DeedQueue, app.DeedListen, app.DeedLog, app.DeedUsage} {
		if DeedLabel(say.English, d) == "" {
			t.Errorf("nothing is on the button for %q", d)
		}
	}
	if l := DeedLabel(say.English, app.DeedNone); l != "" {
		t.Errorf("a button for nothing says %q", l)
	}
}
