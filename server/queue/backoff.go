package queue

import (
	"math/rand/v2"
	"time"
)

// steps until the next attempt, by the number of attempts made; the last is
// repeated. The first suit greylisting, the last a host that is down for days
// (RFC 5321 §4.5.4.1).
func steps() []time.Duration {
	return []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour}
}

// lostSteps are for those whom no answer kept from being delivered, but a
// connection: the first attempt comes sooner.
func lostSteps() []time.Duration { return append([]time.Duration{10 * time.Second}, steps()...) }

// backoff is how long to wait after so many attempts before this one.
func backoff(steps []time.Duration, attempts int) time.Duration {
	return jitter(steps[min(max(attempts, 0), len(steps)-1)])
}

// jitter makes d up to a tenth longer, so that what failed together does not
// come back together.
func jitter(d time.Duration) time.Duration { return d + rand.N(d/10+1) }
