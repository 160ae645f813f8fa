package app

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"time"

	"github.com/oklog/ulid/v2"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/spool"
)

// While the disk is full, a trial of the size of a usual message is written
// and thrown away, so that the state is well again as soon as there is room
// and not only after the next message.
const (
	trialEvery = 5 * time.Second
	trialSize  = 512 << 10 // more than what is kept in memory
)

// watchDisk ends with ctx. It sleeps without a timer while the spool is well.
func (e *Engine) watchDisk(ctx context.Context) {
	for ctx.Err() == nil {
		var next time.Time
		if e.diskFull() {
			next = time.Now().Add(trialEvery)
		}
		if sleepUntil(ctx, next, e.troubled) != nil {
			return
		}
		if e.diskFull() && !next.IsZero() && !time.Now().Before(next) && trial(ctx, e.spool) == nil && e.diskFull() {
			e.spoolProblem(nil)
		}
	}
}

func (e *Engine) diskFull() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return errors.Is(e.problem, spool.ErrDiskFull)
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
