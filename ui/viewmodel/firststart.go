package viewmodel

import (
	"time"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/say"
)

// Verdict is what became of an account that a person entered.
type Verdict struct {
	Tone  Tone
	Title string
	Place string // where the password is kept
	Plan  *Quota // as soon as the relay has told it
}

// NewVerdict says that an account works, or only that it is stored where the
// relay was not asked. a is the account as it is stored; q may be nil.
func NewVerdict(p say.Printer, checked bool, a app.AccountInfo, q *app.QuotaState, now time.Time) Verdict {
	v := Verdict{Tone: Success, Title: p.Say("The account works."), Place: PasswordPlace(p, a)}
	if q != nil {
		plan := newQuota(p, q, now)
		v.Plan = &plan
	}
	if !checked && q == nil { // what the relay tells about an account, it tells to whom it accepts
		v.Tone, v.Title = Warn, p.Say("The account is stored. Whether the relay accepts it shows when the relay can be reached.")
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
