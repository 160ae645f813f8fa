package spool

import (
	"context"
	"fmt"
	"time"

	"servicesmtp.net/companion/app/mail"
)

// Ended is how an attempt ended without an answer to its batch.
type Ended struct {
	Attempt int64
	LeftAt  time.Time // when DATA was sent; zero: it was not
	At      time.Time // now
}

// Begin takes a ready batch for one session: it becomes sending, and the
// attempt is on disk when Begin returns, so that no dial goes unrecorded. The
// error is ErrOtherStore where the batch may have been accepted by another
// store, ErrState where it is not ready or is held.
func (s *Spool) Begin(ctx context.Context, job mail.JobID, number int, store string, now time.Time) (attempt int64, err error) {
	err = s.write(ctx, func(t *tx) error {
		r, err := t.batch(job, number)
		switch {
		case err != nil:
			return err
		case r.state != ready || r.held != heldNot:
			return r.refuse("begin")
		case r.bound && r.store != store:
			return fmt.Errorf("begin of job %s, batch %d: %w", job, number, ErrOtherStore)
		}
		attempt, err = t.begin(r, store, instant(now))
		return err
	})
	if err != nil {
		return 0, err
	}
	return attempt, nil
}

func (t *tx) begin(r record, store string, at int64) (int64, error) {
	res, err := t.exec(`INSERT INTO attempts (batch, account, lane, recipients, started_at) VALUES (?, ?, ?, ?, ?)`,
		r.id, r.account, r.lane, r.count, at)
	if err != nil {
		return 0, fmt.Errorf("store attempt: %w", err)
	}
	attempt, err := res.LastInsertId()
	if err != nil {
		return 0, fmt.Errorf("store attempt: %w", err)
	}
	_, err = t.exec(`UPDATE batches SET state = 2, store = ?, attempts = attempts + 1, attempt = ?,
		first_try = CASE first_try WHEN 0 THEN ? ELSE first_try END WHERE id = ?`, store, attempt, at, r.id)
	if err != nil {
		return 0, fmt.Errorf("take batch: %w", err)
	}
	return attempt, nil
}

// Keyless records that a batch goes to a server that takes no ENVID. From now
// on no store can say whether it has it, not after a crash either: a person
// must.
func (s *Spool) Keyless(ctx context.Context, attempt int64) error {
	return s.write(ctx, func(t *tx) error {
		r, err := t.session(attempt)
		switch {
		case err != nil:
			return err
		case r.state != sending:
			return r.refuse("keyless attempt")
		}
		if _, err := t.exec(`UPDATE batches SET store = '' WHERE id = ?`, r.id); err != nil {
			return fmt.Errorf("forget store of batch: %w", err)
		}
		return nil
	})
}

// Return gives a batch back whose final dot was not sent: it is ready again,
// from notBefore on (zero: at once), under the same number.
func (s *Spool) Return(ctx context.Context, e Ended, notBefore time.Time) error {
	return s.write(ctx, func(t *tx) error {
		r, err := t.session(e.Attempt)
		switch {
		case err != nil:
			return err
		case r.state != sending:
			return r.refuse("return")
		}
		if _, err := t.exec(`UPDATE batches SET state = 1, not_before = ? WHERE id = ?`, micros(notBefore), r.id); err != nil {
			return fmt.Errorf("return batch: %w", err)
		}
		return t.endAttempt(r, AttemptReturned, e.LeftAt, e.At)
	})
}

// Unknown records that the connection was lost after the final dot, before the
// answer. From now on the batch is bound to its store.
func (s *Spool) Unknown(ctx context.Context, e Ended) error {
	return s.write(ctx, func(t *tx) error {
		r, err := t.session(e.Attempt)
		switch {
		case err != nil:
			return err
		case r.state != sending:
			return r.refuse("unknown outcome")
		}
		if _, err := t.exec(`UPDATE batches SET state = 3, bound = 1 WHERE id = ?`, r.id); err != nil {
			return fmt.Errorf("mark batch as unknown: %w", err)
		}
		return t.endAttempt(r, AttemptLost, e.LeftAt, e.At)
	})
}

// AttemptResult is how an attempt ended. Values are stored.
type AttemptResult int

const (
	AttemptOpen     AttemptResult = 1 // under way, or nobody knows when or whether it left
	AttemptReturned AttemptResult = 2 // ended before the final dot
	AttemptLost     AttemptResult = 3 // ended between the dot and the answer, or may have
	AttemptDone     AttemptResult = 4 // answered
)

// Attempt is one hand-over of a batch, as the pace must count it.
type Attempt struct {
	ID         int64
	Job        mail.JobID // "" and 0 once the job is pruned
	Number     int
	Account    string
	Lane       mail.Lane
	Recipients int
	Started    time.Time
	Left       time.Time // when DATA was sent; zero: it was not, or it is not known (AttemptOpen, AttemptLost)
	Ended      time.Time // zero while open
	Result     AttemptResult
}

// endAttempt writes the end of r's latest attempt. What is known of the moment
// it left stays known.
func (t *tx) endAttempt(r record, result AttemptResult, left, at time.Time) error {
	_, err := t.exec(`UPDATE attempts SET result = ?, ended_at = ?, left_at = max(left_at, ?) WHERE id = ?`,
		result, instant(at), micros(left), r.attempt)
	if err != nil {
		return fmt.Errorf("end attempt: %w", err)
	}
	return nil
}

// loseAttempt ends an attempt that a crash left open.
func (t *tx) loseAttempt(r record, at time.Time) error {
	if _, err := t.exec(`UPDATE attempts SET result = 3, ended_at = ? WHERE id = ? AND result = 1`, instant(at), r.attempt); err != nil {
		return fmt.Errorf("end lost attempt: %w", err)
	}
	return nil
}
