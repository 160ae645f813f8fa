package spool

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"os"
	"path/filepath"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/internal/durable"
	"servicesmtp.net/companion/internal/wire"
)

// inlineMax is the largest body that is stored in the database. Below it a
// body shares the sync of its transaction with other messages; above it the
// second write, when the log is folded into the database, costs more than a
// file and its syncs.
const inlineMax = 128 << 10

// Where a body is. Values are stored.
const (
	bodyInline = 1
	bodyInFile = 2
	bodyGone   = 3 // the job is done
)

// Incoming is a message on its way into the spool. It belongs to one
// goroutine. Exactly one of Commit and Discard must be called; Discard after
// Commit does nothing, so it can be deferred.
type Incoming struct {
	s        *Spool
	job      mail.JobID
	hash     hash.Hash
	size     mail.ByteSize
	reserved mail.ByteSize
	buf      []byte // the body until it passes inlineMax
	file     bodyFile
	w        *bufio.Writer // onto file
	err      error         // first failure of Write
	with     func(t *tx) error
	done     bool
}

// Create begins to receive the message that will be called job. declared is
// the size that the client announced, or 0; with it ErrFull comes before the
// data instead of in the middle of it.
func (s *Spool) Create(ctx context.Context, job mail.JobID, declared mail.ByteSize) (*Incoming, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !validJob(job) {
		return nil, fmt.Errorf("job %q: not a ULID", job)
	}
	// At least one byte, so that a full spool refuses a message of unknown
	// size at once.
	reserved := max(declared, 1)
	if !s.totals.reserve(reserved, s.max) {
		return nil, ErrFull
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opened[job] {
		s.totals.release(reserved)
		return nil, fmt.Errorf("job %s is being received: %w", job, ErrState)
	}
	s.opened[job] = true
	return &Incoming{s: s, job: job, hash: sha256.New(), reserved: reserved, buf: make([]byte, 0, min(max(declared, 4096), inlineMax))}, nil
}

// validJob accepts what the relay can be told of, which is also safe as the
// name of a file.
func validJob(job mail.JobID) bool {
	_, err := wire.ParseEnvelopeID(wire.EnvelopeID{Job: string(job), Number: 1}.String())
	return err == nil
}

// Size is what was written so far.
func (in *Incoming) Size() mail.ByteSize { return in.size }

// Write implements io.Writer. After an error the message cannot be committed.
func (in *Incoming) Write(p []byte) (int, error) {
	if in.done {
		return 0, fmt.Errorf("write to a finished message: %w", ErrState)
	}
	if in.err == nil {
		in.err = fault(in.write(p))
	}
	if in.err != nil {
		return 0, in.err
	}
	return len(p), nil
}

func (in *Incoming) write(p []byte) error {
	size := in.size + mail.ByteSize(len(p))
	if size > in.reserved {
		if !in.s.totals.reserve(size-in.reserved, in.s.max) {
			return ErrFull
		}
		in.reserved = size
	}
	in.size = size
	in.hash.Write(p)
	if in.file == nil && len(in.buf)+len(p) <= inlineMax {
		in.buf = append(in.buf, p...)
		return nil
	}
	if in.file == nil {
		if err := in.spill(); err != nil {
			return err
		}
	}
	if _, err := in.w.Write(p); err != nil {
		return fmt.Errorf("write body: %w", err)
	}
	return nil
}

// spill moves the body from memory to a file.
func (in *Incoming) spill() error {
	path := in.s.bodyPath(in.job)
	// A name that exists belongs to an accepted message: writing over it
	// would lose that one. The database refuses a second row, but later.
	for _, name := range []string{path, path + durable.TempSuffix} {
		switch have, err := exists(name); {
		case err != nil:
			return err
		case have:
			return fmt.Errorf("job %s is stored: %w", in.job, ErrState)
		}
	}
	f, err := in.s.create(path)
	if err != nil {
		return fmt.Errorf("make body: %w", err)
	}
	in.file, in.w = f, bufio.NewWriterSize(f, 64<<10)
	if _, err := in.w.Write(in.buf); err != nil {
		return fmt.Errorf("write body: %w", err)
	}
	in.buf = nil
	return nil
}

// Discard forgets the message.
func (in *Incoming) Discard() {
	if in.done {
		return
	}
	if in.file != nil {
		if err := in.file.Discard(); err != nil {
			// The next Open sweeps it away.
			in.s.log.Warn("unfinished body not removed", "job", in.job, "error", bare(err))
		}
	}
	in.finish()
}

func (in *Incoming) finish() {
	in.done = true
	in.buf = nil
	in.s.totals.release(in.reserved)
	in.s.mu.Lock()
	defer in.s.mu.Unlock()
	delete(in.s.opened, in.job)
}

// Commit stores the message with its batches. It fills in Size and BodySum,
// and Job where it is empty. When it returns nil, everything is on disk; after
// an error nothing is, and the message must be offered again.
func (in *Incoming) Commit(ctx context.Context, env mail.Envelope) error {
	if in.done {
		return fmt.Errorf("commit of a finished message: %w", ErrState)
	}
	defer in.Discard() // of what an early error leaves
	if in.err != nil {
		return in.err
	}
	if env.Job == "" {
		env.Job = in.job
	}
	env.Size = in.size
	in.hash.Sum(env.BodySum[:0])
	m, err := newMessage(env, in.s.split)
	if err != nil {
		return fmt.Errorf("accept message: %w", err)
	}
	m.with = in.with
	if env.Job != in.job {
		return fmt.Errorf("accept message: envelope of job %s: %w", env.Job, ErrState)
	}
	if in.file == nil {
		m.inline = in.buf
		err := in.s.write(ctx, m.insert)
		in.finish()
		return err
	}
	if err := in.w.Flush(); err != nil {
		return fault(fmt.Errorf("write body: %w", err))
	}
	if err := in.file.Commit(); err != nil {
		in.file = nil // it has removed itself
		return fault(fmt.Errorf("store body: %w", err))
	}
	err = in.s.write(ctx, m.insert)
	var doubt inDoubt
	if err != nil && !errors.As(err, &doubt) {
		in.s.removeBody(in.job)
	}
	in.file = nil
	in.finish()
	return err
}

func (s *Spool) bodyPath(job mail.JobID) string {
	return filepath.Join(s.dir, bodiesName, string(job))
}

// removeBody removes a body that no row names any more. Where that fails, or
// nobody lives to do it, the next Open does.
func (s *Spool) removeBody(job mail.JobID) {
	if err := os.Remove(s.bodyPath(job)); err != nil {
		s.log.Warn("body not removed", "job", job, "error", bare(err))
	}
}
