package proxy

import (
	"bytes"
	"encoding/base64"
	"strings"
)

// model is what the listener does, told in the plainest way: it has the whole
// stream before it, where the listener gets pieces. TestRandomDialogues holds
// the two against each other.
type model struct {
	mustAuth bool
	limit    int // octets of a message
	maxRcpt  int

	in   []byte // not looked at yet
	out  []answer
	mail []modelMail

	greeted, authed, open, from bool
	chunked                     bool // a BDAT was taken
	empty                       bool // one without octets was taken
	chunks                      []byte
	env                         modelMail
	errors                      int
	closed                      bool
	browser                     bool // it gets no answer, nor those that wait
}

// answer is what one reply may begin with.
type answer []string

// modelMail is a message that must be stored.
type modelMail struct {
	from  string
	rcpts []string
	body  string
}

// run answers all that there is.
func (m *model) run() {
	for !m.closed {
		line, ok := m.line()
		line = strings.TrimRight(line, "\r")
		if !ok {
			return // the rest of a line is nobody's command
		}
		m.command(line)
	}
}

func (m *model) line() (string, bool) {
	i := bytes.IndexByte(m.in, '\n')
	if i < 0 {
		return "", false
	}
	line := strings.TrimSuffix(string(m.in[:i]), "\r")
	m.in = m.in[i+1:]
	return line, true
}

func (m *model) say(codes ...string) { m.out = append(m.out, codes) }

// strange answers what is no command; four of them are too many.
func (m *model) strange(code string) {
	m.say(code)
	if m.errors++; m.errors > 3 {
		m.say("500 5.5.1")
		m.closed = true
	}
}

func (m *model) hang(code string) {
	if !m.closed {
		m.say(code)
	}
	m.closed = true
}

func (m *model) reset() {
	broken := m.chunked || m.empty
	m.open, m.from, m.chunked, m.empty, m.chunks, m.env = false, false, false, false, nil, modelMail{}
	if broken {
		m.hang("421 4.3.0")
	}
}

func (m *model) command(line string) {
	if !m.greeted && fromBrowser([]byte(line+"\r\n")) {
		m.closed, m.browser = true, true
		return
	}
	lost := len(line) >= 4 && strings.EqualFold(line[:4], "BDAT")
	if lost {
		if _, err := chunkSize(line); err == nil {
			lost = false
		}
	}
	switch {
	case strings.HasPrefix(strings.ToUpper(line), "STARTTLS"):
		m.say("502")
	case line == "":
		m.strange("500")
	case len(line) < 4 || len(line) == 5 || len(line) > 5 && line[4] != ' ':
		m.strange("501")
	default:
		arg := ""
		if len(line) > 5 {
			arg = strings.TrimSpace(line[5:])
		}
		m.verb(strings.ToUpper(line[:4]), arg, line)
	}
	if lost {
		m.hang("421 4.5.2")
	}
}

func (m *model) verb(verb, arg, line string) {
	switch verb {
	case "SEND", "SOML", "SAML", "EXPN", "HELP", "TURN":
		m.say("502")
	case "LHLO":
		m.say("500")
	case "HELO", "EHLO":
		if arg == "" {
			m.say("501")
			return
		}
		m.say("250")
		if m.greeted {
			m.reset()
		}
		m.greeted = true
	case "NOOP":
		m.say("250")
	case "VRFY":
		m.say("252")
	case "RSET":
		m.say("250")
		if m.greeted { // before, go-smtp has no session to reset
			m.reset()
		}
	case "QUIT":
		m.say("221")
		m.closed = true
	case "MAIL":
		m.mailFrom(arg)
	case "RCPT":
		m.rcptTo(arg)
	case "DATA":
		m.data(arg)
	case "BDAT":
		m.bdat(line)
	case "AUTH":
		m.auth(arg)
	default:
		m.strange("500")
	}
}

func (m *model) mailFrom(arg string) {
	form := mailForms[arg]
	switch {
	case !m.greeted, m.chunked:
		m.say("502")
	case form.wire != "":
		m.say(form.wire)
	case m.mustAuth && !m.authed:
		m.say("530 5.7.0")
	case m.open:
		m.say("503 5.5.1")
	case form.ours != "":
		m.say(form.ours)
	default:
		m.say("250")
		m.open, m.from = true, true
		m.env = modelMail{from: form.address}
	}
}

func (m *model) rcptTo(arg string) {
	form := rcptForms[arg]
	switch {
	case !m.from, m.chunked:
		m.say("502")
	case form.path != "":
		m.say(form.path)
	case len(m.env.rcpts) >= m.maxRcpt:
		m.say("452 4.5.3")
	case form.wire != "":
		m.say(form.wire)
	case form.ours != "":
		m.say(form.ours)
	default:
		m.say("250")
		m.env.rcpts = append(m.env.rcpts, form.address)
	}
}

