package spool

import (
	"database/sql"
	"errors"
	"fmt"
	"time"

	"servicesmtp.net/companion/app/mail"
)

// record is a batch as a change of its state needs it.
type record struct {
	id, seq    int64
	job        mail.JobID
	number     int
	account    string
	lane       mail.Lane
	state      int
	held       int
	bound      bool
	store      string
	attempts   int
	attempt    int64
	round      int
	count      int
	firstTry   int64
	acceptedAt int64
	sender     string
}

const (
	recordColumns = `SELECT b.id, b.job, j.id, b.number, b.account, b.lane, b.state, b.held, b.bound, b.store, b.attempts, b.attempt, b.round,
		b.count, b.first_try, j.accepted_at, j.sender `
	recordByKey     = recordColumns + `FROM jobs j JOIN batches b ON b.job = j.seq WHERE j.id = ? AND b.number = ?`
	recordByAttempt = recordColumns + `FROM attempts a JOIN batches b ON b.id = a.batch JOIN jobs j ON j.seq = b.job WHERE a.id = ?`
)

// batch finds a batch by its key.
func (t *tx) batch(job mail.JobID, number int) (record, error) {
	r, err := t.record(recordByKey, job, number)
	if errors.Is(err, ErrNotFound) {
		err = errors.Join(err, t.torn(job, number))
	}
	return r, err
}

