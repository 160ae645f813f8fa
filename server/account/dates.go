package account

import "time"

// zone is the account's zone, or UTC.
func (r Rows) zone() *time.Location {
	if r.Zone == nil {
		return time.UTC
	}
	return r.Zone
}

// endOf is the end of a plan that begins at start: for a yearly one the same
// day and time of day a year later in the account's zone (1 March after a
// 29 February), for a monthly one 30 × 24 hours later.
func endOf(p Plan, zone *time.Location, start time.Time) time.Time {
	if p.Monthly {
		return start.Add(monthlyLife).UTC()
	}
	return start.In(zone).AddDate(1, 0, 0).UTC()
}

// days is how many whole days of the zone lie between two instants; a day
// ends at the time of day that to has.
func days(zone *time.Location, from, to time.Time) int64 {
	if !from.Before(to) {
		return 0
	}
	local := to.In(zone)
	n := int(to.Sub(from)/(24*time.Hour)) + 2 // a day has 23 hours at times
	for n > 0 && local.AddDate(0, 0, -n).Before(from) {
		n--
	}
	return int64(n)
}

// Period is the span that counters belong to at t while s is in force: the
// calendar month in the account's zone or the monthly plan's 30 days, within
// the contract. A contract that begins after another in the middle of a month
// begins with counters of its own, because its credits are its own.
func (r Rows) Period(p Plan, s Subscription, t time.Time) (start, end time.Time) {
	start, end = Period(p, r.zone(), s.Since, t)
	if start.Before(s.Since) {
		start = s.Since.UTC()
	}
	if over := contractEnd(r.Subscriptions, s.Contract); !over.IsZero() && over.Before(end) {
		end = over.UTC()
	}
	return start, end
}
