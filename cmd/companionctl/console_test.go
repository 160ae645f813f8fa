package main

import (
	"bytes"
	"testing"
	"time"
)

func TestTable(t *testing.T) {
	for name, c := range map[string]struct {
		table table
		want  string
	}{
		"aligned": {table{head: []string{"NAME", ">N", "X"}, rows: [][]string{{"ä", "1", "x"}, {"longer", "100", ""}}},
			"NAME      N  X\nä         1  x\nlonger  100\n"},
		"head only": {table{head: []string{"NAME", ">N"}}, "NAME  N\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			c.table.print(&b)
			if b.String() != c.want {
				t.Errorf("got\n%s\nwant\n%s", b.String(), c.want)
			}
		})
	}
}

func TestForeignTextIsHarmless(t *testing.T) {
	for in, want := range map[string]string{
		"grüße 漢字 ✓":                  "grüße 漢字 ✓",
		"\x1b]0;title\x07":            "?]0;title?",
		"a\x08\x08b":                  "a??b",
		"over\rwritten":               "over written",
		"\u202eevil\u2066":            "?evil?",
		"two\r\nlines":                "two lines",
		"bad \xff utf-8":              "bad ? utf-8",
		"\u009b31m":                   "?31m",
		"  much \t space\n\n between": "much space between",
	} {
		if got := oneLine(in); got != want {
			t.Errorf("oneLine(%q) = %q, want %q", in, got, want)
		}
	}
	if got := clean("first\nsecond\r"); got != "first\nsecond " {
		t.Errorf("clean keeps line ends: %q", got)
	}
}

func TestShorten(t *testing.T) {
	for _, c := range []struct {
		in   string
		n    int
		want string
	}{{"grüße", 5, "grüße"}, {"grüße", 4, "grü…"}, {"x", 0, "…"}, {"", 0, ""}} {
		if got := shorten(c.in, c.n); got != c.want {
			t.Errorf("shorten(%q, %d) = %q, want %q", c.in, c.n, got, c.want)
		}
	}
}

func TestNumbersAndTimes(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000", -100: "-100"} {
		if got := number(n); got != want {
			t.Errorf("number(%d) = %q, want %q", n, got, want)
		}
	}
	c := console{now: func() time.Time { return now }}
	for in, want := range map[time.Time]string{
		{}: "-", now.UTC(): "10:00", now.AddDate(0, 0, -1): "24 Nov 10:00", now.AddDate(1, 0, 0): "25 Nov 2027 10:00",
		time.Date(2026, 11, 24, 23, 30, 0, 0, time.UTC): "00:30", // today in the person's zone
	} {
		if got := c.clock(in); got != want {
			t.Errorf("clock(%v) = %q, want %q", in, got, want)
		}
	}
}
