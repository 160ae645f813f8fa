package delivery

import "context"

// smtpConn is a Conn over SMTP. A connection kept from an earlier message may
// have been closed by the server in the meantime; that is not a failed
// attempt, so it is opened again once.
type smtpConn struct {
	connect func(context.Context) (*session, error)
	s       *session
}

func openConn(ctx context.Context, connect func(context.Context) (*session, error)) (Conn, error) {
	s, err := connect(ctx)
	if err != nil {
		return nil, err
	}
	return &smtpConn{connect: connect, s: s}, nil
}

// Deliver implements Conn.
func (c *smtpConn) Deliver(ctx context.Context, m Message, beforeData func([]int64) error) []Result {
	results, stale := c.s.deliver(ctx, m, beforeData)
	if !stale {
		return results
	}
	c.s.nc.Close()
	fresh, err := c.connect(ctx)
	if err != nil {
		return Results(m, err)
	}
	c.s = fresh
	results, _ = c.s.deliver(ctx, m, beforeData)
	return results
}

// Alive implements Conn.
func (c *smtpConn) Alive() bool { return !c.s.broken }

// Close implements Conn.
func (c *smtpConn) Close() error { return c.s.quit() }
