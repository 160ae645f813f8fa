package uplink

import (
	"errors"
	"strings"
	"time"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/internal/wire"
)

// Verdict says what is known of a batch after Send.
type Verdict int

// The verdicts.
const (
	// Done: the server answered; Outcomes has one entry per recipient.
	Done Verdict = 1
	// Returned: the server cannot have accepted it; the same batch may go again.
	Returned Verdict = 2
	// Unknown: it may or may not have been accepted. The relay must be asked.
	Unknown Verdict = 3
	// Held: nothing was accepted, and the account waits for Hold. The same batch
	// goes again afterwards.
	Held Verdict = 4
	// Conflict: the relay knows the key with other content. A defect: a person decides.
	Conflict Verdict = 5
	// Closed: the key was closed before; done as whoever closed it wrote.
	Closed Verdict = 6
)

var verdictNames = map[Verdict]string{
	Done: "done", Returned: "returned", Unknown: "unknown", Held: "held", Conflict: "conflict", Closed: "closed",
}

// String is the verdict's name for logs.
func (v Verdict) String() string { return verdictNames[v] }

// Result is what became of a batch.
type Result struct {
	Verdict  Verdict
	Outcomes []mail.Outcome // of Done: one per recipient, in the batch's order
	QueueID  string         // that the relay gave, or ""
	Replayed bool           // the relay had accepted this key before
	Hold     mail.Hold      // of Held; of Returned and Unknown what a lost connection is told as
	LeftAt   time.Time      // when the gate was passed; zero: it was not
	Reusable bool           // the session can take another batch; otherwise it is closed
	Err      error          // why, of Returned, Unknown and Conflict; may name IP addresses
}

// Causes that callers may branch on.
var (
	// ErrBody: the stored message could not be read to its end, or is not the one
	// that the batch was made from. The storage is at fault, not the relay.
	ErrBody = errors.New("the stored message cannot be read as it was stored")
	// ErrGate: the gate did not open; the gate's own error is wrapped beside it.
	ErrGate = errors.New("taken back before it left")
)

// transaction is one batch on its way. Replies holds the answer to each RCPT,
// in order, as far as they came.
type transaction struct {
	s       *Session
	b       mail.Batch
	replies []mail.Reply
	leftAt  time.Time
}

func (t *transaction) returned(err error, reusable bool) Result {
	return Result{Verdict: Returned, Err: err, Hold: lost(err).Hold, LeftAt: t.leftAt, Reusable: reusable}
}

func (t *transaction) unknown(err error) Result {
	h := lost(err).Hold
	if h.Detail == lostDetail {
		h.Detail = "The connection was lost before the answer."
	}
	return Result{Verdict: Unknown, Err: err, Hold: h, LeftAt: t.leftAt}
}

func (t *transaction) held(h mail.Hold, r mail.Reply, reusable bool) Result {
	h.Since, h.Reply = time.Now(), r
	return Result{Verdict: Held, Hold: h, LeftAt: t.leftAt, Reusable: reusable}
}

// answered is Done with one reply for all recipients that RCPT did not refuse.
func (t *transaction) answered(final mail.Reply, reusable bool) Result {
	now := time.Now()
	out := make([]mail.Outcome, len(t.b.Recipients))
	for i, r := range t.b.Recipients {
		reply := final
		if i < len(t.replies) && t.replies[i].Code.Basic/100 != 2 {
			reply = t.replies[i]
		}
		out[i] = mail.Outcome{Address: r.Address, Status: status(reply.Code), Reply: reply, At: now}
	}
	return Result{Verdict: Done, Outcomes: out, LeftAt: t.leftAt, Reusable: reusable}
}

func status(c mail.Code) mail.Status {
	switch {
	case c.Permanent():
		return mail.StatusFailed
	case c.Transient():
		return mail.StatusDeferred
	}
	return mail.StatusAccepted
}

