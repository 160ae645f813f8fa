package pace

import (
	"slices"
	"time"

	"servicesmtp.net/companion/app/mail"
)

// estimateSteps bounds the work of one estimate: a State is shown several
// times a second.
const estimateSteps = 512

// Estimate is when the last of the recipients that wait in so many bulk
// batches will have left, if nothing else is sent and no trouble comes. Up to
// estimateSteps batches it is exact; beyond, batches are taken together, and
// what still does not fit is reckoned at the mean speed so far. Zero: never,
// the quiet hours cover the whole day.
func Estimate(s *State, recipients, batches int, now time.Time) time.Time {
	if recipients <= 0 {
		return now
	}
	batches = max(batches, 1)
	c := *s.on(now)
	c.hour.slots, c.day.slots = slices.Clone(c.hour.slots), slices.Clone(c.day.slots)
	size := (recipients + batches - 1) / batches              // recipients in a batch
	together := (batches + estimateSteps - 1) / estimateSteps // batches in a step
	if most := stricter(c.limits.PerHour, c.limits.PerDay); most > 0 {
		together = max(min(together, most/size), 1)
	}
	at, left := now, recipients
	for range estimateSteps {
		n := min(size*together, left)
		if left -= n; left == 0 {
			return c.lastOf(n, size, at)
		}
		if at, _ = c.ready(request{lane: mail.Bulk, n: n}, at); at.IsZero() {
			return at
		}
		c.leave(n, (n+size-1)/size, at)
	}
	return at.Add(at.Sub(now) / time.Duration(recipients-left) * time.Duration(left))
}

// lastOf is when the last batch of a step leaves.
func (s *State) lastOf(n, size int, at time.Time) time.Time {
	if before := (n - 1) / size; before > 0 {
		if at, _ = s.ready(request{lane: mail.Bulk, n: n}, at); at.IsZero() {
			return at
		}
		s.leave(before*size, before, at)
		n -= before * size
	}
	at, _ = s.ready(request{lane: mail.Bulk, n: n}, at)
	return at
}
