package delivery

import (
	"fmt"
	"strings"
)

// mailCommand is MAIL with every parameter that the server knows.
func (s *session) mailCommand(m Message) string {
	var b strings.Builder
	fmt.Fprintf(&b, "MAIL FROM:<%s>", m.From)
	if s.has("SIZE") { // RFC 1870 §6
		fmt.Fprintf(&b, " SIZE=%d", m.Size+int64(len(m.Received))+2)
	}
	// Eight-bit content goes out as it is also where 8BITMIME is not offered, a
	// departure from RFC 6152 §3: encoding it anew would break signatures,
	// refusing it would lose mail, and no server in use still cuts the bit off.
	if m.EightBit && s.has("8BITMIME") {
		b.WriteString(" BODY=8BITMIME")
	}
	if m.UTF8 && s.has("SMTPUTF8") {
		b.WriteString(" SMTPUTF8")
	}
	if s.has("DSN") {
		if m.Ret == "FULL" || m.Ret == "HDRS" { // RFC 3461 §4.3
			b.WriteString(" RET=" + m.Ret)
		}
		if m.ClientID != "" { // RFC 3461 §4.4
			b.WriteString(" ENVID=" + xtext(m.ClientID))
		}
	}
	return b.String()
}

// rcptCommand is RCPT, with the sender's wishes about reports where the server
// knows of such.
func (s *session) rcptCommand(r Recipient) string {
	c := "RCPT TO:<" + r.Address + ">"
	if !s.has("DSN") {
		return c
	}
	if r.Notify != "" { // RFC 3461 §4.1
		c += " NOTIFY=" + strings.ToUpper(r.Notify)
	}
	if kind, address, ok := strings.Cut(r.ORCPT, ";"); ok { // RFC 3461 §4.2
		// RFC 6533 §3: the utf-8 type has its own encoding, of which xtext's
		// part for ASCII is a subset; letters beyond ASCII need SMTPUTF8.
		if ascii(address) || s.has("SMTPUTF8") {
			c += " ORCPT=" + kind + ";" + xtext(address)
		}
	}
	return c
}

// xtext encodes what may not stand in a parameter (RFC 3461 §4). Bytes above
// 127 stay: they only come here with SMTPUTF8.
func xtext(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == '+' || c == '=' || c == 0x7f {
			fmt.Fprintf(&b, "+%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
