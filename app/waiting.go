package app

import (
	"context"
	"time"

	"servicesmtp.net/companion/app/mail"
)

// dueSoon is how far ahead mail counts as waiting: what was put off for an hour
// must not hold a share of the account's rate meanwhile.
const dueSoon = 2 * time.Minute

// couldLeave is how many recipients wait here that the pace alone keeps: what
// the relay shares the account's rate by. It is 0 while the account is paused or
// held for another reason, and -1, "not told", when the queue cannot be read.
func (s *sender) couldLeave(ctx context.Context) int64 {
	now := time.Now()
	s.mu.Lock()
	idle := s.paused || s.held.waits(now) && s.held.hold.Reason != mail.HoldPace
	sending := len(s.inflight)
	s.mu.Unlock()
	if idle {
		return 0
	}
	n, err := s.spool.Waiting(ctx, s.account, now.Add(dueSoon))
	switch {
	case err != nil:
		return -1
	case n == 0 && sending > 0:
		return 1
	}
	return int64(n)
}
