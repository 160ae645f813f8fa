package proxy

import (
	"io"
	"time"
)

const patience = time.Second // for a client that does not read, at stop

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

// leaving is asked before each command: it says 421 when the server stops.
func (c *conn) leaving() bool {
	c.mu.Lock()
	stop, hangUp := c.due() && !c.hangUp, c.hangUp
	if stop {
		c.hangUp, c.farewell = true, replyLine(Stopping)
	}
	words := c.farewell
	c.farewell = ""
	// go-smtp takes the end of the stream inside a chunk for the chunk's end,
	// and may not have begun the message when stop found none in hand.
	c.ended = c.ended || stop || hangUp
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
		_, _ = io.WriteString(c.Conn, replyLine(Stopping))
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
		_, _ = io.WriteString(c.Conn, replyLine(Stopping)) // as in tryStop
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
