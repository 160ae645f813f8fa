package pace

import (
	"maps"
	"time"

	"servicesmtp.net/companion/app/mail"
)

// Counts are recipients by the provider that takes their mail. Only providers
// with a rate of their own matter (Limits.PerProvider); nil is none.
type Counts map[string]int

// Add is c with more added, which may be negative. It may change c.
func (c Counts) Add(more Counts, times int) Counts {
	if len(more) == 0 {
		return c
	}
	if c == nil {
		c = make(Counts, len(more))
	}
	for p, n := range more {
		if c[p] += n * times; c[p] == 0 {
			delete(c, p)
		}
	}
	return c
}

// MayLeaveTo is MayLeave for a batch whose providers are known.
func (s *State) MayLeaveTo(lane mail.Lane, n int, to Counts, now time.Time) (ok bool, at time.Time) {
	at, _ = s.ready(request{lane: lane, n: n, to: to}, now)
	return !at.IsZero() && !at.After(now), at
}

// LeftTo is Left for a batch whose providers are known.
func (s *State) LeftTo(lane mail.Lane, n int, to Counts, now time.Time) {
	s.Left(lane, n, now)
	if len(s.limits.PerProvider) == 0 {
		return
	}
	s.providers = maps.Clone(s.providers) // what looks ahead has a copy of the state
	for p, n := range to {
		if s.limits.PerProvider[p] > 0 {
			s.providers[p] = s.providers[p].charge(n)
		}
	}
}

// providersReady is the first moment from now on at which every provider's own
// rate permits r. Each has a bucket by the same rule as the account's.
func (s *State) providersReady(r request, now time.Time) time.Time {
	at := now
	for p, n := range r.to {
		rate := s.limits.PerProvider[p]
		if rate <= 0 || n <= 0 {
			continue
		}
		b := s.providers[p]
		if t := level(b, rate, speed{}, r.pendingTo[p], n, s.limits.overdraft(r.lane, s.limits.batch()), now); t.After(at) {
			at = t
		}
	}
	return at
}

// settleProviders brings their buckets to now.
func (s *State) settleProviders(now time.Time) {
	if len(s.providers) == 0 {
		return
	}
	settled := make(map[string]bucket, len(s.providers))
	for p, b := range s.providers {
		settled[p] = b.settle(now, s.limits.PerProvider[p], speed{})
	}
	s.providers = settled
}

// knowProviders makes a bucket for each provider that has a rate now and had
// none before. What left within an hour may have gone to it, so all of that
// counts, as far as a bucket can be overdrawn.
func (s *State) knowProviders(now time.Time) {
	if len(s.limits.PerProvider) == 0 {
		s.providers = nil
		return
	}
	known := make(map[string]bucket, len(s.limits.PerProvider))
	for p, rate := range s.limits.PerProvider {
		b, ok := s.providers[p]
		if !ok {
			for _, slot := range s.hour.slots {
				at := slot.end
				if at.After(now) {
					at = now
				}
				b = b.settle(at, rate, speed{})
				b = b.charge(slot.n).bounded(b.debt, s.limits.batch()+s.limits.burst())
			}
			b = b.settle(now, rate, speed{})
		}
		known[p] = b
	}
	s.providers = known
}

// stricterEach is the smaller rate of each provider.
func stricterEach(a, b map[string]int) map[string]int {
	if len(b) == 0 {
		return a
	}
	all := maps.Clone(b)
	for p, n := range a {
		all[p] = stricter(n, all[p])
	}
	return all
}
