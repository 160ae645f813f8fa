package account

import (
	"time"
	_ "time/tzdata" // zones are needed on machines that have no such files
)

// monthlyLife is how long a monthly plan lasts.
const monthlyLife = 30 * 24 * time.Hour

// Period is the span that counters belong to at now: the calendar month in the
// account's zone, or the only period of a monthly plan. start is in it, end is
// not.
func Period(p Plan, zone *time.Location, activatedAt, now time.Time) (start, end time.Time) {
	if p.Monthly {
		return activatedAt.UTC(), activatedAt.Add(monthlyLife).UTC()
	}
	year, month, _ := now.In(zone).Date()
	return monthStart(year, month, zone), monthStart(year, month+1, zone)
}

// Day names the day of now in the zone, as usage is kept by day.
func Day(zone *time.Location, now time.Time) string { return now.In(zone).Format(time.DateOnly) }

// Location finds a zone by its IANA name. An unknown name is UTC: a spelling
// mistake in an account must not stop its mail.
func Location(name string) *time.Location {
	if zone, err := time.LoadLocation(name); err == nil && name != "Local" {
		return zone
	}
	return time.UTC
}

// monthStart is the first instant that carries the month's date. Where clocks
// change at that hour, local midnight is missing (Asunción, 1 October 2000) or
// comes twice (Havana, 1 November 2026), and time.Date may answer an instant
// of the month before or leave one out.
func monthStart(year int, month time.Month, zone *time.Location) time.Time {
	const step, reach = 15 * time.Minute, 3 * time.Hour
	t := time.Date(year, month, 1, 0, 0, 0, 0, zone).Add(-reach)
	for t.Day() != 1 {
		t = t.Add(step)
	}
	return t.UTC()
}