func (m *model) data(arg string) {
	switch {
	case arg != "":
		m.say("501")
		return
	case m.chunked, !m.from, len(m.env.rcpts) == 0:
		m.say("502")
		m.empty = m.empty && m.chunked
		return
	}
	m.say("354")
	body, rest, ok := undot(m.in)
	m.in = rest
	if !ok { // what came may be refused already for what it is
		m.say("451 4.4.2", "554 5.6.0", "552 5.3.4")
		return
	}
	m.store(body)
	m.reset()
}

// undot finds the end of data and takes the stuffing out (RFC 5321 §4.5.2).
func undot(in []byte) (body, rest []byte, ok bool) {
	end := bytes.Index(append([]byte("\r\n"), in...), []byte("\r\n.\r\n"))
	if end < 0 {
		return nil, nil, false
	}
	body = bytes.ReplaceAll(append([]byte("\r\n"), in[:end]...), []byte("\r\n."), []byte("\r\n"))
	return body[2:], in[end+3:], true
}

// store says what becomes of a whole message.
func (m *model) store(body []byte) {
	text := strings.ReplaceAll(string(body), "\r\n", "")
	bare, large := strings.ContainsAny(text, "\r\n"), len(body) > m.limit
	switch {
	case bare && large: // whichever is met first
		m.say("554 5.6.0", "552 5.3.4")
		return
	case bare:
		m.say("554 5.6.0")
		return
	case large:
		m.say("552 5.3.4")
		return
	}
	m.say("250 2.0.0 queued as ")
	m.env.body = withoutBcc(string(body))
	if m.env.body != "" && !strings.HasSuffix(m.env.body, "\r\n") {
		m.env.body += "\r\n"
	}
	m.mail = append(m.mail, m.env)
}

// withoutBcc cuts Bcc and Resent-Bcc out of a header.
func withoutBcc(body string) string {
	var kept strings.Builder
	dropping := false
	lines := strings.SplitAfter(body, "\n")
	for i, l := range lines {
		if l == "\r\n" {
			kept.WriteString(strings.Join(lines[i:], ""))
			break
		}
		if !strings.HasPrefix(l, " ") && !strings.HasPrefix(l, "\t") {
			name, _, field := strings.Cut(l, ":")
			name = strings.ToLower(strings.TrimRight(name, " \t"))
			dropping = field && (name == "bcc" || name == "resent-bcc")
		}
		if !dropping {
			kept.WriteString(l)
		}
	}
	return kept.String()
}

func (m *model) bdat(line string) {
	size, err := chunkSize(line)
	if err != nil {
		m.say("501")
		return
	}
	last := len(strings.Fields(line)) == 3
	n := min(int(size), len(m.in))
	octets, whole := m.in[:n], n == int(size)
	m.in = m.in[n:]
	switch {
	case !m.from || len(m.env.rcpts) == 0:
		m.say("502")
		m.empty = false
	case len(m.chunks)+int(size) > m.limit:
		m.say("552 5.3.4")
		m.reset()
	case !whole:
		m.say("451 4.4.2", "554 5.6.0")
	case last:
		m.empty, m.chunked = false, false
		m.store(append(m.chunks, octets...))
		m.reset()
	default:
		m.say("250")
		m.chunked, m.empty = true, m.empty || size == 0
		m.chunks = append(m.chunks, octets...)
	}
}

func (m *model) auth(arg string) {
	parts := strings.Fields(arg)
	switch {
	case !m.greeted:
		m.say("502")
		return
	case m.authed:
		m.say("503")
		return
	case len(parts) == 0:
		m.say("502")
		return
	}
	var responses []string
	for _, text := range parts[1:min(len(parts), 2)] {
		decoded, ok := unbase64(text)
		if !ok {
			m.say("501 5.5.2")
			return
		}
		responses = append(responses, decoded)
	}
	want := map[string]int{"PLAIN": 1, "LOGIN": 2}[strings.ToUpper(parts[0])]
	switch {
	case m.open:
		m.say("503 5.5.1")
		return
	case want == 0:
		m.say("504 5.5.4")
		return
	}
	for len(responses) < want {
		m.say("334")
		line, ok := m.line()
		decoded, fine := unbase64(line)
		switch {
		case !ok:
			m.closed = true
			return
		case line == "*":
			m.say("501")
			return
		case !fine:
			m.say("501 5.5.2")
			return
		}
		responses = append(responses, decoded)
	}
	if want == 1 && strings.Count(responses[0], "\x00") != 2 {
		m.say("501 5.5.2")
		return
	}
	m.say("235")
	m.authed = true
}

func unbase64(text string) (string, bool) {
	if text == "=" {
		return "", true
	}
	out, err := base64.StdEncoding.DecodeString(text)
	return string(out), err == nil
}
