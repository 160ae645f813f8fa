package viewmodel

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// percent is part of whole in hundredths, rounded down, so that only what is
// full reads 100; 0 where there is no whole. It may be above 100.
func percent(part, whole int64) int {
	if whole <= 0 || part <= 0 {
		return 0
	}
	const most = 1 << 53 // keeps the product exact
	for whole > most/100 || part > most/100 {
		part, whole = part/2, max(whole/2, 1)
	}
	return int(part * 100 / whole)
}

// shorten is the beginning of s on one line, n characters at most. What others
// chose the words of is shown on one line and never fills a menu.
func shorten(s string, n int) string {
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s))
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	runes := []rune(s)
	return strings.TrimSpace(string(runes[:n-1])) + "…"
}
