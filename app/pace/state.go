package pace

import (
	"slices"
	"time"

	"servicesmtp.net/companion/app/mail"
)

// State is what the pacer knows of one account. Methods that change it have
// pointer receivers and must not run at the same time as any other; nothing
// else changes it. Make one with New or Restore.
type State struct {
	limits     Limits
	recipients bucket
	messages   bucket
	hour, day  window
	providers  map[string]bucket // those with a rate; replaced, never changed
	speed      speed
	recent     []sample
	notBefore  time.Time // the relay's word
	seen       time.Time // the last `now` that changed anything
}

// New is the state of an account that never sent: its first batch may leave
// at once, its second waits.
func New(limits Limits) *State {
	s := &State{
		limits: limits,
		hour:   window{span: time.Hour, grain: time.Second},
		day:    window{span: 24 * time.Hour, grain: time.Minute},
	}
	s.knowProviders(time.Time{}) // nothing has left
	return s
}

// Limits are the limits in force.
func (s *State) Limits() Limits { return s.limits }

// SetLimits changes the limits from now on. What is owed stays owed.
func (s *State) SetLimits(limits Limits, now time.Time) {
	now = s.advance(now)
	s.limits = limits
	s.knowProviders(now)
}

// Attempt is one hand-over as the spool remembers it. At must not be earlier
// than the moment it left: where only its start is known, use its end.
type Attempt struct {
	At         time.Time
	Recipients int
	Lane       mail.Lane
	Finished   bool // false: nobody knows when, or whether, it left
}

// Restore rebuilds the state after a restart from the attempts of the last 24
// hours. It is never fuller than the state that was lost would be at the same
// limits: an attempt that is not finished, or has a time to come (the clock
// was set back), counts as having left now. How far the pace had been slowed
// is not remembered.
func Restore(limits Limits, attempts []Attempt, now time.Time) *State {
	s := New(limits)
	now = now.Round(0)
	ordered := slices.Clone(attempts)
	for i := range ordered {
		a := &ordered[i]
		if a.At = a.At.Round(0); !a.Finished || a.At.After(now) {
			a.At = now
		}
	}
	slices.SortStableFunc(ordered, func(a, b Attempt) int { return a.At.Compare(b.At) })
	for _, a := range ordered {
		if a.Recipients <= 0 {
			continue
		}
		s.advance(a.At)
		recipients, messages := s.recipients.debt, s.messages.debt
		s.Left(a.Lane, a.Recipients, a.At)
		if a.Finished {
			s.recipients = s.recipients.bounded(recipients, max(limits.batch()+limits.burst(), a.Recipients))
			s.messages = s.messages.bounded(messages, 1+limits.burst())
		}
	}
	s.advance(now)
	s.providers = nil
	s.knowProviders(now)
	return s
}

// MayLeave is the check at the gate directly before DATA: whether n recipients
// of a lane may leave now, and if not, when. A zero time means never: the
// quiet hours cover the whole day.
func (s *State) MayLeave(lane mail.Lane, n int, now time.Time) (ok bool, at time.Time) {
	at, _ = s.ready(request{lane: lane, n: n}, now)
	return !at.IsZero() && !at.After(now), at
}

// Left counts n recipients of a lane that leave now, permitted or not.
// The lane makes no difference: both draw on the same bucket.
func (s *State) Left(_ mail.Lane, n int, now time.Time) { s.leave(n, 1, now) }

// leave counts n recipients in so many messages.
func (s *State) leave(n, messages int, now time.Time) {
	now = s.advance(now)
	s.recipients = s.recipients.charge(n)
	s.messages = s.messages.charge(messages)
	s.hour.charge(n, now)
	s.day.charge(n, now)
}

// Why says what a batch waits for.
type Why string

const (
	NoWait      Why = ""
	WhyRate     Why = "rate"
	WhyMessages Why = "messages"
	WhyHour     Why = "hour"
	WhyDay      Why = "day"
	WhyQuiet    Why = "quiet"
	WhyRelay    Why = "relay"
	WhyProvider Why = "provider"
)

// request is a batch that wants to leave, and what is about to leave before it.
type request struct {
	lane    mail.Lane
	n       int
	pending int // recipients
	batches int // they are in

	to, pendingTo Counts
}

// ready is the first moment from now on at which r may leave, and what it
// waits for longest. Zero: never.
func (s *State) ready(r request, now time.Time) (time.Time, Why) {
	s, now = s.on(now), now.Round(0)
	l := s.limits
	at, why := now, NoWait
	wait := func(t time.Time, w Why) {
		if t.After(at) {
			at, why = t, w
		}
	}
	wait(s.notBefore, WhyRelay)
	wait(level(s.recipients, l.PerMinute, s.speed, r.pending, r.n, l.overdraft(r.lane, l.batch()), now), WhyRate)
	wait(level(s.messages, l.MessagesPerMinute, s.speed, r.batches, 1, l.overdraft(r.lane, 1), now), WhyMessages)
	wait(s.providersReady(r, now), WhyProvider)
	wait(s.hour.fits(r.n, r.pending, l.PerHour, now), WhyHour)
	wait(s.day.fits(r.n, r.pending, l.PerDay, now), WhyDay)
	if r.lane == mail.Personal {
		return at, why
	}
	end := l.quietEnd(at)
	if end.Equal(at) {
		return at, why
	}
	return end, WhyQuiet
}

// overdraft is how far a lane's leave may bring the bucket below zero. A bulk
// batch has none: it needs the bucket at zero, and then takes its size.
func (l Limits) overdraft(lane mail.Lane, batch int) int {
	if lane == mail.Personal {
		return batch + l.burst()
	}
	return 0
}

// level is when n may be taken from a bucket: when that leaves it at -overdraft
// or above, and in any case when it is at zero, where every bulk batch leaves.
func level(b bucket, perMinute int, sp speed, pending, n, overdraft int, now time.Time) time.Time {
	target := max(units(overdraft)-units(n), 0)
	return b.settle(now, perMinute, sp).charge(pending).downTo(target, perMinute, sp)
}

// advance brings the state to now, at the rate and speed in force so far, and
// returns now without its monotonic reading: times are compared with stored
// ones, and the computer's sleep must count.
func (s *State) advance(now time.Time) time.Time {
	*s, now = *s.on(now), now.Round(0)
	s.recipients = s.recipients.settle(now, s.limits.PerMinute, s.speed)
	s.messages = s.messages.settle(now, s.limits.MessagesPerMinute, s.speed)
	s.settleProviders(now)
	s.seen = now
	return now
}

// on is the state as seen at now. When the clock was set back, everything that
// is remembered moves back with it, as if no time had passed: otherwise mail
// would wait until the clock has caught up, for a year where the year was
// wrong. A clock that is set forward lets at most one batch go early, because
// the bucket never holds more than that.
func (s *State) on(now time.Time) *State {
	d := now.Round(0).Sub(s.seen)
	if s.seen.IsZero() || d >= 0 {
		return s
	}
	c := *s // the buckets need no move: they stand at seen, and repay nothing until it has passed
	c.hour, c.day = s.hour.shift(d), s.day.shift(d)
	c.speed.since = c.speed.since.Add(d)
	if !c.notBefore.IsZero() {
		c.notBefore = c.notBefore.Add(d)
	}
	c.seen = now.Round(0)
	return &c
}
