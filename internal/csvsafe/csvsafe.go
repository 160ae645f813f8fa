// Package csvsafe writes CSV (RFC 4180) that a spreadsheet can open without
// harm.
//
// It promises that no cell begins a formula, whether the program that opens
// the file parts cells at commas or at semicolons, and that every row is one
// line. Recipients' servers write the replies that stand in our lists, and
// strangers can register the addresses. It knows no mail and starts no
// goroutine.
package csvsafe

import (
	"encoding/csv"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Writer writes rows.
type Writer struct{ w *csv.Writer }

// NewWriter makes a writer; Write may be called for page after page.
func NewWriter(w io.Writer) *Writer { return &Writer{w: csv.NewWriter(w)} }

// Write writes rows through to the end, each cell made harmless. The rows of
// the caller stay as they are.
func (w *Writer) Write(rows ...[]string) error {
	for _, row := range rows {
		safe := make([]string, len(row))
		for i, cell := range row {
			safe[i] = Cell(cell)
		}
		if err := w.w.Write(safe); err != nil {
			return fmt.Errorf("write CSV: %w", err)
		}
	}
	w.w.Flush()
	if err := w.w.Error(); err != nil {
		return fmt.Errorf("write CSV: %w", err)
	}
	return nil
}

// Cell is a cell on one line that no spreadsheet takes for a formula. A quote
// in front is what spreadsheets show as text. In many countries a spreadsheet
// ends cells at semicolons, wherever they stand.
func Cell(cell string) string {
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
