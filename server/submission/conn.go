package submission

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
)

const (
	readSize         = 32 << 10
	writeSize        = 16 << 10 // replies gathered at most
	handshakeTimeout = time.Minute
)

// conn stands between go-smtp and the network. go-smtp sees a connection that
// begins after TLS; the dialogue before STARTTLS is had here (front.go), so
// that nothing said in the clear can reach a session. And it lacks hooks for
// what else is done here:
//
//   - One line is handed out for each Read, so that go-smtp's buffer is empty
//     after a command: the message behind DATA is read from here in blocks
//     (smtpdata), and what is pipelined behind QUIT is never executed.
//   - Replies are gathered until the next wait for the client (RFC 2920 §3.2):
//     50 pipelined RCPTs are answered with one packet.
//   - The end of the stream is remembered, because go-smtp takes a connection
//     that ends inside BDAT for the end of the message.
//   - A BDAT transaction that does not end with 250 ends the connection. go-smtp
//     does not wait for its goroutine when it is given up, and would take that
//     one's late result for the answer to the next message.
//   - A server that stops says 421 here.
//
// Read, Write and the fields before mu belong to the goroutine that go-smtp
// runs for the connection.
type conn struct {
	net.Conn // raw, with the idle limit
	srv      *Server
	startTLS bool
	begun    bool // the first Write has come
	buf      []byte
	r, w     int    // buf[r:w] is read and not handed out
	feed     []byte // handed to go-smtp before anything else

	mu       sync.Mutex // guards what follows
	stream   net.Conn   // raw or TLS; nil while nothing may be written (handshake)
	out      []byte     // replies not written yet
	busy     bool       // in a transaction
	chunked  bool       // it may be one with BDAT
	stopping bool
	ended    bool // the client will say no more
	closed   bool
}

func newConn(s *Server, raw net.Conn, startTLS bool) *conn {
	c := &conn{Conn: raw, srv: s, startTLS: startTLS, buf: make([]byte, readSize)}
	if startTLS {
		c.stream = raw
	}
	return c
}

// begin does what comes before SMTP over TLS.
func (c *conn) begin() error {
	if c.startTLS {
		if err := c.front(); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), handshakeTimeout) // at stop the raw connection is closed
	defer cancel()
	t := tls.Server(c.Conn, c.srv.cfg.Certificate)
	if err := t.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("TLS handshake: %w", err)
	}
	c.setStream(t)
	return nil
}

func (c *conn) setStream(stream net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stream = stream
}

// Write implements net.Conn for go-smtp. The first write is its greeting, and
// the occasion to begin; behind STARTTLS no second greeting follows (RFC 3207
// §4.2).
func (c *conn) Write(p []byte) (int, error) {
	if !c.begun {
		c.begun = true
		if err := c.begin(); err != nil {
			return 0, errors.Join(err, c.Close())
		}
		if c.startTLS {
			return len(p), nil
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out = append(c.out, p...)
	if len(c.out) >= writeSize {
		return len(p), c.flush()
	}
	return len(p), nil
}

// flush writes the gathered replies; mu is held.
func (c *conn) flush() error {
	if c.closed || c.stream == nil {
		return net.ErrClosed
	}
	if len(c.out) == 0 {
		return nil
	}
	_, err := c.stream.Write(c.out)
	c.out = c.out[:0]
	return err
}

// Read implements net.Conn for go-smtp: at most one line.
func (c *conn) Read(p []byte) (int, error) {
	if len(c.feed) > 0 {
		n := copy(p, c.feed)
		c.feed = c.feed[n:]
		return n, nil
	}
	if c.r == c.w {
		if err := c.Fill(); err != nil {
			return 0, err
		}
	}
	line := c.buf[c.r:c.w]
	if i := bytes.IndexByte(line, '\n'); i >= 0 {
		line = line[:i+1]
	}
	if !c.look(line) {
		return 0, io.EOF
	}
	n := copy(p, line)
	c.r += n
	return n, nil
}

// look notices BDAT in a line that may be a command, and says whether the
// connection still is open.
func (c *conn) look(line []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(line) > 4 && bytes.EqualFold(line[:4], []byte("BDAT")) {
		c.chunked = true // a line inside a chunk may look so, which changes nothing
	}
	return !c.closed
}

// Buffered implements smtpdata.Source.
func (c *conn) Buffered() []byte { return c.buf[c.r:c.w] }

// Discard implements smtpdata.Source.
func (c *conn) Discard(n int) { c.r += n }

// Fill implements smtpdata.Source: it waits for the client, after telling it
// what there is to tell. The buffer is never full here: callers want a few
// octets more at most.
func (c *conn) Fill() error {
	c.mu.Lock()
	err := c.flush()
	stream := c.stream
	c.mu.Unlock()
	if err != nil {
		return io.EOF // the client cannot be told any more, so it is gone
	}
	c.w = copy(c.buf, c.buf[c.r:c.w])
	c.r = 0
	var n int
	for n == 0 && err == nil { // io.Reader allows it, and callers want octets
		n, err = stream.Read(c.buf[c.w:])
	}
	c.w += n
	if n > 0 {
		return nil // an error comes again
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	return err
}

// whole reads r, and makes the end of the connection an error.
type whole struct {
	r io.Reader
	c *conn
}

// Read implements io.Reader.
func (w whole) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if err == io.EOF && w.c.hasEnded() {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (c *conn) hasEnded() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended
}

// occupy begins a transaction, unless the server is stopping.
func (c *conn) occupy() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy = !c.stopping
	return c.busy
}

// release ends a transaction, of which the reply is written already.
func (c *conn) release(accepted bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy = false
	switch {
	case c.stopping:
		c.goodbye(errStopping)
	case c.chunked && !accepted:
		c.goodbye(errReconnect)
	}
	c.chunked = false
}

// stop ends the connection, after its transaction if it is in one.
func (c *conn) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopping = true
	if !c.busy {
		c.goodbye(errStopping)
	}
}

// goodbye says why (421, RFC 5321 §3.8) and closes; mu is held. A client that
// is gone need not be told, so errors are nobody's business.
func (c *conn) goodbye(why *smtp.SMTPError) {
	if !c.closed && c.stream != nil {
		c.out = fmt.Appendf(c.out, "%s\r\n", line(why))
		_ = c.flush()
	}
	_ = c.shut()
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.srv.leave(c)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed && c.stream != nil {
		_ = c.flush() // as in goodbye
	}
	return c.shut()
}

// shut closes what is open; mu is held.
func (c *conn) shut() error {
	if c.closed {
		return nil
	}
	c.closed = true
	if c.stream != nil {
		return c.stream.Close()
	}
	return c.Conn.Close()
}
