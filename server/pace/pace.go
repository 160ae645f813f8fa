// Package pace is the rule by which the relay holds an account to its rate of
// recipients a minute.
//
// It promises, for messages that Wait permitted and Charge counted, at
// clocks that go forward:
//
//   - over any window w, recipients ≤ rate·w + Batch + Burst, where a minute
//     between two messages counts at the rate that the second one found: a
//     rate that is changed holds from the account's next message on;
//   - a few recipients overtake: however much is sent in batches, the Burst
//     beyond them is for messages of at most so many;
//   - whoever waits as long as Wait says is permitted, if nobody else was let
//     through meanwhile; whatever is asked for is permitted once nothing is owed;
//   - no number overflows, whatever the stored ones are;
//   - a clock that was set back makes nobody wait more than a minute longer
//     than the debt takes, and pays nothing off.
//
// The clocks of several nodes must agree to a minute. By as much as they differ
// a window may seem shorter than it was paid for; that does not add up.
//
// Only the minute is held: the same bucket for an hour or a day would let all
// of that time's mail through at once, and the amount of a month is the plan's.
//
// Share divides a rate among an account's devices. A relay tells shares so that
// nobody need be held up; it is the bucket that holds the rate.
//
// It is pure: no clock, no I/O, no goroutine.
package pace

import (
	"math"
	"time"
)

// Batch is the most recipients of one transaction, and Burst how many more may
// be let through while a batch is being paid off.
const (
	Batch = 50
	Burst = 5
)

// unit makes the bucket exact: what is owed is counted in 1/unit of a
// recipient, and at N recipients a minute N units are paid each microsecond.
const unit = int64(time.Minute / time.Microsecond)

// Bounds that keep every sum below within 63 bits. MaxRate is what a setting
// may say.
const (
	MaxRate   = 1_000_000
	maxCharge = 1_000_000 // recipients
	mostOwed  = int64(math.MaxInt64) / 2

	// So far may the clocks of two nodes be apart. The bucket then stands at the
	// later one: moved back and forth it would be paid twice.
	clocksApart = unit
)

// Bucket is what an account was let through ahead of its rate. The zero value
// owes nothing.
type Bucket struct {
	Owed int64 // units, at At
	At   int64 // microseconds since 1970, of the last message
}

// Turned says that the clock was set back since the bucket was written. Nobody
// knows then what was paid: the bucket must be stored as it is Now, and what it
// owes be waited for from there.
func (b Bucket) Turned(now int64) bool {
	return b.Owed > 0 && b.At > now && (b.At-now > clocksApart || b.At-now < 0) // < 0: further than numbers go
}

// Now is the bucket at now, what was paid since taken off.
func (b Bucket) Now(perMinute, now int64) Bucket {
	owed := min(max(b.Owed, 0), mostOwed)
	if b.At > now && !b.Turned(now) {
		return Bucket{Owed: owed, At: b.At}
	}
	if now > b.At && owed > 0 {
		span := now - b.At
		if span < 0 { // further apart than numbers go
			span = math.MaxInt64
		}
		if rate := bounded(perMinute); span < ceilDiv(owed, rate) {
			owed -= span * rate
		} else {
			owed = 0
		}
	}
	return Bucket{Owed: owed, At: now}
}

// Wait is how long, at now, until n recipients may be let through; 0: they
// may. A rate of 0 or less is none.
func (b Bucket) Wait(perMinute int64, n int, now int64) time.Duration {
	if perMinute <= 0 {
		return 0
	}
	b = b.Now(perMinute, now)
	over := b.Owed - room(n)
	if over <= 0 {
		return 0
	}
	us := ceilDiv(over, bounded(perMinute)) + b.At - now // At is ahead of now by a minute at most
	return time.Duration(min(us, int64(math.MaxInt64/time.Microsecond))) * time.Microsecond
}

// Charge is the bucket after n recipients were let through at now.
func (b Bucket) Charge(perMinute int64, n int, now int64) Bucket {
	b = b.Now(perMinute, now)
	b.Owed = min(b.Owed+units(n), mostOwed)
	return b
}

// room is what may be owed before n more are let through. The burst is for a
// few: newsletters never use it up. With nothing owed anything may pass: a batch
// of other times may be larger than Batch.
func room(n int) int64 {
	most := Batch
	if n <= Burst {
		most += Burst
	}
	return max(units(most)-units(n), 0)
}

func units(n int) int64 { return int64(min(max(n, 0), maxCharge)) * unit }

func bounded(perMinute int64) int64 { return min(max(perMinute, 1), MaxRate) }

// ceilDiv is a/b rounded up, for a ≥ 0 and b > 0.
func ceilDiv(a, b int64) int64 {
	q := a / b
	if a%b > 0 {
		q++
	}
	return q
}
