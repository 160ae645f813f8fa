package api

import (
	"errors"
	"net/http"
	"time"

	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/billing"
	"servicesmtp.net/companion/server/store"
)

// statusOf is an account's status for people: the operator's word, or what its
// subscriptions make of it.
func statusOf(a store.Account, now time.Time) string {
	switch {
	case a.Status != statusActive:
		return a.Status
	case a.Subscription.ID == "":
		return string(account.Waiting)
	}
	return string(account.StatusAt([]account.Subscription{a.Subscription}, now))
}

// broken turns what the rules refuse into words for the operator.
func broken(err error) error {
	var no *account.Error
	switch {
	case errors.As(err, &no):
		return refuse(http.StatusConflict, "%s", no.Detail)
	case errors.Is(err, billing.ErrReference):
		return refuse(http.StatusConflict, "%v: give it a reference of its own", err)
	case errors.Is(err, store.ErrNotFound):
		return refuse(http.StatusNotFound, "there is no such order")
	}
	return err
}
