package config

import (
	"errors"
	"fmt"
	"net/mail"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Notify is what the service writes to its customers, and to its operator.
type Notify struct {
	Mail        bool   `toml:"mail"`         // false: notices for the companion only
	From        string `toml:"from"`         // address, or "Name <address>"; "": postmaster at the host name
	Operator    string `toml:"operator"`     // address for alarms; "": the log alone
	Payment     string `toml:"payment"`      // how to pay, in a sentence; {order} and {account} are filled in
	PaymentLink string `toml:"payment_link"` // the same as a web address; "": none
}

const (
	longestName    = 60  // keeps the field From on one line
	longestPayment = 500 // a sentence or two
)

func (n Notify) check() error {
	return errors.Join(plainAddress("notify.from", "a sender", n.From), plainAddress("notify.operator", "written to", n.Operator), n.checkPayment())
}

// plainAddress lets an address pass, and none.
func plainAddress(key, what, s string) error {
	if s == "" {
		return nil
	}
	a, err := mail.ParseAddress(s)
	if err != nil || strings.ContainsFunc(a.Address, func(r rune) bool { return r >= utf8.RuneSelf }) || utf8.RuneCountInString(a.Name) > longestName {
		return fmt.Errorf(`%s: %q cannot be %s: write an address in plain letters, or "Name <address>" with a name of at most %d letters`, key, s, what, longestName)
	}
	return nil
}

func (n Notify) checkPayment() error {
	var errs []error
	if utf8.RuneCountInString(n.Payment) > longestPayment || strings.ContainsFunc(n.Payment, unicode.IsControl) || unknownWords(n.Payment) {
		errs = append(errs, fmt.Errorf("notify.payment: write it on one line, in at most %d letters, with {order} and {account} where they belong", longestPayment))
	}
	if n.PaymentLink != "" {
		link := fillIn(n.PaymentLink, "o", "a")
		u, err := url.Parse(link)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || unknownWords(n.PaymentLink) || strings.ContainsFunc(link, unicode.IsSpace) {
			errs = append(errs, fmt.Errorf("notify.payment_link: %q is not a web address: write one, with {order} and {account} where they belong", n.PaymentLink))
		}
	}
	return errors.Join(errs...)
}

// unknownWords says that the text has braces around something else.
func unknownWords(text string) bool { return strings.ContainsAny(fillIn(text, "", ""), "{}") }

// Pay is how an account's order is paid: in words, and as a web address.
func (n Notify) Pay(order, account string) (how, link string) {
	return fillIn(n.Payment, order, account), fillIn(n.PaymentLink, url.QueryEscape(order), url.QueryEscape(account))
}

func fillIn(text, order, account string) string {
	return strings.NewReplacer("{order}", order, "{account}", account).Replace(text)
}

// Sender is From, or what stands for it.
func (c Config) Sender() string {
	if c.Notify.From != "" {
		return c.Notify.From
	}
	return "postmaster@" + c.Submission.Hostname // RFC 5321 §4.5.1 wants somebody to read it
}
