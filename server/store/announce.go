package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// newsChannel is where nodes tell each other of lanes with new mail.
const newsChannel = "relayd_lanes"

// maxNews is below the 8000 bytes that PostgreSQL takes as one notification.
const maxNews = 7500

// Announce tells the other nodes that there is something in these lanes. It
// promises nothing: who does not listen at the moment hears nothing.
func (s *Store) Announce(ctx context.Context, lanes []string) error {
	for len(lanes) > 0 {
		text, n := s.node, 0
		for n < len(lanes) && len(text)+1+len(lanes[n]) <= maxNews {
			text += "\n" + lanes[n]
			n++
		}
		// A lane that is longer than a notification is found by the sweepers.
		lanes = lanes[max(n, 1):]
		if n == 0 {
			continue
		}
		// Through the readers: the writer may be at work on a long transaction.
		if _, err := s.read.ExecContext(ctx, `SELECT pg_notify($1, $2)`, newsChannel, text); err != nil {
			return fmt.Errorf("tell other nodes: %w", err)
		}
	}
	return nil
}

// Hear calls fn with the lanes that other nodes announce, on a connection of
// its own, until ctx ends or the connection is lost. The first call, when it
// listens, has none: anything may have been announced before.
func (s *Store) Hear(ctx context.Context, fn func(lanes []string)) (err error) {
	c, err := pgx.ConnectConfig(ctx, s.config.Copy())
	if err != nil {
		return fmt.Errorf("listen to other nodes: %w", err)
	}
	defer func() { err = errors.Join(err, c.Close(context.WithoutCancel(ctx))) }()
	if _, err := c.Exec(ctx, `LISTEN `+newsChannel); err != nil {
		return fmt.Errorf("listen to other nodes: %w", err)
	}
	fn(nil)
	for {
		n, err := c.WaitForNotification(ctx)
		if err != nil {
			return fmt.Errorf("listen to other nodes: %w", err)
		}
		if words := strings.Split(n.Payload, "\n"); words[0] != s.node {
			fn(slices.Clone(words[1:]))
		}
	}
}
