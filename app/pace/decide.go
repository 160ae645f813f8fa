package pace

import (
	"time"

	"servicesmtp.net/companion/app/mail"
)

// Waiting is what an account's queue holds.
type Waiting struct {
	Personal       int // recipients of the first batch of the lane; 0: none waits
	Bulk           int // likewise
	Pending        int // recipients that are being prepared on connections and have not left
	PendingBatches int // in so many batches; 0 with recipients pending counts as 1

	PersonalTo, BulkTo, PendingTo Counts // of the same recipients
}

// Decision is what may be done about it.
type Decision struct {
	Lane mail.Lane // whose first batch may be prepared now, then ask again; 0: none may
	At   time.Time // with no lane: when to ask again; zero: when something changed
	Why  Why       // with no lane: what the first batch waits for
}

// Decide says which lane's first batch may be prepared on a connection now,
// personal mail first. It may be prepared a little before its time (see
// Limits.Lookahead); MayLeave then holds it at the gate. While personal mail
// waits, no bulk batch starts: it would make the wait longer.
func Decide(s *State, w Waiting, now time.Time) Decision {
	r := request{lane: mail.Personal, n: w.Personal, pending: w.Pending, batches: w.PendingBatches, to: w.PersonalTo, pendingTo: w.PendingTo}
	if w.Personal <= 0 {
		r.lane, r.n, r.to = mail.Bulk, w.Bulk, w.BulkTo
	}
	if r.n <= 0 {
		return Decision{}
	}
	if r.pending > 0 {
		r.batches = max(r.batches, 1)
	}
	at, why := s.ready(r, now)
	if at.IsZero() {
		return Decision{Why: why}
	}
	if start := at.Add(-s.limits.lookahead()); start.After(now) {
		return Decision{At: start, Why: why}
	}
	return Decision{Lane: r.lane}
}
