// Package listen wraps the TCP listeners of both SMTP servers.
//
// It promises that a connection on which bytes still move is not cut, that a
// silent one is, and that Close ends every connection that is open. Both
// repair known behaviour of go-smtp: its ReadTimeout is armed once per command
// line and so ends a slow DATA, and its Close after Shutdown leaves idle
// connections served.
//
// It never looks at what is sent, and starts no goroutine.
package listen

import (
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Limits of one listener.
type Limits struct {
	Idle  time.Duration // a connection on which no byte moved for this long ends; 0: never
	Conns int           // at most this many at once, more are closed on arrival; 0: no limit

	// Refuse is told of a connection over the limit before it is closed, and may
	// answer it. It must not block: no other is accepted meanwhile.
	Refuse func(net.Conn)
}

// Listener hands out connections with a progress deadline and remembers them.
type Listener struct {
	net.Listener
	limits Limits

	mu     sync.Mutex // guards conns and closed
	conns  map[*Conn]struct{}
	closed bool
}

// New wraps ln.
func New(ln net.Listener, limits Limits) *Listener {
	return &Listener{Listener: ln, limits: limits, conns: make(map[*Conn]struct{})}
}

// Accept implements net.Listener. A connection over the limit is closed at
// once and does not surface.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		nc, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c, full := l.track(nc)
		if c != nil {
			return c, nil
		}
		if full && l.limits.Refuse != nil {
			l.limits.Refuse(nc)
		}
		nc.Close() // over the limit or closing: nothing was promised to the peer yet
	}
}

func (l *Listener) track(nc net.Conn) (c *Conn, full bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	full = l.limits.Conns > 0 && len(l.conns) >= l.limits.Conns
	if l.closed || full {
		return nil, full
	}
	c = &Conn{Conn: nc, owner: l, idle: l.limits.Idle}
	l.conns[c] = struct{}{}
	return c, false
}

// Open is the number of connections open now.
func (l *Listener) Open() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.conns)
}

// Close stops accepting and ends every open connection.
func (l *Listener) Close() error {
	l.mu.Lock()
	l.closed = true
	open := make([]*Conn, 0, len(l.conns))
	for c := range l.conns {
		open = append(open, c)
	}
	l.mu.Unlock()
	err := l.Listener.Close()
	for _, c := range open {
		c.Close() // the peer sees the end of the connection; there is no one else to tell
	}
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// CloseListener stops accepting and leaves the open connections as they are.
func (l *Listener) CloseListener() error { return l.Listener.Close() }

// Conn is a connection whose read deadline moves with every byte.
type Conn struct {
	net.Conn
	owner *Listener // nil on a client's connection
	idle  time.Duration
	once  sync.Once

	interrupted atomic.Bool // reading ends with a deadline's error
}

// Interrupt ends a Read that waits, and those to come, with
// os.ErrDeadlineExceeded, until Resume.
func (c *Conn) Interrupt() error {
	c.interrupted.Store(true) // before the deadline: see Read
	return c.Conn.SetReadDeadline(time.Unix(1, 0))
}

// Resume lets Read read again. Nobody may be reading.
func (c *Conn) Resume() { c.interrupted.Store(false) }

// Client wraps a dialled connection: reading and writing fail when no byte
// moved for idle.
func Client(nc net.Conn, idle time.Duration) *Conn { return &Conn{Conn: nc, idle: idle} }

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	if c.idle > 0 {
		if err := c.Conn.SetReadDeadline(time.Now().Add(c.idle)); err != nil {
			return 0, err
		}
	}
	if c.interrupted.Load() { // after the deadline was moved, which undoes Interrupt's
		return 0, os.ErrDeadlineExceeded
	}
	return c.Conn.Read(p)
}

// Write implements net.Conn. A deadline that passes after some of p went out
// is progress, and a new one begins.
func (c *Conn) Write(p []byte) (int, error) {
	if c.idle <= 0 {
		return c.Conn.Write(p)
	}
	total := 0
	for {
		if err := c.Conn.SetWriteDeadline(time.Now().Add(c.idle)); err != nil {
			return total, err
		}
		n, err := c.Conn.Write(p[total:])
		total += n
		if n > 0 && errors.Is(err, os.ErrDeadlineExceeded) {
			continue
		}
		return total, err
	}
}

// SetReadDeadline is ignored on a listener's connection: go-smtp sets it once
// per command line, which would undo the progress deadline.
func (c *Conn) SetReadDeadline(t time.Time) error {
	if c.idle > 0 {
		return nil
	}
	return c.Conn.SetReadDeadline(t)
}

// SetWriteDeadline is ignored likewise.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	if c.idle > 0 {
		return nil
	}
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline is ignored likewise.
func (c *Conn) SetDeadline(t time.Time) error {
	if c.idle > 0 {
		return nil
	}
	return c.Conn.SetDeadline(t)
}

// Close implements net.Conn.
func (c *Conn) Close() error {
	c.once.Do(func() {
		if c.owner != nil {
			c.owner.mu.Lock()
			delete(c.owner.conns, c)
			c.owner.mu.Unlock()
		}
	})
	return c.Conn.Close()
}
