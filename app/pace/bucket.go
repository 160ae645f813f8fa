package pace

import "time"

// unit makes the bucket exact: debt is counted in 1/unit of a recipient, and
// at a rate of N a minute and a speed of s eightieths N·s units are repaid
// every nanosecond, a whole number. So nothing is rounded but the moment that
// is told, and that upwards.
const unit = fullSpeed * int64(time.Minute)

// Bounds that keep every sum and product below within 63 bits.
const (
	maxDebt   = int64(1) << 62
	maxCharge = 500_000 // recipients
	maxRate   = int64(1e12)
)

// bucket is what was sent ahead of the rate. Its level is −debt: never above
// zero, so that no credit gathers while nothing is sent.
type bucket struct {
	debt int64 // in units
	at   time.Time
}

// settle is the bucket at now, what was repaid since taken off.
func (b bucket) settle(now time.Time, perMinute int, sp speed) bucket {
	if perMinute <= 0 {
		return bucket{at: now}
	}
	for b.debt > 0 && b.at.Before(now) {
		end := now
		if change := sp.nextChange(b.at); !change.IsZero() && change.Before(end) {
			end = change
		}
		repaid := perNano(perMinute, sp.value(b.at))
		if span := int64(end.Sub(b.at)); span < ceilDiv(b.debt, repaid) {
			b.debt -= span * repaid
		} else {
			b.debt = 0
		}
		b.at = end
	}
	b.at = now
	return b
}

// downTo is the first moment, not before b.at, at which no more than target
// units are owed.
func (b bucket) downTo(target int64, perMinute int, sp speed) time.Time {
	for perMinute > 0 && b.debt > target {
		repaid := perNano(perMinute, sp.value(b.at))
		done := b.at.Add(time.Duration(ceilDiv(b.debt-target, repaid)))
		change := sp.nextChange(b.at)
		if change.IsZero() || !done.After(change) {
			return done
		}
		b.debt -= int64(change.Sub(b.at)) * repaid
		b.at = change
	}
	return b.at
}

// charge owes n more.
func (b bucket) charge(n int) bucket {
	b.debt = min(b.debt+units(n), maxDebt)
	return b
}

// bounded is the bucket after the charge of a past leave, which found the debt
// at before. No state lets the debt pass the most that one lane may overdraw,
// so what is beyond can only come from limits that were looser then; counting
// it would stop the account for as long as that mail takes at today's rate.
func (b bucket) bounded(before int64, most int) bucket {
	b.debt = max(before, min(b.debt, units(most)))
	return b
}

func units(n int) int64 { return int64(min(max(n, 0), maxCharge)) * unit }

// perNano is what is repaid in one nanosecond.
func perNano(perMinute, speed int) int64 { return min(int64(perMinute), maxRate) * int64(speed) }

// ceilDiv is a/b rounded up, for a ≥ 0 and b > 0.
func ceilDiv(a, b int64) int64 {
	q := a / b
	if a%b > 0 {
		q++
	}
	return q
}
