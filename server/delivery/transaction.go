package delivery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// window is how many commands are sent before their answers are read. Their
// answers must fit the buffers between us and the server while it still reads
// commands (RFC 2920 §3.1).
const window = 100

var errBody = errors.New("message content cannot be read")

// transaction is one message on its way through a session.
type transaction struct {
	s       *session
	m       Message
	results []Result
	open    []Recipient // accepted by the server, or not yet refused
	silent  bool        // no answer has come yet
}

// deliver runs one transaction. stale says that the connection was found
// closed before the server answered anything, so that nothing has happened.
func (s *session) deliver(ctx context.Context, m Message, beforeData func([]int64) error) (results []Result, stale bool) {
	s.limit = time.Now().Add(s.timeouts.limit(m.Size))
	nc := s.nc
	stop := context.AfterFunc(ctx, func() { nc.Close() })
	defer func() {
		if !stop() {
			s.broken = true
		}
	}()
	t := &transaction{s: s, m: m, silent: true}
	body, err := m.Body(ctx)
	if err != nil {
		t.all(m.Recipients, Result{Status: Deferred, Code: 451, Enhanced: "4.3.0", Reply: "The message's content cannot be read"})
		return t.results, false
	}
	defer body.Close()
	t.run(body, beforeData)
	t.makeRoom()
	stale = s.used && s.broken && t.silent && ctx.Err() == nil
	s.used = true
	return t.results, stale
}

func (t *transaction) run(body io.Reader, beforeData func([]int64) error) {
	if !t.admit() {
		return
	}
	if err := t.envelope(); err != nil {
		t.fail(err, false)
		return
	}
	if len(t.open) == 0 {
		t.s.needReset = true
		return
	}
	ids := make([]int64, 0, len(t.open))
	for _, r := range t.open {
		ids = append(ids, r.ID)
	}
	if err := beforeData(ids); err != nil {
		t.s.needReset = true
		return
	}
	if dot, err := t.data(body); err != nil {
		t.fail(err, dot)
	}
}

// admit refuses what the server cannot take in any form.
func (t *transaction) admit() bool {
	t.open = t.m.Recipients
	if t.s.has("SMTPUTF8") {
		return true
	}
	if !ascii(t.m.From) {
		t.all(t.m.Recipients, Result{Status: Failed, Code: 550, Enhanced: "5.6.7", Reply: "The server cannot take a sender with letters beyond ASCII"})
		return false
	}
	t.open = nil
	for _, r := range t.m.Recipients {
		switch {
		case !ascii(r.Address): // RFC 6531 §3.5 and §3.7.4.2
			t.add(r, Result{Status: Failed, Code: 550, Enhanced: "5.6.7", Reply: "The server cannot take an address with letters beyond ASCII"})
		case t.m.UTF8 && t.m.EightBit: // its header may hold raw UTF-8
			t.add(r, Result{Status: Failed, Code: 550, Enhanced: "5.6.9", Reply: "The server cannot take a header with letters beyond ASCII"})
		default:
			t.open = append(t.open, r)
		}
	}
	return len(t.open) > 0
}

// envelope sends MAIL and RCPT and sorts the recipients by their answers.
func (t *transaction) envelope() error {
	commands := []string{t.s.mailCommand(t.m)}
	if t.s.needReset {
		commands = []string{"RSET", commands[0]}
	}
	lead := len(commands)
	for _, r := range t.open {
		commands = append(commands, t.s.rcptCommand(r))
	}
	step := 1
	if t.s.has("PIPELINING") {
		step = window
	}
	asked := t.open
	t.open = nil
	for from := 0; from < len(commands); from += step {
		some := commands[from:min(from+step, len(commands))]
		if err := t.s.send(some...); err != nil {
			t.open = append(t.open, asked[max(0, from-lead):]...)
			return err
		}
		if err := t.answers(asked, from-lead, len(some)); err != nil {
			return err
		}
	}
	t.s.needReset = false
	return nil
}

// answers reads n answers. The first is to asked[at], or where at is negative
// to MAIL (-1) or RSET (-2).
func (t *transaction) answers(asked []Recipient, at, n int) error {
	var mail error // a refused MAIL is everybody's answer, what follows tells nothing
	for i := at; i < at+n; i++ {
		r, err := t.s.read(t.s.timeouts.Command, false)
		if err != nil && mail == nil {
			t.open = append(t.open, asked[max(0, i):]...)
			return err
		}
		if err != nil {
			break
		}
		t.silent = t.silent && r.code == 421 // an idle server's farewell, said before it saw the command
		switch {
		case i == -2 && !r.ok():
			t.open = asked
			return t.s.lost("reset", errReply)
		case i == -1 && !r.ok():
			mail = &replyError{r}
		case i >= 0 && mail == nil:
			t.rcpt(asked[i], r)
		}
	}
	if mail != nil {
		t.open = asked
	}
	return mail
}

