package proxy

import (
	"context"
	"errors"
	"slices"
)

// Binding is where a Server listens and whom it lets in.
type Binding struct {
	Addresses    []string
	TLSAddresses []string
	RequireAuth  bool
}

// ErrStopped says that Run is over.
var ErrStopped = errors.New("the listener has stopped")

// order is a Binding for Run to put in force.
type order struct {
	Binding
	done chan struct{}
}

// Rebind moves the server to other addresses, and returns when each was tried;
// how that went is in Listeners, as at the start. New addresses are bound
// before old ones are given up, and those that stay are not touched. A client
// of an address that is given up ends the transaction that it has begun and
// then gets 421. A password is asked of whoever is connected as soon as it is
// required, and goes on being asked of them when it no longer is.
func (s *Server) Rebind(ctx context.Context, b Binding) error {
	s.mu.Lock()
	if !s.started.Load() {
		s.places, _ = relist(s.places, b)
		s.mustAuth.Store(b.RequireAuth)
		s.mu.Unlock()
		return nil
	}
	s.mu.Unlock()
	o := order{b, make(chan struct{})}
	select {
	case s.orders <- o:
		<-o.done
		return nil
	case <-s.stopping:
		return ErrStopped
	case <-ctx.Done():
		return ctx.Err()
	}
}

// relist finds the places of a binding, those that there are where they
// stay, and lists those that are given up.
func relist(old []*place, b Binding) (next, given []*place) {
	given = slices.Clone(old)
	add := func(addresses []string, secure bool) {
		for _, a := range addresses {
			p := &place{asked: a, secure: secure, state: Listener{Address: a, TLS: secure}}
			if i := slices.IndexFunc(given, func(p *place) bool { return p.asked == a && p.secure == secure }); i >= 0 {
				p = given[i]
				given = slices.Delete(given, i, i+1)
			}
			next = append(next, p)
		}
	}
	add(b.Addresses, false)
	add(b.TLSAddresses, true)
	return next, given
}

// rebind carries out an order.
func (r *run) rebind(ctx context.Context, b Binding) {
	s := r.s
	if b.RequireAuth {
		s.mustAuth.Store(true)
	}
	next, given := relist(s.places, b)
	for _, p := range next {
		if p.ln != nil || s.certify(p) != nil {
			continue
		}
		// One that fails may only be covered by an address that is about to be
		// given up (0.0.0.0 by 127.0.0.1), so it is no state yet.
		if ln, err := s.bind(ctx, p.asked); err == nil {
			p.ln = ln
			s.bound(p, ln)
			r.serve(ctx, p)
		}
	}
	parting := s.replace(next, given)
	for _, p := range given {
		if p.ln != nil {
			p.ln.Close()
			s.log.Info("listening no more", "address", p.ln.Addr().String(), "tls", p.secure)
		}
	}
	for _, c := range parting {
		r.parting.Go(c.move)
	}
	r.bind(ctx)
	s.mustAuth.Store(b.RequireAuth) // off at last, when nobody comes in at an old address any more
	if s.cfg.Changed != nil {
		s.cfg.Changed()
	}
}

// replace puts the places in force and finds the connections of those that are
// given up. One that comes in now finds its place gone.
func (s *Server) replace(next, given []*place) (parting []*conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.places = next
	for _, p := range given {
		p.gone = true
	}
	for c := range s.conns {
		if c.place.gone {
			parting = append(parting, c)
		}
	}
	return parting
}

func (s *Server) isGone(p *place) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return p.gone
}
