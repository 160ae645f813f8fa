package account

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"servicesmtp.net/companion/internal/units"
)

// toldNote is a notice that a daily review found due.
type toldNote struct {
	at   time.Time
	kind NoticeKind
	step int
}

// review is the day's, at midnight UTC: whatever is due is told.
func (a *actor) review(now time.Time) {
	a.reviews = append(a.reviews, now)
	for _, n := range a.rows.Review(a.c, a.history(), a.sent, now) {
		a.sent = append(a.sent, n.NoticeKey)
		a.told = append(a.told, toldNote{now, n.Kind, n.Step})
	}
}

// history is what was used by local date.
func (a *actor) history() []DayUse {
	for _, m := range a.tries[a.counted:] {
		a.counted++
		if !m.accepted {
			continue
		}
		day := m.at.In(a.rows.Zone).Format(time.DateOnly)
		if n := len(a.days); n == 0 || a.days[n-1].Day != day {
			a.days = append(a.days, DayUse{Day: day})
		}
		last := &a.days[len(a.days)-1]
		last.Used = last.Used.Add(ChargeFor(units.ByteSize(m.size), int(m.recipients)))
	}
	return a.days
}

// reports are what was told, in the bookkeeper's order.
func reports(l *life) []string { return lines(l.told) }

func lines(all []toldNote) []string {
	var text []string
	for _, n := range all {
		text = append(text, fmt.Sprintf("%s %s %d", n.at.Format(time.DateOnly), n.kind, n.step))
	}
	slices.Sort(text)
	return text
}

// bookReports is what the bookkeeper would have told: he goes through the
// reviews with the list of e-mails in hand, and counts anew each time.
func bookReports(cat Catalogue, l *life) []string {
	var told []toldNote
	days := bookDays(l)
	for i, c := range l.contracts {
		end := bookEnd(c, l.rows.Zone)
		if i+1 < len(l.contracts) && l.contracts[i+1].start.Before(end) {
			end = l.contracts[i+1].start
		}
		var next time.Time // when another one was bought; zero: never
		if i+1 < len(l.contracts) {
			next = l.contracts[i+1].bought
		}
		months := map[string]*bookMonthly{}
		over := false
		for _, at := range l.reviews {
			renewed := !next.IsZero() && !next.After(at)
			switch {
			case at.Before(c.start):
			case at.Before(end):
				word := at.In(l.rows.Zone).Format("2006-01")
				if strings.HasSuffix(c.plans[0].plan, "-month") {
					word = "the month"
				}
				if months[word] == nil {
					months[word] = &bookMonthly{cat: cat, l: l, c: c, days: days}
					months[word].from, months[word].to = bookMonth(word, l.rows.Zone, c.start, end)
				}
				told = append(told, months[word].review(at)...)
				if !renewed {
					told = append(told, bookWarning(c, l.rows.Zone, end, at, told)...)
				}
			case !over && !renewed:
				over = true
				told = append(told, toldNote{at, NoticeEnded, 0})
			}
		}
	}
	return lines(told)
}

// bookWarning is the one before the end: 7 days before counts more than 30.
func bookWarning(c contractNote, zone *time.Location, end, at time.Time, told []toldNote) []toldNote {
	local := end.In(zone)
	for _, days := range []int{7, 30} {
		first := time.Date(local.Year(), local.Month(), local.Day()-days, local.Hour(), local.Minute(), local.Second(), local.Nanosecond(), zone)
		if at.Before(first) || days == 30 && strings.HasSuffix(c.plans[0].plan, "-month") {
			continue
		}
		if slices.ContainsFunc(told, func(n toldNote) bool { return n.kind == NoticeRenewal && n.step == days && !n.at.Before(c.start) }) {
			return nil
		}
		return []toldNote{{at, NoticeRenewal, days}}
	}
	return nil
}

// bookMonthly is one month of a contract, and what was told in it.
type bookMonthly struct {
	cat         Catalogue
	l           *life
	c           contractNote
	days        []bookDay // of the whole year
	from, to    time.Time
	step        int
	near, above bool
	heavy       string // the last such day
}

func (m *bookMonthly) review(at time.Time) (due []toldNote) {
	p := planOn(m.cat, m.c, at)
	weigh := func(bytes, emails int64) int64 {
		if p.Kind == Unlimited {
			return emails
		}
		return max(bytes, emails*10_000)
	}
	allowance := weigh(int64(p.Bytes), p.Emails)
	var bytes, emails int64
	for _, e := range m.l.tries {
		if e.accepted && !e.at.Before(m.from) && e.at.Before(at) {
			bytes, emails = bytes+e.size*e.recipients, emails+e.recipients
		}
	}
	if day := at.In(m.l.rows.Zone).Format("20060102"); day != m.heavy && m.unusual(at, weigh, allowance) {
		m.heavy = day
		n, _ := strconv.Atoi(day)
		due = append(due, toldNote{at, NoticeHeavy, n})
	}
	if emails == 0 {
		return due
	}
	percent := int(weigh(bytes, emails) * 100 / allowance)
	if step := percent - percent%10; step > m.step {
		m.step = step
		due = append(due, toldNote{at, NoticeUsage, step})
	}
	if percent >= 100 && !m.above {
		m.above = true
		due = append(due, toldNote{at, NoticeOver, 100})
	} else if percent >= 90 && percent < 100 && !m.near && !m.above {
		m.near = true
		due = append(due, toldNote{at, NoticeNear, 90})
	}
	return due
}

