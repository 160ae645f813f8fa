package spool

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"servicesmtp.net/companion/app/mail"
)

// DueReport is what a job's sender is to be told now: of a personal message as
// soon as none of its recipients waits for a first answer, so that nobody waits
// five days for one who was put off; of a newsletter when nothing of it waits
// any more. A batch of which a person must decide holds up neither; what fails
// after that decision gets a report of its own. Each failure is told once.
type DueReport struct {
	Job
	Failures int // how many recipients it tells of

	after, upTo int64 // outcomes.id
}

// reportDue is true of a job whose report is due, in a query on jobs.
const reportDue = `owing > 0 AND sender <> '' AND queued = 0 AND (lane = 1 OR deferred = 0)`

// owes says that the sender is to be told when a recipient of r fails. A
// message from the null reverse-path is a report itself (RFC 5321 §4.5.5), and
// NOTIFY may say no (RFC 3461 §4.1).
func (r record) owes(to mail.Recipient) bool {
	return r.sender != "" && (len(to.Notify) == 0 || slices.ContainsFunc(to.Notify, func(word string) bool { return strings.EqualFold(word, "FAILURE") }))
}

// ReportsDue holds a token when a report may have become due.
func (s *Spool) ReportsDue() <-chan struct{} { return s.due }

// RecheckReports puts a token there: a report that could not be stored before
// may be stored now.
func (s *Spool) RecheckReports() { s.sayDue() }

func (s *Spool) sayDue() {
	select {
	case s.due <- struct{}{}:
	default:
	}
}

// Owes says whether a sender of an account's mail is still to be told of
// failures, now or later.
func (s *Spool) Owes(ctx context.Context, account string) (owes bool, err error) {
	if err := s.row(ctx, `SELECT EXISTS (SELECT 1 FROM jobs INDEXED BY jobs_owing WHERE owing > 0 AND account = ?)`, []any{account}, &owes); err != nil {
		return false, fmt.Errorf("look for debts: %w", err)
	}
	return owes, nil
}

// DueReports lists what is due, oldest job first, at most limit. next is the
// cursor of what comes after, or "".
func (s *Spool) DueReports(ctx context.Context, cursor string, limit int) (list []DueReport, next string, err error) {
	from, err := parseCursor(cursor, 1)
	if err != nil {
		return nil, "", err
	}
	var seqs []int64
	err = s.rows(ctx, jobColumns+`WHERE j.seq IN (SELECT seq FROM jobs INDEXED BY jobs_owing WHERE `+reportDue+` AND seq > ? ORDER BY seq LIMIT ?) ORDER BY j.seq`,
		[]any{from[0], limit}, func() { list, seqs = nil, nil }, func(rows *sql.Rows) error {
			j, seq, err := scanJob(rows)
			list, seqs = append(list, DueReport{Job: j}), append(seqs, seq)
			return err
		})
	for i := 0; err == nil && i < len(list); i++ {
		d := &list[i]
		err = s.row(ctx, `SELECT j.reported, coalesce(max(o.id), 0), count(*) FROM jobs j CROSS JOIN batches b ON b.job = j.seq CROSS JOIN outcomes o ON o.batch = b.id
			WHERE j.seq = ? AND o.owed = 1 AND o.id > j.reported`, []any{seqs[i]}, &d.after, &d.upTo, &d.Failures)
	}
	if err != nil {
		return nil, "", fmt.Errorf("read due reports: %w", err)
	}
	// Told by somebody since the first query: then there is nothing left.
	if len(seqs) == limit {
		next = fmt.Sprint(seqs[len(seqs)-1])
	}
	return slices.DeleteFunc(list, func(d DueReport) bool { return d.Failures == 0 }), next, nil
}

// ReportedFailure is a recipient of whom a report tells.
type ReportedFailure struct {
	Recipient mail.Recipient
	Reply     mail.Reply
	At        time.Time
}

// ReportedFailures gives the recipients of whom d tells, in the order of their
// batches, and holds no more than one batch of them in memory.
func (s *Spool) ReportedFailures(ctx context.Context, d DueReport) iter.Seq2[ReportedFailure, error] {
	return func(yield func(ReportedFailure, error) bool) {
		var batches []int64
		err := s.rows(ctx, `SELECT b.id FROM jobs j CROSS JOIN batches b ON b.job = j.seq WHERE j.id = ? AND EXISTS
			(SELECT 1 FROM outcomes o WHERE o.batch = b.id AND o.owed = 1 AND o.id > ? AND o.id <= ?) ORDER BY b.number`,
			[]any{d.ID, d.after, d.upTo}, func() { batches = nil }, func(rows *sql.Rows) error {
				var id int64
				err := rows.Scan(&id)
				batches = append(batches, id)
				return err
			})
		for i := 0; err == nil && i < len(batches); i++ {
			var list []ReportedFailure
			list, err = s.reportedOf(ctx, d, batches[i])
			for _, f := range list {
				if !yield(f, nil) {
					return
				}
			}
		}
		if err != nil {
			yield(ReportedFailure{}, fmt.Errorf("read failures of job %s: %w", d.ID, err))
		}
	}
}

