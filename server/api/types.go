package api

import "time"

// Account is what a customer sees of the account.
type Account struct {
	Name    string    `json:"name" doc:"SMTP login"`
	Plan    string    `json:"plan" doc:"Name of the plan in the catalogue"`
	Email   string    `json:"email" doc:"Reference address for reports"`
	Status  string    `json:"status" enum:"active,held,blocked,waiting,ended" doc:"held: mail is accepted and waits; blocked: mail is refused; waiting: for payment and activation; ended: no plan is in force"`
	Overage string    `json:"overage" enum:"surcharge,stop,block" doc:"What happens at the limit of a bandwidth plan"`
	Zone    string    `json:"zone" doc:"IANA time zone in which months and days are counted"`
	Created time.Time `json:"created_at"`

	PlanStart   *time.Time `json:"plan_start,omitempty" doc:"When what was bought began; missing: nothing has begun"`
	PlanEnd     *time.Time `json:"plan_end,omitempty" doc:"Not included; missing: no end"`
	RenewedFrom *time.Time `json:"renewed_from,omitempty" doc:"When the plan that follows begins; missing: none is bought"`
	RenewalLink string     `json:"renewal_link,omitempty" doc:"Where the plan is renewed; missing: it is renewed, or has no end"`
}

// DeviceRequest asks for a token.
type DeviceRequest struct {
	Name string `json:"name" minLength:"1" maxLength:"100" doc:"Name of the computer, so that a person can tell tokens apart"`

	Scopes []string `json:"scopes,omitempty" nullable:"false" enum:"read,send,admin" doc:"What the token may do; without: everything"`
}

// Device is a token's birth certificate; the token is told this once.
type Device struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Account string `json:"account"`
	Token   string `json:"token" doc:"Bearer token; shown once and stored as a hash"`

	Scopes []string `json:"scopes" nullable:"false" doc:"What it may do"`
}

// OveragePolicy is what happens at the limit of a bandwidth plan.
type OveragePolicy struct {
	Policy string `json:"policy" enum:"surcharge,stop,block"`
}

// PolicyInForce is a policy that was chosen.
type PolicyInForce struct {
	Policy      string    `json:"policy" enum:"surcharge,stop,block"`
	Effective   time.Time `json:"effective" doc:"From when on it counts"`
	AtLimit     string    `json:"at_limit" enum:"surcharge,stop,block,chain,cut_off,no_plan" doc:"What happens at the limit now"`
	AtLimitText string    `json:"at_limit_text" doc:"The same for people"`
}

// Quota is the plan's present period. A limit of 0 is none.
type Quota struct {
	Plan        string    `json:"plan"`
	EmailsUsed  int64     `json:"emails_used"`
	EmailsLimit int64     `json:"emails_limit" doc:"0: none"`
	EmailsLeft  *int64    `json:"emails_left,omitempty" doc:"Missing where there is no limit"`
	BytesUsed   int64     `json:"bytes_used"`
	BytesLimit  int64     `json:"bytes_limit" doc:"0: none"`
	BytesLeft   *int64    `json:"bytes_left,omitempty" doc:"Missing where there is no limit"`
	Start       time.Time `json:"period_start"`
	End         time.Time `json:"period_end"`
	Reset       time.Time `json:"reset" doc:"When the counters start again"`
	Limits
}

// Usage is what was sent from From up to To, in days of the account's zone.
type Usage struct {
	Plan        string     `json:"plan"`
	From        time.Time  `json:"from"`
	To          time.Time  `json:"to" doc:"Not included"`
	Emails      int64      `json:"emails"`
	Bytes       int64      `json:"bytes"`
	EmailsLimit int64      `json:"emails_limit" doc:"Of the present period; 0: none"`
	BytesLimit  int64      `json:"bytes_limit" doc:"Of the present period; 0: none"`
	Days        []UsageDay `json:"days" doc:"Days on which anything was sent, oldest first" nullable:"false"`
}

// UsageDay is one day of the account's zone.
type UsageDay struct {
	Day    string `json:"day" doc:"YYYY-MM-DD in the account's zone"`
	Emails int64  `json:"emails"`
	Bytes  int64  `json:"bytes"`
}

// BatchKeys names batches of the caller's account.
type BatchKeys struct {
	Envids []string `json:"envids" minItems:"1" maxItems:"500" nullable:"false" doc:"Keys sb1.<job>.<number>; a longer ENVID counts as its key"`
}

// Batches answers check and close, in the order asked.
type Batches struct {
	Batches []Batch `json:"batches" nullable:"false"`
}

// Batch is what the relay knows of one key.
type Batch struct {
	Envid      string           `json:"envid" doc:"As asked"`
	State      string           `json:"state" enum:"accepted,closed,unknown"`
	ID         string           `json:"id,omitempty" doc:"The id after 'queued as', when accepted"`
	AcceptedAt *time.Time       `json:"accepted_at,omitempty"`
	Recipients []BatchRecipient `json:"recipients,omitempty" nullable:"false" doc:"Every recipient offered, when accepted"`
}

