package delivery

import (
	"context"
	"errors"
	"fmt"
	"net"
)

// smarthost hands every message to one server, each accepted batch as one
// transaction.
type smarthost struct {
	client
	addr     string // host:port
	implicit bool
}

// Lane implements Route: all mail shares the connections.
func (h *smarthost) Lane(string) string { return "smarthost" }

// Plan implements Route.
func (h *smarthost) Plan() Plan { return Plan{Slots: 4} }

// Open implements Route.
func (h *smarthost) Open(ctx context.Context, _ string) (Conn, error) {
	return openConn(ctx, h.connect)
}

func (h *smarthost) connect(ctx context.Context) (*session, error) {
	e := opportunistic
	if h.implicit {
		e = implicit
	}
	host, _, _ := net.SplitHostPort(h.addr)
	d := net.Dialer{Timeout: h.timeouts.Connect}
	s, err := h.open(ctx, func() (net.Conn, error) { return d.DialContext(ctx, "tcp", h.addr) }, host, e)
	if err != nil {
		return nil, connectError(ctx, host, err)
	}
	return s, nil
}

// connectError is why a server could not be talked to, as an outcome. Refusals
// of the connection itself (554 in the greeting) are deferred: they mean our
// address, not the recipient.
func connectError(ctx context.Context, remote string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("open connection: %w", ctx.Err())
	}
	out := &OpenError{Status: Deferred, Code: 451, Enhanced: "4.4.1", Reply: "The server cannot be reached", Remote: remote, Err: err}
	var refused *replyError
	switch {
	case errors.As(err, &refused):
		out.Code, out.Enhanced, out.Reply = refused.code, refused.enhanced, refused.text
	case errors.Is(err, errTLS):
		out.Enhanced, out.Reply = "4.7.5", "No encrypted connection could be made to the server" // RFC 3463 §3.8
	case errors.Is(err, errReply):
		out.Enhanced, out.Reply = "4.5.0", "The server does not speak SMTP"
	}
	return out
}
