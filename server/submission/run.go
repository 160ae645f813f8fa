package submission

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
)

// Run serves until ctx ends, or a listener fails for good. It answers an error
// at once when an address cannot be bound.
func (s *Server) Run(ctx context.Context) error {
	listeners, err := s.bind(ctx)
	if err != nil {
		return err
	}
	for _, l := range listeners {
		s.addrs = append(s.addrs, l.Addr())
	}
	close(s.ready)
	// Sessions outlive ctx by the grace, so they have a context of their own.
	work, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	srv := s.newSMTP(work)
	failed := make(chan error, len(listeners))
	var serving sync.WaitGroup
	for _, l := range listeners {
		serving.Go(func() { failed <- srv.Serve(l) })
	}
	select {
	case err = <-failed:
		err = fmt.Errorf("serve submission: %w", err)
	case <-ctx.Done():
	}
	return errors.Join(err, s.stop(srv, listeners, &serving, cut))
}

// stop ends everything that Run began.
func (s *Server) stop(srv *smtp.Server, listeners []*listener, serving *sync.WaitGroup, cut context.CancelFunc) error {
	var err error
	for _, l := range listeners {
		err = errors.Join(err, l.Close())
	}
	serving.Wait() // from here on there are no new connections
	close(s.quit)
	goodbyes := s.sayGoodbye()
	idle := make(chan struct{})
	go func() {
		defer close(idle)
		// Closes the listeners once more and waits for the connections; only
		// that is wanted, and nothing of it can fail.
		_ = srv.Shutdown(context.Background())
	}()
	timer := time.NewTimer(s.cfg.Grace)
	defer timer.Stop()
	select {
	case <-idle:
	case <-timer.C:
		s.cfg.Log.Warn("connections cut at stop")
	}
	cut()
	for _, l := range listeners {
		err = errors.Join(err, l.conns.Close())
	}
	<-idle
	goodbyes.Wait()
	s.mu.Lock()
	s.over = true
	s.mu.Unlock()
	s.inHand.Wait()
	return err
}

// take takes a message in hand, which ends with inHand.Done. It is false when
// Run is over.
func (s *Server) take() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.over {
		s.inHand.Add(1)
	}
	return !s.over
}

// sayGoodbye tells every connection to end: at once, or after its transaction.
func (s *Server) sayGoodbye() *sync.WaitGroup {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopping = true
	var goodbyes sync.WaitGroup
	for c := range s.conns {
		goodbyes.Go(c.stop) // a client that reads nothing holds up its own goodbye only
	}
	return &goodbyes
}

// enter remembers a connection, unless the server is stopping.
func (s *Server) enter(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return false
	}
	s.conns[c] = struct{}{}
	return true
}

func (s *Server) leave(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}
