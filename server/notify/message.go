package notify

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/emersion/go-message"
	gomail "github.com/emersion/go-message/mail"
	"golang.org/x/net/idna"
)

// ErrAddress says that the customer's address cannot be written to.
var ErrAddress = errors.New("not an address")

// Message is a mail as it is handed to delivery.
type Message struct {
	Recipient string // with an ASCII domain
	Content   []byte
	UTF8      bool // needs SMTPUTF8 (RFC 6531): the recipient's mailbox has letters beyond ASCII
}

// Message makes the mail of a notice: multipart/mixed with plain text and HTML
// as alternatives, and the files.
func (w Written) Message(l Letter) (Message, error) {
	from, _, err := address(l.From)
	if err != nil {
		return Message{}, fmt.Errorf("read sender: %w", err)
	}
	to, eai, err := address(l.To)
	if err != nil {
		return Message{}, fmt.Errorf("read recipient: %w", ErrAddress) // without the text: it holds the address
	}
	if l.ID == "" || strings.ContainsFunc(l.ID, func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		return Message{}, errors.New("letter without a usable id")
	}
	var h gomail.Header
	// go-message writes the field that was added last first.
	h.SetContentType("multipart/mixed", map[string]string{"boundary": l.boundary("mixed")})
	h.Set("MIME-Version", "1.0")
	h.Set("Auto-Submitted", "auto-generated") // RFC 3834 §5: nobody's out-of-office note may answer
	h.Set("Subject", encoded(w.mailSubject))
	h.Set("To", mailbox(to))
	h.Set("From", mailbox(from))
	h.SetMessageID(l.ID + from.Address[strings.LastIndexByte(from.Address, '@'):])
	h.SetDate(l.Now.In(l.Zone))
	var b bytes.Buffer
	if err := w.parts(&b, h.Header, l); err != nil {
		return Message{}, fmt.Errorf("write mail: %w", err)
	}
	return Message{Recipient: to.Address, Content: b.Bytes(), UTF8: eai}, nil
}

// boundary cannot stand in the content: who had a word in that did not know
// the id, quoted-printable lines hold no "=_" (RFC 2045 §6.7), and base64 has
// no underscore.
func (l Letter) boundary(part string) string { return "=_" + l.ID + "_" + part }

func (w Written) parts(b io.Writer, h message.Header, l Letter) error {
	mixed, err := message.CreateWriter(b, h)
	if err != nil {
		return err
	}
	var ah message.Header
	ah.SetContentType("multipart/alternative", map[string]string{"boundary": l.boundary("alternative")})
	alternative, err := mixed.CreatePart(ah)
	if err != nil {
		return err
	}
	// RFC 2046 §5.1.4: the best last.
	for _, p := range []struct{ kind, text string }{{"text/plain", w.Text}, {"text/html", w.HTML}} {
		var ph message.Header
		ph.Set("Content-Transfer-Encoding", "quoted-printable")
		ph.SetContentType(p.kind, map[string]string{"charset": "utf-8"})
		if err := part(alternative, ph, []byte(strings.ReplaceAll(p.text, "\n", "\r\n"))); err != nil {
			return err
		}
	}
	if err := alternative.Close(); err != nil {
		return err
	}
	for _, a := range w.Attachments {
		var ph message.Header
		ph.Set("Content-Transfer-Encoding", "base64")
		ph.SetContentDisposition("attachment", map[string]string{"filename": a.Name})
		ph.Set("Content-Type", a.Type)
		if err := part(mixed, ph, a.Data); err != nil {
			return err
		}
	}
	return mixed.Close()
}

func part(w *message.Writer, h message.Header, data []byte) error {
	p, err := w.CreatePart(h)
	if err != nil {
		return err
	}
	if _, err := p.Write(data); err != nil {
		return err
	}
	return p.Close()
}

// encoded is text for a field. Encoded words (RFC 2047) of 60 characters fit
// beside the name of any field; those of 75 that mime makes do not, and
// go-message then leaves the field unfolded.
func encoded(s string) string {
	if isASCII(s) {
		return s
	}
	var all []string
	var word []byte
	flush := func() {
		all = append(all, "=?utf-8?B?"+base64.StdEncoding.EncodeToString(word)+"?=")
		word = word[:0]
	}
	for _, r := range s {
		if len(word)+utf8.RuneLen(r) > 36 {
			flush()
		}
		word = utf8.AppendRune(word, r)
	}
	flush()
	return strings.Join(all, " ")
}

// mailbox is an address for a field.
func mailbox(a *mail.Address) string {
	if a.Name == "" || isASCII(a.Name) {
		return a.String()
	}
	return encoded(a.Name) + " <" + a.Address + ">"
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII })
}

// address reads one address and gives its domain in ASCII. eai says that its
// mailbox is not.
func address(s string) (a *mail.Address, eai bool, err error) {
	p, err := mail.ParseAddress(s)
	if err != nil {
		return nil, false, err
	}
	at := strings.LastIndexByte(p.Address, '@')
	box, domain := p.Address[:at], p.Address[at+1:]
	if !strings.HasPrefix(domain, "[") {
		if domain, err = idna.Lookup.ToASCII(domain); err != nil {
			return nil, false, fmt.Errorf("domain: %w", err)
		}
	}
	return &mail.Address{Name: p.Name, Address: box + "@" + domain}, !isASCII(box), nil
}
