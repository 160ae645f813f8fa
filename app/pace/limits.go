package pace

import "time"

// DefaultBatch is the size of a batch where no limit names one.
const DefaultBatch = 50

// DefaultLookahead is how long before its time a batch may be prepared on a
// connection: enough for MAIL and RCPT, too short to hold a connection idle.
const DefaultLookahead = 250 * time.Millisecond

// Limits are what an account may send. A count of 0 is no limit.
type Limits struct {
	PerMinute         int // recipients, the rate
	PerHour           int // recipients in any hour
	PerDay            int // recipients in any 24 hours
	MessagesPerMinute int // transactions, whatever their recipients
	Batch             int // largest batch of the bulk lane; 0: DefaultBatch
	PersonalBurst     int // recipients, and messages, by which personal mail may overdraw
	Quiet             []Span
	Zone              *time.Location // of Quiet; nil: the location of each `now`
	Shared            bool           // PerMinute is a share that the relay measured; see SlowDown
	Adaptive          bool           // slow down on many deferrals or bad addresses
	Lookahead         time.Duration  // 0: DefaultLookahead

	PerProvider map[string]int // recipients a minute; a provider that is not named has no rate of its own
}

// Stricter is l with whatever policy forbids in addition: the relay may take
// away, never give more than the user wants.
func (l Limits) Stricter(policy Limits) Limits {
	l.PerMinute = stricter(l.PerMinute, policy.PerMinute)
	l.PerHour = stricter(l.PerHour, policy.PerHour)
	l.PerDay = stricter(l.PerDay, policy.PerDay)
	l.MessagesPerMinute = stricter(l.MessagesPerMinute, policy.MessagesPerMinute)
	l.Batch = stricter(l.batch(), policy.Batch)
	if policy.PersonalBurst > 0 {
		l.PersonalBurst = min(l.burst(), policy.PersonalBurst)
	}
	l.Quiet = append(append([]Span{}, l.Quiet...), policy.Quiet...)
	l.Adaptive = l.Adaptive || policy.Adaptive
	l.Shared = l.Shared || policy.Shared
	l.PerProvider = stricterEach(l.PerProvider, policy.PerProvider)
	return l
}

// stricter is the smaller of two limits, where 0 or less is none.
func stricter(a, b int) int {
	switch {
	case a <= 0:
		return max(b, 0)
	case b <= 0:
		return a
	}
	return min(a, b)
}

// MaxBatch is the largest batch worth making: one that is larger than an hour
// or a day permits would have to break that limit to leave at all.
func (l Limits) MaxBatch() int {
	return stricter(stricter(l.batch(), l.PerHour), l.PerDay)
}

func (l Limits) batch() int {
	if l.Batch <= 0 {
		return DefaultBatch
	}
	return l.Batch
}

// burst is how far personal mail may overdraw, never less than nothing.
func (l Limits) burst() int { return max(l.PersonalBurst, 0) }

func (l Limits) lookahead() time.Duration {
	if l.Lookahead <= 0 {
		return DefaultLookahead
	}
	return l.Lookahead
}
