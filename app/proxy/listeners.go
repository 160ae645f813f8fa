package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"
)

// Why an address is not served; BindError says which.
var (
	ErrInUse     = errors.New("another program uses the address")
	ErrDenied    = errors.New("the system does not allow this address")
	ErrNoFamily  = errors.New("this machine has no such address family")
	ErrNoAddress = errors.New("this machine does not have the address")
	ErrNoTLS     = errors.New("there is no certificate for the address")
	ErrLost      = errors.New("the system closed the listener")
	ErrBind      = errors.New("the address cannot be used")
)

// BindError is why an address is not served. ErrNoFamily is nothing to worry
// anybody with: a machine without IPv6 simply has no [::1].
type BindError struct {
	Reason error  // one of the sentinels above
	Hint   string // what a person can look at, or ""
	Err    error  // what the system said, or nil
}

// Error implements error.
func (e *BindError) Error() string {
	if e.Err == nil {
		return e.Reason.Error()
	}
	return fmt.Sprintf("%v: %v", e.Reason, e.Err)
}

// Unwrap makes errors.Is work on the reason and on the cause.
func (e *BindError) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Reason}
	}
	return []error{e.Reason, e.Err}
}

// Listener is the state of one address.
type Listener struct {
	Address string // as bound, or as asked for
	TLS     bool
	OK      bool
	Err     error  // a *BindError when it is not served; nil before and after Run
	Offered string // a free address on the same host, where this one is taken; nobody moves to it silently
}

// Listeners says how each address stands, in the order of the configuration.
func (s *Server) Listeners() []Listener {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Listener, len(s.places))
	for i, p := range s.places {
		out[i] = p.state
	}
	return out
}

// place is one address of the configuration.
type place struct {
	asked  string
	secure bool
	ln     net.Listener // nil: not bound; only Run's goroutine touches it
	tls    *tls.Config  // set before ln where it is secure
	state  Listener     // guarded by Server.mu
	gone   bool         // likewise: given up by Rebind
}

// setState stores and announces a state, unless it says what was known.
func (s *Server) setState(p *place, l Listener) {
	s.mu.Lock()
	before := p.state
	if before.OK == l.OK && before.Address == l.Address && sameError(before.Err, l.Err) {
		s.mu.Unlock()
		return
	}
	p.state = l
	s.mu.Unlock()
	switch {
	case l.OK:
		s.log.Info("listening", "address", l.Address, "tls", l.TLS)
	case errors.Is(l.Err, ErrNoFamily):
		s.log.Info("address not available", "address", l.Address, "cause", l.Err)
	case l.Err != nil:
		s.log.Error("address not served", "address", l.Address, "tls", l.TLS, "cause", l.Err, "offered", l.Offered)
	}
	if s.cfg.Changed != nil {
		s.cfg.Changed()
	}
}

// closeStates says that nothing is served any more.
func (s *Server) closeStates() {
	for _, p := range s.places {
		s.mu.Lock()
		l := p.state
		s.mu.Unlock()
		l.OK, l.Err, l.Offered = false, nil, ""
		s.setState(p, l)
	}
}

func sameError(a, b error) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return a.Error() == b.Error()
}

// nextRetry is when the addresses that are not served are tried again; 0: all
// are. A missing address family seldom appears, so it is not asked for often.
func (s *Server) nextRetry() time.Duration {
	var wait time.Duration
	for _, l := range s.Listeners() {
		switch {
		case l.OK:
		case errors.Is(l.Err, ErrNoFamily):
			if wait == 0 {
				wait = 20 * s.retry
			}
		default:
			wait = s.retry
		}
	}
	return wait
}

// listen binds one address and stores how that went.
func (s *Server) listen(ctx context.Context, p *place) (net.Listener, error) {
	state := Listener{Address: p.asked, TLS: p.secure}
	if err := s.certify(p); err != nil {
		state.Err = err
		s.setState(p, state)
		return nil, err
	}
	ln, err := s.bind(ctx, p.asked)
	if err == nil {
		s.bound(p, ln)
		return ln, nil
	}
	be := explain(p.asked, err)
	state.Err = be
	if errors.Is(be, ErrInUse) || errors.Is(be, ErrDenied) {
		s.mu.Lock()
		state.Offered = p.state.Offered // stays what it was, as long as the reason does
		s.mu.Unlock()
		if state.Offered == "" {
			state.Offered = offer(ctx, p.asked)
		}
	}
	s.setState(p, state)
	return nil, be
}

// certify gets what a place for TLS needs.
func (s *Server) certify(p *place) error {
	if !p.secure || p.tls != nil {
		return nil
	}
	if s.cfg.TLS == nil {
		return &BindError{Reason: ErrNoTLS}
	}
	conf, err := s.cfg.TLS()
	if err != nil {
		return &BindError{Reason: ErrNoTLS, Err: err}
	}
	p.tls = conf.Clone()
	p.tls.GetConfigForClient = noteHello
	return nil
}

// bound stores that an address is served.
func (s *Server) bound(p *place, ln net.Listener) {
	s.setState(p, Listener{Address: ln.Addr().String(), TLS: p.secure, OK: true})
}

// bind listens on one address.
func bind(ctx context.Context, address string) (net.Listener, error) {
	var lc net.ListenConfig
	return lc.Listen(ctx, network(address), address)
}

// network is exactly the family that the address names: Go's "tcp" would serve
// both for 0.0.0.0, and [::] beside it would then be taken.
func network(address string) string {
	ip, ok := hostIP(address)
	switch {
	case !ok:
		return "tcp"
	case ip.Is4():
		return "tcp4"
	}
	return "tcp6"
}

func hostIP(address string) (netip.Addr, bool) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return netip.Addr{}, false
	}
	ip, err := netip.ParseAddr(host)
	return ip, err == nil
}

// explain turns the system's error into a BindError.
func explain(address string, err error) *BindError {
	be := &BindError{Reason: ErrBind, Err: rootCause(err)}
	ip, literal := hostIP(address)
	local6 := literal && ip.Is6() && (ip.IsLoopback() || ip.IsUnspecified())
	switch {
	case errors.Is(err, errnoInUse):
		be.Reason = ErrInUse
	case errors.Is(err, errnoDenied):
		be.Reason, be.Hint = ErrDenied, deniedHint
	case errors.Is(err, errnoFamily):
		be.Reason = ErrNoFamily
	case errors.Is(err, errnoNoAddress):
		be.Reason = ErrNoAddress
		if local6 { // IPv6 is compiled in but switched off
			be.Reason = ErrNoFamily
		}
	}
	return be
}

// offer finds a free port on the same host: one of the next, so that it is
// easy to recognise and not one that the system hands out by itself.
func offer(ctx context.Context, address string) string {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return ""
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return ""
	}
	const tries = 20
	var candidates []int
	for i := 1; i <= tries && port+i <= 65535; i++ {
		candidates = append(candidates, port+i)
	}
	for i := range tries { // where the neighbours are denied too
		candidates = append(candidates, 10025+i)
	}
	for _, c := range append(candidates, 0) {
		ln, err := bind(ctx, net.JoinHostPort(host, strconv.Itoa(c)))
		if err == nil {
			free := ln.Addr().String()
			ln.Close()
			return free
		}
	}
	return ""
}
