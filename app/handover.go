package app

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"time"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/pace"
	"servicesmtp.net/companion/app/spool"
	"servicesmtp.net/companion/app/uplink"
)

// bodyRetry is when a batch whose stored message cannot be read is tried
// again: a damaged file does not mend itself in seconds.
const bodyRetry = time.Hour

// handOver takes one batch to the relay and writes down what came of it. It
// says whether the lanes must be read again. ctx ends when the engine stops,
// work some time later: what has passed the gate may still be answered.
func (s *sender) handOver(ctx, work context.Context, b mail.Batch, t *ticket) (again bool) {
	s.relay.learnStore(ctx)
	if s.forgotten(work, b, time.Now()) {
		return true
	}
	attempt, err := s.spool.Begin(work, b.Job, b.Number, s.relay.storeName(), time.Now())
	if err != nil {
		return s.notBegun(work, b, err)
	}
	log := s.log.With("job", b.Job, "batch", b.Number, "rcpt_count", len(b.Recipients))
	body, _, err := s.spool.Body(work, b.Job)
	if err != nil {
		log.Error("stored message cannot be read", "err", err)
		s.giveUp(work, attempt, time.Now().Add(bodyRetry))
		return true
	}
	defer body.Close()
	session, kept, err := s.session(ctx)
	if err != nil {
		s.giveUp(work, attempt, time.Time{})
		s.notConnected(ctx, err)
		return true
	}
	result := s.offer(ctx, work, session, attempt, b, body, t)
	if kept && wasDead(result) && ctx.Err() == nil {
		// Not a byte of the body was read, and the attempt goes on over a connection of its own.
		log.Debug("a kept connection had ended", "err", result.Err)
		if session, err = s.dial(ctx); err != nil {
			s.giveUp(work, attempt, time.Time{})
			s.notConnected(ctx, err)
			return true
		}
		result = s.offer(ctx, work, session, attempt, b, body, t)
	}
	log.Info("batch handed over", "verdict", result.Verdict.String(), "replayed", result.Replayed, "attempt", b.Attempts+1)
	return s.settle(ctx, work, b, attempt, session, result)
}

// forgotten leaves a batch to a person that may be at the relay, and is so old
// that the relay no longer knows its key: a computer was off for a year.
func (s *sender) forgotten(work context.Context, b mail.Batch, now time.Time) bool {
	if now.Sub(b.FirstTry) <= spool.KeyLife {
		return false
	}
	err := s.spool.MarkUncertain(work, b.Job, b.Number, mail.Reply{}, now)
	switch {
	case err == nil:
		s.log.Warn("the relay has forgotten the batch, a person must decide", "job", b.Job, "batch", b.Number)
	case !errors.Is(err, spool.ErrState): // which says that it cannot have been accepted
		s.log.Error("doubt cannot be stored", "job", b.Job, "batch", b.Number, "err", err)
		s.hold(mail.Hold{Reason: mail.HoldStorage})
	}
	return err == nil || !errors.Is(err, spool.ErrState)
}

// wasDead says that a connection ended before the batch came to the gate: where
// it was kept from an earlier batch, that says nothing about the relay.
func wasDead(r uplink.Result) bool {
	return r.Verdict == uplink.Returned && r.LeftAt.IsZero() && !r.Reusable && !errors.Is(r.Err, uplink.ErrGate) && !errors.Is(r.Err, errTooLong)
}

// offer is send, but for a server that takes no ENVID although the relay has an
// API: a filter in between may have taken DSN out of its answer. A batch that
// may be there already could not be told from a new one, and does not go.
func (s *sender) offer(ctx, work context.Context, session *uplink.Session, attempt int64, b mail.Batch, body io.Reader, t *ticket) uplink.Result {
	if session.OffersDSN() || !s.relay.known() {
		return s.send(ctx, work, session, b, body, t)
	}
	if b.Bound {
		s.idle.put(session)
		return uplink.Result{Verdict: uplink.Unknown, Reusable: true}
	}
	if err := s.spool.Keyless(work, attempt); err != nil {
		s.idle.put(session)
		return uplink.Result{Verdict: uplink.Returned, Err: err, Hold: mail.Hold{Reason: mail.HoldStorage}, Reusable: true}
	}
	return s.send(ctx, work, session, b, body, t)
}

// send hands the batch to a session, and keeps the session for the next one.
func (s *sender) send(ctx, work context.Context, session *uplink.Session, b mail.Batch, body io.Reader, t *ticket) uplink.Result {
	// Cancelled at once while it has not left; from then on only with work.
	sending, cancel := context.WithCancelCause(work)
	defer cancel(nil)
	release := context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
	w := watch(offerLimit, cancel)
	defer func() { w.end() }() // the one that is on then
	result := session.Send(sending, b, body, func(context.Context) error {
		w.end() // the pace decides how long it takes to pass
		if err := t.pass(ctx); err != nil {
			return err
		}
		release()
		w = watch(transferLimit(b.Size), cancel)
		return nil
	})
	release()
	if result.Reusable {
		s.idle.put(session)
	}
	return result
}

