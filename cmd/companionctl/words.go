package main

import (
	"fmt"
	"strconv"
	"time"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/mail"
)

// plural is "1 message" or "2 messages".
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return number(int64(n)) + " " + many
}

// number groups by thousands: 50,000.
func number(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// clock is a time as people say it: without the date where it is today.
func (c *console) clock(t time.Time) string {
	now := c.now()
	t = t.In(now.Location())
	switch {
	case t.IsZero():
		return "-"
	case t.Year() == now.Year() && t.YearDay() == now.YearDay():
		return t.Format("15:04")
	case t.Year() == now.Year():
		return t.Format("2 Jan 15:04")
	}
	return t.Format("2 Jan 2006 15:04")
}

func (c *console) clockOr(t *time.Time, or string) string {
	if t == nil {
		return or
	}
	return c.clock(*t)
}

// ofEmails is "150 of 50,000", or "150" without a limit.
func ofEmails(used, limit int64) string {
	if limit == 0 {
		return number(used)
	}
	return number(used) + " of " + number(limit)
}

func ofBytes(used, limit mail.ByteSize) string {
	if limit == 0 {
		return used.String()
	}
	return used.String() + " of " + limit.String()
}

// sentOf is how far a job is: "150 of 500".
func sentOf(j app.JobState) string {
	return fmt.Sprintf("%s of %s", number(int64(j.Counts.Accepted)), number(int64(j.Recipients)))
}

// share is how much of the jobs in progress is done, in percent, and whether
// there are any.
func share(jobs []app.JobState) (percent int, ok bool) {
	done, all := 0, 0
	for _, j := range jobs {
		all += j.Recipients
		done += j.Recipients - j.Counts.Queued - j.Counts.Deferred
	}
	if all == 0 {
		return 0, false
	}
	return done * 100 / all, true
}
