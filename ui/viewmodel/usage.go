package viewmodel

import (
	"slices"
	"strings"
	"time"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/say"
)

// Usage is what an account used in its period.
type Usage struct {
	Period string // "1 November to 30 November"
	Share  float32
	Tone   Tone
	Centre string // the number in the ring
	Below  string // what it counts
	Lines  []Line
	Stale  string // where the relay could not be asked: of when this is; or ""
	Plot   Plot
	Days   []UsageDay // on which anything was sent, newest first
}

// UsageDay is one row of the table.
type UsageDay struct{ Day, Emails, Size string }

// NewUsage says what an account used.
func NewUsage(p say.Printer, u app.Usage, now time.Time) Usage {
	first, last := usageSpan(u, now)
	q := newQuota(p, &app.QuotaState{Plan: u.Plan, Emails: u.Emails, EmailsLimit: u.EmailsLimit, Bytes: u.Bytes, BytesLimit: u.BytesLimit}, now)
	out := Usage{
		Period: p.Text(say.T("{{.From}} to {{.To}}").With("From", say.Day{Time: first}).With("To", say.Day{Time: last})),
		Share:  q.Share, Tone: q.Tone, Centre: q.Centre, Below: q.Caption, Lines: q.Lines,
		Days: []UsageDay{},
	}
	if u.Stale {
		out.Stale = p.Text(say.T("As of {{.At}}; the relay cannot be asked now.").With("At", say.Moment{Time: u.AsOf, Now: now}))
	} else if !u.AsOf.IsZero() {
		out.Lines = append(out.Lines, Line{p.Say("As of"), p.Moment(say.Moment{Time: u.AsOf, Now: now})})
	}
	days := slices.Clone(u.Days)
	slices.SortFunc(days, func(a, b app.UsageDay) int { return strings.Compare(b.Day, a.Day) })
	for _, d := range days {
		day := d.Day // as it was told, where it is no date
		if t, err := time.Parse(time.DateOnly, d.Day); err == nil {
			day = p.Day(say.Day{Time: t})
		}
		out.Days = append(out.Days, UsageDay{Day: day, Emails: p.Number(d.Emails), Size: p.Size(d.Bytes)})
	}
	out.Plot = usagePlot(p, u, first, earlier(last, today(u, now)))
	return out
}

// usagePlot draws e-mails by day, also the days without any.
func usagePlot(p say.Printer, u app.Usage, first, last time.Time) Plot {
	plot := Plot{Empty: p.Say("Nothing was sent in this period yet.")}
	emails := map[string]app.UsageDay{}
	highest := int64(0)
	for _, d := range u.Days {
		emails[d.Day] = d
		highest = max(highest, d.Emails)
	}
	if highest == 0 {
		return plot
	}
	top := niceCeil(highest)
	plot.Ticks = ticks(p, top)
	plot.Caption = p.Text(say.N(int(u.Emails), "{{.N}} e-mail in this period", "{{.N}} e-mails in this period"))
	for day := first; !day.After(last) && len(plot.Bars) < maxUsageDays; day = day.AddDate(0, 0, 1) {
		d := emails[day.Format(time.DateOnly)]
		b := Bar{Height: share(d.Emails, top)}
		if len(plot.Bars)%dayLabels == 0 {
			b.Label = p.Number(int64(day.Day()))
		}
		b.Caption = p.Text(say.N(int(d.Emails), "{{.Day}}: {{.N}} e-mail, {{.Size}}", "{{.Day}}: {{.N}} e-mails, {{.Size}}").
			With("Day", say.Day{Time: day}).With("Size", d.Bytes))
		plot.Bars = append(plot.Bars, b)
	}
	return plot
}

const (
	maxUsageDays = 400 // the relay tells of no longer period
	dayLabels    = 7   // of so many bars one has its day below it
)

// usageSpan is the first and the last day of the period, as dates in UTC. The
// days that the relay tells of belong to it in any case.
func usageSpan(u app.Usage, now time.Time) (first, last time.Time) {
	zone := usageZone(u, now)
	first, last = dateOf(u.From.In(zone)), dateOf(u.To.Add(-time.Nanosecond).In(zone))
	for _, d := range u.Days {
		t, err := time.Parse(time.DateOnly, d.Day)
		if err != nil {
			continue
		}
		first = earlier(first, t)
		if t.After(last) {
			last = t
		}
	}
	return first, last
}

// usageZone is the zone of the account's days. The relay does not tell it, but
// a period of a calendar month begins at its midnight; one that begins at any
// other time is taken to be in the zone of now.
func usageZone(u app.Usage, now time.Time) *time.Location {
	if local := u.From.In(now.Location()); midnight(local) {
		return now.Location()
	}
	from := u.From.UTC()
	into := from.Sub(from.Truncate(24 * time.Hour))
	if into%(15*time.Minute) != 0 { // no zone has such an offset
		return now.Location()
	}
	offset := -into // of zones west of Greenwich
	if into > 10*time.Hour {
		offset += 24 * time.Hour
	}
	return time.FixedZone("", int(offset/time.Second))
}

func midnight(t time.Time) bool {
	h, m, s := t.Clock()
	return h == 0 && m == 0 && s == 0 && t.Nanosecond() == 0
}

// today is the date of now on the account's clock.
func today(u app.Usage, now time.Time) time.Time { return dateOf(now.In(usageZone(u, now))) }

func dateOf(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
