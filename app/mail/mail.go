// Package mail is the vocabulary of the companion's engine: what a message is
// on its way from a mail program to the relay, and the few rules that belong
// to the words themselves.
//
// It is pure: values in, values out. It never reads a clock, logs, or does
// I/O, imports nothing of ours but internal/wire and internal/units, and
// starts no goroutine.
//
// Words: an *envelope* is what SMTP says about a message (reverse-path and
// recipients, RFC 5321 §2.3.1); a *job* is one message as a mail program
// handed it in; a *batch* is a part of a job's recipients that goes to the
// relay in one transaction; an *outcome* is what the relay said of one
// recipient.
package mail

import (
	"time"

	"servicesmtp.net/companion/internal/wire"
)

// JobID is the ULID of a job: 26 characters, upper case, sortable by time.
type JobID string

// Lane says in which order mail leaves.
type Lane int

// The lanes. Values are stored; never renumber them.
const (
	Personal Lane = 1 // few recipients: overtakes, may overdraw the pace
	Bulk     Lane = 2 // newsletters
)

// String is the lane's name in JSON.
func (l Lane) String() string {
	if l == Personal {
		return "personal"
	}
	return "bulk"
}

// Envelope is what a mail program said about one message, plus what the
// companion knows of how it came. Addresses are without angle brackets, as
// they were given; the reverse-path is "" for the null sender.
type Envelope struct {
	Job        JobID
	Account    string // name of the account that sends it
	Lane       Lane
	From       string
	Recipients []Recipient
	Size       ByteSize     // of the stored message, our Received included
	BodySum    wire.BodySum // of the stored message
	AcceptedAt time.Time
	UTF8       bool   // SMTPUTF8 was asked for and is needed (RFC 6531 §3.4)
	EightBit   bool   // BODY=8BITMIME (RFC 6152 §3)
	Return     string // RET: "FULL", "HDRS" or "" (RFC 3461 §4.3)
	ClientID   string // ENVID of the mail program, or ""
	Client     Client
}

// Client says which program handed the message in, for the "connect your mail
// program" view. None of it is shown to a recipient.
type Client struct {
	Family string // "ipv4" or "ipv6"
	Hello  string // argument of EHLO or HELO
	Auth   string // SASL mechanism, or "" where none was used
	TLS    bool
}

// Recipient is one RCPT with its DSN parameters (RFC 3461 §4.1, §4.2).
type Recipient struct {
	Address  string
	Notify   []string // "NEVER", or of "SUCCESS", "FAILURE", "DELAY"; empty: not given
	Original string   // ORCPT as "<type>;<address>", decoded, or ""
}

// Batch is a part of a job, frozen before its first dial: its number, account,
// recipients and bytes never change, and its number is never used again.
type Batch struct {
	Job        JobID
	Number     int // from 1
	Account    string
	Lane       Lane
	From       string
	Recipients []Recipient
	Size       ByteSize
	BodySum    wire.BodySum
	UTF8       bool
	EightBit   bool
	Return     string
	ClientID   string
	Attempts   int       // dials so far, the present one included
	Round      int       // how often these recipients were deferred before
	FirstTry   time.Time // start of the first attempt, or where Round > 0 the first "later": retries end some days after that
	Store      string    // of the endpoint that it was last offered to, or ""
	Bound      bool      // its dot may have left, to Store
}

// EnvelopeID is the batch's ENVID.
func (b Batch) EnvelopeID() wire.EnvelopeID {
	return wire.EnvelopeID{Job: string(b.Job), Number: b.Number, Client: b.ClientID}
}

// Addresses lists the recipients' addresses in their order.
func (b Batch) Addresses() []string {
	out := make([]string, len(b.Recipients))
	for i, r := range b.Recipients {
		out[i] = r.Address
	}
	return out
}

// Fingerprint is what the relay compares when the batch comes again.
func (b Batch) Fingerprint() string {
	return wire.Fingerprint(b.From, b.Addresses(), b.BodySum)
}
