package say

import (
	"testing"
	"time"

	"golang.org/x/text/language"

	"servicesmtp.net/companion/app/mail"
)

// italian translates a few texts as a catalogue would.
var italian = New(language.Italian, func(t Text, n int, values map[string]string) string {
	many := map[string]string{
		"{{.N}} minutes": "{{.N}} minuti", "{{.N}} hours": "{{.N}} ore", "{{.N}} days": "{{.N}} giorni", "November": "novembre",
		"Done at {{.At}}.": "Finito alle {{.At}}.", "{{.Day}} {{.Month}}": "{{.Day}} {{.Month}}", "{{.Day}}, {{.Hour}}": "{{.Day}}, {{.Hour}}",
	}
	one := map[string]string{"{{.N}} minutes": "{{.N}} minuto", "{{.N}} hours": "{{.N}} ora"}
	if s, ok := one[t.Key]; ok && n == 1 {
		return fill(s, values)
	}
	if s, ok := many[t.Key]; ok {
		return fill(s, values)
	}
	return fill(t.Key, values)
})

func TestPrinter(t *testing.T) {
	now := time.Date(2026, 11, 25, 9, 30, 0, 0, time.UTC)
	for _, c := range []struct{ name, en, it string }{
		{"number", English.Number(1234567), italian.Number(1234567)},
		{"percent", English.Percent(62), italian.Percent(62)},
		{"bytes", English.Size(999), italian.Size(999)},
		{"kilobytes", English.Size(20_480), italian.Size(20_480)},
		{"just a megabyte", English.Size(999_999), italian.Size(999_999)},
		{"large", English.Size(123_400_000), italian.Size(123_400_000)},
		{"half a gigabyte more", English.Size(1_500_000_000), italian.Size(1_500_000_000)},
		{"minute", English.Duration(61 * time.Second), italian.Duration(61 * time.Second)},
		{"hours", English.Duration(90 * time.Minute), italian.Duration(90 * time.Minute)},
		{"days", English.Duration(75 * time.Hour), italian.Duration(75 * time.Hour)},
		{"today", English.Moment(Moment{now.Add(time.Hour), now}), italian.Moment(Moment{now.Add(time.Hour), now})},
		{"tomorrow", English.Moment(Moment{now.Add(24 * time.Hour), now}), italian.Moment(Moment{now.Add(24 * time.Hour), now})},
	} {
		want := map[string][2]string{
			"number": {"1,234,567", "1.234.567"}, "percent": {"62%", "62%"}, "bytes": {"999\u00a0B", "999\u00a0B"},
			"kilobytes": {"20.5\u00a0KB", "20,5\u00a0KB"}, "just a megabyte": {"1\u00a0MB", "1\u00a0MB"},
			"large": {"123\u00a0MB", "123\u00a0MB"}, "half a gigabyte more": {"1.5\u00a0GB", "1,5\u00a0GB"},
			"minute": {"1 minute", "1 minuto"}, "hours": {"1 hour 30 minutes", "1 ora 30 minuti"}, "days": {"3 days", "3 giorni"},
			"today": {"10:30", "10:30"}, "tomorrow": {"26 November, 09:30", "26 novembre, 09:30"},
		}[c.name]
		if c.en != want[0] || c.it != want[1] {
			t.Errorf("%s: %q and %q, want %q", c.name, c.en, c.it, want)
		}
	}
}

func TestTextSaysItsValues(t *testing.T) {
	now := time.Date(2026, 11, 25, 9, 30, 0, 0, time.UTC)
	done := T("Done at {{.At}}.").With("At", Moment{now, now})
	waits := N(1, "1 message waits.", "{{.N}} messages wait.")
	nested := T("{{.What}} ({{.Size}}, {{.Unknown}})").With("What", waits).With("Size", mail.ByteSize(5))
	for got, want := range map[string]string{
		done.String():                                           "Done at 09:30.",
		italian.Text(done):                                      "Finito alle 09:30.",
		Words{waits, {}, done}.String():                         "1 message waits. Done at 09:30.",
		N(1200, "one", "{{.N}} messages wait.").String():        "1,200 messages wait.",
		nested.String():                                         "1 message waits. (5\u00a0B, {{.Unknown}})",
		T("{{.A}}").With("A", "{{.B}}").With("B", "x").String(): "{{.B}}", // a value is never a template
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if with := done.With("At", "x"); done.Args["At"] == with.Args["At"] {
		t.Error("With changed the text that it was called on")
	}
}
