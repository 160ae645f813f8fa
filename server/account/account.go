package account

import (
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
	Monthly bool           // ends 30 days after activation

	Price       int64  // of its year or its 30 days, in minor units of the catalogue's currency
	Tiers       []Tier // surcharge tiers, ascending; none: the plan may not be overused
	DedicatedIP bool   // an account with it may have an address of its own

	PerMinute int64 // recipients that an account with it may send a minute; 0: the plan has no such limit
}

// Tier is a surcharge tier: a total for the month, and what it costs.
type Tier struct {
	Bytes units.ByteSize `toml:"bytes"`
	Price int64          `toml:"price"` // minor units
}

// Unit is what the plan's use is counted in.
func (p Plan) Unit() Unit {
	if p.Kind == Bandwidth {
		return Bytes
	}
	return Emails
}

// Allowance is what the plan gives for a period, in its unit.
func (p Plan) Allowance() int64 {
	if p.Kind == Bandwidth {
		return int64(p.Bytes)
	}
	return p.Emails
}

// Use is a charge as one number in the plan's unit. A bandwidth plan's e-mails
// are limited to one for each EmailSize of it, so each counts as that much.
func (p Plan) Use(c Charge) int64 {
	if p.Kind == Bandwidth {
		return max(int64(c.Bytes), mul(c.Emails, int64(EmailSize)))
	}
	return c.Emails
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
