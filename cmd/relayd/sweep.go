package main

import (
	"context"
	"time"
)

// sweepEvery is how often left-over bodies are looked for. Where relays share
// a folder, what one leaves is removed by another, a day later.
const sweepEvery = 6 * time.Hour

// sweep removes what a crash left of messages that were never accepted, until
// ctx ends. It must not keep a relay from serving.
func (r *relay) sweep(ctx context.Context) error {
	t := time.NewTicker(sweepEvery)
	defer t.Stop()
	for {
		n, err := r.acceptor.Sweep(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			r.log.Error("left-over bodies not removed", "error", err)
		case n > 0:
			r.log.Info("left-over bodies removed", "count", n)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}
