package viewmodel

import (
	"errors"
	"time"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/say"
)

// Verdict is what became of an account that a person entered.
type Verdict struct {
	OK      bool
	Tone    Tone
	Title   string
	Text    string
	Place   string // where the password is kept
	Plan    *Quota // as soon as the relay has told it
	Details string // what a machine said
}

// NewVerdict says err, or that the account works. a is the account as it is
// stored then; q may be nil.
func NewVerdict(p say.Printer, err error, a app.AccountInfo, q *app.QuotaState, now time.Time) Verdict {
	if err != nil {
		v := Verdict{Tone: Alarm, Title: p.Say("The account could not be stored."), Text: p.Say("Look at the log."), Details: err.Error()}
		if said, ok := app.Words(err); ok {
			v.Title, v.Text, v.Details = p.Words(said.Sentence), p.Words(said.Action), ""
			var u *app.UserError
			if errors.As(err, &u) && u.Err != nil {
				v.Details = u.Err.Error()
			}
		}
		return v
	}
	v := Verdict{OK: true, Tone: Success, Title: p.Say("The account works."), Text: p.Say("Now connect your mail program."), Place: PasswordPlace(p, a)}
	if q != nil {
		plan := newQuota(p, q, now)
		v.Plan = &plan
	}
	return v
}

// PasswordPlace says plainly where an account's password is kept.
func PasswordPlace(p say.Printer, a app.AccountInfo) string {
	if a.Credential == "file" {
		return p.Say("No keyring of this computer answers, so the password is in a file that only you can read.")
	}
	return p.Say("The password is in this computer's keyring.")
}