// accepted is Done after the 250 to the final dot.
func (t *transaction) accepted(r mail.Reply) Result {
	res := t.answered(r, true)
	first, _, _ := strings.Cut(r.Text, "\n")
	if words := strings.Fields(first); len(words) >= 3 && strings.EqualFold(words[0], "queued") && strings.EqualFold(words[1], "as") {
		res.QueueID = words[2]
		res.Replayed = words[len(words)-1] == wire.Replayed
	}
	return res
}

// account is the result of a refusal that concerns the account or the batch as
// a whole, by its code or its token, whatever it answers: a server that has
// forgotten the login says so at RCPT or behind the dot too, and no recipient is
// to blame for it. A token's code must fit: in another class it counts as its
// code says.
func (t *transaction) account(r mail.Reply) (Result, bool) {
	if res, ok := t.login(r); ok {
		return res, true
	}
	sig, ok := wire.ParseSignal(r.Text)
	if !ok {
		return Result{}, false
	}
	reusable := r.Code.Basic != 421
	permanent, transient := r.Code.Permanent(), r.Code.Basic/100 == 4
	switch {
	case permanent && sig.Token == wire.TokenQuota:
		return t.held(mail.Hold{Reason: mail.HoldQuota, Until: sig.Reset}, r, reusable), true
	case permanent && sig.Token == wire.TokenBlocked:
		return t.held(mail.Hold{Reason: mail.HoldBlocked}, r, reusable), true
	case permanent && sig.Token == wire.TokenConflict:
		return Result{Verdict: Conflict, Err: replyError(r), LeftAt: t.leftAt, Reusable: reusable}, true
	case permanent && sig.Token == wire.TokenClosed:
		return Result{Verdict: Closed, LeftAt: t.leftAt, Reusable: reusable}, true
	case transient && sig.Token == wire.TokenPace:
		return t.held(slower(sig.Retry), r, reusable), true
	case transient && sig.Token == wire.TokenMoved:
		return t.held(mail.Hold{Reason: mail.HoldBusy, Detail: Moved}, r, false), true
	}
	return Result{}, false
}

// slower is the hold for a relay that asked to wait; it need not say how long.
func slower(retry time.Duration) mail.Hold {
	h := mail.Hold{Reason: mail.HoldPace}
	if retry > 0 {
		h.Until = time.Now().Add(retry)
	}
	return h
}

// login is the result of a reply about the login, by its code (RFC 4954 §6):
// it says nothing of the message, and bounces nobody.
func (t *transaction) login(r mail.Reply) (Result, bool) {
	switch r.Code.Basic {
	case 530, 535:
		return t.held(mail.Hold{Reason: mail.HoldCredentials, Detail: "The server refuses user name and password."}, r, false), true
	case 534, 538:
		return t.held(mail.Hold{Reason: mail.HoldBusy, Detail: Refused}, r, false), true
	}
	return Result{}, false
}

// mailRefused is the result of a MAIL that was not answered with 2yz.
func (t *transaction) mailRefused(r mail.Reply) Result {
	if res, ok := t.account(r); ok {
		return res
	}
	reusable := r.Code.Basic != 421
	switch c := r.Code; {
	case c.Basic/100 == 4:
		return t.held(mail.Hold{Reason: mail.HoldBusy, Detail: "The server does not take mail at the moment."}, r, reusable)
	case c.Permanent():
		return t.answered(r, reusable)
	}
	return t.returned(replyError(r), false)
}

// dataRefused is the result of 4yz or 5yz to DATA, to the body or to the dot.
func (t *transaction) dataRefused(r mail.Reply, reusable bool) Result {
	res, ok := t.account(r)
	if !ok || (r.Code.Basic == 421 && r.Command == EndOfData) { // it may come after the acceptance, whatever it goes on to say
		res = t.answered(r, r.Code.Basic != 421)
	}
	res.Reusable = res.Reusable && reusable
	return res
}
