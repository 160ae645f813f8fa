package submission

import (
	"context"
	"errors"
	"os"
	"sync"

	"servicesmtp.net/companion/internal/listen"
	"servicesmtp.net/companion/server/accept"
)

// errGone says that the client left while it waited for an answer.
var errGone = errors.New("client is gone")

// hold is what happens while the answer to a message is held back: go-smtp
// reads nothing then, so the connection is watched here. A client that has gone
// would send its message again, and must not have it accepted before. The
// context ends then, and when the server stops: nothing was promised yet.
//
// It is called on the goroutine that reads the connection, or while that one
// waits for the caller (BDAT), so nobody else reads until done.
func (c *conn) hold(ctx context.Context) (_ context.Context, done func()) {
	ctx, end := context.WithCancelCause(ctx)
	var watching sync.WaitGroup
	over := make(chan struct{})
	watching.Go(func() {
		select {
		case <-c.srv.quit:
			end(accept.ErrStopped)
		case <-over:
		}
	})
	raw, ok := c.Conn.(*listen.Conn)
	ok = ok && c.r == c.w // otherwise the client has said more already, and what comes behind is not to be seen
	if ok {
		watching.Go(func() {
			if err := c.peek(); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
				end(errGone)
			}
		})
	}
	return ctx, func() {
		close(over)
		if ok {
			_ = raw.Interrupt() // fails on a closed connection only, where nobody reads any more
		}
		watching.Wait()
		if ok {
			raw.Resume()
		}
		end(nil)
	}
}

// peek reads what the client says before it has its answer, and keeps it.
func (c *conn) peek() error {
	c.mu.Lock()
	stream := c.stream
	c.mu.Unlock()
	n, err := stream.Read(c.buf)
	c.r, c.w = 0, n
	if n > 0 {
		return nil // an error comes again
	}
	return err
}
