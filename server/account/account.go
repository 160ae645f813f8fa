// Package account holds the rules of plans and periods: what a plan contains,
// when its counters start again, and whether one more message fits.
//
// It is pure: values and a time go in, values come out. It keeps no counter
// and decides nothing on its own; server/accept asks it inside the transaction
// that counts.
//
// The words: an *e-mail* is one message to one recipient, so a message of S
// bytes to N recipients is charged N e-mails and N × S bytes. A period is a
// calendar month in the account's zone, or for a monthly plan the 30 days
// after its activation.
package account

import (
	"math"
	"time"

	"servicesmtp.net/companion/internal/units"
)

// Kind is what a plan limits.
type Kind string

// The kinds of plans, as they are stored and printed.
const (
	Bandwidth Kind = "bandwidth" // bytes, and one e-mail for each EmailSize of them
	Unlimited Kind = "unlimited" // e-mails only
)

// EmailSize is the size that a bandwidth plan reckons one e-mail at.
const EmailSize = 10 * units.KB

// Policy is what an account's owner wants at the limit of a bandwidth plan.
type Policy string

// The policies, as they are stored and printed.
const (
	Surcharge Policy = "surcharge" // go on, and pay for it
	Stop      Policy = "stop"      // stop for the rest of the month
	Block     Policy = "block"     // the same, asked for in advance
)

// Plan is one line of the catalogue.
type Plan struct {
	Name    string // as in the database and on the command line
	Title   string // for people
	Kind    Kind
	Bytes   units.ByteSize // in a period; 0 on an unlimited plan: no limit
	Emails  int64          // in a period
	Monthly bool           // ends 30 days after activation, never renewed
}

// Charge is what a message uses, or what a period has used.
type Charge struct {
	Emails int64
	Bytes  units.ByteSize
}

// ChargeFor is the charge of a message of size bytes to so many recipients.
func ChargeFor(size units.ByteSize, recipients int) Charge {
	return Charge{Emails: int64(recipients), Bytes: size * units.ByteSize(recipients)}
}

// Add is the sum of two charges.
func (c Charge) Add(more Charge) Charge {
	return Charge{Emails: c.Emails + more.Emails, Bytes: c.Bytes + more.Bytes}
}

// NoLimit in a Charge that Limit returns says that nothing is limited.
var NoLimit = Charge{Emails: math.MaxInt64, Bytes: math.MaxInt64}

// Limit is the most that a period may use under the policy. A yearly bandwidth
// plan may be overused unless its owner asked to be stopped; monthly and
// unlimited plans are always cut off.
func (p Plan) Limit(policy Policy) Charge {
	if p.Kind == Bandwidth && !p.Monthly && policy != Stop && policy != Block {
		return NoLimit
	}
	limit := NoLimit
	limit.Emails = p.Emails
	if p.Kind == Bandwidth {
		limit.Bytes = p.Bytes
	}
	return limit
}

// Decide tells whether a message still fits into the period that ends at end,
// all of it or nothing, and when the next chance is. reset is zero where there
// is none: the last period of a monthly plan is over.
func Decide(p Plan, policy Policy, used, more Charge, now, end time.Time) (ok bool, reset time.Time) {
	if p.Over(now, end) {
		return false, time.Time{}
	}
	limit := p.Limit(policy)
	// Compared by subtraction: used may be above the limit after a change of
	// plan or policy, and a sum could overflow.
	if more.Emails > limit.Emails-used.Emails || more.Bytes > limit.Bytes-used.Bytes {
		return false, end
	}
	return true, end
}

// Over says that a monthly plan has run its 30 days, the last of which ended
// at end.
func (p Plan) Over(now, end time.Time) bool { return p.Monthly && !now.Before(end) }
