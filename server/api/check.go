package api

import (
	"net/http"
	"net/mail"
	"regexp"
	"time"

	"servicesmtp.net/companion/server/account"
)

// accountName leaves out what SMTP, Basic authentication (a colon) or a path
// would trip over.
var accountName = regexp.MustCompile(`^[a-z0-9][a-z0-9._@+-]{0,63}$`)

// checkPerson checks what is asked for an account beside its plan.
func checkPerson(name, email, overage, zone string) error {
	if !accountName.MatchString(name) {
		return refuse(http.StatusUnprocessableEntity, "the name %q cannot be used: take letters, digits and . _ @ + -, at most 64", name)
	}
	if err := checkEmail(email); err != nil {
		return err
	}
	switch account.Policy(overage) {
	case account.Surcharge, account.Stop, account.Block:
	default:
		return refuse(http.StatusUnprocessableEntity, "overage %q is unknown: write surcharge, stop or block", overage)
	}
	if _, err := time.LoadLocation(zone); err != nil || zone == "" || zone == "Local" {
		return refuse(http.StatusUnprocessableEntity, "zone %q is unknown: write a name like Europe/Rome, or UTC", zone)
	}
	return nil
}

func checkEmail(email string) error {
	if addr, err := mail.ParseAddress(email); err != nil || addr.Address != email {
		return refuse(http.StatusUnprocessableEntity, "%q is not an e-mail address", email)
	}
	return nil
}
