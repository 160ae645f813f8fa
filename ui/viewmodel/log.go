package viewmodel

import (
	"slices"
	"strings"
	"time"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/say"
)

// LogLine is one line of the log.
type LogLine struct {
	At    string
	Level string // in a word of the user's language
	Tone  Tone
	Text  string
}

// LogTrouble are the warnings and errors of a log.
func LogTrouble(lines []app.LogLine) []app.LogLine {
	return slices.DeleteFunc(slices.Clone(lines), func(l app.LogLine) bool { return l.Level != "WARN" && l.Level != "ERROR" })
}

// NewLogLines lists lines of the log, oldest first.
func NewLogLines(p say.Printer, lines []app.LogLine, now time.Time) []LogLine {
	out := make([]LogLine, 0, len(lines))
	for _, l := range lines {
		v := LogLine{At: logTime(p, l.At, now), Text: l.Text}
		switch l.Level {
		case "ERROR":
			v.Tone, v.Level = Alarm, p.Say("Error")
		case "WARN":
			v.Tone, v.Level = Warn, p.Say("Warning")
		case "DEBUG":
			v.Tone, v.Level = Muted, p.Say("Detail")
		default:
			v.Tone, v.Level = Muted, p.Say("Information")
		}
		out = append(out, v)
	}
	return out
}

// logTime is the time to the second, with the date on another day than today.
func logTime(p say.Printer, at, now time.Time) string {
	at = at.In(now.Location())
	clock := at.Format("15:04:05")
	if dateOf(at) == dateOf(now) {
		return clock
	}
	return p.Text(say.T("{{.Day}}, {{.Hour}}").With("Day", say.Day{Time: at}).With("Hour", clock))
}

// LogText is the log as a text for support, in English whatever the language
// of the window is.
func LogText(lines []app.LogLine) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l.At.UTC().Format(time.RFC3339) + " " + l.Level + " " + l.Text + "\n")
	}
	return b.String()
}
