package apptest

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"
)

// conversation is one connection, on one goroutine.
type conversation struct {
	relay    *Relay
	raw      net.Conn // as it was accepted
	nc       net.Conn // TLS over the dialled connection once that has begun
	br       *bufio.Reader
	number   int
	implicit bool
	secure   bool
	authed   bool
	last     reply // said
	open     bool  // MAIL was taken, and neither RSET nor a message has ended it

	tx        *Transaction // since MAIL; its fields are guarded by relay.mu
	replay    *entry       // of tx's key, where it is known
	decisions map[string]reply
}

func newConversation(r *Relay, nc net.Conn, number int, implicit bool) *conversation {
	return &conversation{relay: r, raw: nc, nc: nc, number: number, implicit: implicit, br: bufio.NewReaderSize(nc, 64<<10)}
}

// reader is what comes from the client.
func (c *conversation) reader() io.Reader { return c.br }

func (c *conversation) write(s string) bool {
	_, err := io.WriteString(c.nc, s)
	return err == nil
}

func (c *conversation) say(r reply) bool {
	c.last = r
	return r.code == 0 || c.write(r.lines())
}

// do lets the behaviour that is due handle a step.
func (c *conversation) do(step Step, usual func() reply) bool {
	return c.relay.next(step, "")(c, usual)
}

func (c *conversation) run() {
	if c.implicit && !c.handshake() {
		return
	}
	if !c.do(Banner, func() reply { return reply{220, "relay.test ESMTP"} }) {
		return
	}
	for {
		waited := c.br.Buffered() == 0
		line, err := c.br.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		verb, args, _ := strings.Cut(line, " ")
		verb = strings.ToUpper(verb)
		c.note(verb, line, waited)
		if !c.handle(verb, args, line) {
			return
		}
	}
}

// note records a command that came.
func (c *conversation) note(verb, line string, waited bool) {
	c.relay.mu.Lock()
	defer c.relay.mu.Unlock()
	c.relay.commands = append(c.relay.commands, verb)
	switch verb {
	case "AUTH":
		c.relay.logins++
		if !c.secure {
			c.relay.clearAuth++
		}
	case "MAIL":
		if c.open {
			return
		}
		c.tx = &Transaction{Connection: c.number, MailAt: time.Now(), MailLine: line, From: address(line), EnvelopeID: parameter(line, "ENVID")}
		c.relay.transactions = append(c.relay.transactions, c.tx)
		c.decisions, c.replay = make(map[string]reply), nil
	}
	if waited && (verb == "MAIL" || verb == "RCPT") && c.tx != nil {
		c.tx.Flights++
	}
}

func (c *conversation) handle(verb, args, line string) bool {
	switch verb {
	case "EHLO":
		return c.do(EHLO, c.ehlo)
	case "STARTTLS":
		begun := false
		return c.do(StartTLS, func() reply { begun = true; return reply{220, "2.0.0 go ahead"} }) && (!begun || c.handshake())
	case "AUTH":
		return c.do(Auth, func() reply { return c.auth(args) })
	case "MAIL":
		if c.open {
			return c.say(reply{503, "5.5.1 a transaction is open"}) // RFC 5321 §4.1.4
		}
		c.last = reply{}
		goOn := c.do(Mail, c.mailReply)
		c.open = c.last.code/100 == 2
		return goOn
	case "RCPT":
		return c.rcpt(line)
	case "DATA":
		return c.data()
	case "RSET":
		return c.do(Rset, func() reply { c.tx, c.open = nil, false; return reply{250, "2.0.0 ok"} })
	case "NOOP":
		return c.do(Noop, func() reply { return reply{250, "2.0.0 ok"} })
	case "QUIT":
		c.do(Quit, func() reply { return reply{221, "2.0.0 bye"} })
		return false
	}
	return c.say(reply{500, "5.5.2 unknown command"})
}

// handshake begins TLS, or does what the script says in its place.
func (c *conversation) handshake() bool {
	if _, err := c.br.Peek(1); err != nil { // a client writes first
		return false
	}
	began := false
	if !c.do(TLS, func() reply { began = true; return reply{} }) || !began {
		return false
	}
	tc := tls.Server(rest{c.nc, c.br}, c.relay.config)
	if tc.Handshake() != nil {
		return false
	}
	c.nc, c.secure, c.authed = tc, true, false
	c.br = bufio.NewReaderSize(tc, 64<<10)
	return true
}

// rest is a connection with what was read ahead from it.
type rest struct {
	net.Conn
	r io.Reader
}

// Read implements net.Conn.
func (r rest) Read(p []byte) (int, error) { return r.r.Read(p) }

func (c *conversation) ehlo() reply {
	o := c.relay.settings()
	lines := []string{"relay.test"}
	offers := []string{"PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "CHUNKING", "DSN",
		fmt.Sprintf("SIZE %d", o.SizeLimit), fmt.Sprintf("LIMITS RCPTMAX=%d", o.RecipientLimit)}
	if c.secure {
		offers = append(offers, "AUTH "+strings.Join(o.Mechanisms, " "))
	} else {
		offers = append(offers, "STARTTLS")
	}
	for _, line := range offers {
		keyword, _, _ := strings.Cut(line, " ")
		if !slices.Contains(o.Omit, keyword) {
			lines = append(lines, line)
		}
	}
	return reply{250, strings.Join(lines, "\n")}
}

// auth takes PLAIN and LOGIN, with and without an initial response.
func (c *conversation) auth(args string) reply {
	o := c.relay.settings()
	mechanism, initial, has := strings.Cut(args, " ")
	mechanism = strings.ToUpper(mechanism)
	if !slices.Contains(o.Mechanisms, mechanism) {
		return reply{504, "5.5.4 unknown mechanism"}
	}
	prompts := []string{"Username:", "Password:"}
	if mechanism == "PLAIN" {
		prompts = []string{""}
	}
	var answers []string
	if has {
		answers = append(answers, decode64(initial))
	}
	for len(answers) < len(prompts) {
		if !c.say(reply{334, base64.StdEncoding.EncodeToString([]byte(prompts[len(answers)]))}) {
			return reply{}
		}
		line, err := c.br.ReadString('\n')
		if err != nil || strings.TrimSpace(line) == "*" {
			return reply{501, "5.7.0 cancelled"}
		}
		answers = append(answers, decode64(strings.TrimSpace(line)))
	}
	if mechanism == "PLAIN" { // identity NUL user NUL password (RFC 4616 §2)
		_, rest, _ := strings.Cut(answers[0], "\x00")
		answers = strings.SplitN(rest, "\x00", 2)
	}
	if len(answers) != 2 || (o.User != "" && answers[0] != o.User) || (o.Password != "" && answers[1] != o.Password) {
		return reply{535, "5.7.8 wrong user name or password"}
	}
	c.authed = true
	return reply{235, "2.7.0 welcome"}
}

func decode64(s string) string {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return "\x00" // never a right answer
	}
	return string(b)
}
