package pace

import "time"

// The speed is a whole number of eightieths, so that three halvings and steps
// of a tenth are both exact.
const (
	fullSpeed = 80
	slowest   = fullSpeed / 8
	step      = fullSpeed / 10
	recovery  = 10 * time.Minute // without trouble, for one step
)

// When recent recipients slow the pace.
const (
	recentRecipients = 200 // that are looked at
	enoughToJudge    = 20  // fewer say nothing: one typing error is no trend
	tooMany          = 10  // percent of them deferred, or failed
)

// speed is the part of the rate that may be used now. It rises by itself as
// time passes. The zero value is full speed.
type speed struct {
	missing int // eightieths, at since
	since   time.Time
	cause   Cause
}

// value is the speed at t, in eightieths.
func (s speed) value(t time.Time) int {
	return fullSpeed - max(s.missing-step*s.steps(t), 0)
}

// steps is how often the speed rose until t.
func (s speed) steps(t time.Time) int {
	return int(max(t.Sub(s.since), 0) / recovery)
}

// nextChange is when the speed rises next after t; zero: it is full.
func (s speed) nextChange(t time.Time) time.Time {
	if s.value(t) == fullSpeed {
		return time.Time{}
	}
	return s.since.Add(time.Duration(s.steps(t)+1) * recovery)
}

// fullAt is when the speed is full again.
func (s speed) fullAt() time.Time {
	return s.since.Add(time.Duration(ceilDiv(int64(s.missing), step)) * recovery)
}

// halve lowers the speed and starts the wait for recovery anew.
func (s speed) halve(now time.Time, cause Cause) speed {
	v := max(s.value(now)/2, slowest)
	return speed{missing: fullSpeed - v, since: now, cause: cause}
}

// Cause is what slowed the pace last.
type Cause string

const (
	NoCause       Cause = ""
	CauseDeferred Cause = "deferrals"     // many recipients were answered "later"
	CauseFailed   Cause = "bad addresses" // many addresses were refused for good
	CauseRelay    Cause = "relay"         // the relay asked to slow down
)

// Slowing is what Explain tells.
type Slowing struct {
	Percent   int       // of the full rate that is used; 100: nothing slows it
	Cause     Cause     // of Percent < 100
	FullAt    time.Time // when the rate is full again if no trouble comes; zero: it is
	NotBefore time.Time // until when the relay asked to send nothing; zero: it does not
}

// Explain says what slows the account at now.
func (s *State) Explain(now time.Time) Slowing {
	s, now = s.on(now), now.Round(0)
	var e Slowing
	if s.notBefore.After(now) {
		e.NotBefore = s.notBefore
	}
	v := s.speed.value(now)
	e.Percent = v * 100 / fullSpeed
	if v < fullSpeed {
		e.Cause, e.FullAt = s.speed.cause, s.speed.fullAt()
	}
	return e
}

// sample is the answers to one batch.
type sample struct{ accepted, deferred, failed int }

func (s sample) total() int { return s.accepted + s.deferred + s.failed }

func (s sample) add(o sample) sample {
	return sample{s.accepted + o.accepted, s.deferred + o.deferred, s.failed + o.failed}
}

// Feedback tells how the relay answered the recipients of one batch. It does
// nothing where the limits are not adaptive.
func (s *State) Feedback(now time.Time, accepted, deferred, failed int) {
	if !s.limits.Adaptive {
		return
	}
	now = s.advance(now)
	s.recent = append(s.recent, sample{accepted, deferred, failed})
	var sum sample
	for _, r := range s.recent {
		sum = sum.add(r)
	}
	for len(s.recent) > 1 && sum.total()-s.recent[0].total() >= recentRecipients {
		r := s.recent[0]
		sum = sample{sum.accepted - r.accepted, sum.deferred - r.deferred, sum.failed - r.failed}
		s.recent = s.recent[1:]
	}
	if sum.total() < enoughToJudge {
		return
	}
	switch {
	case sum.deferred*100 >= sum.total()*tooMany:
		s.slow(now, CauseDeferred)
	case sum.failed*100 >= sum.total()*tooMany:
		s.slow(now, CauseFailed)
	}
}

// SlowDown obeys SSMTP-PACE: nothing leaves before retry has passed, and the
// rate is halved, whether or not the limits are adaptive: the relay decides.
// A share of the account's rate is not halved: others were faster, or shares
// have just changed, which a new share tells better than a guess.
// Replies that arrive during such a wait, to sessions that were under way, only
// lengthen it.
func (s *State) SlowDown(now time.Time, retry time.Duration) {
	now = s.advance(now)
	if !s.notBefore.After(now) && !s.limits.Shared {
		s.slow(now, CauseRelay)
	}
	if until := now.Add(max(retry, 0)); until.After(s.notBefore) {
		s.notBefore = until
	}
}

// slow halves the speed and forgets the answers that led to it, so that they
// do not count twice. The state must stand at now.
func (s *State) slow(now time.Time, cause Cause) {
	s.speed = s.speed.halve(now, cause)
	s.recent = nil
}
