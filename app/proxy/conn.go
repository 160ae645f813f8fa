package proxy

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

const (
	readSize  = 32 << 10    // read buffer of a connection
	writeSize = 16 << 10    // replies gathered at most
	patience  = time.Second // for a client that does not read, at stop
)

// conn stands between go-smtp and the network, because go-smtp has no hooks
// for what is needed here:
//
//   - It hands out at most one line for each Read. After a command go-smtp's
//     own buffer is therefore empty: the data after DATA can be read from here
//     in blocks (dotReader), commands pipelined behind QUIT or an error are
//     never executed, and a browser is recognised by its first line.
//   - Replies are gathered and written before the next wait for the client
//     (RFC 2920 §3.2), so that 50,000 pipelined RCPTs are not 50,000 packets.
//   - It says 421 when the server stops, and remembers that the stream ended,
//     because go-smtp takes the end of the connection inside BDAT for the end
//     of the message.
//
// Read, Write, Close and the fields before mu belong to the goroutine that
// go-smtp runs for the connection; a dotReader runs on it too.
type conn struct {
	net.Conn          // the TLS connection, or raw
	raw      net.Conn // with the idle limit
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
	lineBegun bool   // the last thing handed out did not end a line
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

func (s *Server) newConn(upper, raw net.Conn, p *place) *conn {
	c := &conn{Conn: upper, raw: raw, s: s, place: p, secure: p.secure, buf: make([]byte, readSize), gone: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns[c] = struct{}{}
	c.moving, c.mustAuth = p.gone, s.mustAuth.Load()
	return c
}

// Read implements net.Conn for go-smtp: at most one line.
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
		if err := c.fill(); err != nil {
			return 0, err
		}
	}
	if !c.greeted && !c.lineBegun {
		if err := c.firstWord(); err != nil {
			return 0, err
		}
	}
	line := c.buf[c.r:c.w]
	if i := bytes.IndexByte(line, '\n'); i >= 0 {
		line = line[:i+1]
	}
	if !c.lineBegun && len(line) > 6 && bytes.EqualFold(line[:6], []byte("BDAT 0")) {
		c.empty = true
	}
	n := copy(p, line)
	c.r += n
	c.lineBegun = n > 0 && line[n-1] != '\n'
	return n, nil
}

// httpVerbs begin what browsers send: a web page can make them post to any
// local port, and the body could hold SMTP commands.
var httpVerbs = []string{"GET ", "POST ", "HEAD ", "PUT ", "DELETE ", "OPTIONS ", "CONNECT ", "TRACE ", "PATCH ", "PRI "}

// firstWord looks at the beginning of a command before the greeting.
func (c *conn) firstWord() error {
	const longest = len("OPTIONS ")
	for c.w-c.r < longest && bytes.IndexByte(c.buf[c.r:c.w], '\n') < 0 {
		if err := c.fill(); err != nil {
			return err
		}
	}
	word := strings.ToUpper(string(c.buf[c.r:min(c.w, c.r+longest)]))
	for _, v := range httpVerbs {
		if strings.HasPrefix(word, v) {
			c.s.log.Warn("a web browser was turned away")
			c.end(io.EOF)
			c.Conn.Close()
			return io.EOF
		}
	}
	c.extended = strings.HasPrefix(word, "EHLO")
	return nil
}

// fill reads once more from the network, behind what is in buf. Before it
// waits, the replies go out.
func (c *conn) fill() error {
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
		return c.fill()
	}
	n, err := c.Conn.Read(c.buf[c.w:])
	if c.leave() { // stop has said goodbye meanwhile
		err, n = io.EOF, 0
	}
	c.w += n
	if err != nil {
		c.end(err)
		if n == 0 {
			return c.fill()
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
	c.out = append(c.out, p...)
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

// due says that the connection is to end and nothing is in hand. The caller
// holds mu.
func (c *conn) due() bool {
	return c.messages == 0 && (c.stopping || c.moving && !c.open)
}

// setOpen says whether a transaction is open.
func (c *conn) setOpen(open bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open = open
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

// leaving is asked before each command: it says 421 when the server stops.
func (c *conn) leaving() bool {
	c.mu.Lock()
	stop, hangUp := c.due() && !c.hangUp, c.hangUp
	if stop {
		c.hangUp, c.farewell = true, farewell(Stopping)
	}
	words := c.farewell
	c.farewell = ""
	c.mu.Unlock()
	if !stop && !hangUp {
		return false
	}
	c.out = append(c.out, words...)
	_ = c.flush() // the client may be gone already
	return true
}

// hang ends the connection after the reply in hand, with another line if there
// is something to say.
func (c *conn) hang(words string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.hangUp {
		c.hangUp, c.farewell = true, words
	}
}

// farewell is a 421 that answers no command (RFC 5321 §3.8).
func farewell(p Problem) string {
	r := replies[p]
	return fmt.Sprintf("%d %d.%d.%d %s\r\n", r.Code, r.EnhancedCode[0], r.EnhancedCode[1], r.EnhancedCode[2], r.Message)
}

// stop ends the connection politely: at once when the client is waited for,
// otherwise after the command or the message in hand. A client that does not
// read its reply gets a moment, so that it cannot hold up the end. It may be
// called from any goroutine.
func (c *conn) stop() {
	if c.tryStop(false) {
		return
	}
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-c.gone:
	case <-t.C:
		c.tryStop(true)
	}
}

// tryStop does what can be done now; false means that a reply is being written.
func (c *conn) tryStop(cut bool) bool {
	c.mu.Lock()
	c.stopping = true
	say := c.phase == reading && c.messages == 0
	stuck := c.phase == writing && c.messages == 0
	if say {
		c.hangUp = true
	}
	c.mu.Unlock()
	if say {
		// Nobody else writes: the connection's goroutine waits in Read, and
		// finds hangUp when it wakes. The write ends with the idle limit, or
		// when the grace has passed.
		_, _ = io.WriteString(c.Conn, farewell(Stopping))
	}
	if say || stuck && cut {
		c.Conn.Close()
	}
	return !stuck
}

// move ends a connection whose address was given up. There is no hurry: a
// transaction that MAIL has begun comes to its end first, and a client that
// does not read its reply is left to the idle limit. It may be called from any
// goroutine.
func (c *conn) move() {
	c.mu.Lock()
	c.moving = true
	say := c.phase == reading && c.due() && !c.hangUp
	if say {
		c.hangUp = true
	}
	c.mu.Unlock()
	if say {
		_, _ = io.WriteString(c.Conn, farewell(Stopping)) // as in tryStop
		c.Conn.Close()
	}
}

// kill ends the connection without a word.
func (c *conn) kill() { c.raw.Close() }

// take and taken frame a message: while one is in hand, stop waits for it.
func (c *conn) take() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.messages++
}

func (c *conn) taken() {
	c.mu.Lock()
	c.messages--
	again := c.stopping && c.messages == 0 && c.phase != working
	c.mu.Unlock()
	if again { // the server stops, and go-smtp waits for the next command
		c.tryStop(false)
	}
}

// hasEnded says that the stream's end was reported to a reader: whatever it
// was reading is not whole.
func (c *conn) hasEnded() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended || c.closed
}