// BatchRecipient is the stored decision about one recipient.
type BatchRecipient struct {
	Address  string `json:"address"`
	Decision string `json:"decision" enum:"accepted,deferred,refused"`
	Code     int    `json:"code"`
	Enhanced string `json:"enhanced" doc:"RFC 3463 code, or empty"`
	Reply    string `json:"reply" doc:"Text after the codes"`
}

// Events is a page of what became of accepted recipients.
type Events struct {
	Events []Event `json:"events" nullable:"false" doc:"Oldest first"`
	Cursor string  `json:"cursor" doc:"Where the next page begins; opaque"`
	More   bool    `json:"more" doc:"More can be read at once"`
}

// Event is one step of one recipient.
type Event struct {
	At        time.Time `json:"at"`
	Envid     string    `json:"envid" doc:"As received, or empty"`
	ID        string    `json:"id" doc:"The message's id after 'queued as'"`
	Recipient string    `json:"recipient"`
	Status    string    `json:"status" enum:"delivered,deferred,failed,cancelled"`
	Code      int       `json:"code" doc:"Last reply of the far server; 0: none"`
	Enhanced  string    `json:"enhanced" doc:"RFC 3463 code, or empty"`
	Reply     string    `json:"reply" doc:"Text after the codes"`
}

// Errors is a page of addresses that failed for good.
type Errors struct {
	Errors []Failure `json:"errors" nullable:"false" doc:"Oldest first"`
	Cursor string    `json:"cursor" doc:"Where the next page begins; opaque"`
	More   bool      `json:"more" doc:"More can be read at once"`
}

// Failure is one recipient that failed for good.
type Failure struct {
	At        time.Time `json:"at"`
	Envid     string    `json:"envid" doc:"As received, or empty"`
	Recipient string    `json:"recipient"`
	Code      int       `json:"code"`
	Enhanced  string    `json:"enhanced" doc:"RFC 3463 code, or empty"`
	Reply     string    `json:"reply" doc:"Text after the codes"`
}

// Policy is how fast and how much this device may send. A rate of 0 is none.
type Policy struct {
	PerMinute    int64 `json:"recipients_per_minute" doc:"This device's share; 0: none"`
	PerHour      int64 `json:"recipients_per_hour" doc:"0: none"`
	PerDay       int64 `json:"recipients_per_day" doc:"0: none"`
	RcptMax      int64 `json:"rcpt_max" doc:"Recipients in one transaction"`
	MessageMax   int64 `json:"message_max" doc:"Bytes of one message"`
	ValidSeconds int64 `json:"valid_seconds" doc:"Ask again after this"`

	AccountPerMinute int64            `json:"account_recipients_per_minute" doc:"The account's rate, which its devices share; 0: none"`
	Batch            int64            `json:"batch" doc:"Recipients that may leave at once, ahead of the rate; 0: not said"`
	PersonalBurst    int64            `json:"personal_burst" doc:"Recipients by which personal mail may be ahead of it beside that; 0: not said"`
	Source           string           `json:"account_rate_source" enum:"account,plan,relay,none" doc:"Who set that rate: for this account alone, the plan, or the relay for all; none: there is no rate"`
	PerProvider      map[string]int64 `json:"per_provider" nullable:"false" doc:"Recipients a minute, by domain of the recipient"`
}

// Endpoints is where mail can be handed in.
type Endpoints struct {
	Endpoints []Endpoint `json:"endpoints" nullable:"false" doc:"Best first"`
}

// Endpoint is one port of one server.
type Endpoint struct {
	Host  string   `json:"host"`
	Port  int      `json:"port"`
	TLS   string   `json:"tls" enum:"starttls,tls" doc:"tls: from the first byte"`
	Roles []string `json:"roles" nullable:"false" doc:"primary or backup"`
	Store string   `json:"store" doc:"Name of the database behind it: an unknown outcome is repeated to the same store only"`
}

// Notices is a page of words of the service for the customer.
type Notices struct {
	Notices []Notice `json:"notices" nullable:"false" doc:"Oldest first"`
	Cursor  string   `json:"cursor" doc:"Where the next page begins; opaque"`
	More    bool     `json:"more" doc:"More can be read at once"`
}

// Notice is one of them.
type Notice struct {
	ID       int64      `json:"id"`
	At       time.Time  `json:"at"`
	Kind     string     `json:"kind" doc:"usage, near_limit, over_limit, blocked_until, active_again, heavy_use, renewal_due, ended, month_report, payment_request, payment_received, credit_granted, held, released, blocked, unblocked; more may come"`
	Severity string     `json:"severity" enum:"info,warning,action"`
	Key      string     `json:"key,omitempty" doc:"A newer notice of the same key takes this one's place; missing: none does"`
	Subject  string     `json:"subject"`
	Body     string     `json:"body"`
	AckedAt  *time.Time `json:"acked_at,omitempty" doc:"When somebody said it was seen"`
}
