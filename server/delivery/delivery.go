// Package delivery hands messages to the next host: into a maildir (sandbox),
// to a smarthost, or to the servers that a recipient's domain names in DNS.
//
// It promises an outcome for every recipient, in the far server's own words,
// within a bounded time whatever that server does; that nothing but our
// Received field is put in front of a message and not one byte of it changes;
// and that beforeData is called with exactly those recipients whose content is
// about to leave, at the last moment before it can arrive anywhere.
//
// It never retries on its own (but for a connection that turned out to be
// closed before its first command was answered), never decides when to try
// again, and never touches the store: that is the queue's. It logs no
// addresses. A Conn belongs to one caller at a time and starts no goroutine
// that outlives a call.
//
// Failure rules: 2yz is delivered, 5yz failed, everything else, also what is
// not understood, deferred. A connection that ends before the final dot has
// delivered nothing; one that ends between the dot and its answer may have
// delivered everything, and SMTP cannot say (RFC 1047): such recipients are
// deferred with MaybeDup.
//
// Standards: RFC 5321 (SMTP), RFC 1870 (SIZE), RFC 2034 and 3463 (enhanced
// codes), RFC 2920 (PIPELINING), RFC 3207 and 7435 (STARTTLS, opportunistic),
// RFC 3461 (DSN), RFC 6152 (8BITMIME), RFC 6531 (SMTPUTF8), RFC 7505 (null
// MX), RFC 8314 (implicit TLS).
package delivery

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// Status is what became of one recipient. Values are stored.
type Status string

const (
	Delivered Status = "delivered" // the far server has it
	Deferred  Status = "deferred"  // try again later
	Failed    Status = "failed"    // never try again
)

// Recipient is one recipient of a message.
type Recipient struct {
	ID      int64 // of the row in deliveries
	Address string
	Notify  string // "NEVER", or a list of SUCCESS, FAILURE and DELAY, or "" (RFC 3461 §4.1)
	ORCPT   string // "type;address", not encoded, or "" (RFC 3461 §4.2)
}

// Message is what one transaction hands over.
type Message struct {
	ID         string // of the row in messages
	From       string // "" is the null sender
	Recipients []Recipient
	Received   string // our trace field, goes in front
	Size       int64  // of the body; a body of another length is never sent
	Body       func(context.Context) (io.ReadCloser, error)
	UTF8       bool   // handed in with SMTPUTF8
	EightBit   bool   // holds bytes above 127
	Ret        string // FULL, HDRS or ""
	ClientID   string // the ENVID that others may see, or ""
}

// Result is the outcome for one recipient.
type Result struct {
	ID       int64
	Status   Status
	Code     int    // of the far server; our own where it did not answer
	Enhanced string // RFC 3463 code, or ""
	Reply    string // text after the codes
	Remote   string // host that answered
	MaybeDup bool   // deferred, but the far server may have it
	Lost     bool   // deferred because the connection ended: do not open another at once
	Soon     bool   // deferred because the transaction was full: the next one may follow at once
}

// Conn is one connection to a next host, kept between messages.
type Conn interface {
	// Deliver offers m and returns a result for each recipient, but for those
	// that were left untouched because beforeData returned an error.
	Deliver(ctx context.Context, m Message, beforeData func(ids []int64) error) []Result
	// Alive says that another Deliver may be tried.
	Alive() bool
	Close() error
}

// Plan is how a route wants to be used.
type Plan struct {
	Slots  int  // connections of one lane at the same time
	Single bool // one recipient in each transaction
}

// Route is one way out.
type Route interface {
	// Lane names the connections that a recipient's mail shares.
	Lane(recipient string) string
	Plan() Plan
	// Open connects to a lane's next host. Its error is an *OpenError unless
	// ctx ended.
	Open(ctx context.Context, lane string) (Conn, error)
}

// OpenError says why a lane's next host cannot be reached, as an outcome for
// those who wanted to go there.
type OpenError struct {
	Status   Status // Failed or Deferred
	Code     int
	Enhanced string
	Reply    string
	Remote   string
	Err      error // cause, for the log; may be nil
}

func (e *OpenError) Error() string {
	return fmt.Sprintf("open connection: %d %s %s", e.Code, e.Enhanced, e.Reply)
}

func (e *OpenError) Unwrap() error { return e.Err }

// result is the outcome for one of those recipients.
func (e *OpenError) result(id int64) Result {
	return Result{ID: id, Status: e.Status, Code: e.Code, Enhanced: e.Enhanced, Reply: e.Reply, Remote: e.Remote, Lost: e.Status == Deferred}
}

// Results is the outcome for the recipients of m when err, of Open, kept them
// from being sent. It is empty when ctx had ended: nothing was tried.
func Results(m Message, err error) []Result {
	var open *OpenError
	if !errors.As(err, &open) {
		return nil
	}
	all := make([]Result, 0, len(m.Recipients))
	for _, r := range m.Recipients {
		all = append(all, open.result(r.ID))
	}
	return all
}

// Timeouts of an SMTP client. The defaults are those of RFC 5321 §4.5.3.2
// where it names one; none of them may be shorter in service.
type Timeouts struct {
	Connect time.Duration // TCP, for each address; default 30 s
	Command time.Duration // an answer to a command; default 5 min
	Block   time.Duration // a piece of the body; default 3 min
	Dot     time.Duration // the answer to the final dot; default 10 min (RFC 1047 tells why so long)
	Whole   time.Duration // everything before the final dot, without the time that the size needs; default 15 min
}

func (t Timeouts) withDefaults() Timeouts {
	for _, v := range []struct {
		d *time.Duration
		o time.Duration
	}{{&t.Connect, 30 * time.Second}, {&t.Command, 5 * time.Minute}, {&t.Block, 3 * time.Minute}, {&t.Dot, 10 * time.Minute}, {&t.Whole, 15 * time.Minute}} {
		if *v.d <= 0 {
			*v.d = v.o
		}
	}
	return t
}

// slowest is the rate below which a whole delivery is given up, in bytes a
// second: a server that takes a byte now and then must not hold a lane.
const slowest = 32_000

// limit is how long everything before the final dot may take.
func (t Timeouts) limit(size int64) time.Duration {
	return t.Whole + time.Duration(size)*time.Second/slowest
}

// openLimit bounds connecting to all of a lane's hosts.
func openLimit(t Timeouts) time.Duration { return 2 * t.Command }

// Config of a route.
type Config struct {
	Route    string // "mx", "smtp://host:port", "smtps://host:port" or "maildir:PATH"
	DNS      string // a resolver's host:port; "": the system's
	Hostname string // our name in EHLO
	MXPort   int    // default 25
	RootCAs  *x509.CertPool
	Timeouts Timeouts
	Log      *slog.Logger
}

func (c Config) withDefaults() Config {
	c.Timeouts = c.Timeouts.withDefaults()
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.MXPort == 0 {
		c.MXPort = 25
	}
	if c.Hostname == "" {
		c.Hostname = "localhost"
	}
	return c
}
