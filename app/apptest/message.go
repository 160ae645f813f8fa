package apptest

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"strconv"
	"strings"
	"time"

	"servicesmtp.net/companion/internal/wire"
)

// keptBody is how much of a message a Transaction holds.
const keptBody = 1 << 20

func (c *conversation) mailReply() reply {
	c.relay.mu.Lock()
	defer c.relay.mu.Unlock()
	if !c.authed {
		return reply{530, "5.7.0 authenticate first"}
	}
	if size, err := strconv.ParseInt(parameter(c.tx.MailLine, "SIZE"), 10, 64); err == nil && size > c.relay.options.SizeLimit {
		return reply{552, "5.3.4 message too large"} // RFC 1870 §6.2
	}
	if key := c.relay.keyOf(c.tx.EnvelopeID); key != "" {
		c.replay = c.relay.keys[key]
	}
	if c.replay != nil && c.replay.closed {
		return reply{554, "5.5.4 " + string(wire.TokenClosed)}
	}
	return reply{250, "2.1.0 ok"}
}

func (c *conversation) rcpt(line string) bool {
	if c.tx == nil || !c.open {
		return c.say(reply{503, "5.5.1 MAIL first"})
	}
	to := address(line)
	c.relay.mu.Lock()
	c.tx.RcptLines = append(c.tx.RcptLines, line)
	c.tx.Offered = append(c.tx.Offered, to)
	usual := reply{250, "2.1.5 ok"}
	if len(c.tx.Offered) > c.relay.options.RecipientLimit {
		usual = reply{452, "4.5.3 too many recipients"}
	}
	c.relay.mu.Unlock()
	behave := c.relay.next(Rcpt, to)
	if c.replay != nil { // the stored decision, whatever has changed since
		behave = Usual()
		if d, ok := c.replay.decisions[to]; ok {
			usual = d
		}
	}
	c.last = reply{}
	goOn := behave(c, func() reply { return usual })
	c.relay.mu.Lock()
	defer c.relay.mu.Unlock()
	c.decisions[to] = c.last
	if c.last.code/100 == 2 {
		c.tx.Taken = append(c.tx.Taken, to)
	}
	return goOn
}

func (c *conversation) data() bool {
	ready := false
	goOn := c.do(Data, func() reply {
		c.relay.mu.Lock()
		defer c.relay.mu.Unlock()
		if c.tx == nil || len(c.tx.Taken) == 0 {
			return reply{503, "5.5.1 RCPT first"}
		}
		ready = true
		c.tx.DataAt = time.Now()
		return reply{354, "go ahead"}
	})
	if !goOn || !ready {
		return goOn
	}
	var got error
	if !c.do(Body, func() reply { got = c.receive(); return reply{} }) || got != nil {
		return false
	}
	c.relay.mu.Lock()
	c.relay.commands = append(c.relay.commands, ".")
	c.relay.mu.Unlock()
	c.last = reply{}
	tx, decisions := c.tx, c.decisions
	c.tx, c.open = nil, false
	goOn = c.do(Dot, func() reply { return c.relay.accept(tx, decisions) })
	c.relay.mu.Lock()
	defer c.relay.mu.Unlock()
	tx.DoneAt = time.Now()
	if c.last.code != 0 {
		tx.Reply = strings.TrimSuffix(c.last.lines(), "\r\n")
	}
	return goOn
}

// receive reads a message up to its final dot and undoes the dot-stuffing (RFC
// 5321 §4.5.2), byte for byte.
func (c *conversation) receive() error {
	sum := sha256.New()
	var body []byte
	var size int64
	start := true
	for {
		part, err := c.br.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
		if start && string(part) == ".\r\n" {
			break
		}
		text := part
		if start && text[0] == '.' {
			text = text[1:]
		}
		start = err == nil && strings.HasSuffix(string(part), "\r\n")
		sum.Write(text)
		size += int64(len(text))
		body = append(body, text[:min(len(text), keptBody-len(body))]...)
	}
	c.relay.mu.Lock()
	defer c.relay.mu.Unlock()
	c.tx.Size, c.tx.Body, c.tx.BodySum = size, body, wire.BodySum(sum.Sum(nil))
	return nil
}

// address is what stands between the angle brackets of MAIL or RCPT.
func address(line string) string {
	_, rest, _ := strings.Cut(line, "<")
	end := strings.LastIndex(rest, ">")
	if end < 0 {
		return rest
	}
	return rest[:end]
}

// parameter is the value of an ESMTP parameter, its xtext decoded (RFC 3461 §4).
func parameter(line, name string) string {
	for field := range strings.FieldsSeq(line) {
		key, value, ok := strings.Cut(field, "=")
		if !ok || !strings.EqualFold(key, name) {
			continue
		}
		var out strings.Builder
		for i := 0; i < len(value); i++ {
			if value[i] == '+' && i+2 < len(value) {
				if n, err := strconv.ParseUint(value[i+1:i+3], 16, 8); err == nil {
					out.WriteByte(byte(n))
					i += 2
					continue
				}
			}
			out.WriteByte(value[i])
		}
		return out.String()
	}
	return ""
}
