package notify

import (
	"errors"
	"time"

	"servicesmtp.net/companion/internal/money"
	"servicesmtp.net/companion/internal/units"
)

// Volume is so much mail.
type Volume struct {
	Emails int64
	Bytes  units.ByteSize
}

// Average is the size of an e-mail, or 0 where there is none.
func (v Volume) Average() units.ByteSize {
	if v.Emails == 0 {
		return 0
	}
	return v.Bytes / units.ByteSize(v.Emails)
}

// Use is what an account has used of its allowance in a period.
type Use struct {
	Plan      string // title
	Used      Volume
	Allowance Volume // Bytes 0: the plan limits e-mails only
	Percent   int64  // of the allowance, as the rules measure it
	Errors    int64  // addresses that failed in the period
	Start     time.Time
	End       time.Time // not included: the counters start again
}

// UsageStep says that another tenth of the allowance is used.
type UsageStep struct {
	Use  Use
	Step int // 10, 20, ...
}

func (UsageStep) heading() heading { return heading{"usage", Info, keySteps} }

// NearLimit says that the allowance is nearly used.
type NearLimit struct {
	Use     Use
	Choices Choices
}

func (NearLimit) heading() heading { return heading{"near_limit", Warning, keyUsage} }

// Choices are what a customer can do at the limit. What the plan does not
// offer is left empty.
type Choices struct {
	Policy    string // in force: surcharge, stop or block; "": the plan is always cut off
	Upgrade   *Offer
	Tiers     []Offer // surcharges: totals of the month
	Chained   *Offer  // a monthly plan whose e-mails are added
	Companion bool    // the policy can be changed in the companion
}

// Offer is something to buy.
type Offer struct {
	Title string
	Price money.Amount
	Link  string // "": write to the service
}

// OverLimit says that the allowance is used.
type OverLimit struct {
	Use     Use
	Choices Choices
}

func (OverLimit) heading() heading { return heading{"over_limit", Action, keyUsage} }

// Blocked says that mail is refused until the allowance starts again.
type Blocked struct {
	Use   Use
	Until time.Time // zero: it does not start again
}

func (Blocked) heading() heading { return heading{"blocked_until", Action, keyUsage} }

// ActiveAgain says that mail is taken again.
type ActiveAgain struct{ Use Use }

func (ActiveAgain) heading() heading { return heading{"active_again", Info, keyUsage} }

// HeavyUse says that much more was sent today than on other days.
type HeavyUse struct {
	Use   Use
	Today Volume
	Usual Volume // mean of a day with use
	Days  int    // how many those are
}

func (HeavyUse) heading() heading { return heading{"heavy_use", Warning, keyHeavy} }

// RenewalDue says that the subscription ends soon.
type RenewalDue struct {
	Plan  string
	Ends  time.Time
	Days  int
	Price money.Amount
	Link  string
}

func (RenewalDue) heading() heading { return heading{"renewal_due", Warning, keySubscription} }

// Ended says that the subscription is over.
type Ended struct {
	Plan string
	At   time.Time
	Link string // "": there is nothing to renew
}

func (Ended) heading() heading { return heading{"ended", Action, keySubscription} }

// PaymentRequest asks for money.
type PaymentRequest struct {
	Reference string // to be named with the payment
	Item      string // what it is for
	Month     string // of a surcharge, as Span writes it; "": of none
	Amount    money.Amount
	Due       time.Time
	How       string // how to pay, in the operator's words
	Link      string // "": there is none
}

func (p PaymentRequest) heading() heading {
	return heading{"payment_request", Action, "payment " + p.Reference}
}

func (p PaymentRequest) check() error {
	if p.Reference == "" || p.Item == "" || p.Amount.Currency == "" || p.Due.IsZero() {
		return errors.New("payment request needs reference, item, amount and due day")
	}
	return nil
}

// PaymentReceived says that money came and what it opens.
type PaymentReceived struct {
	Reference string
	Item      string
	Amount    money.Amount
	Plan      string    // activated by it; "": none
	Start     time.Time // of the plan
	End       time.Time // of the plan; its last moment is before it
}

func (p PaymentReceived) heading() heading {
	return heading{"payment_received", Info, "payment " + p.Reference}
}

// CreditGranted says that unused mail is kept.
type CreditGranted struct {
	Credit  Volume    // one of both
	Reason  string    // "5 GB surcharge of November 2026"
	Expires time.Time // zero: the plan has no end
}

func (CreditGranted) heading() heading { return heading{"credit_granted", Info, ""} }

// Held says that mail is taken and waits.
type Held struct{ Reason string }

func (Held) heading() heading { return heading{"held", Action, keyStatus} }

// Released ends Held.
type Released struct{}

func (Released) heading() heading { return heading{"released", Info, keyStatus} }

// Closed says that the operator lets the account send nothing.
type Closed struct{ Reason string }

func (Closed) heading() heading { return heading{"blocked", Action, keyStatus} }

// Opened ends Closed.
type Opened struct{}

func (Opened) heading() heading { return heading{"unblocked", Info, keyStatus} }

// ActivationDue says to the operator that a paid order waits.
type ActivationDue struct {
	Account string // name of the customer's
	Order   string
	Plan    string // title
	Paid    time.Time
	Latest  time.Time // when it must be active
}

func (a ActivationDue) heading() heading {
	return heading{"activation", Action, "activation " + a.Order}
}