// rcpt takes the answer to one RCPT.
func (t *transaction) rcpt(r Recipient, a reply) {
	if a.ok() { // the first digit decides (RFC 5321 §4.3.2)
		t.open = append(t.open, r)
		return
	}
	out := t.s.outcome(a)
	// 552 at RCPT means the same as 452, too many recipients (RFC 5321
	// §4.5.3.1.10), or a full mailbox, which is not a dead one.
	if a.code == 552 {
		out.Status = Deferred
	}
	out.Soon = a.code == 452 || a.code == 552
	t.add(r, out)
}

// data sends the content. dot says that the final dot may have arrived.
func (t *transaction) data(body io.Reader) (dot bool, err error) {
	s := t.s
	if _, err := s.expect("DATA", 354); err != nil {
		return false, err
	}
	st := newStuffer(s.w)
	head := strings.TrimRight(t.m.Received, "\r\n")
	if head != "" {
		head += "\r\n"
	}
	if _, err := io.WriteString(st, head); err != nil {
		return false, s.lost("send message", err)
	}
	if err := t.copy(st, body); err != nil {
		return false, err
	}
	io.WriteString(s.w, st.end()) // a failed write shows in Flush
	// From here on the server may have everything, even if Flush fails.
	s.limit = time.Now().Add(s.timeouts.Block + s.timeouts.Dot)
	s.deadline(s.timeouts.Block)
	if err := s.w.Flush(); err != nil {
		return true, s.lost("send message", err)
	}
	r, err := s.read(s.timeouts.Dot, false)
	if err != nil {
		return true, err
	}
	if r.code/100 == 3 {
		return true, s.lost("read answer", errReply)
	}
	t.settle(s.outcome(r))
	return true, nil
}

// copy sends the body in pieces, each with its own deadline. A body that ends
// early is not finished with a dot: half a message is worse than a late one.
func (t *transaction) copy(w io.Writer, body io.Reader) error {
	buf := make([]byte, 32<<10)
	var size int64
	for {
		n, err := body.Read(buf)
		size += int64(n)
		if n > 0 {
			t.s.deadline(t.s.timeouts.Block)
			if _, werr := w.Write(buf[:n]); werr != nil {
				return t.s.lost("send message", werr)
			}
		}
		if errors.Is(err, io.EOF) && size == t.m.Size {
			return nil
		}
		if err != nil {
			t.s.broken = true
			return errBody
		}
	}
}

func (s *session) lost(what string, err error) error {
	s.broken = true
	return fmt.Errorf("%s: %w", what, err)
}

// settle gives every open recipient the same outcome.
func (t *transaction) settle(out Result) {
	t.all(t.open, out)
	t.open = nil
}

// makeRoom lets those for whom there was no room follow at once where others
// were delivered. Where nobody was, they wait like any other, so that every
// round makes progress.
func (t *transaction) makeRoom() {
	delivered := slices.ContainsFunc(t.results, func(r Result) bool { return r.Status == Delivered })
	for i := range t.results {
		t.results[i].Soon = t.results[i].Soon && delivered
	}
}

// fail ends the transaction for all open recipients.
func (t *transaction) fail(err error, dot bool) {
	var refused *replyError
	switch {
	case errors.Is(err, errBody):
		t.settle(Result{Status: Deferred, Code: 451, Enhanced: "4.3.0", Reply: "The message's content cannot be read"})
	case errors.As(err, &refused) && !refused.ok(): // a 2yz to DATA would else look like a delivery
		t.s.needReset = true
		t.settle(t.s.outcome(refused.reply))
	case dot:
		t.settle(Result{Status: Deferred, Code: 451, Enhanced: "4.4.2", Remote: t.s.remote, MaybeDup: true, Lost: true,
			Reply: "The connection ended before the server answered the message; it may have it"})
	default:
		t.s.broken = true
		t.settle(Result{Status: Deferred, Code: 451, Enhanced: "4.4.2", Remote: t.s.remote, Lost: true, Reply: "The connection ended before the message was sent"})
	}
}

func (t *transaction) all(rs []Recipient, out Result) {
	for _, r := range rs {
		t.add(r, out)
	}
}

func (t *transaction) add(r Recipient, out Result) {
	out.ID = r.ID
	t.results = append(t.results, out)
}

// outcome reads a reply as what became of a recipient. Codes that mean
// ourselves, not the recipient (530, 535 and 538: log in first), are deferred:
// an operator can repair that, and nobody's mail should bounce for it.
func (s *session) outcome(r reply) Result {
	out := Result{Status: Deferred, Code: r.code, Enhanced: r.enhanced, Reply: r.text, Remote: s.remote, Lost: r.code == 421}
	switch {
	case r.ok():
		out.Status = Delivered
	case r.code == 530 || r.code == 535 || r.code == 538:
	case r.code/100 == 5:
		out.Status = Failed
	}
	return out
}
