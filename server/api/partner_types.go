package api

import (
	"strings"
	"time"

	"servicesmtp.net/companion/server/store"
)

// PartnerOrderForm asks for an account of a partner's customer.
type PartnerOrderForm struct {
	Reference string `json:"reference" minLength:"1" maxLength:"100" doc:"The partner's own name for this order: the same again is the same account, and makes no other"`
	Name      string `json:"name" minLength:"1" maxLength:"64" doc:"SMTP login: letters, digits and . _ @ + -"`
	Email     string `json:"email" minLength:"3" maxLength:"254" doc:"Reference address for reports"`
	Plan      string `json:"plan" minLength:"1" maxLength:"100" doc:"Name of a plan that the partner may order"`
	Customer  string `json:"customer,omitempty" maxLength:"100" doc:"The partner's own name for the customer, who may have several accounts"`
	Zone      string `json:"zone,omitempty" maxLength:"100" default:"UTC" doc:"IANA time zone in which months and days are counted"`
	Overage   string `json:"overage,omitempty" enum:"surcharge,stop,block" default:"surcharge" doc:"What happens at the limit of a bandwidth plan"`
}

// PartnerAccount is an account as its partner sees it.
type PartnerAccount struct {
	ID        string     `json:"id"`
	Reference string     `json:"reference" doc:"As ordered"`
	Name      string     `json:"name" doc:"SMTP login"`
	Email     string     `json:"email" doc:"Reference address for reports"`
	Plan      string     `json:"plan" doc:"In force, or the last one that was; empty: none has begun"`
	Customer  string     `json:"customer,omitempty"`
	Status    string     `json:"status" enum:"waiting,active,held,blocked,ended" doc:"waiting: for payment and activation; held: mail is accepted and waits; blocked: mail is refused; ended: with its plan"`
	Overage   string     `json:"overage" enum:"surcharge,stop,block"`
	Zone      string     `json:"zone"`
	Created   time.Time  `json:"created_at"`
	Start     *time.Time `json:"plan_start,omitempty" doc:"Missing: nothing has begun"`
	End       *time.Time `json:"plan_end,omitempty" doc:"Not included; missing: no end"`
}

// PartnerAccounts is a page of them.
type PartnerAccounts struct {
	Accounts []PartnerAccount `json:"accounts" nullable:"false" doc:"Oldest first"`
	Cursor   string           `json:"cursor" doc:"Where the next page begins; opaque"`
	More     bool             `json:"more" doc:"More can be read at once"`
}

// PartnerOrders lists an account's orders.
type PartnerOrders struct {
	Orders []Order `json:"orders" nullable:"false" doc:"Oldest first"`
}

// PartnerAccountMade answers an order.
type PartnerAccountMade struct {
	Account  PartnerAccount `json:"account"`
	Order    Order          `json:"order"`
	Password string         `json:"password,omitempty" doc:"Of the SMTP login; told this once and stored as a hash"`
	Note     string         `json:"note,omitempty" doc:"For a person: what to do where the account was there before"`
}

// PartnerAccountChange changes what is not missing.
type PartnerAccountChange struct {
	Email   *string `json:"email,omitempty" minLength:"3" maxLength:"254" doc:"Reference address for reports"`
	Overage *string `json:"overage,omitempty" enum:"surcharge,stop,block"`
}

// PartnerPassword is a new password.
type PartnerPassword struct {
	ID       string `json:"id"`
	Name     string `json:"name" doc:"SMTP login"`
	Password string `json:"password" doc:"Told this once; the old one and all tokens of the account are no good any more"`
}

func viewPartnerAccount(a store.Account, now time.Time) PartnerAccount {
	v := PartnerAccount{ID: a.ID, Reference: a.Reference, Name: a.Name, Email: a.Email, Plan: a.Subscription.Plan,
		Customer: strings.TrimPrefix(a.Customer, customerOf(a.Partner, "")), Status: statusOf(a, now), Overage: a.Overage, Zone: a.Zone, Created: a.CreatedAt}
	if s := a.Subscription; s.ID != "" {
		v.Start, v.End = optional(s.Since), optional(s.End)
	}
	return v
}

// customerOf names a partner's customer among all customers: what one partner
// calls its customer must not be another's, nor the operator's.
func customerOf(partner, customer string) string { return "partner:" + partner + ":" + customer }
