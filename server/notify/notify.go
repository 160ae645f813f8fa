// Package notify writes what the service has to say to a customer: the short
// notice that the companion shows, and the mail with the whole of it.
//
// It promises that one value always gives the same notice and the same octets
// of mail; that what comes from outside (names, links, far servers' replies)
// can neither add a line, a field or a part; that a mail is 7-bit, its lines
// have at most 78 characters (RFC 5322 §2.1.1), it says that no person wrote
// it (RFC 3834 §5), and loads nothing from anywhere. Money is counted in minor
// units, never in fractions.
//
// It is pure: values in, bytes out. It reads no clock and no store, and
// decides neither who is told nor when. No goroutine.
//
// # Words
//
// All sentences of a language stand in one file, templates/en.txt. A notice
// has three texts there, named by its kind: the subject, the short text for
// the companion, and the body of the mail. A body is written once, in blocks
// parted by empty lines, and becomes plain text and HTML:
//
//	# a heading
//	a paragraph, over as many lines as it likes
//	- an item of a list
//	║ the head ║ of a table ║
//	│ a row │ of it; all but the first column go to the right │
//	> https://link with what to call it after the first space
//
// Standards: RFC 5322 (messages), RFC 2045 to 2047 and 2183 (MIME), RFC 3834
// (automatic messages), RFC 4180 (CSV).
package notify

import (
	"errors"
	"time"
)

// Severities of a notice, as stored.
const (
	Info    = "info"
	Warning = "warning"
	Action  = "action" // somebody must do something
)

// Keys: a newer notice of the same key takes the place of the older ones.
const (
	keySteps        = "steps"
	keyUsage        = "usage" // of the limit: a step that comes after a warning leaves the warning there
	keyHeavy        = "heavy"
	keyStatus       = "status"
	keySubscription = "subscription"
	keyReport       = "report"
)

// heading is what a notice is, apart from its words.
type heading struct {
	kind     string // names the texts
	severity string
	key      string // "": takes nobody's place
}

// Notice is one thing to say: a value of one of this package's types.
type Notice interface{ heading() heading }

// Letter says for whom a notice is written, and when.
type Letter struct {
	Account string         // name of the account
	Zone    *time.Location // of the account
	Now     time.Time
	From    string // "postmaster@relay.example", or "Name <address>"
	To      string // reference address
	ID      string // unique; names the message and its parts
}

// Attachment is a file that goes with a mail.
type Attachment struct {
	Name string
	Type string // media type with its parameters
	Data []byte
}

// Written is a notice in words.
type Written struct {
	Kind        string
	Severity    string
	Key         string
	Subject     string
	Short       string // for the companion: one paragraph
	Text        string // of the mail, lines ended by LF
	HTML        string
	Attachments []Attachment

	mailSubject string // Subject with the account's name
}

// attacher is a notice with files.
type attacher interface {
	attachments(l Letter) ([]Attachment, error)
}

// checker is a notice that can be incomplete.
type checker interface{ check() error }

// Write puts a notice into words.
func Write(n Notice, l Letter) (Written, error) {
	if l.Zone == nil {
		return Written{}, errors.New("letter without a zone")
	}
	if c, ok := n.(checker); ok {
		if err := c.check(); err != nil {
			return Written{}, err
		}
	}
	h := n.heading()
	w := Written{Kind: h.kind, Severity: h.severity, Key: h.key}
	if err := english.write(n, l, &w); err != nil {
		return Written{}, err
	}
	if a, ok := n.(attacher); ok {
		var err error
		if w.Attachments, err = a.attachments(l); err != nil {
			return Written{}, err
		}
	}
	return w, nil
}
