package api

import (
	"math"
	"strconv"
	"time"

	"servicesmtp.net/companion/internal/money"
	"servicesmtp.net/companion/internal/units"
	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/billing"
)

func viewOrder(o account.Order, paid int64) Order {
	v := Order{ID: o.ID, Kind: string(o.Kind), Plan: o.Plan, State: string(o.State), PriceMinor: o.Price, PaidMinor: paid, Currency: o.Currency,
		CreatedAt: o.CreatedAt, PaidAt: optional(o.PaidAt), ActivatedAt: optional(o.ActivatedAt), ClosedAt: optional(o.ClosedAt),
		PeriodStart: optional(o.PeriodStart)}
	if o.State == account.OrderWaiting {
		v.MissingMinor = max(0, o.Price-paid)
	}
	return v
}

// Price is the order's, for people.
func (o Order) Price() string { return amount(o.PriceMinor, o.Currency) }

// Missing is what is still to be paid, for people.
func (o Order) Missing() string { return amount(o.MissingMinor, o.Currency) }

// Amount is the bill's price, for people.
func (b PeriodBill) Amount() string { return amount(b.PriceMinor, b.Currency) }

// amount is one for people, also where accounts of before had no currency.
func amount(minor int64, currency string) string {
	if currency == "" {
		return "-"
	}
	return money.Amount{Minor: minor, Currency: currency}.String()
}

// The states of a bill.
const (
	nothingDue = "nothing_due"
	due        = "due"
	billPaid   = "paid"
)

// viewBill is a bill with the state of its payment request.
func viewBill(b account.Bill, request account.OrderState) PeriodBill {
	state := nothingDue
	switch {
	case b.OrderID == "":
	case request == account.OrderWaiting:
		state = due
	default:
		state = billPaid
	}
	return PeriodBill{Start: b.Start, End: b.End, Plan: b.Plan, Unit: string(b.Unit), Used: b.Use, Allowance: b.Allowance, CreditsUsed: b.Consumed,
		Surcharged: b.Surcharged, Uncovered: b.Uncovered, Tier: b.Tier, PriceMinor: b.Price, Currency: b.Currency, Credited: b.Granted,
		State: state, Order: b.OrderID}
}

func viewCredit(c account.Credit) Credit {
	return Credit{ID: c.ID, Source: string(c.Source), Order: c.OrderID, Unit: string(c.Unit), Granted: c.Granted, Left: c.Left,
		ValidFrom: c.ValidFrom, ExpiresAt: optional(c.ExpiresAt)}
}

// limitsOf tells how far the present period is used.
func limitsOf(st billing.Standing) Limits {
	p := st.Plan
	l := Limits{Unit: string(p.Unit()), Used: p.Use(st.Used), Allowance: p.Allowance(), Credit: st.Credit, Limit: limitOf(st),
		Policy: string(st.Rows.Policy), AtLimit: string(p.AtLimit(st.Rows.Policy)), Resets: !st.Reset.IsZero()}
	if st.Status != account.Active {
		l.AtLimit = string(account.LimitNone)
	}
	if l.Allowance > 0 {
		l.Percent = percent(l.Used, l.Allowance)
	}
	l.AtLimitText = limitText(account.AtLimit(l.AtLimit), st)
	return l
}

// limitOf is the most that the period may use, in the plan's unit.
func limitOf(st billing.Standing) int64 {
	if st.Plan.Unit() == account.Bytes {
		return int64(st.Limit.Bytes)
	}
	return st.Limit.Emails
}

// percent is rounded down, and overflows for nobody.
func percent(used, of int64) int64 {
	if used > math.MaxInt64/100 {
		return used / max(1, of/100)
	}
	return used * 100 / of
}

// limitText says for people what happens at the limit.
func limitText(what account.AtLimit, st billing.Standing) string {
	again := "until the plan is renewed"
	if !st.Reset.IsZero() {
		again = "until " + st.Reset.In(st.Rows.Zone).Format(time.DateOnly)
	}
	switch what {
	case account.LimitSurcharge:
		return "above the plan a surcharge is billed; at " + Quantity(st.Plan.Unit(), limitOf(st)) + " sending stops " + again
	case account.LimitBlock:
		return "the account is blocked " + again + ", as was asked for"
	case account.LimitChain:
		return "sending stops " + again + ", unless a monthly unlimited plan is chained"
	case account.LimitCutOff:
		return "the monthly plan is used up, and sending ends"
	case account.LimitNone:
		return "no plan is in force: nothing can be sent"
	}
	return "sending stops " + again
}

// Quantity is a number of a plan's unit for people.
func Quantity(unit account.Unit, n int64) string {
	if unit == account.Bytes {
		return units.ByteSize(n).String()
	}
	if n == 1 {
		return "1 e-mail"
	}
	return strconv.FormatInt(n, 10) + " e-mails"
}
