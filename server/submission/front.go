package submission

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
)

// maxBad is how many lines that are no commands a client may send before TLS.
const maxBad = 10

var errFront = errors.New("client left before TLS")

// front speaks with the client until STARTTLS (RFC 3207). Nothing but that is
// to be had in the clear, and nothing that was said is remembered.
func (c *conn) front() error {
	c.say(fmt.Sprintf("220 %s ESMTP Service Ready", c.srv.cfg.Hostname))
	for bad := 0; bad < maxBad; {
		text, err := c.readLine()
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				c.say("421 4.4.2 Nothing was said for too long") // RFC 5321 §4.5.3.2.7
			}
			return err
		}
		verb, arg, _ := strings.Cut(text, " ")
		switch strings.ToUpper(verb) {
		case "EHLO", "HELO":
			c.hello(strings.ToUpper(verb), strings.TrimSpace(arg))
		case "NOOP", "RSET":
			c.say("250 2.0.0 OK")
		case "QUIT":
			c.say("221 2.0.0 Bye")
			return errFront
		case "STARTTLS":
			return c.upgrade()
		case "BDAT": // its data follow unasked
			c.say(line(errNoTLS))
			return errFront
		case "AUTH", "MAIL", "RCPT", "DATA", "VRFY", "EXPN", "HELP":
			c.say(line(errNoTLS))
		default:
			bad++
			c.say("500 5.5.2 Bad command")
		}
	}
	return errFront
}

func (c *conn) hello(verb, name string) {
	switch {
	case name == "":
		c.say("501 5.5.4 Say who you are")
	case verb == "HELO":
		c.say("250 " + c.srv.cfg.Hostname)
	default:
		c.say(fmt.Sprintf("250-%s\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n250-SIZE %d\r\n250 STARTTLS",
			c.srv.cfg.Hostname, int64(c.srv.cfg.MaxMessage)))
	}
}

// upgrade answers STARTTLS. What was sent behind it in the clear could be
// anybody's (CVE-2011-0411), so it ends the connection.
func (c *conn) upgrade() error {
	if c.r != c.w {
		c.say("501 5.5.1 Nothing may follow STARTTLS before TLS")
		return errFront
	}
	c.say("220 2.0.0 Ready to start TLS")
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.flush()
	c.stream = nil
	return err
}

// say adds a reply to what will be written.
func (c *conn) say(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out = append(append(c.out, text...), "\r\n"...)
}

// readLine reads a command; one that fills the buffer ends the connection.
func (c *conn) readLine() (string, error) {
	var text []byte
	for len(text) < readSize {
		if c.r == c.w {
			if err := c.Fill(); err != nil {
				return "", err
			}
		}
		rest := c.buf[c.r:c.w]
		i := bytes.IndexByte(rest, '\n')
		if i >= 0 {
			c.r += i + 1
			return strings.TrimRight(string(append(text, rest[:i]...)), "\r "), nil
		}
		text = append(text, rest...)
		c.r = c.w
	}
	c.say("500 5.5.2 Line too long")
	return "", errFront
}
