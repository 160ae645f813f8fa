package mail

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Code is an SMTP reply's three digits with its enhanced code (RFC 5321 §4.2,
// RFC 3463). Enhanced is zero where the server gave none.
type Code struct {
	Basic    int
	Enhanced [3]int
}

// Permanent says that repeating the command cannot help: 5yz.
func (c Code) Permanent() bool { return c.Basic/100 == 5 }

// Transient says that the command may succeed later. Whatever is neither a
// success nor a permanent failure counts as transient, so that nothing is
// given up because a reply was not understood.
func (c Code) Transient() bool { return !c.Permanent() && c.Basic/100 != 2 }

// String is "550 5.1.1", or "550" without an enhanced code.
func (c Code) String() string {
	if c.Enhanced == [3]int{} {
		return fmt.Sprintf("%d", c.Basic)
	}
	return fmt.Sprintf("%d %d.%d.%d", c.Basic, c.Enhanced[0], c.Enhanced[1], c.Enhanced[2])
}

// ParseEnhanced reads an enhanced code, "5.1.1" (RFC 3463 §2); anything else
// is none.
func ParseEnhanced(s string) (e [3]int) {
	parts := strings.Split(s, ".")
	if len(parts) != 3 {
		return e
	}
	for i, p := range parts {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil {
			return [3]int{}
		}
		e[i] = int(n)
	}
	return e
}

// Reply is a server's answer to one command.
type Reply struct {
	Code    Code
	Text    string // without codes; lines joined by "\n"
	Command string // that it answers: "MAIL", "RCPT", "DATA", "AUTH", ...
}

// String is the reply as a person would see it in a log.
func (r Reply) String() string {
	if r.Text == "" {
		return r.Code.String()
	}
	return r.Code.String() + " " + r.Text
}

// Status of one recipient. Values are stored; never renumber them.
type Status int

const (
	StatusQueued    Status = 1 // waits for its batch to leave
	StatusAccepted  Status = 2 // the relay has it, and reports from here on
	StatusDeferred  Status = 3 // the relay said "later"; goes into a new batch
	StatusFailed    Status = 4 // refused for good
	StatusUncertain Status = 5 // nobody can say whether the relay has it; a person decides
	StatusCancelled Status = 6 // taken back by the user before it left
)

var statusNames = map[Status]string{
	StatusQueued: "queued", StatusAccepted: "accepted", StatusDeferred: "deferred",
	StatusFailed: "failed", StatusUncertain: "uncertain", StatusCancelled: "cancelled",
}

// String is the status's name in JSON.
func (s Status) String() string { return statusNames[s] }

// Outcome is what became of one recipient in one batch.
type Outcome struct {
	Address string
	Status  Status
	Reply   Reply
	At      time.Time
}

// HoldReason says why an account's whole queue waits although mail is due.
// Values are stored and shown in JSON; never change them.
type HoldReason string

const (
	NotHeld         HoldReason = ""
	HoldPaused      HoldReason = "paused"      // the user asked
	HoldCredentials HoldReason = "credentials" // 535: the relay refuses name and password
	HoldNoPassword  HoldReason = "no_password" // none stored, or the keyring does not answer
	HoldUnreachable HoldReason = "unreachable" // no endpoint answers
	HoldCertificate HoldReason = "certificate" // the relay's certificate is not trusted
	HoldNoTLS       HoldReason = "no_tls"      // STARTTLS is not offered: somebody may be listening
	HoldQuota       HoldReason = "quota"       // the plan is used up
	HoldBlocked     HoldReason = "blocked"     // the operator blocked the account
	HoldBusy        HoldReason = "busy"        // 421, 4yz at MAIL, 454: temporary
	HoldPace        HoldReason = "pace"        // the relay asked to slow down
	HoldUncertain   HoldReason = "uncertain"   // a person must decide about a batch
	HoldStorage     HoldReason = "storage"     // the spool cannot be written
)

// NeedsPerson says that waiting alone will not end the hold.
func (h HoldReason) NeedsPerson() bool {
	switch h {
	case HoldCredentials, HoldNoPassword, HoldBlocked, HoldUncertain, HoldPaused:
		return true
	}
	return false
}

// Hold is why and until when a queue waits.
type Hold struct {
	Reason HoldReason
	Since  time.Time
	Until  time.Time // zero: not known
	Reply  Reply     // of the relay, where it was one
	Detail string    // technical cause, for the log and the details view; no addresses, no secrets
}
