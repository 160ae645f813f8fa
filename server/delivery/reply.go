package delivery

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
)

// What is read and kept of a reply at most. A server may say more than RFC
// 5321 §4.5.3.1.5 lets it, but not without end.
const (
	maxReplyLines = 200
	maxReplyText  = 1000 // bytes kept
)

var errReply = errors.New("the server's answer is no SMTP")

// reply is a server's answer to one command (RFC 5321 §4.2).
type reply struct {
	code     int
	enhanced string // "5.1.1", or ""
	text     string // without codes, lines joined by "\n", bounded
	lines    []string
}

func (r reply) ok() bool { return r.code/100 == 2 }

// readReply reads one reply. keep says that all its lines are wanted (EHLO).
func readReply(br *bufio.Reader, keep bool) (reply, error) {
	var r reply
	var texts []string
	size := 0
	for n := 0; ; n++ {
		if n == maxReplyLines {
			return reply{}, errReply
		}
		line, err := readLine(br)
		if err != nil {
			return reply{}, err
		}
		code, text, last, ok := splitLine(line)
		if !ok || (n > 0 && code != r.code) {
			return reply{}, errReply
		}
		r.code = code
		if keep {
			r.lines = append(r.lines, text)
		}
		if e, rest, ok := cutEnhanced(code, text); ok { // RFC 2034 §4: in front of every line
			if n == 0 || r.enhanced == e {
				r.enhanced, text = e, rest
			}
		}
		if size < maxReplyText {
			texts = append(texts, text)
			size += len(text) + 1
		}
		if last {
			r.text = clean(strings.Join(texts, "\n"))
			return r, nil
		}
	}
}

// readLine reads a line without its end. What passes br's buffer is dropped.
func readLine(br *bufio.Reader) (string, error) {
	part, err := br.ReadSlice('\n')
	line := string(part)
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = br.ReadSlice('\n')
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return "", err
	}
	return strings.TrimRight(line, "\r\n"), nil
}

// splitLine takes "250-text", "250 text" or "250" apart.
func splitLine(line string) (code int, text string, last, ok bool) {
	if len(line) < 3 {
		return 0, "", false, false
	}
	for _, c := range []byte(line[:3]) {
		if c < '0' || c > '9' {
			return 0, "", false, false
		}
		code = code*10 + int(c-'0')
	}
	if code < 200 || code > 599 {
		return 0, "", false, false
	}
	if len(line) == 3 {
		return code, "", true, true
	}
	return code, line[4:], line[3] == ' ', line[3] == ' ' || line[3] == '-'
}

// cutEnhanced cuts a status code of the reply's own class off its text (RFC
// 3463 §2, RFC 2034 §4).
func cutEnhanced(code int, text string) (enhanced, rest string, ok bool) {
	first, rest, _ := strings.Cut(text, " ")
	parts := strings.Split(first, ".")
	if len(parts) != 3 || parts[0] != fmt.Sprint(code/100) {
		return "", "", false
	}
	for _, p := range parts[1:] {
		if len(p) < 1 || len(p) > 3 || strings.Trim(p, "0123456789") != "" {
			return "", "", false
		}
	}
	return first, rest, true
}

// clean makes a foreign text fit for the store and a terminal.
func clean(s string) string {
	s = s[:min(len(s), maxReplyText)]
	s = strings.ToValidUTF8(s, "?")
	return strings.Map(func(c rune) rune {
		if c != '\n' && !unicode.IsPrint(c) {
			return ' '
		}
		return c
	}, s)
}
