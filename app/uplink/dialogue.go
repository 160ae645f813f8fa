package uplink

import (
	"bufio"
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"time"

	"servicesmtp.net/companion/app/mail"
)

// Limits on what a server may say, so that whoever answers cannot fill memory.
// RFC 5321 §4.5.3.1.5 allows 512 bytes for a line; more is met in practice.
const (
	maxReplyLine  = 4 << 10
	maxReplyLines = 100
	maxReplyText  = 8 << 10
)

// errGarbage says that what came is not a reply of SMTP.
var errGarbage = errors.New("the answer is not SMTP")

// conn ends a write during which no byte moved for idle. It stands below TLS,
// because a tls.Conn cannot be written to again after a time-out. Reads end at
// the deadline that whoever waits for a reply sets; that is why this is not
// internal/listen.Client, whose reads all have the same limit.
type conn struct {
	net.Conn
	idle time.Duration
}

// Write implements net.Conn. A deadline that passes after some of p went out
// is progress, and a new one begins.
func (c *conn) Write(p []byte) (int, error) {
	total := 0
	for {
		if err := c.SetWriteDeadline(time.Now().Add(c.idle)); err != nil {
			return total, err
		}
		n, err := c.Conn.Write(p[total:])
		total += n
		if n > 0 && errors.Is(err, os.ErrDeadlineExceeded) {
			continue
		}
		return total, err
	}
}

// dialogue sends commands and reads replies.
type dialogue struct {
	raw *conn    // closing it ends every read and write at once
	nc  net.Conn // raw, or TLS over it
	r   *bufio.Reader
}

func newDialogue(nc net.Conn, idle time.Duration) *dialogue {
	raw := &conn{Conn: nc, idle: idle}
	return &dialogue{raw: raw, nc: raw, r: bufio.NewReaderSize(raw, maxReplyLine)}
}

// closeWith closes the connection when ctx ends. The returned function stops
// that, waits for it, and says whether the connection was closed.
func (d *dialogue) closeWith(ctx context.Context) (release func() (closed bool)) {
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		d.raw.Close()
	})
	return func() bool {
		if stop() {
			return false
		}
		<-done
		return true
	}
}

// ask sends one command and reads its reply. The name stands in the reply for
// people; the line may hold a secret.
func (d *dialogue) ask(name, line string, wait time.Duration) (mail.Reply, error) {
	if _, err := d.nc.Write([]byte(line + "\r\n")); err != nil {
		return mail.Reply{}, err
	}
	return d.reply(name, wait)
}

// reply reads the reply to the named command. All of it must come within wait.
func (d *dialogue) reply(name string, wait time.Duration) (mail.Reply, error) {
	// The error is the read's to tell: a connection that takes no deadline any more
	// ends it at once, and the buffer may hold the reply already.
	d.nc.SetReadDeadline(time.Now().Add(wait))
	return d.read(name)
}

// read reads a reply (RFC 5321 §4.2) with the deadline that is set.
func (d *dialogue) read(name string) (mail.Reply, error) {
	var lines []string
	code := 0
	for {
		line, err := d.r.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			return mail.Reply{}, errGarbage
		}
		if err != nil {
			return mail.Reply{}, err
		}
		c, text, more, ok := splitReplyLine(strings.TrimRight(string(line), "\r\n"))
		if !ok || len(lines) == maxReplyLines || (code != 0 && c != code) {
			return mail.Reply{}, errGarbage
		}
		code = c
		lines = append(lines, text)
		if !more {
			return makeReply(name, code, lines), nil
		}
	}
}

func splitReplyLine(line string) (code int, text string, more, ok bool) {
	if len(line) < 3 || line[0] < '2' || line[0] > '5' || !isDigit(line[1]) || !isDigit(line[2]) {
		return 0, "", false, false
	}
	code = int(line[0]-'0')*100 + int(line[1]-'0')*10 + int(line[2]-'0')
	if len(line) == 3 {
		return code, "", false, true // RFC 5321 §4.2: the text may be missing
	}
	if line[3] != ' ' && line[3] != '-' {
		return 0, "", false, false
	}
	return code, line[4:], line[3] == '-', true
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }

// makeReply cuts the enhanced code, which stands on each line (RFC 2034 §4),
// and makes the text fit for a store and a screen.
func makeReply(name string, code int, lines []string) mail.Reply {
	r := mail.Reply{Code: mail.Code{Basic: code}, Command: name}
	for i, line := range lines {
		enhanced, rest, ok := cutEnhanced(line, code/100)
		if !ok {
			continue
		}
		lines[i] = rest
		if r.Code.Enhanced == [3]int{} {
			r.Code.Enhanced = enhanced
		}
	}
	text := strings.Join(lines, "\n")
	if len(text) > maxReplyText {
		text = text[:maxReplyText]
	}
	r.Text = strings.Map(printable, strings.ToValidUTF8(text, "?"))
	return r
}

func printable(c rune) rune {
	if (c < ' ' && c != '\n') || (c >= 0x7f && c < 0xa0) {
		return ' '
	}
	return c
}

// cutEnhanced finds "class.subject.detail" (RFC 3463 §2) at the start of a
// reply's text. Its class must be the first digit of the code.
func cutEnhanced(text string, class int) (code [3]int, rest string, ok bool) {
	word, rest, _ := strings.Cut(text, " ")
	parts := strings.Split(word, ".")
	if len(parts) != 3 {
		return code, text, false
	}
	for i, p := range parts {
		if len(p) == 0 || len(p) > 3 {
			return [3]int{}, text, false
		}
		for j := range len(p) {
			if !isDigit(p[j]) {
				return [3]int{}, text, false
			}
			code[i] = code[i]*10 + int(p[j]-'0')
		}
	}
	if code[0] != class {
		return [3]int{}, text, false
	}
	return code, rest, true
}
