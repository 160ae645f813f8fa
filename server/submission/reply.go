package submission

import (
	"errors"
	"fmt"

	"github.com/emersion/go-smtp"

	"servicesmtp.net/companion/internal/smtpdata"
	"servicesmtp.net/companion/server/accept"
)

// Replies that depend on nothing.
var (
	errStopping   = reply(421, 4, 3, 2, "The service is stopping, try again in a moment")
	errReconnect  = reply(421, 4, 3, 0, "Connect again to send the next message")
	errNoLogin    = reply(530, 5, 7, 0, "Log in first: switch on authentication (SMTP AUTH) in your mail program") // RFC 4954 §6
	errNoTLS      = reply(530, 5, 7, 0, "Switch on encryption first (STARTTLS)")                                   // RFC 3207 §4
	errWrongLogin = reply(535, 5, 7, 8, "Name or password is wrong")                                               // RFC 4954 §6
	errLoginLater = reply(454, 4, 7, 0, "Your login cannot be checked now, try again later")                       // RFC 4954 §4
	errLoginForm  = reply(501, 5, 5, 2, "The login is malformed")
	errNested     = reply(503, 5, 5, 1, "A message is being sent already, end it first") // RFC 5321 §4.1.4
	errTooMany    = reply(452, 4, 5, 3, "Too many recipients")                           // RFC 5321 §4.5.3.1.10
	errLongFrom   = reply(553, 5, 1, 7, "The sender's address is too long")
	errLongTo     = reply(553, 5, 1, 3, "The address is too long")
	errLongValue  = reply(501, 5, 5, 4, "ENVID has at most 100 characters, ORCPT 500") // RFC 3461
	errNeedsUTF8  = words(accept.NeedsUTF8)                                            // RFC 6531 §3.5
)

func reply(code, class, subject, detail int, text string) *smtp.SMTPError {
	return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{class, subject, detail}, Message: text}
}

// line is a reply as it is written, without its CRLF.
func line(r *smtp.SMTPError) string {
	return fmt.Sprintf("%d %d.%d.%d %s", r.Code, r.EnhancedCode[0], r.EnhancedCode[1], r.EnhancedCode[2], r.Message)
}

// words makes a reply of SMTP from one of acceptance. go-smtp sends an error's
// code and text as they are, so even 250 looks like one.
func words(r accept.Reply) *smtp.SMTPError {
	var class, subject, detail int
	if _, err := fmt.Sscanf(r.Enhanced, "%d.%d.%d", &class, &subject, &detail); err != nil {
		class = r.Code / 100
	}
	return reply(r.Code, class, subject, detail, r.Text)
}

// mapError is the one place where an error becomes a reply. What it does not
// know is temporary and says nothing about the inside. The result must be
// returned bare: go-smtp turns a wrapped reply into 554 with the error's text.
func mapError(err error) *smtp.SMTPError {
	switch { // chunks are go-smtp's business, the rest smtpdata's
	case errors.Is(err, smtp.ErrTooLongLine), errors.Is(err, smtpdata.ErrLongLine):
		err = accept.ErrLongLine
	case errors.Is(err, smtpdata.ErrTooLarge):
		err = smtp.ErrDataTooLarge
	}
	r, known := accept.ReplyTo(err)
	if ready, ok := errors.AsType[*smtp.SMTPError](err); ok && !known { // of go-smtp's readers, or ours already
		return ready
	}
	return words(r)
}
