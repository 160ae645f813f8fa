package account

import (
	"fmt"
	"time"
)

// OrderKind is what is bought.
type OrderKind string

// The kinds of orders, as they are stored and printed.
const (
	OrderNew       OrderKind = "new"
	OrderRenewal   OrderKind = "renewal"
	OrderUpgrade   OrderKind = "upgrade"
	OrderChained   OrderKind = "chained"   // a monthly plan for the main account AccountID
	OrderSurcharge OrderKind = "surcharge" // a payment request that closing a period made
)

// OrderState is how far an order is.
type OrderState string

// The states of an order, as they are stored and printed. An order goes from
// waiting to paid to active and perhaps refunded, or from waiting to
// cancelled. A surcharge is done when it is paid.
const (
	OrderWaiting   OrderState = "waiting"
	OrderPaid      OrderState = "paid"
	OrderActive    OrderState = "active"
	OrderCancelled OrderState = "cancelled"
	OrderRefunded  OrderState = "refunded"
)

// Order is a wish to buy. Its price is fixed when it is made.
type Order struct {
	ID          string
	AccountID   string // that gets what is bought; the main account of a chained plan
	Kind        OrderKind
	Plan        string
	Price       int64 // minor units
	Currency    string
	State       OrderState
	CreatedAt   time.Time
	PaidAt      time.Time // when the payment that made it whole was recorded
	ActivatedAt time.Time
	ClosedAt    time.Time // cancelled or refunded
	PeriodStart time.Time // of a surcharge
}

// Payment is money that came for an order.
type Payment struct {
	ID         string
	OrderID    string
	Method     string // transfer, card, paypal, ...
	Reference  string
	Amount     int64 // minor units
	Currency   string
	ReceivedAt time.Time
}

// Reason says why an event is refused. It is stored and printed as it is.
type Reason string

// The reasons.
const (
	WrongState     Reason = "wrong_state"     // the order is not in the state for it
	WrongAccount   Reason = "wrong_account"   // of somebody else
	WrongCurrency  Reason = "wrong_currency"  // not the order's
	WrongAmount    Reason = "wrong_amount"    // nothing, or less
	WrongTime      Reason = "wrong_time"      // before what it follows
	UnknownPlan    Reason = "unknown_plan"    // not in the catalogue
	HasPlan        Reason = "has_plan"        // a plan is in force: renew or upgrade it
	NoPlan         Reason = "no_plan"         // no plan is in force
	AlreadyRenewed Reason = "already_renewed" // a renewal waits for its day
	NoEnd          Reason = "no_end"          // the plan in force does not end
	NotYearly      Reason = "not_yearly"      // only yearly plans are upgraded
	NotChainable   Reason = "not_chainable"   // only monthly unlimited plans to unlimited ones
	OtherKind      Reason = "other_kind"      // bytes against e-mails
	NotLarger      Reason = "not_larger"      // an upgrade gives and costs more
	TooLate        Reason = "too_late"        // 30 days are over
	Overrun        Reason = "overrun"         // a period is above its allowance
	Misused        Reason = "misuse"          // the operator's mark
	WrongPolicy    Reason = "wrong_policy"    // unknown, or of no effect on the plan
	StillOpen      Reason = "still_open"      // the period has not ended
	Earlier        Reason = "earlier_open"    // an earlier period must be closed first
	AlreadyClosed  Reason = "already_closed"  // the period was closed
)

// Error is an event that the rules do not allow.
type Error struct {
	Event  string // pay, activate, ...
	Reason Reason
	Detail string // for people
}

// Error implements error.
func (e *Error) Error() string { return e.Event + ": " + e.Detail }

// refuse makes an Error.
func refuse(event string, r Reason, format string, a ...any) *Error {
	return &Error{Event: event, Reason: r, Detail: fmt.Sprintf(format, a...)}
}
