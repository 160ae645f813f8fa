// Package node keeps one of several relays on a database alive, and takes over
// from those that are not.
//
// Run promises that it returns ErrFenced no later than a lease after the last
// renewal that the database confirmed, by this machine's own clock; after a
// sleep of the machine, when the next renewal finds its row gone. Others may
// have taken over then, and whoever called Run must send nothing more. A node
// that is fenced ends; its service manager starts it again, as a new node. It
// does not go on under a new id by itself: what it had in hand may be in other
// hands now, and an empty program is the simplest that knows nothing.
//
// Between, the database refuses: no content leaves for a recipient whose mark
// was not committed while the lease lasted (store.MarkInData).
//
// Run has no goroutine but the caller's.
package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"servicesmtp.net/companion/server/store"
)

// ErrFenced is the store's.
var ErrFenced = store.ErrFenced

// beats is how often a lease is renewed while it lasts.
const beats = 6

// Lease is the node's row in the database.
type Lease interface {
	RenewLease(ctx context.Context) error
	TakeOver(ctx context.Context, next time.Time) (store.TakenOver, error)
}

// Config of Run.
type Config struct {
	Lease  Lease
	Length time.Duration         // of the lease
	Settle time.Duration         // how long the far servers of a dead node get; default 10 s
	Taken  func(context.Context) // called when something was taken over; may be nil
	Log    *slog.Logger
}

// Run renews the lease until ctx ends, which is no error.
func Run(ctx context.Context, c Config) error {
	if c.Settle <= 0 {
		c.Settle = 10 * time.Second
	}
	beat := time.NewTicker(c.Length / beats)
	defer beat.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-beat.C:
		}
		// The lease begins no earlier than this, by whatever clock.
		now := time.Now()
		err := c.renew(ctx, last)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, ErrFenced):
			return fmt.Errorf("%w: others may have taken over; the next start joins as a new node", err)
		case err == nil:
			last = now
			c.takeOver(ctx)
		case time.Since(last) >= c.Length:
			return fmt.Errorf("%w: the database did not answer for %s: %w", ErrFenced, time.Since(last).Round(time.Second), err)
		default:
			c.Log.Warn("lease not renewed; will retry", "left", (c.Length - time.Since(last)).Round(time.Second), "err", err)
		}
	}
}

// renew tries for a beat, but not beyond the end of the lease that began last.
func (c Config) renew(ctx context.Context, last time.Time) error {
	left := c.Length - time.Since(last)
	if left <= 0 {
		return fmt.Errorf("%w: this program stood still for too long", ErrFenced)
	}
	ctx, cancel := context.WithTimeout(ctx, min(left, c.Length/beats))
	defer cancel()
	return c.Lease.RenewLease(ctx)
}

func (c Config) takeOver(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, 2*c.Length/beats) // the next renewal comes in time after it
	defer cancel()
	t, err := c.Lease.TakeOver(limited, time.Now().Add(c.Settle))
	if err != nil {
		if ctx.Err() == nil {
			c.Log.Warn("dead nodes not looked for; will retry", "err", err)
		}
		return
	}
	for _, n := range t.Nodes {
		c.Log.Warn("a node is gone; this one takes over", "node", n.ID, "name", n.Name, "seen", n.Seen)
	}
	if len(t.Nodes) == 0 {
		return
	}
	c.Log.Info("taken over", "maybe_dup", t.Recipients, "jobs", t.Jobs)
	if c.Taken != nil {
		c.Taken(ctx)
	}
}
