package account

import (
	"time"

	"servicesmtp.net/companion/internal/units"
)

// CreditStep is what credits for an unused tier are multiples of.
const CreditStep = 500 * units.MB

// Bill is what closing a period came to. Numbers are in the plan's unit, and
//
//	min(Use, Allowance) + Consumed + Surcharged + Uncovered = Use
type Bill struct {
	AccountID  string
	Start, End time.Time // of the period; one bill for each
	Plan       string    // in force at its end
	Unit       Unit
	Use        int64
	Allowance  int64
	Consumed   int64 // paid by credits
	Surcharged int64 // paid by the tier
	Uncovered  int64 // paid by nothing: a larger plan or policy was there when it was accepted

	Tier     int64 // total of the tier; 0: no surcharge
	Price    int64 // of the tier, minor units
	Currency string
	OrderID  string // payment request for the price; empty: nothing to pay
	Granted  int64  // credited of the tier
	CreditID string // the credit; empty: none
}

// Over is what the period used above its allowance.
func (b Bill) Over() int64 { return max(0, b.Use-b.Allowance) }
