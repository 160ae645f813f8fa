package config

import (
	"fmt"
	"net/mail"
	"strings"
	"unicode/utf8"
)

// Notify is what the service writes to its customers.
type Notify struct {
	Mail bool   `toml:"mail"` // false: notices for the companion only
	From string `toml:"from"` // address, or "Name <address>"; "": postmaster at the host name
}

// longestName keeps the field From on one line.
const longestName = 60

func (n Notify) check() error {
	if n.From == "" {
		return nil
	}
	a, err := mail.ParseAddress(n.From)
	if err != nil || strings.ContainsFunc(a.Address, func(r rune) bool { return r >= utf8.RuneSelf }) || utf8.RuneCountInString(a.Name) > longestName {
		return fmt.Errorf(`notify.from: %q cannot be a sender: write an address in plain letters, or "Name <address>" with a name of at most %d letters`, n.From, longestName)
	}
	return nil
}

// Sender is From, or what stands for it.
func (c Config) Sender() string {
	if c.Notify.From != "" {
		return c.Notify.From
	}
	return "postmaster@" + c.Submission.Hostname // RFC 5321 §4.5.1 wants somebody to read it
}
