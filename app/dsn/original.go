package dsn

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"strings"
	"unicode/utf8"
)

// MaxReturned is how much of a message a report gives back.
const MaxReturned = 64_000

// maxLine is the longest line of a message, without its CRLF (RFC 5322
// §2.1.1).
const maxLine = 998

// Original is the message that failed, as far as its report needs it. The zero
// value is one that nobody has any more: then the report goes without.
type Original struct {
	Subject   string // decoded, on one line, not longer than a subject should be; or ""
	MessageID string // with its angle brackets, or ""

	header []byte // whole fields, without the empty line
	whole  []byte // the message, where it is given back
}

// ReadOriginal reads the beginning of a message. full is RET=FULL (RFC 3461
// §4.3); a message that is too large for it, or that cannot stand inside
// another because of its lines, is given back as its header.
func ReadOriginal(r io.Reader, full bool) (Original, error) {
	text, err := io.ReadAll(io.LimitReader(r, MaxReturned+1))
	if err != nil {
		return Original{}, fmt.Errorf("read original message: %w", err)
	}
	var o Original
	head, _, ended := bytes.Cut(text, []byte("\r\n\r\n"))
	switch {
	case bytes.HasPrefix(text, []byte("\r\n")): // no header
	case ended:
		o.header = append(bytes.Clone(head), '\r', '\n')
	case len(text) <= MaxReturned: // no body
		o.header = text
	default:
		o.header = wholeFields(text[:MaxReturned])
	}
	if full && len(text) > 0 && len(text) <= MaxReturned && embeddable(text) {
		o.whole = text
	}
	o.Subject, o.MessageID = o.subject(), o.messageID()
	return o, nil
}

// wholeFields cuts off the field that the text ends in.
func wholeFields(text []byte) []byte {
	for i := len(text) - 1; i > 1; i-- {
		if text[i-1] == '\n' && text[i] != ' ' && text[i] != '\t' {
			return text[:i]
		}
	}
	return nil
}

// embeddable says that a message can stand in a part as it is: message/rfc822
// knows no encoding (RFC 2046 §5.2.1).
func embeddable(text []byte) bool {
	for line := range bytes.Lines(text) {
		body, ok := bytes.CutSuffix(line, []byte("\r\n"))
		if !ok && len(line) > 0 && line[len(line)-1] == '\n' || len(body) > maxLine || bytes.ContainsAny(body, "\x00\r") {
			return false
		}
	}
	return true
}

// value is the first field with a name, unfolded, or "".
func (o Original) value(name string) string {
	m, err := netmail.ReadMessage(io.MultiReader(bytes.NewReader(o.header), strings.NewReader("\r\n")))
	if err != nil {
		return ""
	}
	return m.Header.Get(name)
}

const maxSubject = 100

// subject is "" where it cannot be read for certain.
func (o Original) subject() string {
	raw := o.value("Subject")
	decoded, err := new(mime.WordDecoder).DecodeHeader(raw)
	if err != nil || !utf8.ValidString(decoded) {
		return ""
	}
	return shorten(oneLine(decoded), maxSubject)
}

// messageID is "" where it is not of the usual form (RFC 5322 §3.6.4): a field
// of ours repeats it.
func (o Original) messageID() string {
	id := strings.TrimSpace(o.value("Message-Id"))
	inner, ok := strings.CutPrefix(id, "<")
	inner, closed := strings.CutSuffix(inner, ">")
	if !ok || !closed || len(id) > 250 || strings.Count(inner, "@") != 1 ||
		strings.ContainsFunc(inner, func(r rune) bool { return r <= ' ' || r > '~' || r == '<' || r == '>' }) {
		return ""
	}
	return id
}

func (o Original) eightBit() bool { return o.whole != nil && !isASCII(string(o.whole)) }

// write writes the part with the original, or none.
func (o Original) write(m *multipart.Writer) error {
	switch utf := !isASCII(string(o.header)) && utf8.Valid(o.header); {
	case o.whole != nil:
		kind, encoding := "message/rfc822", "7bit"
		if utf {
			kind = "message/global" // RFC 6532 §3.7
		}
		if o.eightBit() {
			encoding = "8bit"
		}
		return plainPart(m, kind, encoding, o.whole)
	case len(o.header) == 0:
		return nil
	case utf:
		return quotedPart(m, "message/global-headers", "", bytes.NewReader(o.header)) // RFC 6533 §4
	case isASCII(string(o.header)) && embeddable(o.header):
		return plainPart(m, "text/rfc822-headers", "7bit", o.header) // RFC 6522 §4
	default:
		return quotedPart(m, "text/rfc822-headers", "", bytes.NewReader(o.header))
	}
}

func plainPart(m *multipart.Writer, kind, encoding string, text []byte) error {
	w, err := newPart(m, kind, encoding, "")
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}

func quotedPart(m *multipart.Writer, kind, disposition string, text io.Reader) error {
	w, err := newPart(m, kind, "quoted-printable", disposition)
	if err != nil {
		return err
	}
	q := quotedprintable.NewWriter(w)
	if _, err := io.Copy(q, text); err != nil {
		return err
	}
	return q.Close()
}
