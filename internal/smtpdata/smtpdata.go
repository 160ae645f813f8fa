// Package smtpdata reads the message that follows DATA.
//
// It promises that only CRLF "." CRLF ends it: every other mix of CR, LF and
// dot is content (RFC 5321 §4.5.2), which wire.CleanReader then refuses, so that
// no message hides in another. What stands behind the end stays where it is. It
// works in the connection's own buffer, block by block: go-smtp's reader goes
// octet by octet, which for a message of 100 KB costs several times as much as
// everything else together.
//
// It keeps no state but the reader's, starts no goroutine, and knows neither
// half of the product.
package smtpdata

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

var (
	// ErrLost says that the connection ended inside the message. It comes with
	// the connection's own error.
	ErrLost = errors.New("connection ended inside the message")
	// ErrTooLarge says that the message is larger than allowed.
	ErrTooLarge = errors.New("message is larger than allowed")
	// ErrLongLine says that a line of the message is longer than allowed.
	ErrLongLine = errors.New("message has a line that is too long")
)

// Source is the read buffer of a connection.
type Source interface {
	// Buffered is what was read and not used yet; it is good until the next call.
	Buffered() []byte
	// Discard uses up n of these octets.
	Discard(n int)
	// Fill reads at least one octet more behind them, or fails.
	Fill() error
}

// Reader is the message without its dot-stuffing.
type Reader struct {
	src    Source
	start  bool // at the start of a line
	lastCR bool // the last octet was CR
	done   bool // the end was read, so err is io.EOF
	err    error
}

// NewReader reads the message that begins with src's next octet.
func NewReader(src Source) *Reader { return &Reader{src: src, start: true} }

// Read implements io.Reader. The end of the connection is ErrLost.
func (d *Reader) Read(p []byte) (int, error) {
	if d.err == nil {
		d.err = d.need(1)
	}
	if d.err == nil && d.start && d.src.Buffered()[0] == '.' {
		d.err = d.dot()
	}
	if d.err != nil || len(p) == 0 {
		return 0, d.err
	}
	in := d.src.Buffered()
	if len(in) > len(p) {
		in = in[:len(p)]
	}
	if d.lastCR && in[0] == '\n' {
		in = in[:1] // the next line may begin with a dot
	} else if i := bytes.Index(in, []byte("\r\n.")); i >= 0 {
		in = in[:i+2]
	}
	n := copy(p, in)
	d.start = in[n-1] == '\n' && (n > 1 && in[n-2] == '\r' || n == 1 && d.lastCR)
	d.lastCR = in[n-1] == '\r'
	d.src.Discard(n)
	return n, nil
}

// dot is at a dot that begins a line: it is the end, or one to leave out.
func (d *Reader) dot() error {
	d.start, d.lastCR = false, false
	if err := d.need(2); err != nil {
		return err
	}
	if d.src.Buffered()[1] == '\r' {
		if err := d.need(3); err != nil {
			return err
		}
		if d.src.Buffered()[2] == '\n' {
			d.src.Discard(3)
			d.done = true
			return io.EOF
		}
	}
	d.src.Discard(1)
	return nil
}

// need reads until n octets are in the buffer.
func (d *Reader) need(n int) error {
	for len(d.src.Buffered()) < n {
		if err := d.src.Fill(); err != nil {
			return fmt.Errorf("%w: %w", ErrLost, err)
		}
	}
	return nil
}

// Finish reads on to the end of the message. It gives what go-smtp, whose own
// reader has seen nothing, must be handed next to find an end too; nothing where
// the connection has ended.
func (d *Reader) Finish() []byte {
	_, _ = io.Copy(io.Discard, d) // an error means that there is no end to find
	if !d.done {
		return nil
	}
	return []byte(".\r\n")
}

// limiter ends reading with ErrTooLarge or ErrLongLine.
type limiter struct {
	r       io.Reader
	max     int64
	maxLine int
	read    int64
	line    int // octets of the present line so far
}

// Limit reads r up to size octets (0: no limit), in lines of at most line
// octets with their CRLF. The size is counted as in RFC 1870 §3: with line ends,
// without the dots that stuffing adds.
func Limit(r io.Reader, size int64, line int) io.Reader {
	return &limiter{r: r, max: size, maxLine: line}
}

// Read implements io.Reader.
func (l *limiter) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	l.read += int64(n)
	if l.max > 0 && l.read > l.max {
		return 0, ErrTooLarge
	}
	// Blocks are far shorter than a line may be: only their ends matter.
	b := p[:n]
	if first := bytes.IndexByte(b, '\n'); first >= 0 {
		if l.line+first+1 > l.maxLine {
			return 0, ErrLongLine
		}
		l.line = n - 1 - bytes.LastIndexByte(b, '\n')
	} else {
		l.line += n
	}
	if l.line > l.maxLine {
		return 0, ErrLongLine
	}
	return n, err
}
