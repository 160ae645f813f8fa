package spool

import (
	"context"
	"errors"
	"fmt"
	"time"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/internal/wire"
)

// retryFor is how long a recipient is offered again when the relay says
// "later" (RFC 5321 §4.5.4.1: at least 4-5 days). It counts from the first time
// that it says so: neither a slow pace, nor a relay that cannot be reached, nor
// a plan that is used up for weeks may fail anybody.
const retryFor = 5 * 24 * time.Hour

// leastRounds is how often "later" must have been said before that. A computer
// that sleeps over the five days, or whose clock was wrong by as much, has not
// tried for five days. Twelve rounds are half a day of trying (see pace.Backoff).
const leastRounds = 12

// errOutcomes is a defect of the caller.
var errOutcomes = errors.New("outcomes do not match the batch's recipients")

// FinishRequest is the relay's answer to a batch.
type FinishRequest struct {
	Attempt int64 // the session that heard the answer; 0: a check or close did, then Job and Number say which batch
	Job     mail.JobID
	Number  int
	LeftAt  time.Time // when DATA was sent, where it is known
	At      time.Time // now
	QueueID string    // the relay's
	// Outcomes has one for each recipient, in any order: accepted, failed,
	// deferred, or cancelled where the relay said so.
	Outcomes  []mail.Outcome
	NotBefore time.Time // of the new batch with the deferred
}

// Finish ends a batch that is on its way or unknown, or that the relay turns
// out to have had before. Deferred recipients go into a new batch in the same
// transaction; where they were put off too long and too often they have failed, and
// where the job was cancelled they are cancelled.
func (s *Spool) Finish(ctx context.Context, f FinishRequest) error {
	return s.write(ctx, func(t *tx) error {
		r, err := t.finishing(f)
		if err != nil {
			return err
		}
		var list storedList
		if err := t.row(`SELECT recipients FROM batches WHERE id = ?`, []any{r.id}, &list); err != nil {
			return fmt.Errorf("read recipients of job %s, batch %d: %w", r.job, r.number, err)
		}
		sorted, err := place(list, f.Outcomes)
		if err != nil {
			return fmt.Errorf("finish job %s, batch %d: %w", r.job, r.number, err)
		}
		return t.finish(r, f, list, sorted)
	})
}

// finishing finds the batch and refuses those that have nothing to finish.
func (t *tx) finishing(f FinishRequest) (record, error) {
	if f.Attempt != 0 {
		r, err := t.session(f.Attempt)
		if err == nil && r.state != sending && r.state != unknown {
			err = r.refuse("finish")
		}
		return r, err
	}
	r, err := t.batch(f.Job, f.Number)
	if err == nil && r.state != unknown && (r.state != ready || !r.dialled()) {
		err = r.refuse("finish")
	}
	return r, err
}

// place puts the outcomes into the order of the recipients. An address that
// stands twice takes its outcomes in their order.
func place(list []mail.Recipient, outcomes []mail.Outcome) ([]mail.Outcome, error) {
	if len(outcomes) != len(list) {
		return nil, fmt.Errorf("%d for %d: %w", len(outcomes), len(list), errOutcomes)
	}
	places := make(map[string][]int, len(list))
	for i, r := range list {
		key := wire.LowerDomain(r.Address)
		places[key] = append(places[key], i)
	}
	sorted := make([]mail.Outcome, len(list))
	for _, o := range outcomes {
		key := wire.LowerDomain(o.Address)
		free := places[key]
		if len(free) == 0 {
			return nil, errOutcomes
		}
		switch o.Status {
		case mail.StatusAccepted, mail.StatusFailed, mail.StatusDeferred, mail.StatusCancelled:
		default:
			return nil, fmt.Errorf("status %q: %w", o.Status, errOutcomes)
		}
		sorted[free[0]], places[key] = o, free[1:]
	}
	return sorted, nil
}

// finish writes the outcomes, the new batch, the end of this one and of its
// attempt, and the counts.
func (t *tx) finish(r record, f FinishRequest, list []mail.Recipient, sorted []mail.Outcome) error {
	c := tally{live: -1}
	c.wait(r.round, -r.count)
	var later []mail.Recipient
	for i, o := range sorted {
		if o.Status == mail.StatusDeferred {
			o.Status = r.deferred(f.At)
		}
		if o.At.IsZero() {
			o.At = f.At
		}
		owed := 0
		switch o.Status {
		case mail.StatusAccepted:
			c.accepted++
			continue // the batch's result says it
		case mail.StatusFailed:
			c.failed++
			c.last = o.Reply
			if r.owes(list[i]) {
				owed = 1
				c.owing++
			}
		case mail.StatusCancelled:
			c.cancelled++
		case mail.StatusDeferred:
			later = append(later, list[i])
			c.last = o.Reply
		}
		if err := t.outcome(r, i, list[i].Address, o, owed); err != nil {
			return err
		}
	}
	if len(later) > 0 {
		if err := t.newBatch(r.putOff(f.At), r.round+1, later, f.NotBefore); err != nil {
			return err
		}
		c.wait(r.round+1, len(later))
		c.batches, c.live = 1, c.live+1
	}
	if err := t.endBatch(r, mail.StatusAccepted, f.QueueID, f.At); err != nil {
		return err
	}
	if r.state != ready { // in ready, the latest attempt is not the one that got through
		if err := t.endAttempt(r, AttemptDone, f.LeftAt, f.At); err != nil {
			return err
		}
	}
	return t.tally(r, c, f.At)
}

// deferred is what becomes of a recipient for whom the relay says "later".
func (r record) deferred(now time.Time) mail.Status {
	switch {
	case r.held == heldCancelling:
		return mail.StatusCancelled
	case r.round+1 >= leastRounds && now.Sub(moment(r.firstTry)) > retryFor:
		return mail.StatusFailed
	}
	return mail.StatusDeferred
}

// putOff is r as the parent of those who were deferred: the five days begin with
// the first "later".
func (r record) putOff(now time.Time) record {
	if r.round == 0 {
		r.firstTry = instant(now)
	}
	return r
}

func (t *tx) outcome(r record, place int, address string, o mail.Outcome, owed int) error {
	_, err := t.exec(`INSERT INTO outcomes (batch, place, address, status, code, enhanced, reply, command, at, owed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		r.id, place, address, o.Status, o.Reply.Code.Basic, packEnhanced(o.Reply.Code), o.Reply.Text, o.Reply.Command, micros(o.At), owed)
	if err != nil {
		return fmt.Errorf("store outcome: %w", err)
	}
	return nil
}

// newBatch puts recipients of r into a batch of their own, under the job's
// next number. The caller counts it.
func (t *tx) newBatch(r record, round int, list []mail.Recipient, notBefore time.Time) error {
	held := heldNot
	if r.held == heldDamaged {
		held = heldDamaged
	}
	_, err := t.exec(`INSERT INTO batches (job, number, account, lane, state, held, not_before, first_try, round, parent, count, recipients)
		SELECT seq, batches + 1, account, lane, 1, ?, ?, ?, ?, ?, ?, ? FROM jobs WHERE seq = ?`,
		held, micros(notBefore), r.firstTry, round, r.number, len(list), encodeRecipients(list), r.seq)
	if err != nil {
		return fmt.Errorf("store new batch: %w", err)
	}
	return nil
}