// notBegun deals with a batch that could not be taken: it was cancelled
// meanwhile, belongs to another store, or the spool cannot be written.
func (s *sender) notBegun(work context.Context, b mail.Batch, err error) (again bool) {
	switch {
	case errors.Is(err, spool.ErrOtherStore):
		s.log.Error("batch may be at another store, a person must decide", "job", b.Job, "batch", b.Number)
		if err := s.spool.MarkUncertain(work, b.Job, b.Number, mail.Reply{}, time.Now()); err != nil {
			s.log.Error("doubt cannot be stored", "job", b.Job, "batch", b.Number, "err", err)
		}
	case errors.Is(err, spool.ErrState), errors.Is(err, spool.ErrNotFound):
	default:
		s.log.Error("attempt cannot be stored, so nothing is sent", "job", b.Job, "batch", b.Number, "err", err)
		s.hold(mail.Hold{Reason: mail.HoldStorage, Since: time.Now()})
	}
	return true
}

// session is an idle connection that still works (kept), or a new one.
func (s *sender) session(ctx context.Context) (session *uplink.Session, kept bool, err error) {
	if session := s.idle.take(ctx); session != nil {
		return session, true, nil
	}
	session, err = s.dial(ctx)
	return session, false, err
}

// dial makes a new connection.
func (s *sender) dial(ctx context.Context) (*uplink.Session, error) {
	session, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.endpoint = session.Endpoint().String()
	s.mu.Unlock()
	return session, nil
}

// giveUp returns a batch that did not reach the relay.
func (s *sender) giveUp(work context.Context, attempt int64, notBefore time.Time) {
	ended := spool.Ended{Attempt: attempt, At: time.Now()}
	s.returned(work, ended, notBefore)
}

// returned writes down that a batch was not accepted. Where its job was taken
// back meanwhile, the key can be closed now.
func (s *sender) returned(work context.Context, ended spool.Ended, notBefore time.Time) {
	s.persist(work, func(ctx context.Context) error { return s.spool.Return(ctx, ended, notBefore) })
	token(s.doubt)
}

// persist writes down what became of a batch, again and again while the disk
// does not let it: a batch whose end is not written stays taken. The write does
// not end with work: where only the account is replaced, nobody would look at
// the batch again before the next start, which finds it on its way and asks the
// relay.
func (s *sender) persist(work context.Context, write func(context.Context) error) {
	for {
		err := write(context.WithoutCancel(work))
		switch {
		case err == nil:
			return
		case errors.Is(err, spool.ErrState), errors.Is(err, spool.ErrNotFound), work.Err() != nil:
			s.log.Error("result of a batch cannot be stored", "err", err)
			return
		}
		s.log.Error("result of a batch cannot be stored yet", "err", err)
		s.hold(mail.Hold{Reason: mail.HoldStorage})
		if sleepUntil(work, time.Now().Add(retryStorage), nil) != nil {
			return
		}
	}
}

// settle writes down the result of a session.
func (s *sender) settle(ctx, work context.Context, b mail.Batch, attempt int64, session *uplink.Session, r uplink.Result) (again bool) {
	now := time.Now()
	ended := spool.Ended{Attempt: attempt, LeftAt: r.LeftAt, At: now}
	if r.Verdict == uplink.Done && s.doubtful(r) {
		r.Verdict = uplink.Unknown
	}
	switch r.Verdict {
	case uplink.Done, uplink.Unknown, uplink.Closed, uplink.Conflict:
		s.gotThrough(b)
	}
	switch r.Verdict {
	case uplink.Done:
		s.done(work, b, attempt, r, now)
	case uplink.Held:
		var until time.Time
		if r.Hold.Reason == mail.HoldBusy {
			until = s.yield(b, now)
		}
		s.returned(work, ended, until)
		if r.Hold.Reason == mail.HoldPace {
			s.gate.slowDown(now, max(r.Hold.Until.Sub(now), 0))
			s.slowed()
		}
		s.refused(ctx, r.Hold)
		s.hold(r.Hold)
	case uplink.Closed:
		s.persist(work, func(ctx context.Context) error { return s.spool.FinishClosed(ctx, b.Job, b.Number, now) })
	case uplink.Unknown, uplink.Conflict:
		s.unknown(work, b, ended, session, r, now)
	default:
		until := s.returnedUntil(ctx, b, r, now)
		s.returned(work, ended, until)
	}
	return r.Verdict != uplink.Done || hasDeferred(r.Outcomes)
}

// doubtful says that the relay ended the connection with 421 in place of an
// answer to the final dot: it may have failed after its commit. A relay that
// can be asked is asked; for others 421 is what it says, "later".
func (s *sender) doubtful(r uplink.Result) bool {
	if !s.relay.known() || r.LeftAt.IsZero() {
		return false
	}
	for _, o := range r.Outcomes {
		if o.Reply.Code.Basic == 421 && o.Reply.Command == uplink.EndOfData {
			return true
		}
	}
	return false
}

func hasDeferred(list []mail.Outcome) bool {
	for _, o := range list {
		if o.Status == mail.StatusDeferred {
			return true
		}
	}
	return false
}

