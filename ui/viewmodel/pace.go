package viewmodel

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/say"
)

// Presets are recipients a minute, from careful to very fast.
var Presets = []int{30, 60, 300, 600}

// PresetNames are the words of the presets, with that of own numbers at the
// end.
func PresetNames(p say.Printer) []string {
	return []string{
		p.Text(say.T("Careful ({{.Count}} recipients a minute)").With("Count", Presets[0])),
		p.Text(say.T("Normal ({{.Count}} recipients a minute)").With("Count", Presets[1])),
		p.Text(say.T("Fast ({{.Count}} recipients a minute)").With("Count", Presets[2])),
		p.Text(say.T("Very fast ({{.Count}} recipients a minute)").With("Count", Presets[3])),
		p.Say("Own numbers"),
	}
}

// PresetOf is the place of a pace in Presets; len(Presets) where it is none.
func PresetOf(pace app.PacePreferences) int {
	if i := slices.Index(Presets, pace.PerMinute); i >= 0 && pace.PerHour == 0 && pace.PerDay == 0 {
		return i
	}
	return len(Presets)
}

// PaceForm is a pace in own numbers, as a person types it. Empty is no limit.
type PaceForm struct{ PerMinute, PerHour, PerDay string }

// NewPaceForm is the form of a pace.
func NewPaceForm(pace app.PacePreferences) PaceForm {
	write := func(n int) string {
		if n == 0 {
			return ""
		}
		return strconv.Itoa(n)
	}
	return PaceForm{write(pace.PerMinute), write(pace.PerHour), write(pace.PerDay)}
}

// Apply puts the numbers of the form into a pace, or says what is wrong.
func (f PaceForm) Apply(p say.Printer, pace app.PacePreferences) (next app.PacePreferences, wrong string) {
	for _, v := range []struct {
		text string
		to   *int
	}{{f.PerMinute, &pace.PerMinute}, {f.PerHour, &pace.PerHour}, {f.PerDay, &pace.PerDay}} {
		text := strings.TrimSpace(v.text)
		if text == "" {
			*v.to = 0
			continue
		}
		n, err := strconv.ParseUint(text, 10, 31)
		if err != nil || n > 1_000_000_000 {
			return pace, p.Say("A limit is a whole number; 0 means no limit.")
		}
		*v.to = int(n)
	}
	return pace, ""
}

// paceExample is how many recipients the sentence about a pace reckons with.
const paceExample = 5000

// PaceWords say what a pace means.
func PaceWords(p say.Printer, pace app.PacePreferences) string {
	var parts say.Words
	for _, l := range []struct {
		n    int
		said say.Text
	}{
		{pace.PerMinute, say.N(pace.PerMinute, "{{.N}} recipient a minute", "{{.N}} recipients a minute")},
		{pace.PerHour, say.N(pace.PerHour, "{{.N}} recipient an hour", "{{.N}} recipients an hour")},
		{pace.PerDay, say.N(pace.PerDay, "{{.N}} recipient a day", "{{.N}} recipients a day")},
	} {
		if l.n > 0 {
			parts = append(parts, l.said)
		}
	}
	if len(parts) == 0 {
		return p.Say("No limit of your own: mail leaves as fast as the relay takes it.")
	}
	limit := parts[0]
	for _, more := range parts[1:] {
		limit = say.T("{{.Limits}}, {{.Limit}}").With("Limits", limit).With("Limit", more)
	}
	took := paceTime(pace, paceExample)
	if took == 0 {
		return p.Text(say.T("{{.Pace}}, and within that as fast as the relay takes it.").With("Pace", limit))
	}
	return p.Text(say.T("{{.Pace}}: {{.Recipients}} recipients take {{.Time}}.").
		With("Pace", limit).With("Recipients", paceExample).With("Time", took))
}

// paceTime is how long so many recipients take at least.
func paceTime(pace app.PacePreferences, n int) time.Duration {
	var minute time.Duration
	if pace.PerMinute > 0 {
		minute = time.Minute / time.Duration(pace.PerMinute)
	}
	atMinute := func(n int) time.Duration { return minute * time.Duration(n) }
	atHour := func(n int) time.Duration { return max(atMinute(n), windows(n, pace.PerHour, time.Hour, atMinute)) }
	return max(atHour(n), windows(n, pace.PerDay, 24*time.Hour, atHour)).Round(time.Second)
}

// windows is how long n recipients take where so many may leave in a span: all
// but the last span pass whole.
func windows(n, most int, span time.Duration, rest func(int) time.Duration) time.Duration {
	if most <= 0 {
		return 0
	}
	whole := (n - 1) / most
	return time.Duration(whole)*span + rest(n-whole*most)
}

// QuietForm is the hours in which newsletters wait, as a person sets them.
type QuietForm struct {
	On       bool
	From, To string   // "22:00"
	More     []string // further spans, which only the settings file can change
}

// NewQuietForm is the form of the quiet hours; those of an ordinary night where
// there are none yet.
func NewQuietForm(quiet []string) QuietForm {
	f := QuietForm{From: "22:00", To: "07:00"}
	if len(quiet) > 0 {
		f.On, f.More = true, quiet[1:]
		f.From, f.To, _ = strings.Cut(quiet[0], "-")
	}
	return f
}

// Quiet is what the form means to the engine, or what is wrong with it.
func (f QuietForm) Quiet(p say.Printer) (quiet []string, wrong string) {
	if !f.On {
		return []string{}, ""
	}
	if f.From == f.To {
		return nil, p.Say("The quiet hours must end at another time than they begin.")
	}
	return append([]string{f.From + "-" + f.To}, f.More...), ""
}

// MoreWords name the spans that the form does not show, or "".
func (f QuietForm) MoreWords(p say.Printer) string {
	if len(f.More) == 0 {
		return ""
	}
	return p.Text(say.T("Also quiet, from the settings file: {{.Spans}}").With("Spans", strings.Join(f.More, ", ")))
}

// Hours are the times that can be chosen; others that are set already come
// first.
func Hours(set ...string) []string {
	var out []string
	for minute := 0; minute < 24*60; minute += 30 {
		out = append(out, fmt.Sprintf("%02d:%02d", minute/60, minute%60))
	}
	for _, h := range set {
		if !slices.Contains(out, h) {
			out = append([]string{h}, out...)
		}
	}
	return out
}
