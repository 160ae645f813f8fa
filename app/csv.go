package app

import (
	"encoding/csv"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// ErrorsCSV writes errors as CSV (RFC 4180), for a person who cleans a list
// with it. Its words are English in every language: other programs read them.
type ErrorsCSV struct {
	w     *csv.Writer
	begun bool
}

// NewErrorsCSV makes one; Write may be called for page after page.
func NewErrorsCSV(w io.Writer) *ErrorsCSV { return &ErrorsCSV{w: csv.NewWriter(w)} }

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
		row := []string{a.Address, a.Reason, a.Code, a.Reply, a.At.UTC().Format(time.RFC3339), a.Account, a.Source}
		for i, cell := range row {
			row[i] = harmless(cell)
		}
		rows = append(rows, row)
	}
	if err := c.w.WriteAll(rows); err != nil { // it flushes
		return fmt.Errorf("write CSV: %w", err)
	}
	return nil
}

// harmless is a cell on one line that no spreadsheet takes for a formula:
// recipients' servers write the replies, and strangers can register the
// addresses. A quote in front is what spreadsheets show as text. In many
// countries a spreadsheet ends cells at semicolons, wherever they stand.
func harmless(cell string) string {
	cell = strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == utf8.RuneError:
			return '?'
		}
		return r
	}, cell)), " ")
	parts := strings.Split(cell, ";")
	for i, part := range parts {
		if begin := strings.TrimLeft(part, " \"'"); begin != "" && strings.ContainsRune("=+-@|%＝＋－＠", firstRune(begin)) {
			parts[i] = "'" + part
		}
	}
	return strings.Join(parts, ";")
}

func firstRune(s string) rune {
	r, _ := utf8.DecodeRuneInString(s)
	return r
}
