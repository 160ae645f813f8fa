package wire

import (
	"bytes"
	"errors"
	"io"
)

// ErrBareLine says that a message holds a CR or LF that is not part of CRLF.
// SMTP knows no such line end (RFC 5321 §2.3.8), and passing it on would let a
// message end early at a server that is more liberal (end-of-data smuggling).
var ErrBareLine = errors.New("bare CR or LF in message")

// maxFieldName bounds how much of a line is kept to recognise its name.
const maxFieldName = 998 // a whole line, RFC 5322 §2.1.1

// CleanReader passes a message through unchanged but for two things: header
// fields named Bcc and Resent-Bcc are cut out with their continuation lines,
// and a bare CR or LF ends reading with ErrBareLine. A message must begin with
// its header; after the first empty line nothing is cut. Nothing is parsed or
// written anew (RFC 5322 §3.6.3 asks that Bcc be removed before sending).
//
// It holds at most one field name and one read buffer.
type CleanReader struct {
	r   io.Reader
	buf []byte
	out []byte // ready to be handed out; part of buf or of name
	in  []byte // read, not yet looked at
	err error  // of r, kept until in is used up

	body     bool // the empty line has passed
	start    bool // at the start of a header line
	dropping bool // inside a field that is cut
	lastCR   bool // the byte before in[0] was CR
	name     []byte
	naming   bool // collecting name
	lineLen  int  // bytes of the present header line seen so far
}

// NewCleanReader returns a reader of r's message. The message must be the
// content of DATA with its dot-stuffing undone.
func NewCleanReader(r io.Reader) *CleanReader {
	return &CleanReader{r: r, buf: make([]byte, 32<<10), start: true, name: make([]byte, 0, 64)}
}

// Read implements io.Reader. Errors of the underlying reader are passed on
// unchanged.
func (c *CleanReader) Read(p []byte) (int, error) {
	for len(c.out) == 0 {
		if len(c.in) == 0 {
			if c.err != nil {
				return 0, c.finish()
			}
			n, err := c.r.Read(c.buf)
			c.in, c.err = c.buf[:n], err
			continue
		}
		if err := c.step(); err != nil {
			return 0, err
		}
	}
	n := copy(p, c.out)
	c.out = c.out[n:]
	return n, nil
}

// finish is reached once at the end of input.
func (c *CleanReader) finish() error {
	if errors.Is(c.err, io.EOF) && c.lastCR {
		return ErrBareLine
	}
	if len(c.name) > 0 && c.naming { // the message ends inside a field name
		c.out, c.naming, c.name = c.name, false, c.name[:0]
		return nil
	}
	return c.err
}

// step looks at some of in and makes out from it.
func (c *CleanReader) step() error {
	if c.body {
		if err := c.checkLines(c.in); err != nil {
			return err
		}
		c.out, c.in = c.in, nil
		return nil
	}
	if c.start && !c.naming {
		switch first := c.in[0]; {
		case (first == ' ' || first == '\t'):
			c.start = false // a continuation line shares its field's fate
		case first == '\r' || first == '\n':
			c.start, c.dropping = false, false
		default:
			c.start, c.dropping, c.naming, c.name = false, false, true, c.name[:0]
		}
		c.lineLen = 0
	}
	if c.naming {
		return c.collectName()
	}
	return c.restOfLine()
}

// collectName gathers bytes up to the colon, then decides.
func (c *CleanReader) collectName() error {
	for i, b := range c.in {
		if b == ':' || b == '\r' || b == '\n' || len(c.name)+i == maxFieldName {
			c.name = append(c.name, c.in[:i]...)
			c.in = c.in[i:]
			c.naming = false
			c.dropping = b == ':' && isBcc(c.name)
			c.lineLen = len(c.name)
			if !c.dropping {
				c.out = c.name
			}
			return nil
		}
	}
	c.name = append(c.name, c.in...)
	c.in = nil
	return nil
}

// restOfLine hands out, or drops, up to and including the next LF.
func (c *CleanReader) restOfLine() error {
	end := bytes.IndexByte(c.in, '\n')
	part := c.in
	if end >= 0 {
		part = c.in[:end+1]
	}
	if err := c.checkLines(part); err != nil {
		return err
	}
	c.in = c.in[len(part):]
	c.lineLen += len(part)
	if end >= 0 {
		c.start = true
		if c.lineLen == 2 { // only CRLF: the header has ended
			c.body = true
		}
	}
	if !c.dropping {
		c.out = part
	}
	return nil
}

// checkLines holds that CR and LF come in pairs only.
func (c *CleanReader) checkLines(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	if c.lastCR != (b[0] == '\n') {
		return ErrBareLine
	}
	for i := 0; i < len(b); {
		j := bytes.IndexByte(b[i:], '\n')
		seg := b[i:]
		if j >= 0 {
			seg = b[i : i+j]
			if i+j > 0 && b[i+j-1] != '\r' {
				return ErrBareLine
			}
			// i+j == 0 was settled by lastCR above
			seg = bytes.TrimSuffix(seg, []byte{'\r'})
		} else if seg[len(seg)-1] == '\r' {
			seg = seg[:len(seg)-1]
		}
		if bytes.IndexByte(seg, '\r') >= 0 {
			return ErrBareLine
		}
		if j < 0 {
			break
		}
		i += j + 1
	}
	c.lastCR = b[len(b)-1] == '\r'
	return nil
}

// isBcc accepts white space before the colon (obsolete syntax, RFC 5322
// §4.5), because servers that read it so would show the field.
func isBcc(name []byte) bool {
	name = bytes.TrimRight(name, " \t")
	return bytes.EqualFold(name, []byte("Bcc")) || bytes.EqualFold(name, []byte("Resent-Bcc"))
}
