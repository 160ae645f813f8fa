package uplink

import (
	"fmt"
	"strings"

	"servicesmtp.net/companion/app/mail"
)

// mailCommand is the MAIL line of a batch, with the parameters that the server
// offers to understand.
func (s *Session) mailCommand(b mail.Batch) string {
	var c strings.Builder
	fmt.Fprintf(&c, "MAIL FROM:<%s>", b.From)
	if s.has("SIZE") && b.Size > 0 {
		fmt.Fprintf(&c, " SIZE=%d", int64(b.Size)) // RFC 1870 §6.1
	}
	if s.has("8BITMIME") {
		c.WriteString(" BODY=8BITMIME") // RFC 6152 §3; true of 7-bit messages too
	}
	if s.has("SMTPUTF8") && (b.UTF8 || !envelopeASCII(b)) {
		c.WriteString(" SMTPUTF8") // RFC 6531 §3.4
	}
	if s.has("DSN") {
		if b.Return == "FULL" || b.Return == "HDRS" {
			c.WriteString(" RET=" + b.Return) // RFC 3461 §4.3
		}
		c.WriteString(" ENVID=" + xtext(envelopeID(b))) // RFC 3461 §4.4
	}
	return c.String()
}

// envelopeID is the batch's ENVID. A client's part that RFC 3461 §4.4 does not
// allow is left out: the key alone carries the promise.
func envelopeID(b mail.Batch) string {
	id := b.EnvelopeID()
	for i := range len(id.Client) {
		if id.Client[i] < ' ' || id.Client[i] > '~' {
			return id.Key()
		}
	}
	return id.String()
}

// rcptCommand is the RCPT line of a recipient.
func (s *Session) rcptCommand(r mail.Recipient) string {
	c := "RCPT TO:<" + r.Address + ">"
	if !s.has("DSN") {
		return c
	}
	if n := notify(r.Notify); n != "" {
		c += " NOTIFY=" + n // RFC 3461 §4.1
	}
	kind, address, ok := strings.Cut(r.Original, ";")
	if !ok || kind == "" || address == "" {
		return c
	}
	if strings.EqualFold(kind, "utf-8") {
		return c + " ORCPT=utf-8;" + s.utf8Address(address) // RFC 6533 §3
	}
	return c + " ORCPT=" + xtext(kind) + ";" + xtext(address) // RFC 3461 §4.2
}

// notify joins the words that the standard knows; others are left out, because
// a server would refuse the recipient for them.
func notify(words []string) string {
	var known []string
	for _, w := range words {
		switch w = strings.ToUpper(w); w {
		case "NEVER":
			return w // stands alone (RFC 3461 §4.1)
		case "SUCCESS", "FAILURE", "DELAY":
			known = append(known, w)
		}
	}
	return strings.Join(known, ",")
}

// xtext encodes a parameter's value (RFC 3461 §4).
func xtext(s string) string {
	var out strings.Builder
	for i := range len(s) {
		if c := s[i]; c >= '!' && c <= '~' && c != '+' && c != '=' {
			out.WriteByte(c)
		} else {
			fmt.Fprintf(&out, "+%02X", c)
		}
	}
	return out.String()
}

// utf8Address encodes as utf-8-addr-unitext where the server takes SMTPUTF8,
// and as utf-8-addr-xtext elsewhere (RFC 6533 §3).
func (s *Session) utf8Address(address string) string {
	plain := s.has("SMTPUTF8")
	var out strings.Builder
	for _, c := range address {
		if (c >= '!' && c <= '~' && c != '+' && c != '=' && c != '\\') || (c > '~' && plain && c != 0x7f) {
			out.WriteRune(c)
		} else {
			fmt.Fprintf(&out, `\x{%02X}`, c)
		}
	}
	return out.String()
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] > 0x7f {
			return false
		}
	}
	return true
}

func envelopeASCII(b mail.Batch) bool {
	if !isASCII(b.From) {
		return false
	}
	for _, r := range b.Recipients {
		if !isASCII(r.Address) {
			return false
		}
	}
	return true
}

// unsendable says why an address cannot be given to this server. The reply is
// ours; its codes are those that a server would use.
func (s *Session) unsendable(address, command string) (mail.Reply, bool) {
	for i := range len(address) {
		if address[i] < ' ' || address[i] == 0x7f { // a line end here would be a command of its own
			return mail.Reply{Code: mail.Code{Basic: 553, Enhanced: [3]int{5, 1, 3}}, Command: command,
				Text: "The address holds a control character and was not sent."}, true
		}
	}
	if !isASCII(address) && !s.has("SMTPUTF8") {
		return mail.Reply{Code: mail.Code{Basic: 553, Enhanced: [3]int{5, 6, 7}}, Command: command, // RFC 6531 §3.5
			Text: "The server does not take addresses with letters outside ASCII."}, true
	}
	return mail.Reply{}, false
}

// splitUnsendable answers a batch that holds an address which this server
// cannot be given, without a word to the server. What a batch offers is frozen
// (the relay compares it), so the others cannot go without it under this key:
// they are too many beside it, which puts them into a new batch at once.
func (s *Session) splitUnsendable(b mail.Batch) ([]mail.Reply, bool) {
	replies := make([]mail.Reply, len(b.Recipients))
	if r, bad := s.unsendable(b.From, "MAIL"); bad {
		for i := range replies {
			replies[i] = r
		}
		return replies, true
	}
	found := false
	for i, rcpt := range b.Recipients {
		r, bad := s.unsendable(rcpt.Address, "RCPT")
		if !bad {
			r = mail.Reply{Code: mail.Code{Basic: 452, Enhanced: [3]int{4, 5, 3}}, Command: "RCPT",
				Text: "Another recipient cannot be given to this server; this one goes in a batch without it."}
		}
		replies[i] = r
		found = found || bad
	}
	return replies, found
}
