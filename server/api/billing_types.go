package api

import "time"

// Orders is a page of an account's orders.
type Orders struct {
	Orders []Order `json:"orders" nullable:"false" doc:"Oldest first"`
	Cursor string  `json:"cursor" doc:"Where the next page begins; opaque"`
	More   bool    `json:"more" doc:"More can be read at once"`
}

// Order is something bought, or a payment request. Amounts are in the
// currency's smallest unit.
type Order struct {
	ID           string     `json:"id" doc:"To be named with the payment"`
	Kind         string     `json:"kind" enum:"new,renewal,upgrade,chained,surcharge"`
	Plan         string     `json:"plan"`
	State        string     `json:"state" enum:"waiting,paid,active,cancelled,refunded" doc:"waiting: for the payment; paid: a surcharge is done, all else waits to be activated"`
	PriceMinor   int64      `json:"price_minor"`
	PaidMinor    int64      `json:"paid_minor"`
	MissingMinor int64      `json:"missing_minor" doc:"Still to be paid"`
	Currency     string     `json:"currency" doc:"ISO 4217"`
	CreatedAt    time.Time  `json:"created_at"`
	PaidAt       *time.Time `json:"paid_at,omitempty" doc:"When the payment that made it whole was recorded"`
	ActivatedAt  *time.Time `json:"activated_at,omitempty"`
	ClosedAt     *time.Time `json:"closed_at,omitempty" doc:"Cancelled or refunded"`
	PeriodStart  *time.Time `json:"period_start,omitempty" doc:"Of the period that a surcharge is for"`
}

// Bills is a page of what an account's closed periods came to.
type Bills struct {
	Bills  []PeriodBill `json:"bills" nullable:"false" doc:"Oldest first"`
	Cursor string       `json:"cursor" doc:"Where the next page begins; opaque"`
	More   bool         `json:"more" doc:"More can be read at once"`
}

// PeriodBill is what closing a period came to. Numbers are in unit, and the
// smaller of used and allowance, credits_used, surcharged and uncovered sum up
// to used.
type PeriodBill struct {
	Start       time.Time `json:"period_start"`
	End         time.Time `json:"period_end" doc:"Not included"`
	Plan        string    `json:"plan" doc:"In force at the end"`
	Unit        string    `json:"unit" enum:"bytes,emails"`
	Used        int64     `json:"used"`
	Allowance   int64     `json:"allowance"`
	CreditsUsed int64     `json:"credits_used"`
	Surcharged  int64     `json:"surcharged" doc:"Paid by the tier"`
	Uncovered   int64     `json:"uncovered" doc:"Paid by nothing: a larger plan or policy was there when it was accepted"`
	Tier        int64     `json:"tier" doc:"Total of the surcharge tier; 0: no surcharge"`
	PriceMinor  int64     `json:"price_minor" doc:"Of the tier, in the currency's smallest unit"`
	Currency    string    `json:"currency" doc:"ISO 4217, or empty where nothing was to be reckoned with"`
	Credited    int64     `json:"credited" doc:"Of the tier, for the rest of the plan's time"`
	State       string    `json:"state" enum:"nothing_due,due,paid"`
	Order       string    `json:"order,omitempty" doc:"The payment request; missing: nothing to pay"`
}

// Credits is a page of what an account was credited.
type Credits struct {
	Credits []Credit `json:"credits" nullable:"false" doc:"Oldest first"`
	Cursor  string   `json:"cursor" doc:"Where the next page begins; opaque"`
	More    bool     `json:"more" doc:"More can be read at once"`
}

// Credit is used after the allowance and before a surcharge.
type Credit struct {
	ID        string     `json:"id"`
	Source    string     `json:"source" enum:"surcharge,chained" doc:"surcharge: of a tier that was not used up; chained: a monthly plan bought for this account"`
	Order     string     `json:"order,omitempty"`
	Unit      string     `json:"unit" enum:"bytes,emails"`
	Granted   int64      `json:"granted"`
	Left      int64      `json:"left" doc:"As of the last period that was closed"`
	ValidFrom time.Time  `json:"valid_from"`
	ExpiresAt *time.Time `json:"expires_at,omitempty" doc:"Not included; missing: no end"`
}

// Limits is how far a period is used, in one number: e-mails, or for a
// bandwidth plan the larger of bytes and e-mails × 10 KB.
type Limits struct {
	Unit        string `json:"unit" enum:"bytes,emails"`
	Used        int64  `json:"used"`
	Allowance   int64  `json:"allowance" doc:"What the plan gives for the period"`
	Credit      int64  `json:"credit" doc:"Left of credits, beside the allowance"`
	Limit       int64  `json:"limit" doc:"The most that is accepted in the period"`
	Percent     int64  `json:"percent" doc:"Used, of the allowance; above 100 where it is overused"`
	Policy      string `json:"policy" enum:"surcharge,stop,block"`
	AtLimit     string `json:"at_limit" enum:"surcharge,stop,block,chain,cut_off,no_plan" doc:"What happens at the limit"`
	AtLimitText string `json:"at_limit_text" doc:"The same for people"`
	Resets      bool   `json:"resets" doc:"Counters start again at the period's end; false: no plan follows"`
}
