package proxy

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"sync"
)

const (
	readSize  = 32 << 10 // read buffer of a connection
	writeSize = 16 << 10 // replies gathered at most
)

// conn stands between go-smtp and the network, because go-smtp has no hooks
// for what is needed here:
//
//   - It hands out one command line for each Read, when it is whole. After a
//     command go-smtp's own buffer is therefore empty: the data after DATA can
//     be read from here in blocks (smtpdata), commands pipelined behind QUIT
//     or an error are never executed, nor is one that the end of the stream has
//     cut, and what is no mail program is recognised by its first octets.
//   - It counts the octets of BDAT, which are no lines.
//   - It adds to and corrects reply lines (amend).
//   - Replies are gathered and written before the next wait for the client
//     (RFC 2920 §3.2), so that 50,000 pipelined RCPTs are not 50,000 packets.
//   - It says 421 when the server stops, and remembers that the stream ended,
//     because go-smtp takes the end of the connection inside BDAT for the end
//     of the message.
//
// Read, Write, Close and the fields before mu belong to the goroutine that
// go-smtp runs for the connection; smtpdata runs on it too.
type conn struct {
	net.Conn          // the TLS connection, or raw
	raw      net.Conn // with the idle limit
	peeked   *peeked  // between the two; nil without TLS
	s        *Server
	place    *place // where it came in
	secure   bool
	mustAuth bool // from its beginning: what is let in without a password elsewhere later is no matter of this connection

	buf       []byte
	r, w      int // buf[r:w] is read and not handed out
	readErr   error
	out       []byte // replies not written yet
	writeErr  error
	feed      []byte // handed to go-smtp before anything else
	chunk     int64  // octets of a BDAT that are still to come
	huge      bool   // the command announces a size beyond all bounds
	lineBegun bool   // the last thing handed out did not end a line
	shaken    bool   // the TLS handshake was begun
	greeted   bool   // HELO or EHLO was seen
	extended  bool   // it was EHLO
	empty     bool   // a BDAT without octets was seen since the last reset

	gone chan struct{} // closed by Close

	mu       sync.Mutex // guards what follows
	phase    phase
	messages int    // being taken now: 0 or 1, or more while a broken off BDAT winds down
	stopping bool   // say 421 at the next chance
	moving   bool   // likewise, when no transaction is open
	open     bool   // MAIL has begun a transaction
	hangUp   bool   // end after the reply in hand
	farewell string // said before that
	ended    bool   // somebody was told that no more will come
	closed   bool
}

// phase is what the connection's goroutine does.
type phase int

const (
	working phase = iota
	reading
	writing
)

func (s *Server) newConn(raw net.Conn, p *place) *conn {
	c := &conn{Conn: raw, raw: raw, s: s, place: p, secure: p.secure, buf: make([]byte, readSize), gone: make(chan struct{})}
	if p.secure {
		c.peeked = &peeked{Conn: raw}
		c.Conn = tls.Server(c.peeked, p.tls)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns[c] = struct{}{}
	c.moving, c.mustAuth = p.gone, s.mustAuth.Load()
	return c
}

// Read implements net.Conn for go-smtp: one command line, or octets of BDAT.
func (c *conn) Read(p []byte) (int, error) {
	if len(c.feed) > 0 {
		n := copy(p, c.feed)
		c.feed = c.feed[n:]
		return n, nil
	}
	if c.leaving() {
		return 0, io.EOF
	}
	if c.r == c.w {
		if err := c.Fill(); err != nil {
			return 0, err
		}
	}
	if c.chunk > 0 {
		n := copy(p, c.buf[c.r:min(int64(c.w), int64(c.r)+c.chunk)])
		c.r += n
		c.chunk -= int64(n)
		return n, nil
	}
	if !c.lineBegun {
		if err := c.command(); err != nil {
			return 0, err
		}
	}
	line := c.buf[c.r:c.w]
	if i := bytes.IndexByte(line, '\n'); i >= 0 {
		line = line[:i+1]
	}
	n := copy(p, line)
	c.r += n
	c.lineBegun = n > 0 && line[n-1] != '\n'
	return n, nil
}

// Buffered implements smtpdata.Source.
func (c *conn) Buffered() []byte { return c.buf[c.r:c.w] }

// Discard implements smtpdata.Source.
func (c *conn) Discard(n int) { c.r += n }

// Fill implements smtpdata.Source: it reads once more from the network, behind
// what is in buf. Before it waits, the replies go out.
func (c *conn) Fill() error {
	if c.readErr == nil && c.secure && !c.shaken {
		c.shaken = true
		if err := c.handshake(); err != nil {
			c.end(err)
		}
	}
	if c.readErr == nil {
		if err := c.flush(); err != nil {
			c.end(err)
		}
	}
	if c.readErr != nil {
		c.mu.Lock()
		c.ended = true
		c.mu.Unlock()
		return c.readErr
	}
	// The buffer is never full here: callers want a few octets more at most.
	if c.r > 0 {
		c.w = copy(c.buf, c.buf[c.r:c.w])
		c.r = 0
	}
	if !c.enter(reading) { // stop came since the last command
		c.leaving()
		c.end(io.EOF)
		return c.Fill()
	}
	n, err := c.Conn.Read(c.buf[c.w:])
	if c.leave() { // stop has said goodbye meanwhile
		err, n = io.EOF, 0
	}
	c.w += n
	if n == 0 && err == nil { // io.Reader allows it, and callers want octets
		return c.Fill()
	}
	if err != nil {
		c.lookAtAlert(err)
		c.end(err)
		if n == 0 {
			return c.Fill()
		}
	}
	return nil
}

// end keeps the first reason why nothing more can be read.
func (c *conn) end(err error) {
	if c.readErr == nil {
		c.readErr = err
	}
}

// Write implements net.Conn for go-smtp, which calls it once for each reply
// line.
func (c *conn) Write(p []byte) (int, error) {
	if c.writeErr != nil {
		return 0, c.writeErr
	}
	c.out = append(c.out, c.amend(p)...)
	if len(c.out) >= writeSize {
		if err := c.flush(); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

func (c *conn) flush() error {
	if c.writeErr != nil || len(c.out) == 0 {
		return c.writeErr
	}
	c.enter(writing)
	_, c.writeErr = c.Conn.Write(c.out)
	c.leave()
	c.out = c.out[:0]
	return c.writeErr
}

// Close implements net.Conn for go-smtp.
func (c *conn) Close() error {
	c.mu.Lock()
	first := !c.closed
	c.closed = true
	c.mu.Unlock()
	if !first {
		return nil
	}
	_ = c.flush() // the last reply; a client that is gone does not miss it
	c.end(net.ErrClosed)
	c.r, c.w, c.feed = 0, 0, nil // go-smtp reads on after QUIT; what was pipelined behind it is not executed
	c.s.mu.Lock()
	delete(c.s.conns, c)
	c.s.mu.Unlock()
	close(c.gone)
	return c.Conn.Close()
}

// enter announces a wait for the network; false means that stop was called and
// there is nothing to wait for.
func (c *conn) enter(p phase) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p == reading && c.due() {
		return false
	}
	c.phase = p
	return true
}

// leave ends a wait. It reports whether stop ended the connection meanwhile.
func (c *conn) leave() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.phase = working
	return c.hangUp
}

// hasEnded says that the stream's end was reported to a reader: whatever it
// was reading is not whole.
func (c *conn) hasEnded() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended || c.closed
}
