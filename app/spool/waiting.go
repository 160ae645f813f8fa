package spool

import (
	"context"
	"time"
)

// Waiting is how many recipients of an account wait, counting only lanes that
// have a batch due before a time. It takes no longer with more in the spool.
func (s *Spool) Waiting(ctx context.Context, account string, before time.Time) (int, error) {
	s.totals.mu.Lock()
	var lanes []count
	for _, c := range s.totals.lanes {
		if c.account == account {
			lanes = append(lanes, c)
		}
	}
	s.totals.mu.Unlock()
	sum := 0
	for _, c := range lanes {
		next, err := s.next(ctx, c.laneKey, -1)
		if err != nil {
			return 0, err
		}
		if next >= 0 && next <= micros(before) {
			sum += c.recipients
		}
	}
	return sum, nil
}
