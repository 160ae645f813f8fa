package viewmodel

import (
	"testing"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/say"
)

func TestVerdict(t *testing.T) {
	told := &app.QuotaState{Plan: "standard", Emails: 1, EmailsLimit: 50_000, Reset: nine, AsOf: nine}
	for _, c := range []struct {
		name    string
		checked bool
		quota   *app.QuotaState
		tone    Tone
		title   string
	}{
		{"checked", true, nil, Success, "The account works."},
		{"checked, with its plan", true, told, Success, "The account works."},
		{"offline", false, nil, Warn, "The account is stored. Whether the relay accepts it shows when the relay can be reached."},
		{"no longer offline", false, told, Success, "The account works."},
	} {
		got := NewVerdict(say.English, c.checked, app.AccountInfo{Credential: "keyring"}, c.quota, nine)
		if got.Tone != c.tone || got.Title != c.title || got.Place == "" || (got.Plan != nil) != (c.quota != nil) {
			t.Errorf("%s: %+v", c.name, got)
		}
		if got.Plan != nil && got.Plan.Lines[0].Value != "standard" {
			t.Errorf("%s: the plan is %+v", c.name, got.Plan)
		}
		checkSaid(t, NewVerdict(marked, c.checked, app.AccountInfo{}, c.quota, nine), ".Tone", ".Plan")
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