// done stores the outcomes and tells the pace how it went.
func (s *sender) done(work context.Context, b mail.Batch, attempt int64, r uplink.Result, now time.Time) {
	var accepted, deferred, failed int
	for _, o := range r.Outcomes {
		switch o.Status {
		case mail.StatusAccepted:
			accepted++
		case mail.StatusDeferred:
			deferred++
		case mail.StatusFailed:
			failed++
		}
	}
	if failed > 0 && b.From == "" { // nobody is left to be told (RFC 5321 §4.5.5)
		s.log.Warn("a report was refused", "job", b.Job)
	}
	f := spool.FinishRequest{
		Attempt: attempt, LeftAt: r.LeftAt, At: now, QueueID: r.QueueID, Outcomes: r.Outcomes,
		NotBefore: now.Add(pace.Backoff(b.Round, rand.Uint64())),
	}
	if accepted+failed > 0 && onlyTooMany(r.Outcomes) { // or the same would be too many again
		f.NotBefore, deferred = time.Time{}, 0 // the rest goes at once, and there is no trouble in that
	}
	s.gate.feedback(now, accepted, deferred, failed)
	if h, later := ofServer(r); later {
		s.hold(h)
	} else {
		s.worked()
	}
	s.handed()
	s.persist(work, func(ctx context.Context) error { return s.spool.Finish(ctx, f) })
}

// onlyTooMany says that whoever was deferred was only one too many for one
// transaction (RFC 5321 §4.5.3.1.10).
func onlyTooMany(list []mail.Outcome) bool {
	for _, o := range list {
		if o.Status == mail.StatusDeferred && (o.Reply.Code.Basic != 452 || o.Reply.Code.Enhanced != [3]int{4, 5, 3}) {
			return false
		}
	}
	return true
}

// ofServer says that a whole batch was put off for a reason of the server's own:
// the next batch would fare no better at once. Its recipients are deferred all
// the same, so that a server which says this of one message alone does not hold
// up the others for long.
func ofServer(r uplink.Result) (mail.Hold, bool) {
	for _, o := range r.Outcomes {
		c := o.Reply.Code
		system := c.Enhanced == [3]int{4, 3, 1} || c.Enhanced == [3]int{4, 3, 2} // RFC 3463 §3.4
		if o.Status == mail.StatusDeferred && o.Reply.Command != "RCPT" && (c.Basic == 421 || c.Basic == 432 || c.Basic == 454 || system) {
			return mail.Hold{Reason: mail.HoldBusy, Reply: o.Reply, Detail: "The server does not take mail at the moment."}, true
		}
	}
	return mail.Hold{}, false
}

// unknown stores that nobody knows whether the relay has the batch, and asks.
// Without DSN the key was not sent, so that asking would not help; after a
// conflict neither: both are left to a person.
func (s *sender) unknown(work context.Context, b mail.Batch, ended spool.Ended, session *uplink.Session, r uplink.Result, now time.Time) {
	s.persist(work, func(ctx context.Context) error { return s.spool.Unknown(ctx, ended) })
	var why mail.Reply
	switch {
	case r.Verdict == uplink.Conflict:
		s.log.Error("the relay knows this batch with other content; this is a defect", "job", b.Job, "batch", b.Number)
		why = mail.Reply{Code: mail.Code{Basic: 554, Enhanced: [3]int{5, 5, 4}}, Text: "SSMTP-CONFLICT", Command: "DATA"}
	case !session.OffersDSN():
		s.log.Warn("the server keeps no envelope ids, a person must decide", "job", b.Job, "batch", b.Number)
	default:
		s.log.Warn("the connection was lost before the answer, the relay is asked", "job", b.Job, "batch", b.Number)
		s.hold(lostAnswer(r))
		token(s.doubt)
		return
	}
	s.persist(work, func(ctx context.Context) error { return s.spool.MarkUncertain(ctx, b.Job, b.Number, why, now) })
	if r.Verdict != uplink.Conflict && r.Hold.Reason != mail.NotHeld {
		s.hold(lostAnswer(r))
	}
}

// lostAnswer holds the account for a moment: whatever swallowed one answer may
// swallow the next, and each of them is a batch in doubt.
func lostAnswer(r uplink.Result) mail.Hold {
	if h, later := ofServer(r); later {
		return h
	}
	return r.Hold
}

// returnedUntil is when a batch that cannot have been accepted goes again.
func (s *sender) returnedUntil(ctx context.Context, b mail.Batch, r uplink.Result, now time.Time) time.Time {
	switch {
	case ctx.Err() != nil, errors.Is(r.Err, uplink.ErrGate):
		return time.Time{}
	case errors.Is(r.Err, uplink.ErrBody):
		s.log.Error("stored message cannot be read", "job", b.Job, "batch", b.Number, "err", r.Err)
		if err := s.spool.CheckBody(ctx, b.Job); err != nil {
			s.log.Error("stored message is not offered again", "job", b.Job, "err", err)
		}
		return now.Add(bodyRetry)
	}
	h := r.Hold
	if errors.Is(r.Err, errTooLong) {
		h.Detail = "The server took the message so slowly that the connection was ended."
	}
	s.hold(h)
	return s.yield(b, now)
}
