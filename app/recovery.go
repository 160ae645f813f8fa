package app

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/oklog/ulid/v2"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/spool"
)

// While the disk is full or the folder cannot be written, a trial of the size
// of a usual message is written and thrown away, so that the state is well
// again as soon as it can be, and not only after the next message.
const (
	trialEvery = 5 * time.Second
	trialSize  = 512 << 10 // more than what is kept in memory
)

// watchDisk ends with ctx. It sleeps without a timer while the spool is well.
func (e *Engine) watchDisk(ctx context.Context) {
	for ctx.Err() == nil {
		var next time.Time
		if e.unwritable() {
			next = time.Now().Add(trialEvery)
		}
		if sleepUntil(ctx, next, e.troubled) != nil {
			return
		}
		if next.IsZero() || time.Now().Before(next) {
			continue
		}
		refusals := e.lacks.refusals.Load()
		if e.hasRoom() && trial(ctx, e.spool) == nil && refusals == e.lacks.refusals.Load() && e.unwritable() {
			e.lacks.size.Store(0)
			e.spoolProblem(nil)
		}
	}
}

// lacks is what did not fit on the disk.
type lacks struct {
	size     atomic.Int64  // of the largest message since the disk was full
	refusals atomic.Uint64 // so far
}

// refused remembers a message that did not fit.
func (l *lacks) refused(size mail.ByteSize) {
	l.refusals.Add(1)
	for old := l.size.Load(); int64(size) > old && !l.size.CompareAndSwap(old, int64(size)); old = l.size.Load() {
	}
}

// hasRoom says whether what did not fit would fit now. It is not written for
// a trial: that would take the last room from every other program.
func (e *Engine) hasRoom() bool {
	free, err := e.spool.Free()
	if err != nil {
		e.log.Warn("the disk's free space is not known", "err", err)
		return true // the trial decides
	}
	return free > mail.ByteSize(e.lacks.size.Load())+trialSize
}

func (e *Engine) unwritable() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return errors.Is(e.problem, spool.ErrDiskFull) || errors.Is(e.problem, spool.ErrReadOnly)
}

// trial writes a message and forgets it.
func trial(ctx context.Context, s *spool.Spool) error {
	in, err := s.Create(ctx, mail.JobID(ulid.MustNew(ulid.Now(), rand.Reader).String()), trialSize)
	if err != nil {
		return err
	}
	defer in.Discard()
	_, err = io.CopyN(in, zeros{}, trialSize)
	return err
}

// zeros is a body without meaning.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
