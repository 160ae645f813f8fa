package spool

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"

	"servicesmtp.net/companion/app/mail"
)

// Body opens the message of a job that is not done, or that owes a report. A body from a file is read
// as it is needed; one from the database, at most inlineMax, is in memory.
// ErrNotFound where the job is done or unknown. ErrDamaged where the body is
// missing: the job is then held, and OnProblem has heard of it.
func (s *Spool) Body(ctx context.Context, job mail.JobID) (io.ReadSeekCloser, mail.ByteSize, error) {
	var where int
	var size mail.ByteSize
	var data, sum []byte
	found, lost := false, false
	err := s.rows(ctx, `SELECT j.body, j.size, j.sum, coalesce(b.data, x''), j.body = 1 AND b.job IS NULL FROM jobs j LEFT JOIN bodies b ON b.job = j.seq WHERE j.id = ?`,
		[]any{job}, func() { found, lost = false, false }, func(rows *sql.Rows) error {
			found = true
			if err := rows.Scan(&where, &size, &sum, &data, &lost); err != nil {
				return err
			}
			if lost { // its page is torn: a salvage knows what else was in it
				return fmt.Errorf("%w: message %s has no body", ErrDamaged, job)
			}
			return nil
		})
	if lost { // and no salvage can be made now
		return nil, 0, s.damaged(ctx, job)
	}
	if err == nil && (!found || where == bodyGone) {
		err = ErrNotFound
	}
	if err != nil {
		return nil, 0, fmt.Errorf("read body of job %s: %w", job, err)
	}
	if where == bodyInline {
		// A page of it may be torn, which the database does not notice.
		if have := sha256.Sum256(data); mail.ByteSize(len(data)) != size || !bytes.Equal(have[:], sum) {
			return nil, 0, s.damaged(ctx, job)
		}
		return inMemory{bytes.NewReader(data)}, size, nil
	}
	f, err := os.Open(s.bodyPath(job))
	if errors.Is(err, os.ErrNotExist) {
		return nil, 0, s.missing(ctx, job)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("open body of job %s: %w", job, fault(err))
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("open body of job %s: %w", job, fault(err)), fault(f.Close()))
	}
	if mail.ByteSize(info.Size()) != size {
		return nil, 0, errors.Join(s.damaged(ctx, job), fault(f.Close()))
	}
	return f, size, nil
}

// CheckBody reads the whole message of a job that is a file, after a reader found
// that it is not what was accepted. ErrDamaged where that is so: the job is then
// held, and OnProblem has heard of it.
func (s *Spool) CheckBody(ctx context.Context, job mail.JobID) error {
	var where int
	var size int64
	var sum []byte
	if err := s.row(ctx, `SELECT body, size, sum FROM jobs WHERE id = ?`, []any{job}, &where, &size, &sum); err != nil {
		return fmt.Errorf("check body of job %s: %w", job, err)
	}
	if where != bodyInFile { // Body looks at those in the database each time
		return nil
	}
	f, err := os.Open(s.bodyPath(job))
	if errors.Is(err, os.ErrNotExist) {
		return s.missing(ctx, job)
	}
	if err != nil {
		return fmt.Errorf("check body of job %s: %w", job, fault(err))
	}
	defer f.Close()
	if !sameContent(f, size, sum) {
		return s.damaged(ctx, job)
	}
	return nil
}

// sameContent says that r has size octets with this SHA-256. A part that the
// disk does not give is another content.
func sameContent(r io.Reader, size int64, sum []byte) bool {
	h := sha256.New()
	n, err := io.Copy(h, r)
	return err == nil && n == size && bytes.Equal(h.Sum(nil), sum)
}

// missing tells a body that is missing from one that was removed a moment ago
// because the job ended.
func (s *Spool) missing(ctx context.Context, job mail.JobID) error {
	j, err := s.Job(ctx, job)
	if err != nil {
		return err
	}
	if j.State == JobDone {
		return fmt.Errorf("read body of job %s: %w", job, ErrNotFound)
	}
	return s.damaged(ctx, job)
}

// damaged holds a job without a whole body and says so. Of one that is done only
// a report could have used it, and goes without.
func (s *Spool) damaged(ctx context.Context, job mail.JobID) error {
	if j, err := s.Job(ctx, job); err == nil && j.State == JobDone {
		return fmt.Errorf("read body of job %s: %w", job, ErrNotFound)
	}
	problem := fmt.Errorf("%w: the body of message %s is missing or not what was accepted; it is kept and not sent", ErrDamaged, job)
	if err := s.write(ctx, func(t *tx) error { return t.setDamaged(job, true) }); err != nil {
		return errors.Join(problem, err)
	}
	s.report(problem)
	return problem
}

type inMemory struct{ *bytes.Reader }

func (inMemory) Close() error { return nil }