// bookDay is what an account used on one local date.
type bookDay struct {
	day           string
	tries         []try
	bytes, emails int64
}

// bookDays are the days with use, in order.
func bookDays(l *life) []bookDay {
	var all []bookDay
	for _, e := range l.tries {
		if !e.accepted {
			continue
		}
		day := e.at.In(l.rows.Zone).Format(time.DateOnly)
		if n := len(all); n == 0 || all[n-1].day != day {
			all = append(all, bookDay{day: day})
		}
		d := &all[len(all)-1]
		d.tries, d.bytes, d.emails = append(d.tries, e), d.bytes+e.size*e.recipients, d.emails+e.recipients
	}
	return all
}

// unusual says whether today's use is: above three times what 28 earlier days
// with use had on average, and above a twentieth of the allowance.
func (m *bookMonthly) unusual(at time.Time, weigh func(bytes, emails int64) int64, allowance int64) bool {
	today := at.In(m.l.rows.Zone).Format(time.DateOnly)
	n := 0
	for n < len(m.days) && m.days[n].day < today {
		n++
	}
	var bytes, emails int64
	if n < len(m.days) && m.days[n].day == today {
		for _, e := range m.days[n].tries {
			if e.at.Before(at) {
				bytes, emails = bytes+e.size*e.recipients, emails+e.recipients
			}
		}
	}
	before := m.days[max(0, n-28):n]
	var all float64
	for _, d := range before {
		all += float64(weigh(d.bytes, d.emails))
	}
	use := float64(weigh(bytes, emails))
	return len(before) >= 7 && use > 3*all/float64(len(before)) && use > float64(allowance)/20
}

// print writes an account's year as tables, in KB or e-mails.
func print(t *testing.T, l *life) {
	w := tabwriter.NewWriter(t.Output(), 0, 0, 2, ' ', tabwriter.AlignRight)
	date := func(at time.Time) string { return at.In(l.rows.Zone).Format("02 Jan 15:04") }
	fmt.Fprintf(w, "\n%s, %s\n", l.rows.AccountID, l.zone)
	fmt.Fprintln(w, "from\tto\tplan\tunit\tuse\tallowance\tover\tby credit\ttier\tprice\tgranted\taccepted\trefused\tfirst refused\tthen accepted\treports\t")
	for _, b := range l.bills {
		unit, by := "e-mails", int64(1)
		if b.Unit == Bytes {
			unit, by = "KB", int64(units.KB)
		}
		accepted, refused, first, again := stops(l, b)
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d.%02d\t%d\t%d\t%d\t%s\t%s\t%s\t\n", date(b.Start), date(b.End),
			b.Plan, unit, b.Use/by, b.Allowance/by, b.Over()/by, b.Consumed/by, b.Tier/by, b.Price/100, b.Price%100, b.Granted/by,
			accepted, refused, first, again, toldIn(l, b.Start, b.End))
	}
	for _, c := range l.chained {
		fmt.Fprintf(w, "chained %d on %s\n", c.emails, date(c.at))
	}
	for _, c := range l.contracts {
		fmt.Fprintf(w, "%s bought on %s, from %s\n", c.plans[0].plan, date(c.bought), date(c.start))
		for _, p := range c.plans[1:] {
			fmt.Fprintf(w, "upgraded to %s on %s\n", p.plan, date(p.at))
		}
	}
	w.Flush()
}

// stops are a period's messages, when the first was refused, and when one was
// accepted for the first time in a later period.
func stops(l *life, b Bill) (accepted, refused int, first, again string) {
	first, again = "-", "-"
	for _, m := range l.tries {
		at := m.at.In(l.rows.Zone).Format("02 Jan 15:04")
		switch {
		case m.at.Before(b.Start):
		case !m.at.Before(b.End):
			if m.accepted && refused > 0 && again == "-" {
				again = at
			}
		case m.accepted:
			accepted++
		default:
			if refused++; refused == 1 {
				first = at
			}
		}
	}
	return accepted, refused, first, again
}

// toldIn lists what was told in a period.
func toldIn(l *life, from, to time.Time) string {
	var text []string
	for _, n := range l.told {
		if n.at.Before(from) || !n.at.Before(to) {
			continue
		}
		switch n.kind {
		case NoticeUsage:
			text = append(text, fmt.Sprint(n.step))
		case NoticeRenewal:
			text = append(text, fmt.Sprintf("renewal in %d", n.step))
		case NoticeNear, NoticeOver, NoticeHeavy, NoticeEnded, NoticeActivation:
			text = append(text, string(n.kind))
		}
	}
	return strings.Join(text, " ")
}
