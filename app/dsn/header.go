package dsn

import (
	"fmt"
	"mime"
	netmail "net/mail"
	"strings"
	"time"

	"golang.org/x/net/idna"

	"servicesmtp.net/companion/app/say"
)

// maxAddress is the longest address that stands in a field. RFC 5321
// §4.5.3.1.3 asks for 256; what is longer than this would pass the length of a
// line.
const maxAddress = 900

// header is the report's own header with the empty line behind it.
func (r Report) header(boundary string) string {
	domain := domainOf(r.To)
	from := netmail.Address{Name: r.Say.Say("Mail delivery report"), Address: "mailer-daemon@" + domain}
	var b strings.Builder
	add := func(name, value string) { fmt.Fprintf(&b, "%s: %s\r\n", name, value) }
	add("Date", r.Now.UTC().Format(time.RFC1123Z)) // UTC tells nothing of the place
	add("From", from.String())
	add("To", recipientOf(r.To))
	add("Subject", encodeText(r.Say.Text(r.subject())))
	add("Message-ID", "<report."+r.ID+"@"+domain+">")
	if id := r.Original.MessageID; id != "" { // RFC 5322 §3.6.4
		add("In-Reply-To", id)
		add("References", id)
	}
	add("Auto-Submitted", "auto-replied") // RFC 3834 §5: no program answers it
	add("MIME-Version", "1.0")
	add("Content-Type", "multipart/report; report-type=delivery-status;\r\n\tboundary=\""+boundary+"\"")
	if r.EightBit() { // RFC 2045 §6.4
		add("Content-Transfer-Encoding", "8bit")
	}
	b.WriteString("\r\n")
	return b.String()
}

func (r Report) subject() say.Text {
	s := r.Original.Subject
	switch {
	case r.Digest && s != "":
		return say.N(r.Failed, "{{.N}} address failed: {{.Subject}}", "{{.N}} addresses failed: {{.Subject}}").With("Subject", s)
	case r.Digest:
		return say.N(r.Failed, "{{.N}} address of your newsletter failed", "{{.N}} addresses of your newsletter failed")
	case s != "":
		return say.T("Not delivered: {{.Subject}}").With("Subject", s)
	}
	return say.T("Your message was not delivered")
}

// encodeText is a text as it may stand in a field (RFC 2047), folded.
func encodeText(s string) string {
	return strings.ReplaceAll(mime.QEncoding.Encode("utf-8", oneLine(s)), "?= =?", "?=\r\n\t=?")
}

// domainOf is the domain of an address in ASCII, or "localhost".
func domainOf(address string) string {
	const none = "localhost"
	domain := address[strings.LastIndexByte(address, '@')+1:]
	if ascii, err := idna.Lookup.ToASCII(domain); err == nil {
		domain = ascii
	}
	// No name is longer than 255 (RFC 5321 §4.5.3.1.2).
	if len(domain) > 255 || !isASCII(domain) || !plainAddress("x@"+domain) {
		return none
	}
	return domain
}

// recipientOf is the value of To. The envelope says whom the report goes to; an
// address that cannot stand in a field is left out of it.
func recipientOf(address string) string {
	if !plainAddress(address) {
		return "undisclosed-recipients:;" // RFC 5322 §3.4
	}
	return "<" + address + ">"
}

// plainAddress says that an address is one, and fits into a line.
func plainAddress(address string) bool {
	if len(address) > maxAddress || address != oneLine(address) {
		return false
	}
	a, err := netmail.ParseAddress("<" + address + ">")
	return err == nil && a.Name == ""
}
