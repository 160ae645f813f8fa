package dsn

import (
	"fmt"
	"io"
	"mime/multipart"
	"strings"
	"time"

	"servicesmtp.net/companion/app/mail"
)

// maxDiagnostic is how much of a reply stands in the status.
const maxDiagnostic = 2000

// writeStatus writes what programs read (RFC 3464 §2.1).
func (r Report) writeStatus(m *multipart.Writer) error {
	w, err := newPart(m, "message/delivery-status", "7bit", "")
	if err != nil {
		return err
	}
	var b strings.Builder
	if id := ascii(r.EnvelopeID); id != "" && len(id) <= maxAddress {
		field(&b, "Original-Envelope-Id", id) // RFC 3464 §2.2.1
	}
	field(&b, "Reporting-MTA", "dns;"+r.Hostname)
	field(&b, "Arrival-Date", date(r.Arrived))
	n := 0
	for f, err := range r.Failures {
		if err != nil {
			return err
		}
		if n == maxStatuses {
			break
		}
		n++
		r.recipient(&b, f)
		if _, err := io.WriteString(w, b.String()); err != nil {
			return err
		}
		b.Reset()
	}
	return nil
}

// recipient is the block of one recipient (RFC 3464 §2.3).
func (r Report) recipient(b *strings.Builder, f Failure) {
	b.WriteString("\r\n")
	if kind, address, ok := strings.Cut(f.Recipient.Original, ";"); ok && isAtom(kind) && address != "" {
		field(b, "Original-Recipient", typed(strings.ToLower(kind), address))
	}
	field(b, "Final-Recipient", typed("rfc822", f.Recipient.Address))
	field(b, "Action", "failed")
	field(b, "Status", status(f.Reply.Code))
	if host := ascii(r.RemoteMTA); host != "" {
		field(b, "Remote-MTA", "dns;"+host)
	}
	if f.Reply.Code.Basic != 0 {
		said := ascii(f.Reply.String())
		if len(said) > maxDiagnostic {
			said = said[:maxDiagnostic] + "..." // in ASCII, as all of this part
		}
		field(b, "Diagnostic-Code", "smtp; "+said)
	}
	field(b, "Last-Attempt-Date", date(f.At))
}

// status is the enhanced code (RFC 3463) of a failure. A recipient who was put
// off until nobody wanted to wait any longer has the code for that, whatever
// the last reply was. Without any reply the fault is on this computer.
func status(c mail.Code) string {
	switch e := c.Enhanced; {
	case c.Basic == 0:
		return "5.3.0"
	case c.Transient():
		return "4.4.7"
	case e[0] != 5:
		return "5.0.0"
	default:
		return fmt.Sprintf("%d.%d.%d", e[0], e[1], e[2])
	}
}

// isAtom says that an address type is one that a field may hold.
func isAtom(kind string) bool {
	return kind != "" && len(kind) <= 40 && !strings.ContainsFunc(kind, func(r rune) bool {
		return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}

func date(t time.Time) string { return t.UTC().Format(time.RFC1123Z) }

// lineWidth is where fields are folded.
const lineWidth = 76

// field writes a field, folded between its words. value must be ASCII on one
// line. A word that is longer than a line may be is no address (see typed), so
// it is cut.
func field(b *strings.Builder, name, value string) {
	line := name + ":"
	for word := range strings.FieldsSeq(value) {
		for len(word) > maxAddress+40 {
			b.WriteString(line + "\r\n")
			line, word = "\t"+word[:maxAddress], word[maxAddress:]
		}
		if len(line)+1+len(word) > lineWidth && line != name+":" {
			b.WriteString(line + "\r\n")
			line = ""
		}
		line += " " + word
	}
	b.WriteString(line + "\r\n")
}
