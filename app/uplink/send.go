package uplink

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"servicesmtp.net/companion/app/mail"
)

// window is how many commands go out before their replies are read, where the
// server offers PIPELINING: replies to more could fill the buffers between the
// two ends while both write (RFC 2920 §3.1).
const window = 128

// Send hands over one batch. Body is read to its end after the gate has opened;
// gate is called once, directly before DATA, and an error of it takes the batch
// back. A session that is not Reusable afterwards has been closed.
func (s *Session) Send(ctx context.Context, b mail.Batch, body io.Reader, gate func(context.Context) error) Result {
	t := &transaction{s: s, b: b}
	switch {
	case s.closed:
		return t.returned(errClosed, false)
	case ctx.Err() != nil:
		return t.returned(context.Cause(ctx), true)
	case len(b.Recipients) == 0:
		return t.answered(mail.Reply{}, true)
	}
	if replies, found := s.splitUnsendable(b); found {
		t.replies = replies
		return t.answered(mail.Reply{}, true)
	}
	release := s.d.closeWith(ctx)
	res := t.run(ctx, body, gate)
	if release() {
		res.Reusable = false
		if res.Err != nil {
			res.Err = fmt.Errorf("%w: %w", context.Cause(ctx), res.Err)
		}
	}
	if !res.Reusable {
		s.drop()
	}
	s.cfg.Log.Debug("batch offered", "batch", b.EnvelopeID().Key(), "verdict", res.Verdict.String(), "rcpt_count", len(b.Recipients))
	return res
}

func (t *transaction) run(ctx context.Context, body io.Reader, gate func(context.Context) error) Result {
	if res, ended := t.offer(); ended {
		return res
	}
	if !t.anyAccepted() {
		return t.answered(mail.Reply{}, t.reset()) // every recipient has a reply of its own
	}
	if err := gate(ctx); err != nil {
		return t.returned(fmt.Errorf("%w: %w", ErrGate, err), t.reset())
	}
	t.leftAt = time.Now()
	r, err := t.s.d.ask("DATA", "DATA", t.s.cfg.Progress)
	switch {
	case err != nil:
		return t.returned(fmt.Errorf("send DATA: %w", err), false)
	case r.Code.Basic == 354:
		return t.transfer(body)
	case r.Code.Basic/100 == 4 || r.Code.Basic/100 == 5:
		return t.dataRefused(r, r.Code.Basic != 421 && t.reset())
	}
	return t.returned(replyError(r), false) // a success without a message is no answer
}

// offer sends MAIL and every RCPT, in one write where the server offers
// PIPELINING, and reads the replies. The result counts where it says that the
// transaction has ended.
func (t *transaction) offer() (res Result, ended bool) {
	commands := make([]string, 0, 1+len(t.b.Recipients))
	commands = append(commands, t.s.mailCommand(t.b))
	for _, r := range t.b.Recipients {
		commands = append(commands, t.s.rcptCommand(r))
	}
	step := 1
	if t.s.has("PIPELINING") {
		step = window
	}
	if t.s.d.r.Buffered() > 0 {
		return t.returned(fmt.Errorf("reply without a command: %w", errGarbage), false), true
	}
	for done := 0; done < len(commands); done += step {
		part := commands[done:min(done+step, len(commands))]
		if _, err := t.s.d.nc.Write([]byte(strings.Join(part, "\r\n") + "\r\n")); err != nil {
			return t.returned(fmt.Errorf("send envelope: %w", err), false), true
		}
		if res, ended := t.readOffered(done, len(part)); ended {
			return res, true
		}
	}
	return Result{}, false
}

// readOffered reads the replies to n commands, the first of which is the one at
// index first (0 is MAIL). All of them are read even where one has ended the
// transaction, so that the next command finds its own reply.
func (t *transaction) readOffered(first, n int) (res Result, ended bool) {
	for i := first; i < first+n; i++ {
		name := "RCPT"
		if i == 0 {
			name = "MAIL"
		}
		r, err := t.s.d.reply(name, t.s.cfg.Progress)
		switch {
		case err != nil && ended: // the answer that counts is here already
			res.Reusable = false
			return res, true
		case err != nil:
			return t.returned(fmt.Errorf("answer to %s: %w", name, err), false), true
		case ended:
			continue
		case i == 0 && r.Code.Basic/100 != 2:
			res, ended = t.mailRefused(r), true
		case i > 0:
			res, ended = t.rcptReply(r)
		}
		if ended && !res.Reusable {
			return res, true
		}
	}
	if ended && res.Reusable && first+n > 1 {
		res.Reusable = t.reset() // MAIL may stand, or RCPT may have opened something
	}
	return res, ended
}

// rcptReply notes a recipient's reply. It ends the transaction where the reply
// is about more than the recipient.
func (t *transaction) rcptReply(r mail.Reply) (res Result, ended bool) {
	if res, ok := t.account(r); ok {
		return res, true
	}
	switch c := r.Code; {
	case c.Basic == 421: // RFC 5321 §3.8: the server is leaving
		return t.held(mail.Hold{Reason: mail.HoldBusy, Detail: "The server does not take mail at the moment."}, r, false), true
	case c.Basic/100 == 3:
		return t.returned(fmt.Errorf("%w: %w", errGarbage, replyError(r)), false), true
	}
	t.replies = append(t.replies, t.tooMany(r))
	return Result{}, false
}

// tooMany makes of an old server's "too many recipients", which is 552, the 452
// that it should be (RFC 5321 §4.5.3.1.10). Alone in its batch a recipient is
// not one too many.
func (t *transaction) tooMany(r mail.Reply) mail.Reply {
	if r.Code.Basic == 552 && (r.Code.Enhanced == [3]int{} || r.Code.Enhanced == [3]int{5, 5, 3}) && t.anyAccepted() {
		r.Code = mail.Code{Basic: 452, Enhanced: [3]int{4, 5, 3}}
	}
	return r
}

func (t *transaction) anyAccepted() bool {
	for _, r := range t.replies {
		if r.Code.Basic/100 == 2 {
			return true
		}
	}
	return false
}

// reset ends a transaction that goes no further, and says whether the session
// is fit for the next one.
func (t *transaction) reset() bool {
	r, err := t.s.d.ask("RSET", "RSET", t.s.cfg.Connect)
	return err == nil && r.Code.Basic/100 == 2
}
