package control

import (
	"context"
	"fmt"
	"net"

	"golang.org/x/sync/errgroup"
)

// Runner is the running side of an engine, *app.Engine in the program.
type Runner interface {
	Run(ctx context.Context) error
	Ready() <-chan struct{}
}

// Host runs the engine and its control socket until ctx ends or the engine is
// stopped. The socket stays until the engine has ended, so that whoever asked
// for the end can wait for it. onReady is called once, when the engine serves.
func (s *Server) Host(ctx context.Context, e Runner, ln net.Listener, onReady func() error) error {
	controlling, endControl := context.WithCancel(context.WithoutCancel(ctx))
	defer endControl()
	running, endRun := context.WithCancel(ctx)
	defer endRun()
	var g errgroup.Group
	g.Go(func() error {
		defer endRun() // an engine that nobody can reach is no use
		if err := s.Run(controlling, ln); err != nil {
			return fmt.Errorf("serve control socket: %w", err)
		}
		return nil
	})
	g.Go(func() error {
		select {
		case <-e.Ready():
			return onReady()
		case <-controlling.Done(): // ended before it was ready
			return nil
		}
	})
	g.Go(func() error {
		defer endControl()
		return e.Run(running)
	})
	return g.Wait()
}