// reportedOf are those of one batch. Where its list of recipients cannot be
// read any more, the outcomes still have the addresses.
func (s *Spool) reportedOf(ctx context.Context, d DueReport, batch int64) (list []ReportedFailure, err error) {
	var recipients storedList
	err = s.row(ctx, `SELECT recipients FROM batches WHERE id = ?`, []any{batch}, &recipients)
	switch {
	case err != nil && !errors.Is(err, ErrDamaged):
		return nil, err
	case err != nil: // even after a salvage, or none can be made now
		s.log.Warn("a report goes without its recipients' parameters", "job", d.ID, "error", err)
	}
	err = s.rows(ctx, `SELECT place, address, code, enhanced, reply, command, at FROM outcomes
		WHERE batch = ? AND owed = 1 AND id > ? AND id <= ? ORDER BY place`, []any{batch, d.after, d.upTo}, func() { list = nil }, func(rows *sql.Rows) error {
		var f ReportedFailure
		var place, code, enhanced int
		var at int64
		err := rows.Scan(&place, &f.Recipient.Address, &code, &enhanced, &f.Reply.Text, &f.Reply.Command, &at)
		if 0 <= place && place < len(recipients) {
			f.Recipient = recipients[place]
		}
		f.Reply.Code, f.At = unpackCode(code, enhanced), moment(at)
		list = append(list, f)
		return err
	})
	return list, err
}

// CommitReport stores the message as the report that d asks for, and with it,
// in the one transaction, that the sender was told: after a crash there is the
// report and no debt, or the debt and no report. ErrState where somebody has
// told already.
func (in *Incoming) CommitReport(ctx context.Context, env mail.Envelope, d DueReport) error {
	if env.From != "" { // RFC 3464 §2: or reports would follow reports
		return fmt.Errorf("report on job %s has a sender: %w", d.ID, ErrState)
	}
	in.with = func(t *tx) error { return t.told(d, in.job, env.AcceptedAt) }
	return in.Commit(ctx, env)
}

// told settles what d names.
func (t *tx) told(d DueReport, report mail.JobID, at time.Time) error {
	var seq, doneAt int64
	var owing, body int
	var due bool
	err := t.row(`UPDATE jobs SET reported = ?, report = ?, told_at = ?, owing = (SELECT count(*) FROM batches b CROSS JOIN outcomes o ON o.batch = b.id
			WHERE b.job = jobs.seq AND o.owed = 1 AND o.id > ?)
		WHERE id = ? AND reported = ? AND owing > 0 RETURNING seq, done_at, owing, body, `+reportDue,
		[]any{d.upTo, report, instant(at), d.upTo, d.ID, d.after}, &seq, &doneAt, &owing, &body, &due)
	if errors.Is(err, ErrNotFound) {
		return fmt.Errorf("report on job %s: the sender was told: %w", d.ID, ErrState)
	}
	if err != nil {
		return fmt.Errorf("settle report: %w", err)
	}
	t.due = t.due || due
	if _, err := t.exec(`UPDATE jobs SET report_of = ?, report_to = ? WHERE id = ?`, d.ID, d.From, report); err != nil {
		return fmt.Errorf("mark report: %w", err)
	}
	if doneAt == 0 || owing > 0 || body == bodyGone {
		return nil
	}
	return t.dropBody(seq, d.ID, body)
}

// claimReported keeps the bodies of jobs that are done but for their report. One
// that is missing is no damage: the report goes without it. A debt whose
// outcomes or sender are lost cannot be paid, and is forgotten.
func (r *recovery) claimReported(t *tx) error {
	type debtor struct {
		id           mail.JobID
		seq, doneAt  int64
		body, counts int
	}
	var all []debtor
	err := t.each(`SELECT j.id, j.seq, j.done_at, j.body,
			(SELECT count(*) FROM batches b CROSS JOIN outcomes o ON o.batch = b.id WHERE b.job = j.seq AND o.owed = 1 AND o.id > j.reported AND j.sender <> '')
		FROM jobs j INDEXED BY jobs_owing WHERE j.owing > 0`, nil, func(rows *sql.Rows) error {
		var d debtor
		err := rows.Scan(&d.id, &d.seq, &d.doneAt, &d.body, &d.counts)
		all = append(all, d)
		return err
	})
	for i := 0; err == nil && i < len(all); i++ {
		d := all[i]
		switch {
		case d.counts > 0 && d.doneAt > 0:
			delete(r.files, string(d.id))
		case d.counts == 0 && d.doneAt > 0 && d.body != bodyGone:
			delete(r.files, string(d.id)) // dropBody removes it
			err = t.dropBody(d.seq, d.id, d.body)
		}
		if err == nil {
			_, err = t.exec(`UPDATE jobs SET owing = ? WHERE seq = ? AND owing <> ?`, d.counts, d.seq, d.counts)
		}
	}
	return err
}
