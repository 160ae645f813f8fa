package apptest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// Step is a point of the dialogue at which the relay can be told to behave.
type Step string

// The steps, in the order of a session.
const (
	Banner   Step = "banner"
	EHLO     Step = "ehlo"
	StartTLS Step = "starttls"
	TLS      Step = "tls" // in place of the handshake
	Auth     Step = "auth"
	Mail     Step = "mail"
	Rcpt     Step = "rcpt"
	Data     Step = "data" // the command
	Body     Step = "body" // while the message comes
	Dot      Step = "dot"  // after its end
	Rset     Step = "rset"
	Noop     Step = "noop"
	Quit     Step = "quit"
)

// Behaviour is what the relay does at a step in place of, or around, the usual.
// It returns whether the dialogue goes on.
type Behaviour func(c *conversation, usual func() reply) bool

// reply is a code with its text; code 0 says nothing.
type reply struct {
	code int
	text string
}

// Usual does what the relay does without a script.
func Usual() Behaviour {
	return func(c *conversation, usual func() reply) bool { return c.say(usual()) }
}

// Answer gives another answer. Codes 2yz and 3yz take effect as usual, others
// have none; after a 421 the connection is closed (RFC 5321 §3.8).
func Answer(code int, text string) Behaviour {
	return func(c *conversation, usual func() reply) bool {
		if code < 400 {
			usual()
		}
		return c.say(reply{code, text}) && code != 421
	}
}

// Silent reads on and never answers.
func Silent() Behaviour {
	return func(c *conversation, _ func() reply) bool {
		io.Copy(io.Discard, c.reader()) // until the client or the test ends it
		return false
	}
}

// StopReading neither reads nor answers.
func StopReading() Behaviour {
	return func(c *conversation, _ func() reply) bool {
		<-c.relay.done
		return false
	}
}

// HangUp closes the connection in place of an answer, with no effect.
func HangUp() Behaviour {
	return func(*conversation, func() reply) bool { return false }
}

// Reset ends the connection with RST in place of an answer, with no effect.
func Reset() Behaviour {
	return func(c *conversation, _ func() reply) bool {
		switch nc := c.raw.(type) {
		case *net.TCPConn:
			nc.SetLinger(0) // the close that follows sends RST
		case *buffered:
			nc.cut()
		}
		return false
	}
}

// EffectThenHangUp takes effect as usual and closes without the answer: a lost
// 250, where it stands at Dot.
func EffectThenHangUp() Behaviour {
	return func(_ *conversation, usual func() reply) bool {
		usual()
		return false
	}
}

// ThenHangUp closes the connection behind what b does.
func ThenHangUp(b Behaviour) Behaviour {
	return func(c *conversation, usual func() reply) bool {
		b(c, usual)
		return false
	}
}

// ThenStopReading neither reads nor answers behind what b does.
func ThenStopReading(b Behaviour) Behaviour {
	return func(c *conversation, usual func() reply) bool {
		return b(c, usual) && StopReading()(c, usual)
	}
}

// AnswerTooLate takes effect as usual and answers when the client has gone.
func AnswerTooLate() Behaviour {
	return func(c *conversation, usual func() reply) bool {
		r := usual()
		io.Copy(io.Discard, c.reader())
		c.say(r)
		return false
	}
}

// Slow does the usual after d.
func Slow(d time.Duration) Behaviour {
	return func(c *conversation, usual func() reply) bool {
		select {
		case <-time.After(d):
		case <-c.relay.done:
		}
		return c.say(usual())
	}
}

// Drip does the usual and answers byte by byte, each after gap.
func Drip(gap time.Duration) Behaviour {
	return func(c *conversation, usual func() reply) bool {
		c.last = usual()
		for _, b := range []byte(c.last.lines()) {
			select {
			case <-time.After(gap):
			case <-c.relay.done:
				return false
			}
			if c.last.code != 0 && !c.write(string([]byte{b})) {
				return false
			}
		}
		return true
	}
}

// Garbage sends a line that is not SMTP, with no effect.
func Garbage() Behaviour {
	return Raw("<html>sign in first</html>\r\n")
}

// Raw sends bytes as they are, with no effect, and goes on.
func Raw(s string) Behaviour {
	return func(c *conversation, _ func() reply) bool { return c.write(s) }
}

// HangUpAfter closes the connection after n bytes of a message; for Body.
func HangUpAfter(n int64) Behaviour {
	return func(c *conversation, _ func() reply) bool {
		io.CopyN(io.Discard, c.reader(), n)
		return false
	}
}

// AnswerEarly answers after n bytes of a message; for Body, inside ThenHangUp or
// ThenStopReading.
func AnswerEarly(n int64, code int, text string) Behaviour {
	return func(c *conversation, _ func() reply) bool {
		io.CopyN(io.Discard, c.reader(), n)
		return c.say(reply{code, text})
	}
}

// lines is a reply as it goes over the wire; a text of several lines becomes a
// reply of several lines (RFC 5321 §4.2.1).
func (r reply) lines() string {
	if r.text == "" {
		return fmt.Sprintf("%d\r\n", r.code)
	}
	var out strings.Builder
	texts := strings.Split(r.text, "\n")
	for i, t := range texts {
		sep := "-"
		if i == len(texts)-1 {
			sep = " "
		}
		fmt.Fprintf(&out, "%d%s%s\r\n", r.code, sep, t)
	}
	return out.String()
}

// ReadSlowly takes what the client sends in one write, then nothing for d, and so
// on until the message has ended; for Body.
func ReadSlowly(d time.Duration) Behaviour {
	return func(c *conversation, usual func() reply) bool {
		fast := c.br
		c.br = bufio.NewReaderSize(slowReader{c, d}, 32<<10)
		r := usual()
		c.br = fast
		return c.say(r)
	}
}

type slowReader struct {
	c *conversation
	d time.Duration
}

// Read implements io.Reader.
func (s slowReader) Read(p []byte) (int, error) {
	select {
	case <-time.After(s.d):
	case <-s.c.relay.done:
	}
	return s.c.nc.Read(p)
}
