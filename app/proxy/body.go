package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"servicesmtp.net/companion/app/mail"
)

// Lines, for commands and in messages. Long lines of HTML are normal; the
// relay's limit is the same, so no message is taken here that it refuses. One
// octet is kept for a dot that stuffing adds.
const (
	maxLine     = 1_000_000
	maxTextLine = maxLine - 1
)

var (
	errTooLarge = errors.New("message is larger than allowed")
	errLongLine = errors.New("message has a line that is too long")
	errLost     = errors.New("connection ended inside the message")
)

// dotReader reads the data after DATA and undoes dot-stuffing (RFC 5321
// §4.5.2). It replaces go-smtp's reader, which goes byte by byte and costs
// several times as much as everything else together for a message of 100 KB.
//
// Only CRLF "." CRLF ends the data; every other mix of CR, LF and dot is
// content, which wire.CleanReader then refuses.
type dotReader struct {
	c      *conn
	start  bool // at the start of a line
	lastCR bool // the last octet was CR
	done   bool // the end was read, so err is io.EOF
	err    error
}

// newDotReader relies on conn.Read: go-smtp's buffer is empty after the line
// "DATA", so the message begins in c.buf.
func newDotReader(c *conn) *dotReader { return &dotReader{c: c, start: true} }

// Read implements io.Reader. The end of the connection is errLost.
func (d *dotReader) Read(p []byte) (int, error) {
	if d.err == nil {
		d.err = d.need(1)
	}
	if d.err == nil && d.start && d.c.buf[d.c.r] == '.' {
		d.err = d.dot()
	}
	if d.err != nil || len(p) == 0 {
		return 0, d.err
	}
	in := d.c.buf[d.c.r:d.c.w]
	if len(in) > len(p) {
		in = in[:len(p)]
	}
	if d.lastCR && in[0] == '\n' {
		in = in[:1] // the next line may begin with a dot
	} else if i := bytes.Index(in, []byte("\r\n.")); i >= 0 {
		in = in[:i+2]
	}
	n := copy(p, in)
	d.c.r += n
	d.start = in[n-1] == '\n' && (n > 1 && in[n-2] == '\r' || n == 1 && d.lastCR)
	d.lastCR = in[n-1] == '\r'
	return n, nil
}

// dot is at a dot that begins a line: it is the end, or one to leave out.
func (d *dotReader) dot() error {
	c := d.c
	d.start, d.lastCR = false, false
	if err := d.need(2); err != nil {
		return err
	}
	if c.buf[c.r+1] == '\r' {
		if err := d.need(3); err != nil {
			return err
		}
		if c.buf[c.r+2] == '\n' {
			c.r += 3
			d.done = true
			return io.EOF
		}
	}
	c.r++
	return nil
}

// need reads until n octets are in the buffer.
func (d *dotReader) need(n int) error {
	for d.c.w-d.c.r < n {
		if err := d.c.fill(); err != nil {
			return fmt.Errorf("%w: %w", errLost, err)
		}
	}
	return nil
}

// finish reads to the end of the data and gives go-smtp, whose own reader saw
// nothing, an end of data to find.
func (d *dotReader) finish() {
	_, _ = io.Copy(io.Discard, d) // an error means that there is no end to find
	if d.done {
		d.c.feed = []byte(".\r\n")
	}
}

// chunkReader reads the data of BDAT. go-smtp passes the end of the connection
// inside the last chunk on as the end of the message; it is not.
type chunkReader struct {
	r io.Reader
	c *conn
}

// Read implements io.Reader.
func (k chunkReader) Read(p []byte) (int, error) {
	n, err := k.r.Read(p)
	switch {
	case errors.Is(err, io.EOF) && !k.c.hasEnded():
		return n, io.EOF
	case err != nil:
		return n, fmt.Errorf("%w: %w", errLost, err)
	}
	return n, nil
}

// limiter ends reading with errTooLarge or errLongLine.
type limiter struct {
	r    io.Reader
	max  mail.ByteSize // 0: no limit
	read mail.ByteSize
	line int // octets of the present line so far
}

// Read implements io.Reader. The size is counted as in RFC 1870 §3: with line
// ends, without dots added by stuffing.
func (l *limiter) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	l.read += mail.ByteSize(n)
	if l.max > 0 && l.read > l.max {
		return 0, errTooLarge
	}
	// Blocks are far shorter than a line may be: only their ends matter.
	b := p[:n]
	if first := bytes.IndexByte(b, '\n'); first >= 0 {
		if l.line+first+1 > maxTextLine {
			return 0, errLongLine
		}
		l.line = n - 1 - bytes.LastIndexByte(b, '\n')
	} else {
		l.line += n
	}
	if l.line > maxTextLine {
		return 0, errLongLine
	}
	return n, err
}

// sink counts what is written, remembers how it ended, and looks for letters
// beyond ASCII in the header.
type sink struct {
	w    io.Writer
	n    mail.ByteSize
	tail [2]byte
	body bool // the empty line has passed
	line int  // octets of the present header line
	utf8 bool // the header is not ASCII
}

// Write implements io.Writer.
func (s *sink) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	s.n += mail.ByteSize(n)
	switch {
	case n >= 2:
		s.tail = [2]byte(p[n-2 : n])
	case n == 1:
		s.tail = [2]byte{s.tail[1], p[0]}
	}
	for _, b := range p {
		if s.body {
			break
		}
		switch {
		case b == '\n':
			s.body, s.line = s.line == 0, 0
		case b != '\r':
			s.line++
		}
		s.utf8 = s.utf8 || b >= utf8.RuneSelf
	}
	return n, err
}

// endLine adds the CRLF that BDAT content may lack (RFC 3030 §2 allows it).
// The relay gets the message by DATA, which cannot say "no line end here", and
// the stored bytes must be the ones that it will see.
func (s *sink) endLine() error {
	if s.tail == [2]byte{'\r', '\n'} {
		return nil
	}
	_, err := io.WriteString(s, "\r\n")
	return err
}
