// Package dsn writes the report that a sender gets when his message, or a part
// of it, could not be handed over: a delivery status notification (RFC 3464)
// inside multipart/report (RFC 6522).
//
// It promises that what comes from outside (addresses, replies, the original
// message) can neither add a field or a part nor break a line rule: every line
// ends with CRLF and has at most 998 octets before it (RFC 5322 §2.1.1), and
// everything is 7-bit but for two things that cannot be: a sender's address
// with letters outside ASCII in To, and a message given back whole whose own
// content is 8-bit. The report is written as it is made; of the original
// message at most 64 KB are in memory, of the failures one at a time.
//
// It is pure: values and readers in, bytes out. It reads no clock and decides
// neither who is told nor when. No goroutine.
//
// # What stands in it
//
// A report on a personal message: the text for people; the status of every
// failed recipient for programs; the header of the original, or all of it
// where RET=FULL asked for it and it is small (RFC 3461 §4.3).
//
// A digest on a newsletter has the same parts. Its text counts by reason and
// names the first addresses; the whole list is a CSV file beside the text,
// inside the first part, because multipart/report has two or three parts and
// no other (RFC 6522 §3). The status holds the first 1,000 recipients only:
// programs that read bounces then know all of a usual newsletter, and 50,000
// blocks would be a large mail that nobody asked for.
//
// # Letters outside ASCII (RFC 6533)
//
// The status is always message/delivery-status: it needs 7 bits only, and
// addresses stand in it as utf-8-addr-xtext (§3). A header with UTF-8 in it is
// given back as message/global-headers, a whole message with such a header as
// message/global.
package dsn

import (
	"bufio"
	"fmt"
	"io"
	"iter"
	"mime/multipart"
	"net/textproto"
	"time"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/say"
)

// Bounds of a digest.
const (
	maxNamed    = 20    // addresses in the text
	maxStatuses = 1_000 // recipients in the status
)

// Failure is one recipient who will not get the message.
type Failure struct {
	Recipient mail.Recipient
	Reply     mail.Reply // the last one
	At        time.Time
	Reason    say.Text // in plain words
	Advice    say.Text // what the sender can do
}

// Failures may be walked more than once.
type Failures = iter.Seq2[Failure, error]

// Report is what is told, and to whom.
type Report struct {
	Say        say.Printer
	ID         string    // of the report: unique, and not to be guessed by who wrote the original
	Now        time.Time // in the sender's zone
	To         string    // reverse-path of the message
	Hostname   string    // of the reporting MTA
	RemoteMTA  string    // host name that refused, or "" where it is not known
	EnvelopeID string    // ENVID of the mail program, or ""
	Arrived    time.Time // when the message was taken
	Original   Original
	Failures   Failures
	Failed     int // how many those are
	Recipients int // of the message
	Accepted   int
	Cancelled  int
	Uncertain  int

	// Digest asks for the form for newsletters. List writes the whole list as
	// CSV; it must be there then.
	Digest bool
	List   func(w io.Writer) error
}

// EightBit says that the report needs 8BITMIME (RFC 6152).
func (r Report) EightBit() bool { return r.Original.eightBit() }

// UTF8 says that the report needs SMTPUTF8 (RFC 6531).
func (r Report) UTF8() bool { return !isASCII(recipientOf(r.To)) }

// Write writes the report.
func (r Report) Write(out io.Writer) error {
	w := bufio.NewWriter(out)
	m := multipart.NewWriter(w)
	if err := m.SetBoundary(r.boundary("report")); err != nil {
		return fmt.Errorf("set boundary: %w", err)
	}
	if _, err := io.WriteString(w, r.header(m.Boundary())); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	for _, part := range []func(*multipart.Writer) error{r.writeWords, r.writeStatus, r.Original.write} {
		if err := part(m); err != nil {
			return fmt.Errorf("write report: %w", err)
		}
	}
	if err := m.Close(); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// boundary cannot stand in the content: who wrote that did not know ID, and a
// quoted-printable line holds no "=_" (RFC 2045 §6.7).
func (r Report) boundary(part string) string { return "=_" + r.ID + "_" + part }

// newPart begins a part.
func newPart(m *multipart.Writer, contentType, encoding, disposition string) (io.Writer, error) {
	h := textproto.MIMEHeader{"Content-Type": {contentType}}
	if encoding != "" {
		h.Set("Content-Transfer-Encoding", encoding)
	}
	if disposition != "" {
		h.Set("Content-Disposition", disposition)
	}
	return m.CreatePart(h)
}
