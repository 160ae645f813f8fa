package accept

import (
	"errors"
	"fmt"
	"time"

	"servicesmtp.net/companion/internal/wire"
	"servicesmtp.net/companion/server/store"
)

// Reply is an answer in SMTP's words, which are the same on every way in.
type Reply struct {
	Code     int
	Enhanced string // RFC 3463
	Text     string // after the codes
}

// Reply takes responsibility.
func (r Receipt) Reply() Reply {
	text := "queued as " + r.ID
	if r.Replayed {
		text += " " + wire.Replayed
	}
	return Reply{250, "2.0.0", text}
}

// ReplyTo puts an error of Admit, Accept or Receive into words. What it does
// not know is temporary, says nothing about the inside, and known is false.
func ReplyTo(err error) (r Reply, known bool) {
	if quota, ok := errors.AsType[*QuotaError](err); ok {
		return Reply{550, "5.7.1", wire.Signal{Token: wire.TokenQuota, Reset: quota.Reset}.Text("The plan is used up")}, true
	}
	if pace, ok := errors.AsType[*PaceError](err); ok {
		retry := (pace.Retry + time.Second - 1).Truncate(time.Second) // never too early
		return Reply{451, "4.7.1", wire.Signal{Token: wire.TokenPace, Retry: max(retry, time.Second)}.Text("The account sends faster than it may")}, true
	}
	for _, k := range []struct {
		is    error
		reply Reply
	}{
		{ErrBlocked, Reply{550, "5.7.1", wire.Signal{Token: wire.TokenBlocked}.Text("The account is blocked, ask the service")}},
		{ErrEnded, Reply{550, "5.7.1", wire.Signal{Token: wire.TokenBlocked}.Text("The plan has ended, renew it")}},
		{ErrConflict, Reply{554, "5.5.4", wire.Signal{Token: wire.TokenConflict}.Text("This batch was accepted with other content")}},
		{ErrClosed, Reply{554, "5.5.4", wire.Signal{Token: wire.TokenClosed}.Text("This batch was closed")}},
		{ErrAgain, Reply{451, "4.3.0", "Another session sends the same message, try again in a moment"}},
		{ErrSlow, Reply{451, "4.3.0", "The account sends faster than it may, try again later"}},
		{ErrStopped, Reply{421, "4.3.2", "The service is stopping, try again in a moment"}},
		{wire.ErrBareLine, Reply{554, "5.6.0", "The message has a line end that is not CRLF"}}, // RFC 5321 §2.3.8
		{ErrLongLine, Reply{554, "5.6.0", fmt.Sprintf("The message has a line of more than %d bytes", MaxLine)}},
	} {
		if errors.Is(err, k.is) {
			return k.reply, true
		}
	}
	if store.IsFull(err) {
		return Reply{452, "4.3.1", "The service has no room now, try again later"}, true
	}
	return Reply{451, "4.3.0", "Something went wrong here, try again later"}, false
}

// MaxLine is the longest line of a message; long HTML lines are normal.
const MaxLine = 1_000_000

// ErrLongLine says that a message has a longer line than MaxLine.
var ErrLongLine = errors.New("line too long")

// Decide answers one recipient. In a replay (nil: none) a stored decision is
// the answer; an address that was not offered then is taken, and the
// comparison of the whole tells the conflict.
func Decide(replay *Replay, address string, utf8 bool) Decision {
	if replay != nil {
		if d, ok := replay.Decision(address); ok {
			d.Address = address
			return d
		}
	}
	if !utf8 && !ASCII(address) {
		return Decision{Address: address, Code: NeedsUTF8.Code, Enhanced: NeedsUTF8.Enhanced, Reply: NeedsUTF8.Text}
	}
	return Decision{Address: address, Code: 250, Enhanced: "2.0.0"}
}

// NeedsUTF8 refuses an address (RFC 6531 §3.5).
var NeedsUTF8 = Reply{553, "5.6.7", "The address needs SMTPUTF8"}

// ASCII says whether an address may be written without SMTPUTF8.
func ASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// Trace is our Received field. It leaves out what RFC 5321 §4.4 asks for in
// "from": the customer's computer is nobody's business. "for" is left out too,
// it would show one recipient to the others.
func Trace(hostname, with, id string, now time.Time) string {
	return fmt.Sprintf("Received: by %s with %s id %s;\r\n\t%s\r\n", hostname, with, id, now.UTC().Format(time.RFC1123Z))
}
