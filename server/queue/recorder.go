package queue

import (
	"context"
	"database/sql"
	"time"

	"servicesmtp.net/companion/server/store"
)

// maxGroup is how many changes go into one commit at most.
const maxGroup = 64

// recorder writes what slots learn. Changes that wait while a commit runs share
// the next one: a commit costs a sync of the disk, whatever is in it.
type recorder struct {
	store   *store.Store
	changes chan change
}

// change is one slot's write. It may run more than once.
type change struct {
	fn   func(context.Context, *sql.Tx) error
	done chan error
}

func newRecorder(s *store.Store) *recorder { return &recorder{store: s, changes: make(chan change)} }

// do runs fn in a transaction and returns when it is committed. ctx bounds the
// wait for a turn only: once begun, a write is not left half known.
func (r *recorder) do(ctx context.Context, fn func(context.Context, *sql.Tx) error) error {
	c := change{fn: fn, done: make(chan error, 1)}
	select {
	case r.changes <- c:
		return <-c.done
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run serves until ctx ends; then nobody may be waiting.
func (r *recorder) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case first := <-r.changes:
			r.commit(r.gather(first))
		}
	}
}

// gather takes what else is waiting.
func (r *recorder) gather(first change) []change {
	group := []change{first}
	for len(group) < maxGroup {
		select {
		case c := <-r.changes:
			group = append(group, c)
		default:
			return group
		}
	}
	return group
}

// writeLimit bounds one commit, so that a stuck disk shows as an error.
const writeLimit = time.Minute

// commit writes a group as one; when that fails, each alone, so that nobody
// suffers from another's change.
func (r *recorder) commit(group []change) {
	err := r.write(group)
	for _, c := range group {
		if err != nil && len(group) > 1 {
			c.done <- r.write([]change{c})
			continue
		}
		c.done <- err
	}
}

func (r *recorder) write(group []change) error {
	ctx, cancel := context.WithTimeout(context.Background(), writeLimit)
	defer cancel()
	return r.store.Tx(ctx, func(tx *sql.Tx) error {
		for _, c := range group {
			if err := c.fn(ctx, tx); err != nil {
				return err
			}
		}
		return nil
	})
}
