package submission

import (
	"errors"
	"fmt"
	"time"

	"github.com/emersion/go-smtp"

	"servicesmtp.net/companion/internal/wire"
	"servicesmtp.net/companion/server/accept"
	"servicesmtp.net/companion/server/store"
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
	errNeedsUTF8  = reply(553, 5, 6, 7, "The address needs SMTPUTF8")                    // RFC 6531 §3.5
)

func reply(code, class, subject, detail int, text string) *smtp.SMTPError {
	return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{class, subject, detail}, Message: text}
}

// line is a reply as it is written, without its CRLF.
func line(r *smtp.SMTPError) string {
	return fmt.Sprintf("%d %d.%d.%d %s", r.Code, r.EnhancedCode[0], r.EnhancedCode[1], r.EnhancedCode[2], r.Message)
}

// queued is the reply that takes responsibility. go-smtp sends an error's code
// and text as they are, so it looks like one.
func queued(r accept.Receipt) *smtp.SMTPError {
	text := "queued as " + r.ID
	if r.Replayed {
		text += " " + wire.Replayed
	}
	return reply(250, 2, 0, 0, text)
}

// mapError is the one place where an error becomes a reply. What it does not
// know is temporary and says nothing about the inside. The result must be
// returned bare: go-smtp turns a wrapped reply into 554 with the error's text.
func mapError(err error) *smtp.SMTPError {
	if quota, ok := errors.AsType[*accept.QuotaError](err); ok {
		return reply(550, 5, 7, 1, wire.Signal{Token: wire.TokenQuota, Reset: quota.Reset}.Text("The plan is used up"))
	}
	if pace, ok := errors.AsType[*accept.PaceError](err); ok {
		retry := (pace.Retry + time.Second - 1).Truncate(time.Second) // never too early
		return reply(451, 4, 7, 1, wire.Signal{Token: wire.TokenPace, Retry: max(retry, time.Second)}.Text("The account sends faster than it may"))
	}
	for _, known := range []struct {
		is    error
		reply *smtp.SMTPError
	}{
		{accept.ErrBlocked, reply(550, 5, 7, 1, wire.Signal{Token: wire.TokenBlocked}.Text("The account is blocked, ask the service"))},
		{accept.ErrEnded, reply(550, 5, 7, 1, wire.Signal{Token: wire.TokenBlocked}.Text("The plan has ended, renew it"))},
		{accept.ErrConflict, reply(554, 5, 5, 4, wire.Signal{Token: wire.TokenConflict}.Text("This batch was accepted with other content"))},
		{accept.ErrClosed, reply(554, 5, 5, 4, wire.Signal{Token: wire.TokenClosed}.Text("This batch was closed"))},
		{accept.ErrAgain, reply(451, 4, 3, 0, "Another session sends the same message, try again in a moment")},
		{accept.ErrSlow, reply(451, 4, 3, 0, "The account sends faster than it may, try again later")},
		{accept.ErrStopped, errStopping},
		{wire.ErrBareLine, reply(554, 5, 6, 0, "The message has a line end that is not CRLF")}, // RFC 5321 §2.3.8
		{smtp.ErrTooLongLine, reply(554, 5, 6, 0, fmt.Sprintf("The message has a line of more than %d bytes", maxLine))},
	} {
		if errors.Is(err, known.is) {
			return known.reply
		}
	}
	if ready, ok := errors.AsType[*smtp.SMTPError](err); ok { // of go-smtp's readers, or ours already
		return ready
	}
	if store.IsFull(err) {
		return reply(452, 4, 3, 1, "The service has no room now, try again later")
	}
	return reply(451, 4, 3, 0, "Something went wrong here, try again later")
}
