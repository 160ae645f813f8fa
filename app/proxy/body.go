package proxy

import (
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/internal/smtpdata"
)

// Lines, for commands and in messages. Long lines of HTML are normal; the
// relay's limit is the same, so no message is taken here that it refuses. One
// octet is kept for a dot that stuffing adds.
const (
	maxLine     = 1_000_000
	maxTextLine = maxLine - 1
)

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
		return n, fmt.Errorf("%w: %w", smtpdata.ErrLost, err)
	}
	return n, nil
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
