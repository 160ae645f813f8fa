package spool

import (
	"context"
	"fmt"
	"time"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/internal/wire"
)

// KeyLife is how long the relay remembers a key (docs/protocol.md). An unknown
// batch older than that cannot be replayed.
const KeyLife = 400 * 24 * time.Hour

// Replay makes an unknown batch ready under its own number: the relay answered
// "unknown". It stays bound to its store. ErrState where the relay may have
// forgotten the key, which is ErrOldKey.
func (s *Spool) Replay(ctx context.Context, job mail.JobID, number int, now time.Time) error {
	return s.write(ctx, func(t *tx) error {
		r, err := t.batch(job, number)
		switch {
		case err != nil:
			return err
		case r.state != unknown:
			return r.refuse("replay")
		case now.Sub(moment(r.acceptedAt)) > KeyLife:
			return fmt.Errorf("replay of job %s, batch %d: %w", job, number, ErrOldKey)
		}
		if _, err := t.exec(`UPDATE batches SET state = 1, not_before = 0 WHERE id = ?`, r.id); err != nil {
			return fmt.Errorf("replay batch: %w", err)
		}
		return t.loseAttempt(r, now)
	})
}

// MarkUncertain leaves a batch to a person, because nobody can say whether it
// was accepted: an unknown one, or a ready one whose store is gone. why is the
// reply that led to it, or zero.
func (s *Spool) MarkUncertain(ctx context.Context, job mail.JobID, number int, why mail.Reply, now time.Time) error {
	return s.write(ctx, func(t *tx) error {
		r, err := t.batch(job, number)
		switch {
		case err != nil:
			return err
		case r.state != unknown && (r.state != ready || !r.bound):
			return r.refuse("doubt")
		}
		if _, err := t.exec(`UPDATE batches SET state = 4, code = ?, enhanced = ?, reply = ?, command = ? WHERE id = ?`,
			why.Code.Basic, packEnhanced(why.Code), why.Text, why.Command, r.id); err != nil {
			return fmt.Errorf("mark batch as uncertain: %w", err)
		}
		if err := t.loseAttempt(r, now); err != nil {
			return err
		}
		c := tally{uncertain: r.count, last: why}
		c.wait(r.round, -r.count)
		return t.tally(r, c, now)
	})
}

// Resolve ends the doubt by a person's word. With again the recipients are
// offered once more, to any store: under the same number, which a relay that
// had it answers without sending twice, or under a new one after a conflict,
// because the old key can never be accepted. Otherwise the batch is done and
// its recipients stay uncertain for good.
func (s *Spool) Resolve(ctx context.Context, job mail.JobID, number int, again bool, now time.Time) error {
	return s.write(ctx, func(t *tx) error {
		r, err := t.batch(job, number)
		switch {
		case err != nil:
			return err
		case r.state != uncertain:
			return r.refuse("resolve")
		case !again:
			if err := t.endBatch(r, mail.StatusUncertain, "", now); err != nil {
				return err
			}
			// They stay in the job's count, but nobody waits for a word any more.
			t.counts = append(t.counts, count{laneKey: laneKey{r.account, r.lane}, uncertain: -r.count})
			return t.tally(r, tally{live: -1}, now)
		}
		c := tally{uncertain: -r.count}
		c.wait(r.round, r.count)
		var list storedList
		var reply string
		if err := t.row(`SELECT recipients, reply FROM batches WHERE id = ?`, []any{r.id}, &list, &reply); err != nil {
			return fmt.Errorf("read batch: %w", err)
		}
		if signal, _ := wire.ParseSignal(reply); signal.Token == wire.TokenConflict {
			c.batches = 1
			err = t.renumber(r, list, now)
		} else {
			_, err = t.exec(`UPDATE batches SET state = 1, bound = 0, not_before = 0, held = CASE held WHEN 1 THEN 0 ELSE held END WHERE id = ?`, r.id)
		}
		if err != nil {
			return fmt.Errorf("offer batch again: %w", err)
		}
		return t.tally(r, c, now)
	})
}

// renumber moves all recipients of r into a new batch. Its result says where
// they went, as it does for deferred ones.
func (t *tx) renumber(r record, list []mail.Recipient, now time.Time) error {
	if err := t.newBatch(r, r.round, list, time.Time{}); err != nil {
		return err
	}
	return t.endBatch(r, mail.StatusDeferred, "", now)
}

// Cancel takes a job back. Batches that were never dialled are done at once.
// The others are held from now on: those that are ready or unknown are
// returned, and their keys must be closed at the relay before FinishClosed
// ends them; those on their way come to Closing when their session ends
// without an answer. Uncertain batches stay with Resolve. ErrState where the
// job is done.
func (s *Spool) Cancel(ctx context.Context, job mail.JobID, now time.Time) ([]wire.EnvelopeID, error) {
	var toClose []wire.EnvelopeID
	err := s.write(ctx, func(t *tx) error {
		toClose = nil
		live, err := t.liveBatches(job)
		if err != nil {
			return err
		}
		if len(live) == 0 {
			return fmt.Errorf("cancel job %s: it is done: %w", job, ErrState)
		}
		for _, r := range live {
			switch {
			case r.state == ready && !r.dialled():
				if err := t.cancelled(r, now); err != nil {
					return err
				}
				continue
			case r.state == ready, r.state == unknown:
				toClose = append(toClose, wire.EnvelopeID{Job: string(job), Number: r.number})
			case r.state == uncertain:
				continue
			}
			if _, err := t.exec(`UPDATE batches SET held = 1 WHERE id = ?`, r.id); err != nil {
				return fmt.Errorf("hold batch: %w", err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return toClose, nil
}

// cancelled ends a batch that the relay does not have and never will.
func (t *tx) cancelled(r record, now time.Time) error {
	if err := t.endBatch(r, mail.StatusCancelled, "", now); err != nil {
		return err
	}
	c := tally{cancelled: r.count, live: -1}
	c.wait(r.round, -r.count)
	return t.tally(r, c, now)
}

// FinishClosed ends a batch whose key the relay has closed. Its recipients are
// cancelled.
func (s *Spool) FinishClosed(ctx context.Context, job mail.JobID, number int, now time.Time) error {
	return s.write(ctx, func(t *tx) error {
		r, err := t.batch(job, number)
		switch {
		case err != nil:
			return err
		case r.state == uncertain, r.state == done, !r.dialled():
			return r.refuse("close")
		}
		if err := t.loseAttempt(r, now); err != nil {
			return err
		}
		return t.cancelled(r, now)
	})
}

// Retry makes the ready batches of a job due at once. ErrState where the job
// is done.
func (s *Spool) Retry(ctx context.Context, job mail.JobID) error {
	return s.write(ctx, func(t *tx) error {
		live, err := t.liveBatches(job)
		if err != nil {
			return err
		}
		if len(live) == 0 {
			return fmt.Errorf("retry of job %s: it is done: %w", job, ErrState)
		}
		if _, err := t.exec(`UPDATE batches SET not_before = 0 WHERE job = ? AND state = 1`, live[0].seq); err != nil {
			return fmt.Errorf("make batches due: %w", err)
		}
		return nil
	})
}
