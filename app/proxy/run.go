package proxy

import (
	"context"
	"io"
	"net"
	"sync"
	"time"

	"github.com/emersion/go-smtp"

	"servicesmtp.net/companion/internal/listen"
)

// Run serves until ctx ends. Then sessions get 421 (RFC 5321 §3.8), messages
// in hand may still end within a few seconds, and everything is closed.
func (s *Server) Run(ctx context.Context) error {
	if !s.start() {
		return errTwice
	}
	// Sessions outlive ctx by the grace, so they have a context of their own.
	sessions, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	r := &run{s: s, smtp: s.newSMTP(sessions), gone: make(chan *place)}
	r.bind(ctx)
	close(s.ready)
	for {
		var again <-chan time.Time
		if wait := s.nextRetry(); wait > 0 {
			again = time.After(wait)
		}
		select {
		case <-ctx.Done():
			r.stop(cut)
			return nil
		case p := <-r.gone:
			r.lost(p)
		case o := <-s.orders:
			r.rebind(ctx, o.Binding)
			close(o.done)
		case <-again:
			r.bind(ctx)
		}
	}
}

// run is what belongs to one call of Run.
type run struct {
	s       *Server
	smtp    *smtp.Server
	gone    chan *place // listeners that ended by themselves
	serving sync.WaitGroup
	parting sync.WaitGroup // goodbyes to connections of addresses that were given up
}

// start says that nobody called it before.
func (s *Server) start() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.started.CompareAndSwap(false, true)
}

// bind tries every address that is not bound.
func (r *run) bind(ctx context.Context) {
	for _, p := range r.s.places {
		if p.ln != nil || ctx.Err() != nil {
			continue
		}
		ln, err := r.s.listen(ctx, p)
		if err == nil {
			p.ln = ln
			r.serve(ctx, p)
		}
	}
}

func (r *run) serve(ctx context.Context, p *place) {
	in := r.s.acceptor(p)
	r.serving.Go(func() {
		// The error says only that the listener is closed, by us or by the system.
		_ = r.smtp.Serve(in)
		select {
		case r.gone <- p:
		case <-ctx.Done():
		}
	})
}

// lost is called for a listener that ended, by itself or because its address
// was given up.
func (r *run) lost(p *place) {
	if r.s.isGone(p) {
		return
	}
	p.ln.Close()
	p.ln = nil
	r.s.setState(p, Listener{Address: p.asked, TLS: p.secure, Err: &BindError{Reason: ErrLost}})
}

// stop ends everything that Run began.
func (r *run) stop(cut context.CancelFunc) {
	s := r.s
	close(s.stopping)
	for _, p := range s.places {
		if p.ln != nil {
			p.ln.Close()
		}
	}
	r.serving.Wait() // from here on there are no new connections

	var goodbyes sync.WaitGroup
	for _, c := range s.openConns() {
		goodbyes.Go(c.stop)
	}
	idle := make(chan struct{})
	go func() {
		defer close(idle)
		// It closes the listeners a second time and then waits for the
		// connections; only that is wanted, and it cannot fail.
		_ = r.smtp.Shutdown(context.Background())
	}()
	timer := time.NewTimer(s.grace)
	defer timer.Stop()
	select {
	case <-idle:
	case <-timer.C:
		s.log.Warn("connections cut at stop", "count", len(s.openConns()))
	}
	cut()
	for _, c := range s.openConns() {
		c.kill()
	}
	<-idle
	goodbyes.Wait()
	r.parting.Wait()

	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.inHand.Wait()
	s.closeStates()
}

// newSMTP configures go-smtp. Its own time-outs stay off: internal/listen ends
// silent connections without cutting slow ones.
func (s *Server) newSMTP(ctx context.Context) *smtp.Server {
	srv := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return s.newSession(ctx, c)
	}))
	srv.Domain = s.cfg.Hostname
	srv.MaxRecipients = s.cfg.MaxRecipients
	srv.MaxMessageBytes = int64(s.cfg.MaxMessage)
	srv.MaxLineLength = maxLine
	srv.AllowInsecureAuth = true // loopback; TLS has its own port
	srv.EnableSMTPUTF8 = true
	srv.EnableDSN = true
	srv.ErrorLog = errorLog{s.log}
	return srv
}

// acceptor turns accepted connections into conns.
type acceptor struct {
	*listen.Listener
	s       *Server
	place   *place
	crowded bool // the last one was over the limit; only Accept's goroutine touches it
}

func (s *Server) acceptor(p *place) *acceptor {
	a := &acceptor{s: s, place: p}
	a.Listener = listen.New(p.ln, listen.Limits{Idle: s.cfg.Idle, Conns: maxConns, Refuse: a.refuse})
	return a
}

// Accept implements net.Listener.
func (a *acceptor) Accept() (net.Conn, error) {
	raw, err := a.Listener.Accept()
	if err != nil {
		return nil, err
	}
	a.crowded = false
	return a.s.newConn(raw, a.place), nil
}

// refuse answers a connection over the limit (RFC 5321 §3.1 and §3.8). To a
// client of TLS nothing can be said without a handshake.
func (a *acceptor) refuse(c net.Conn) {
	if !a.crowded {
		a.s.log.Warn("too many connections at once", "limit", maxConns, "tls", a.place.secure)
	}
	a.crowded = true
	if a.place.secure {
		return
	}
	// A new connection takes a line without waiting for its client.
	if err := c.SetWriteDeadline(time.Now().Add(patience)); err == nil {
		_, _ = io.WriteString(c, replyLine(crowded))
	}
}

// Close implements net.Listener for go-smtp, which calls it once more at
// Shutdown; connections stay.
func (a *acceptor) Close() error { return a.CloseListener() }

// openConns lists the open connections.
func (s *Server) openConns() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		out = append(out, c)
	}
	return out
}
