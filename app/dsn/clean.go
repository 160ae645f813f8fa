package dsn

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// oneLine is a text from outside as it may be shown: on one line, without
// characters that steer, and with marks in place of bytes that are no UTF-8.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == utf8.RuneError || r == '\u2028' || r == '\u2029':
			return '?'
		}
		return r
	}, s), func(r rune) bool { return r == ' ' }), " ")
}

// shorten keeps at most n characters.
func shorten(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

// ascii is oneLine for a field of the status, which knows ASCII only.
func ascii(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, oneLine(s))
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] > 0x7f {
			return false
		}
	}
	return true
}

// typed is an address with its type as a field of the status has it. One with
// letters outside ASCII is a utf-8-addr-xtext (RFC 6533 §3).
func typed(kind, address string) string {
	address = strings.ToValidUTF8(address, "?")
	switch {
	case isASCII(address):
		address = ascii(address)
	default:
		kind, address = "utf-8", embedded(address)
	}
	if len(address) > maxAddress {
		// Not an address any more, and no program may take it for one.
		kind, address = "x-too-long", address[:64]+"..."
	}
	return kind + ";" + address
}

// embedded writes what is no plain ASCII as EmbeddedUnicodeChar (RFC 6533 §3).
func embedded(address string) string {
	var out strings.Builder
	for _, r := range address {
		if r >= '!' && r <= '~' && r != '+' && r != '=' && r != '\\' {
			out.WriteRune(r)
		} else {
			fmt.Fprintf(&out, `\x{%02X}`, r)
		}
	}
	return out.String()
}