// torn looks for a batch that cannot be found by its key in another way. A torn
// page of an index is no error to SQLite, and mail would wait for ever.
func (t *tx) torn(job mail.JobID, number int) error {
	var numbers int
	err := t.row(`SELECT batches FROM jobs INDEXED BY jobs_live WHERE done_at = 0 AND id = ?`, []any{job}, &numbers)
	switch {
	case errors.Is(err, ErrNotFound), err == nil && number > numbers:
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf("%w: job %s, batch %d cannot be found by its key", ErrDamaged, job, number)
}

// session finds the batch whose present attempt it is. An attempt that another
// has followed, or that has ended, may change nothing any more.
func (t *tx) session(attempt int64) (record, error) {
	r, err := t.record(recordByAttempt, attempt)
	if err == nil && r.attempt != attempt {
		return r, fmt.Errorf("attempt %d is not the latest: %w", attempt, ErrState)
	}
	return r, err
}

func (t *tx) record(query string, args ...any) (r record, err error) {
	if err := t.row(query, args, r.fields()...); err != nil {
		return r, fmt.Errorf("read batch: %w", err)
	}
	return r, nil
}

// liveBatches are those of a job that are not done. ErrNotFound where there is
// no such job.
func (t *tx) liveBatches(job mail.JobID) (live []record, err error) {
	var seq int64
	if err := t.row(`SELECT seq FROM jobs WHERE id = ?`, []any{job}, &seq); err != nil {
		if errors.Is(err, ErrNotFound) {
			err = errors.Join(err, t.torn(job, 1))
		}
		return nil, fmt.Errorf("read job: %w", err)
	}
	err = t.each(recordColumns+`FROM batches b JOIN jobs j ON j.seq = b.job WHERE b.job = ? AND b.state <> 5 ORDER BY b.number`, []any{seq},
		func(rows *sql.Rows) error {
			var r record
			err := rows.Scan(r.fields()...)
			live = append(live, r)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("read batches: %w", err)
	}
	return live, nil
}

// fields are where recordColumns go.
func (r *record) fields() []any {
	return []any{&r.id, &r.seq, &r.job, &r.number, &r.account, &r.lane, &r.state, &r.held, &r.bound, &r.store, &r.attempts, &r.attempt,
		&r.round, &r.count, &r.firstTry, &r.acceptedAt, &r.sender}
}

// dialled says that the relay may know the key.
func (r record) dialled() bool { return r.attempts > 0 }

// refuse is the ErrState of a change that does not fit.
func (r record) refuse(change string) error {
	return fmt.Errorf("%s of job %s, batch %d in state %d, held %d: %w", change, r.job, r.number, r.state, r.held, ErrState)
}

// tally is a change of a job's counts.
type tally struct {
	queued, deferred, accepted, failed, uncertain, cancelled int
	owing                                                    int // failures of which the sender is to be told
	batches, live                                            int
	last                                                     mail.Reply // the last one that was not a success, or zero
}

// wait takes n recipients of a round into those that wait, or out of them.
func (c *tally) wait(round, n int) {
	if round == 0 {
		c.queued += n
	} else {
		c.deferred += n
	}
}

// tally brings the counts of r's job up to date, in its row and in Totals, and
// ends the job with its last batch.
func (t *tx) tally(r record, c tally, at time.Time) error {
	due := false
	if err := t.row(`UPDATE jobs SET queued = queued + ?, deferred = deferred + ?, accepted = accepted + ?, failed = failed + ?,
			uncertain = uncertain + ?, cancelled = cancelled + ?, owing = owing + ?, batches = batches + ?, live = live + ?
			WHERE seq = ? RETURNING `+reportDue,
		[]any{c.queued, c.deferred, c.accepted, c.failed, c.uncertain, c.cancelled, c.owing, c.batches, c.live, r.seq}, &due); err != nil {
		return fmt.Errorf("count recipients: %w", err)
	}
	t.due = t.due || due
	if c.last.Code.Basic != 0 {
		if _, err := t.exec(`UPDATE jobs SET last_code = ?, last_enhanced = ?, last_reply = ?, last_command = ? WHERE seq = ?`,
			c.last.Code.Basic, packEnhanced(c.last.Code), c.last.Text, c.last.Command, r.seq); err != nil {
			return fmt.Errorf("keep reply: %w", err)
		}
	}
	t.counts = append(t.counts, count{laneKey: laneKey{r.account, r.lane}, recipients: c.queued + c.deferred, uncertain: c.uncertain})
	if c.live >= 0 {
		return nil
	}
	return t.endJob(r, at)
}

// endJob removes the body of a job that has no live batch left, unless a report
// to its sender needs it still. What became of it stays as history.
func (t *tx) endJob(r record, at time.Time) error {
	var live, body, owing int
	var stored mail.ByteSize
	if err := t.row(`SELECT live, body, owing, stored FROM jobs WHERE seq = ?`, []any{r.seq}, &live, &body, &owing, &stored); err != nil {
		return fmt.Errorf("read job: %w", err)
	}
	if live > 0 {
		return nil
	}
	if _, err := t.exec(`UPDATE jobs SET done_at = ?, damaged = 0 WHERE seq = ?`, instant(at), r.seq); err != nil {
		return fmt.Errorf("end job: %w", err)
	}
	// A body that waits for its report counts no longer: a spool that is full
	// of such could never store the reports.
	t.counts = append(t.counts, count{laneKey: laneKey{r.account, r.lane}, messages: -1, bytes: -stored})
	if owing > 0 {
		return nil
	}
	return t.dropBody(r.seq, r.job, body)
}

// dropBody removes a body that nobody needs any more.
func (t *tx) dropBody(seq int64, job mail.JobID, body int) error {
	if _, err := t.exec(`UPDATE jobs SET body = 3 WHERE seq = ?`, seq); err != nil {
		return fmt.Errorf("remove body: %w", err)
	}
	if body == bodyInFile {
		t.gone = append(t.gone, job)
		return nil
	}
	if _, err := t.exec(`DELETE FROM bodies WHERE job = ?`, seq); err != nil {
		return fmt.Errorf("remove body: %w", err)
	}
	return nil
}

// endBatch writes the end of a batch: result holds for every recipient that
// has no outcome of its own.
func (t *tx) endBatch(r record, result mail.Status, queueID string, at time.Time) error {
	_, err := t.exec(`UPDATE batches SET state = 5, held = 0, result = ?, queue_id = ?, done_at = ? WHERE id = ?`, result, queueID, instant(at), r.id)
	if err != nil {
		return fmt.Errorf("end batch: %w", err)
	}
	return nil
}

// instant is a time that must not read as "none".
func instant(at time.Time) int64 { return max(1, micros(at)) }

// packEnhanced keeps an enhanced code as one number; its parts have at most
// three digits (RFC 3463 §2).
func packEnhanced(c mail.Code) int {
	return c.Enhanced[0]*1_000_000 + c.Enhanced[1]*1_000 + c.Enhanced[2]
}

func unpackCode(basic, enhanced int) mail.Code {
	return mail.Code{Basic: basic, Enhanced: [3]int{enhanced / 1_000_000, enhanced / 1_000 % 1_000, enhanced % 1_000}}
}
