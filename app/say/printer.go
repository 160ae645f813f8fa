package say

import (
	"fmt"
	"strings"
	"time"

	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/number"

	"servicesmtp.net/companion/app/mail"
)

// Moment is a point in time, said as people do: only the hour on the day of
// Now, with the date otherwise, in the zone of Now.
type Moment struct{ Time, Now time.Time }

// Day is a date without an hour, in the zone of its time.
type Day struct{ time.Time }

// Printer says texts in one language. The zero value is not usable; make it
// with New.
type Printer struct {
	numbers *message.Printer
	find    func(t Text, n int, values map[string]string) string
}

// English says the templates themselves.
var English = New(language.English, english)

func english(t Text, n int, values map[string]string) string {
	if t.One != "" && n == 1 {
		return fill(t.One, values)
	}
	return fill(t.Key, values)
}

// New is a printer for a language. find translates: it gets the text, its count
// (0 where it has none) and its values in words, and returns the sentence.
func New(tag language.Tag, find func(t Text, n int, values map[string]string) string) Printer {
	return Printer{numbers: message.NewPrinter(tag), find: find}
}

// Text says one text.
func (p Printer) Text(t Text) string {
	if t.IsZero() {
		return ""
	}
	n, _ := t.Args["N"].(int)
	values := make(map[string]string, len(t.Args))
	for name, v := range t.Args {
		values[name] = p.value(v)
	}
	return p.find(t, n, values)
}

// Say is Text for a text without values.
func (p Printer) Say(key string) string { return p.Text(T(key)) }

// Words says sentences after one another.
func (p Printer) Words(w Words) string {
	said := make([]string, 0, len(w))
	for _, t := range w {
		if s := p.Text(t); s != "" {
			said = append(said, s)
		}
	}
	return strings.Join(said, " ")
}

func (p Printer) value(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case int:
		return p.Number(int64(v))
	case int64:
		return p.Number(v)
	case mail.ByteSize:
		return p.Size(v)
	case time.Duration:
		return p.Duration(v)
	case Moment:
		return p.Moment(v)
	case Day:
		return p.Day(v)
	case Text:
		return p.Text(v)
	case Words:
		return p.Words(v)
	}
	return fmt.Sprint(v)
}

// Number writes a whole number with the language's separators.
func (p Printer) Number(n int64) string { return p.numbers.Sprint(number.Decimal(n)) }

// Percent writes a share of one hundred.
func (p Printer) Percent(n int) string { return p.numbers.Sprint(number.Percent(float64(n) / 100)) }

// Size writes a size in decimal units (1 KB = 1,000 bytes) with at most one
// digit behind the point.
func (p Printer) Size(b mail.ByteSize) string {
	value, unit := float64(b), "B"
	for _, u := range []string{"KB", "MB", "GB", "TB"} {
		if value < 999.95 {
			break
		}
		value, unit = value/1000, u
	}
	digits := 1
	if unit == "B" || value >= 99.95 {
		digits = 0
	}
	return p.numbers.Sprint(number.Decimal(value, number.MaxFractionDigits(digits))) + "\u00a0" + unit
}

// Duration writes a span in the one or two units that matter.
func (p Printer) Duration(d time.Duration) string {
	d = d.Round(time.Second)
	switch {
	case d < time.Minute:
		return p.Text(N(int(d/time.Second), "{{.N}} second", "{{.N}} seconds"))
	case d < time.Hour:
		return p.Text(N(int(d.Round(time.Minute)/time.Minute), "{{.N}} minute", "{{.N}} minutes"))
	case d < 48*time.Hour:
		d = d.Round(time.Minute)
		hours, minutes := int(d/time.Hour), int(d%time.Hour/time.Minute)
		said := p.Text(N(hours, "{{.N}} hour", "{{.N}} hours"))
		if minutes > 0 {
			said += " " + p.Text(N(minutes, "{{.N}} minute", "{{.N}} minutes"))
		}
		return said
	}
	return p.Text(N(int(d.Round(24*time.Hour)/(24*time.Hour)), "{{.N}} day", "{{.N}} days"))
}

// Moment writes a point in time as people say it.
func (p Printer) Moment(m Moment) string {
	t := m.Time.In(m.Now.Location())
	if t.YearDay() == m.Now.YearDay() && t.Year() == m.Now.Year() {
		return t.Format("15:04")
	}
	return p.Text(Text{Key: "{{.Day}}, {{.Hour}}", Args: Args{"Day": Day{t}, "Hour": t.Format("15:04")}})
}

// Day writes a date without its year.
func (p Printer) Day(d Day) string {
	return p.Text(Text{Key: "{{.Day}} {{.Month}}", Args: Args{"Day": fmt.Sprint(d.Time.Day()), "Month": T(d.Month().String())}})
}
