package proxy

import (
	"net"
	"net/netip"
	"strings"
	"time"

	"servicesmtp.net/companion/app/mail"
)

// received is our trace field (RFC 5321 §4.4), folded, with its CRLF.
//
// The name that the client gave with EHLO is left out on purpose: mail programs
// send the computer's name, and every recipient would read it. There is no
// "for" clause either: it would show one blind-copy recipient to the others.
// The time is in UTC, which tells nothing of the place.
func received(env *mail.Envelope, hostname, client, protocol string, now time.Time) string {
	var b strings.Builder
	b.WriteString("Received: from localhost")
	if client != "" {
		b.WriteString(" (" + client + ")")
	}
	b.WriteString("\r\n\tby " + hostname + " with " + protocol)
	b.WriteString(" id " + string(env.Job) + ";\r\n\t")
	b.WriteString(now.UTC().Format("Mon, 02 Jan 2006 15:04:05 -0700") + "\r\n")
	return b.String()
}

// protocol is the "with" word of RFC 3848 and, for SMTPUTF8, RFC 6531 §4.3.
func protocol(extended, utf8, secure, authenticated bool) string {
	word := "SMTP"
	if utf8 {
		word = "UTF8SMTP"
	} else if extended || secure || authenticated {
		word = "ESMTP"
	}
	if secure {
		word += "S"
	}
	if authenticated {
		word += "A"
	}
	return word
}

// clientIP is the address at the other end; invalid where it is not TCP.
func clientIP(a net.Addr) netip.Addr {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return tcp.AddrPort().Addr().Unmap().WithZone("")
}

// literal writes an address as in RFC 5321 §4.1.3.
func literal(ip netip.Addr) string {
	switch {
	case ip.Is4():
		return "[" + ip.String() + "]"
	case ip.Is6():
		return "[IPv6:" + ip.String() + "]"
	}
	return ""
}

// family is the word in mail.Client.
func family(ip netip.Addr) string {
	if ip.Is6() {
		return "ipv6"
	}
	return "ipv4"
}
