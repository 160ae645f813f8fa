package proxy

import (
	"context"
	"errors"
	"fmt"

	"github.com/emersion/go-smtp"

	"servicesmtp.net/companion/internal/smtpdata"
	"servicesmtp.net/companion/internal/wire"
)

// Problem is a class of failure as the mail program sees it. The zero value
// is the one for whatever nobody foresaw.
type Problem int

// Problems that Config.Classify may answer.
const (
	Unexpected Problem = iota
	Full               // no room in the spool or on the disk
	TooLarge           // the message
	Stopping
	NoAccount // no account may send mail of this sender
)

// Problems that only this package finds.
const (
	bareLine Problem = iota + 100
	longLine
	lostData
	brokenOff
	needAuth
	wrongPassword
	tooManyPasswords
	badAuth
	noMechanism
	outOfOrder
	badSender
	badRecipient
	needUTF8
	badEnvelopeID
	badOriginal
	badChunk
	needTLS
	crowded
)

// replies are all that a mail program can read from us; the rest is go-smtp's.
// Codes are RFC 5321 §4.2.3 and RFC 4954 §4 and §6, enhanced codes RFC 3463 §3,
// RFC 6531 §3 (5.6.7). Sentences are shown to people by their mail programs.
var replies = map[Problem]smtp.SMTPError{
	Unexpected: {Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "The message could not be taken just now; send it again in a few minutes"},
	Full:       {Code: 452, EnhancedCode: smtp.EnhancedCode{4, 3, 1}, Message: "There is no room for more waiting mail; make room on the disk or wait until some has left"},
	TooLarge:   {Code: 552, EnhancedCode: smtp.EnhancedCode{5, 3, 4}, Message: "The message is larger than allowed; send smaller attachments"},
	Stopping:   {Code: 421, EnhancedCode: smtp.EnhancedCode{4, 3, 2}, Message: "The companion is stopping; send again when it runs"},
	NoAccount:  {Code: 550, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "No account sends mail for this sender; add the address in the companion's settings"},

	bareLine: {Code: 554, EnhancedCode: smtp.EnhancedCode{5, 6, 0}, Message: "The message has a line that does not end with CRLF; mail could be forged with it, so it is not taken"},
	longLine: {Code: 554, EnhancedCode: smtp.EnhancedCode{5, 6, 0}, Message: "The message has a line of more than a million characters; no mail server would take it"},
	lostData: {Code: 451, EnhancedCode: smtp.EnhancedCode{4, 4, 2}, Message: "The end of the message did not arrive; send it again"},

	badChunk: {Code: 421, EnhancedCode: smtp.EnhancedCode{4, 5, 2}, Message: "The size of a chunk was not understood; connect again"},
	needTLS:  {Code: 421, EnhancedCode: smtp.EnhancedCode{4, 7, 0}, Message: "This port is for encrypted connections; choose SSL or TLS in your mail program, or the port without"},
	crowded:  {Code: 421, EnhancedCode: smtp.EnhancedCode{4, 3, 2}, Message: "Too many connections at once; try again in a moment"},

	brokenOff: {Code: 421, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "The message was broken off; connect again"},

	needAuth:         {Code: 530, EnhancedCode: smtp.EnhancedCode{5, 7, 0}, Message: "Enter the user name and password that the companion shows"},
	wrongPassword:    {Code: 535, EnhancedCode: smtp.EnhancedCode{5, 7, 8}, Message: "Wrong user name or password; the companion shows the right ones"},
	tooManyPasswords: {Code: 421, EnhancedCode: smtp.EnhancedCode{4, 7, 0}, Message: "Too many wrong passwords"},
	badAuth:          {Code: 501, EnhancedCode: smtp.EnhancedCode{5, 5, 2}, Message: "User name and password were not understood"},
	noMechanism:      {Code: 504, EnhancedCode: smtp.EnhancedCode{5, 5, 4}, Message: "Use AUTH PLAIN or LOGIN"},

	outOfOrder:    {Code: 503, EnhancedCode: smtp.EnhancedCode{5, 5, 1}, Message: "Not now: a message is being handed in already"},
	badSender:     {Code: 553, EnhancedCode: smtp.EnhancedCode{5, 1, 7}, Message: "The sender's address is not written correctly"},
	badRecipient:  {Code: 553, EnhancedCode: smtp.EnhancedCode{5, 1, 3}, Message: "The address is not written correctly"},
	needUTF8:      {Code: 553, EnhancedCode: smtp.EnhancedCode{5, 6, 7}, Message: "An address with letters beyond ASCII needs SMTPUTF8"},
	badEnvelopeID: {Code: 501, EnhancedCode: smtp.EnhancedCode{5, 5, 4}, Message: "ENVID is longer than 100 characters"},
	badOriginal:   {Code: 501, EnhancedCode: smtp.EnhancedCode{5, 5, 4}, Message: "ORCPT is longer than 500 characters"},
}

// Error makes a Problem usable as an error inside the package.
func (p Problem) Error() string { return replies[p].Message }

// reply is the one place where an error becomes an answer. It returns the bare
// type, because go-smtp turns a wrapped one into 554 and prints its text.
func (s *Server) reply(err error) *smtp.SMTPError {
	r, ok := replies[s.problem(err)]
	if !ok { // Classify answered a number of its own
		r = replies[Unexpected]
	}
	return &r
}

// replyLine is the answer to a problem as it stands on the wire.
func replyLine(p Problem) string {
	r := replies[p]
	return fmt.Sprintf("%d %d.%d.%d %s\r\n", r.Code, r.EnhancedCode[0], r.EnhancedCode[1], r.EnhancedCode[2], r.Message)
}

// problem finds the class of an error.
func (s *Server) problem(err error) Problem {
	var p Problem
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, wire.ErrBareLine):
		return bareLine
	case errors.Is(err, smtpdata.ErrTooLarge):
		return TooLarge
	case errors.Is(err, smtpdata.ErrLongLine):
		return longLine
	case errors.Is(err, smtpdata.ErrLost):
		return lostData
	}
	if s.cfg.Classify != nil {
		p = s.cfg.Classify(err)
	}
	// A session's context ends with its connection or with the server.
	if p == Unexpected && errors.Is(err, context.Canceled) {
		return Stopping
	}
	return p
}

// rootCause is the innermost error: what the system or a library said, without
// the paths and addresses that wrapping adds.
func rootCause(err error) error {
	for {
		var next error
		switch e := err.(type) { //nolint:errorlint // it walks the chain itself
		case interface{ Unwrap() error }:
			next = e.Unwrap()
		case interface{ Unwrap() []error }:
			if list := e.Unwrap(); len(list) > 0 {
				next = list[len(list)-1]
			}
		}
		if next == nil {
			return err
		}
		err = next
	}
}
