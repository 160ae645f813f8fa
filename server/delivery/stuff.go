package delivery

import (
	"bytes"
	"io"
)

// stuffer writes a message as the content of DATA: a dot at the start of a
// line is doubled (RFC 5321 §4.5.2), everything else passes as it is. The
// message's lines end in CRLF; the relay took no others.
type stuffer struct {
	w    io.Writer
	last [2]byte // the two bytes written last; CRLF at the start of a message
}

func newStuffer(w io.Writer) *stuffer { return &stuffer{w: w, last: [2]byte{'\r', '\n'}} }

// Write implements io.Writer.
func (s *stuffer) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) > 0 {
		n := s.upToDot(p)
		if _, err := s.w.Write(p[:n]); err != nil {
			return total - len(p), err
		}
		s.remember(p[:n])
		p = p[n:]
		if len(p) == 0 {
			break
		}
		if _, err := io.WriteString(s.w, ".."); err != nil {
			return total - len(p), err
		}
		s.remember([]byte{'.'})
		p = p[1:]
	}
	return total, nil
}

// upToDot is how many bytes pass before a dot that begins a line.
func (s *stuffer) upToDot(p []byte) int {
	if p[0] == '.' && s.last == [2]byte{'\r', '\n'} {
		return 0
	}
	if len(p) > 1 && p[0] == '\n' && p[1] == '.' && s.last[1] == '\r' {
		return 1
	}
	if i := bytes.Index(p, []byte("\r\n.")); i >= 0 {
		return i + 2
	}
	return len(p)
}

func (s *stuffer) remember(p []byte) {
	switch len(p) {
	case 0:
	case 1:
		s.last = [2]byte{s.last[1], p[0]}
	default:
		s.last = [2]byte{p[len(p)-2], p[len(p)-1]}
	}
}

// end is what must follow the content: the final dot on a line of its own
// (RFC 5321 §4.1.1.4).
func (s *stuffer) end() string {
	if s.last == [2]byte{'\r', '\n'} {
		return ".\r\n"
	}
	return "\r\n.\r\n"
}
