package viewmodel

import (
	"errors"
	"fmt"
	"testing"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/say"
)

func TestVerdict(t *testing.T) {
	refused := &app.UserError{Sentence: "The relay does not accept this account's name or password.", Action: "Enter the password again.", Err: errors.New("535 5.7.8")}
	for _, c := range []struct {
		name                 string
		err                  error
		ok                   bool
		tone                 Tone
		title, text, details string
	}{
		{"works", nil, true, Success, "The account works.", "Now connect your mail program.", ""},
		{"refused", fmt.Errorf("set account: %w", refused), false, Alarm, refused.Sentence, refused.Action, "535 5.7.8"},
		{"no words", errors.New("disk on fire"), false, Alarm, "The account could not be stored.", "Look at the log.", "disk on fire"},
		{"no action and no cause", &app.UserError{Sentence: "It is so."}, false, Alarm, "It is so.", "", ""},
	} {
		got := NewVerdict(say.English, c.err, app.AccountInfo{Credential: "keyring"}, nil, nine)
		if got.OK != c.ok || got.Tone != c.tone || got.Title != c.title || got.Text != c.text || got.Details != c.details {
			t.Errorf("%s: %+v", c.name, got)
		}
		if (got.Place != "") != c.ok || got.Plan != nil {
			t.Errorf("%s: the password is %q, the plan %v", c.name, got.Place, got.Plan)
		}
		checkSaid(t, NewVerdict(marked, c.err, app.AccountInfo{}, nil, nine), ".Tone", ".Details")
	}
	q := &app.QuotaState{Plan: "standard", Emails: 1, EmailsLimit: 50_000, Reset: nine, AsOf: nine}
	if got := NewVerdict(say.English, nil, app.AccountInfo{}, q, nine); got.Plan == nil || got.Plan.Lines[0].Value != "standard" {
		t.Errorf("the plan is %+v", got.Plan)
	}
}

func TestPasswordPlace(t *testing.T) {
	for kind, want := range map[string]string{
		"keyring": "The password is in this computer's keyring.",
		"file":    "No keyring of this computer answers, so the password is in a file that only you can read.",
	} {
		if got := PasswordPlace(say.English, app.AccountInfo{Credential: kind}); got != want {
			t.Errorf("%s: %q", kind, got)
		}
	}
}
