package main

import (
	"errors"
	"time"

	"servicesmtp.net/companion/app/control"
	"servicesmtp.net/companion/internal/socket"
)

type stopCommand struct {
	NoWait bool `help:"Do not wait until it has ended."`
}

// lookAgain is how often a stopping engine is looked at.
const lookAgain = 50 * time.Millisecond

// Run asks the engine to end and waits until it has. A transaction in hand is
// finished first, which can take minutes on a slow connection.
func (s *stopCommand) Run(inv *invocation) error {
	return inv.ask(func(c *control.Client) error {
		if err := c.Stop(inv.ctx); err != nil {
			return err
		}
		if s.NoWait {
			return nil
		}
		tick := time.NewTicker(lookAgain)
		defer tick.Stop()
		for {
			if _, err := c.State(inv.ctx); errors.Is(err, socket.ErrNotRunning) {
				inv.line("The companion has stopped.")
				return nil
			}
			select {
			case <-tick.C:
			case <-inv.ctx.Done():
				return inv.ctx.Err()
			}
		}
	})
}
