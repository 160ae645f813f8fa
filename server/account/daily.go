package account

import (
	"math"
	"time"

	"servicesmtp.net/companion/internal/units"
)

// reviewHour is when a day's review begins, on the account's clock: at night
// nobody reads, and what was sent the evening before is in it.
const reviewHour = 6

// ReviewDay names the day whose review is due at now: the latest of the zone
// whose reviewHour has come. Reviews that were missed are one review.
func ReviewDay(zone *time.Location, now time.Time) string {
	local := now.In(zone)
	if local.Hour() < reviewHour {
		local = local.AddDate(0, 0, -1)
	}
	return local.Format(time.DateOnly)
}

// Full says that an e-mail of EmailSize does not fit any more: mail is refused
// until the counters start again. A larger one may not have fitted before.
func (t Terms) Full(used Charge) bool { return !t.Decide(used, ChargeFor(EmailSize, 1)) }

// ReviewLimit tells whether it must be said that mail is refused until the next
// period, or that it is taken again. Once for each limit: who gets a larger
// one and uses it up is told again. Earlier periods must be closed (CloseEnded).
func (r Rows) ReviewLimit(c Catalogue, sent []NoticeKey, now time.Time) ([]Notice, error) {
	if _, ok := InForce(r.Subscriptions, now); !ok {
		return nil, nil
	}
	t, err := r.Terms(c, now)
	if err != nil {
		return nil, err
	}
	used := r.used(t.Start)
	n := Notice{NoticeKey: NoticeKey{Kind: NoticeBlocked, Start: t.Start, Step: t.step()}, Plan: t.Plan.Name,
		Use: t.Plan.Use(used), Allowance: t.Plan.Allowance(), Unit: t.Plan.Unit(), End: t.Reset}
	if !t.Full(used) {
		n.Kind, n.Step, n.End = NoticeAgain, 0, t.End
		if !blockedBefore(sent, t.Start) {
			return nil, nil
		}
	}
	if wasSent(sent, n.NoticeKey) {
		return nil, nil
	}
	return []Notice{n}, nil
}

// used is what the period that began at start has used.
func (r Rows) used(start time.Time) Charge {
	for _, u := range r.Periods {
		if u.Start.Equal(start) {
			return u.Used
		}
	}
	return Charge{}
}

// step names a limit: whole MB of a plan that limits bytes, or e-mails.
func (t Terms) step() int {
	n := t.Limit.Emails
	if t.Plan.Kind == Bandwidth {
		n = int64(t.Limit.Bytes / units.MB)
	}
	return int(min(n, math.MaxInt32))
}

// blockedBefore says that a period before start ended in a block, and nothing
// was said about its end.
func blockedBefore(sent []NoticeKey, start time.Time) bool {
	var blocked, again time.Time
	for _, k := range sent {
		switch {
		case k.Kind == NoticeBlocked && k.Start.Before(start) && k.Start.After(blocked):
			blocked = k.Start
		case k.Kind == NoticeAgain && k.Start.After(again):
			again = k.Start
		}
	}
	return !blocked.IsZero() && !again.After(blocked)
}
