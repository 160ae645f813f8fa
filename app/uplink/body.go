package uplink

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/internal/wire"
)

// bufferSize is what of a body is in memory at once, twice.
const bufferSize = 64 << 10

// dotWriter does the dot-stuffing of RFC 5321 §4.5.2 in blocks; the standard
// library's textproto.DotWriter goes byte by byte and is measured against it in
// the tests. It changes nothing else, and therefore refuses a bare CR or LF
// where DotWriter would repair it: a server could read a repaired message as
// another one (end-of-data smuggling), and its SHA-256 would not be the stored.
type dotWriter struct {
	w    io.Writer
	last byte // that was written; LF at the start, so that a first dot is stuffed
}

func newDotWriter(w io.Writer) *dotWriter { return &dotWriter{w: w, last: '\n'} }

// Write implements io.Writer. The number counts bytes of p.
func (d *dotWriter) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if err := checkLineEnds(p, d.last); err != nil {
		return 0, err
	}
	from := 0
	if p[0] == '.' && d.last == '\n' {
		if _, err := d.w.Write([]byte{'.'}); err != nil {
			return 0, err
		}
	}
	for {
		i := bytes.Index(p[from:], []byte("\n."))
		if i < 0 {
			break
		}
		end := from + i + 2 // behind the dot, which then stands once more
		if _, err := d.w.Write(p[from:end]); err != nil {
			return from, err
		}
		from = end - 1
	}
	if _, err := d.w.Write(p[from:]); err != nil {
		return from, err
	}
	d.last = p[len(p)-1]
	return len(p), nil
}

// endLine makes the final dot stand at the start of a line, as RFC 5321
// §4.1.1.4 wants.
func (d *dotWriter) endLine() error {
	switch d.last {
	case '\n':
		return nil
	case '\r':
		return wire.ErrBareLine
	}
	_, err := d.w.Write([]byte("\r\n"))
	return err
}

// checkLineEnds holds that CR and LF stand in pairs; before is the byte ahead
// of p.
func checkLineEnds(p []byte, before byte) error {
	if (before == '\r') != (p[0] == '\n') {
		return wire.ErrBareLine
	}
	lf := bytes.Count(p, []byte{'\n'})
	cr := bytes.Count(p, []byte{'\r'})
	pairs := bytes.Count(p, []byte("\r\n"))
	if p[0] == '\n' {
		lf--
	}
	if p[len(p)-1] == '\r' {
		cr--
	}
	if lf != pairs || cr != pairs {
		return wire.ErrBareLine
	}
	return nil
}

// lastWords is how long a server has for a reply that may be under way when
// writing to it has failed.
const lastWords = 5 * time.Second

// EndOfData is the Command of the reply to the final dot.
const EndOfData = "end of DATA"

// answer is what the server said, or why it will say nothing.
type answer struct {
	reply mail.Reply
	err   error
}

// transfer sends the body and the dot, and waits for the answer. Where the
// server speaks or hangs up before the dot is due, the dot is not written: what
// is certain then stays certain.
func (t *transaction) transfer(body io.Reader) Result {
	var turn atomic.Bool // taken by whoever comes first: the end of our writing, or the server
	answers := t.listen(&turn)
	failed := t.stream(body)
	ours := turn.CompareAndSwap(false, true)
	dotted := ours && failed == nil
	switch {
	case dotted: // from here on nobody knows, until the answer comes
		t.s.d.nc.SetReadDeadline(time.Now().Add(t.s.cfg.FinalDot))
		_, failed = t.s.d.nc.Write([]byte(".\r\n"))
	case errors.Is(failed, ErrBody):
		t.s.d.raw.Close() // without the dot, so that the part that went out is no message
	}
	if failed != nil {
		t.s.d.nc.SetReadDeadline(time.Now().Add(lastWords))
	}
	a := <-answers
	if a.err != nil && failed != nil && ours {
		a.err = failed // the cause; what the reader met is its consequence
	}
	return t.judge(a, dotted)
}

// listen reads the answer while the body is written. Where it comes first, the
// connection is closed: that ends a write which nobody reads any more.
func (t *transaction) listen(turn *atomic.Bool) <-chan answer {
	answers := make(chan answer, 1)
	d := t.s.d
	d.nc.SetReadDeadline(time.Time{}) // the body takes as long as bytes move
	go func() {
		var a answer
		a.reply, a.err = d.read(EndOfData)
		if turn.CompareAndSwap(false, true) {
			d.raw.Close()
		}
		answers <- a
	}()
	return answers
}

// judge turns the answer to a message into a result.
func (t *transaction) judge(a answer, dotted bool) Result {
	class := a.reply.Code.Basic / 100
	switch {
	case a.err != nil && dotted:
		return t.unknown(fmt.Errorf("wait for answer: %w", a.err))
	case a.err != nil:
		return t.returned(fmt.Errorf("send message: %w", a.err), false)
	case class == 4 || class == 5:
		return t.dataRefused(a.reply, dotted)
	case class == 2 && dotted:
		return t.accepted(a.reply)
	case class == 2 || dotted:
		// A success before the end of the message, or no answer at all after it:
		// the server has something, and nobody can say what.
		return t.unknown(replyError(a.reply))
	}
	return t.returned(replyError(a.reply), false)
}

// stream writes the body up to where the final dot belongs. What goes wrong
// with the stored message is an ErrBody; anything else is the connection.
func (t *transaction) stream(body io.Reader) error {
	if t.s.buf == nil {
		t.s.buf = make([]byte, bufferSize)
	}
	out := bufio.NewWriterSize(t.s.d.nc, bufferSize)
	dots := newDotWriter(out)
	sum := sha256.New()
	var size mail.ByteSize
	for {
		n, err := body.Read(t.s.buf)
		size += mail.ByteSize(n)
		sum.Write(t.s.buf[:n])
		if _, werr := dots.Write(t.s.buf[:n]); werr != nil {
			return bodyError(werr)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrBody, err)
		}
	}
	// A frozen batch must be the same bytes every time; a file that was cut short
	// would be accepted as a whole message otherwise.
	if want := t.b.Size; want > 0 && size != want {
		return fmt.Errorf("%w: %d bytes in place of %d", ErrBody, size, want)
	}
	if want := t.b.BodySum; want != (wire.BodySum{}) && wire.BodySum(sum.Sum(nil)) != want {
		return fmt.Errorf("%w: its SHA-256 is another", ErrBody)
	}
	if err := dots.endLine(); err != nil {
		return bodyError(err)
	}
	return out.Flush()
}

func bodyError(err error) error {
	if errors.Is(err, wire.ErrBareLine) {
		return fmt.Errorf("%w: %w", ErrBody, err)
	}
	return err
}
