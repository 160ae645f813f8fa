package app

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/pace"
	"servicesmtp.net/companion/app/spool"
	"servicesmtp.net/companion/relayclient"
)

// askAtOnce is the most keys that the relay answers in one call.
const askAtOnce = 500

// resolveDoubts asks the relay about batches whose answer was lost, and closes
// those that were cancelled after a dial, until ctx ends. It sleeps while there
// are none.
func (s *sender) resolveDoubts(ctx context.Context) {
	failures := 0
	var again time.Time
	for {
		if err := sleepUntil(ctx, again, s.doubt); err != nil {
			return
		}
		left, err := s.askRelay(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			again = time.Now().Add(pace.Reconnect(failures, rand.Uint64()))
			s.log.Warn("the relay cannot be asked about batches", "err", err, "failures", failures+1, "delay", time.Until(again).Round(time.Millisecond))
			failures++
		case left:
			again, failures = time.Now(), 0
		default:
			again, failures = time.Time{}, 0
		}
	}
}

// askRelay settles one round of batches in doubt, and says whether there may
// be more.
func (s *sender) askRelay(ctx context.Context) (more bool, err error) {
	unknowns, err := s.spool.Unknowns(ctx, s.account)
	if err != nil {
		return false, err
	}
	closing, err := s.spool.Closing(ctx, s.account)
	if err != nil {
		return false, err
	}
	toClose := make(map[batchKey]bool, len(closing))
	for _, b := range closing {
		toClose[keyOf(b)] = true
	}
	var ask []mail.Batch
	for _, b := range unknowns {
		if !toClose[keyOf(b)] {
			ask = append(ask, b)
		}
	}
	if len(ask)+len(closing) == 0 {
		return false, nil
	}
	if !s.relay.known() {
		return false, s.leaveToPerson(ctx, append(ask, closing...))
	}
	// Only who knows now which store answers may say what became of a batch: what
	// was told before may be the word of another relay.
	if s.answering, err = s.relay.askStore(ctx); err != nil {
		return false, err
	}
	more = len(ask) > askAtOnce || len(closing) > askAtOnce
	err = errors.Join(s.answers(ctx, ask[:min(len(ask), askAtOnce)], (*relayclient.Client).CheckBatches),
		s.answers(ctx, closing[:min(len(closing), askAtOnce)], (*relayclient.Client).CloseBatches))
	s.poke()
	s.changed()
	return more && err == nil, err
}

type question func(*relayclient.Client, context.Context, []string) ([]relayclient.Batch, error)

// answers asks about batches and writes down each answer.
func (s *sender) answers(ctx context.Context, batches []mail.Batch, ask question) error {
	if len(batches) == 0 {
		return nil
	}
	keys := make([]string, len(batches))
	for i, b := range batches {
		keys[i] = b.EnvelopeID().Key()
	}
	var list []relayclient.Batch
	err := s.relay.do(ctx, func(c *relayclient.Client) (err error) {
		list, err = ask(c, ctx, keys)
		return err
	})
	if err != nil {
		return err
	}
	var all error // an answer that cannot be written down holds up no other
	for i, a := range list {
		if a.Envid != keys[i] {
			return fmt.Errorf("the relay answered about %q in place of %q", a.Envid, keys[i])
		}
		if err := s.answered(ctx, batches[i], a); err != nil {
			s.log.Error("the relay's answer about a batch cannot be written down", "job", batches[i].Job, "batch", batches[i].Number, "err", err)
			all = errors.Join(all, err)
		}
	}
	return all
}

// answered writes down what the relay said of one batch. Unknown permits a
// replay under the same key and nothing else: an older session may still
// commit.
func (s *sender) answered(ctx context.Context, b mail.Batch, a relayclient.Batch) error {
	now := time.Now()
	log := s.log.With("job", b.Job, "batch", b.Number, "state", string(a.State))
	var err error
	switch a.State {
	case relayclient.BatchStateAccepted:
		f := spool.FinishRequest{Job: b.Job, Number: b.Number, At: now, Outcomes: decisions(a, now), NotBefore: now.Add(pace.Backoff(b.Round, rand.Uint64()))}
		if a.ID != nil {
			f.QueueID = *a.ID
		}
		err = s.spool.Finish(ctx, f)
	case relayclient.BatchStateClosed:
		err = s.closed(ctx, b, now)
	case relayclient.BatchStateUnknown:
		err = s.replay(ctx, b, now)
	default:
		return fmt.Errorf("the relay answered %q about a batch", a.State)
	}
	if errors.Is(err, spool.ErrState) { // settled by somebody else meanwhile
		log.Info("batch was settled already")
		return nil
	}
	if err == nil {
		log.Info("the relay has answered about a batch")
	}
	return err
}

// replay makes a batch ready under its own key, for the store that it was
// offered to; where that is not known, or the key is too old for the relay to
// remember, a person decides.
func (s *sender) replay(ctx context.Context, b mail.Batch, now time.Time) error {
	err := spool.ErrOtherStore
	if s.speaksFor(b) {
		err = s.spool.Replay(ctx, b.Job, b.Number, now)
	}
	if !errors.Is(err, spool.ErrOtherStore) && !errors.Is(err, spool.ErrOldKey) {
		return err
	}
	s.log.Warn("nobody can say whether a batch was accepted, a person must decide", "job", b.Job, "batch", b.Number, "err", err)
	return s.spool.MarkUncertain(ctx, b.Job, b.Number, mail.Reply{}, now)
}

// closed ends a batch whose key can be accepted no more. Where another store
// says so than the one that may have it, a person decides.
func (s *sender) closed(ctx context.Context, b mail.Batch, now time.Time) error {
	if s.speaksFor(b) {
		return s.spool.FinishClosed(ctx, b.Job, b.Number, now)
	}
	s.log.Warn("another store cannot say whether a batch was accepted, a person must decide", "job", b.Job, "batch", b.Number)
	return s.spool.MarkUncertain(ctx, b.Job, b.Number, mail.Reply{}, now)
}

// speaksFor says that the store which answers is the one that may have the
// batch. One that is bound to none was never offered as far as a rebuilt spool
// knows: that the relay does not know it either is enough.
func (s *sender) speaksFor(b mail.Batch) bool {
	return !b.Bound || (b.Store != "" && b.Store == s.answering)
}

// decisions are the outcomes of a batch that the relay has.
func decisions(a relayclient.Batch, now time.Time) []mail.Outcome {
	out := make([]mail.Outcome, len(a.Recipients))
	for i, r := range a.Recipients {
		code := mail.Code{Basic: int(r.Code), Enhanced: mail.ParseEnhanced(r.Enhanced)}
		out[i] = mail.Outcome{Address: r.Address, Status: mail.StatusAccepted, At: now, Reply: mail.Reply{Code: code, Text: r.Reply, Command: "RCPT"}}
		switch {
		case code.Permanent():
			out[i].Status = mail.StatusFailed
		case code.Basic/100 == 4:
			out[i].Status = mail.StatusDeferred
		}
	}
	return out
}

// leaveToPerson marks batches that no relay can be asked about. One that was
// taken back and cannot have reached a final dot needs no person.
func (s *sender) leaveToPerson(ctx context.Context, batches []mail.Batch) error {
	for _, b := range batches {
		err := s.spool.MarkUncertain(ctx, b.Job, b.Number, mail.Reply{}, time.Now())
		if errors.Is(err, spool.ErrState) {
			err = s.spool.FinishClosed(ctx, b.Job, b.Number, time.Now())
		}
		if err != nil && !errors.Is(err, spool.ErrState) {
			return err
		}
	}
	s.changed()
	return nil
}
