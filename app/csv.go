package app

import (
	"io"
	"time"

	"servicesmtp.net/companion/internal/csvsafe"
)

// ErrorsCSV writes errors as CSV (RFC 4180), for a person who cleans a list
// with it. Its words are English in every language: other programs read them.
type ErrorsCSV struct {
	w     *csvsafe.Writer
	begun bool
}

// NewErrorsCSV makes one; Write may be called for page after page.
func NewErrorsCSV(w io.Writer) *ErrorsCSV { return &ErrorsCSV{w: csvsafe.NewWriter(w)} }

// WriteErrorsCSV writes all at once.
func WriteErrorsCSV(w io.Writer, list []AddressError) error { return NewErrorsCSV(w).Write(list) }

// Write writes a line for each error, and the line of heads before the first
// time.
func (c *ErrorsCSV) Write(list []AddressError) error {
	var rows [][]string
	if !c.begun {
		c.begun = true
		rows = append(rows, []string{"address", "reason", "code", "reply", "at", "account", "source"})
	}
	for _, a := range list {
		rows = append(rows, []string{a.Address, a.Reason, a.Code, a.Reply, a.At.UTC().Format(time.RFC3339), a.Account, a.Source})
	}
	return c.w.Write(rows...)
}
