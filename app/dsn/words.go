package dsn

import (
	"cmp"
	"fmt"
	"maps"
	"mime/multipart"
	"mime/quotedprintable"
	"slices"
	"strings"

	"servicesmtp.net/companion/app/say"
)

const (
	textType = "text/plain; charset=utf-8"
	listType = "text/csv; charset=utf-8; header=present" // RFC 4180 §3
	listName = "failed-addresses.csv"
)

// maxReply is how much of a reply stands in the text.
const maxReply = 500

// writeWords writes the part that people read; a digest has its list beside it.
func (r Report) writeWords(m *multipart.Writer) error {
	if !r.Digest {
		text, err := r.personal()
		if err != nil {
			return err
		}
		return quotedPart(m, textType, "", strings.NewReader(text))
	}
	text, err := r.digest()
	if err != nil {
		return err
	}
	w, err := newPart(m, `multipart/mixed; boundary="`+r.boundary("words")+`"`, "", "")
	if err != nil {
		return err
	}
	inner := multipart.NewWriter(w)
	if err := inner.SetBoundary(r.boundary("words")); err != nil {
		return err
	}
	if err := quotedPart(inner, textType, "", strings.NewReader(text)); err != nil {
		return err
	}
	w, err = newPart(inner, listType, "quoted-printable", `attachment; filename="`+listName+`"`)
	if err != nil {
		return err
	}
	q := quotedprintable.NewWriter(w)
	if err := r.List(q); err != nil {
		return err
	}
	if err := q.Close(); err != nil {
		return err
	}
	return inner.Close()
}

// page is a text for people that grows.
type page struct {
	strings.Builder
	p say.Printer
}

func (t *page) line(indent string, text say.Text) {
	fmt.Fprintf(t, "%s%s\n", indent, t.p.Text(text))
}

func (t *page) gap() { t.WriteString("\n") }

// about says which message it was.
func (r Report) about(t *page) {
	if r.Original.Subject != "" {
		t.line("", say.T("Subject: {{.Subject}}").With("Subject", r.Original.Subject))
	}
	t.line("", say.T("Handed in: {{.At}}").With("At", say.Moment{Time: r.Arrived, Now: r.Now}))
	t.gap()
}

func (r Report) personal() (string, error) {
	t := &page{p: r.Say}
	t.line("", say.N(r.Failed, "Your message could not be delivered to {{.N}} recipient:", "Your message could not be delivered to {{.N}} recipients:"))
	t.gap()
	for f, err := range r.Failures {
		if err != nil {
			return "", err
		}
		fmt.Fprintf(t, "%s\n", shorten(oneLine(f.Recipient.Address), maxAddress))
		t.line("    ", f.Reason)
		if !f.Advice.IsZero() {
			t.line("    ", say.T("What to do: {{.Advice}}").With("Advice", f.Advice))
		}
		if f.Reply.Code.Basic != 0 {
			t.line("    ", say.T("The server's words: {{.Reply}}").With("Reply", shorten(oneLine(f.Reply.String()), maxReply)))
		}
		t.gap()
	}
	r.about(t)
	if others := r.Recipients - r.Failed; others > 0 {
		t.line("", say.N(others, "This report is not about {{.N}} other recipient.", "This report is not about {{.N}} other recipients."))
	}
	t.line("", say.T("Nobody reads answers to this report."))
	return t.String(), nil
}

func (r Report) digest() (string, error) {
	t := &page{p: r.Say}
	t.line("", say.T("{{.Failed}} of {{.All}} addresses did not get your message.").With("Failed", r.Failed).With("All", r.Recipients))
	t.gap()
	r.about(t)
	t.line("", say.T("Accepted: {{.Count}}").With("Count", r.Accepted))
	t.line("", say.T("Failed: {{.Count}}").With("Count", r.Failed))
	if r.Cancelled > 0 {
		t.line("", say.T("Taken back: {{.Count}}").With("Count", r.Cancelled))
	}
	if r.Uncertain > 0 {
		t.line("", say.T("In doubt: {{.Count}}").With("Count", r.Uncertain))
	}
	t.gap()
	reasons, first, err := r.survey()
	if err != nil {
		return "", err
	}
	t.line("", say.T("Why they failed:"))
	for _, n := range reasons {
		fmt.Fprintf(t, "  %s × %s\n", t.p.Number(int64(n.count)), t.p.Text(n.reason))
	}
	t.gap()
	if len(first) < r.Failed {
		t.line("", say.T("The first {{.Count}} addresses:").With("Count", len(first)))
	} else {
		t.line("", say.T("The addresses:"))
	}
	for _, address := range first {
		fmt.Fprintf(t, "  %s\n", address)
	}
	t.gap()
	t.line("", say.T("The whole list, with the servers' words, is in the attached file {{.File}}. Take these addresses off your list before you send again.").With("File", listName))
	t.line("", say.T("Nobody reads answers to this report."))
	return t.String(), nil
}

// tally is how often a reason was met.
type tally struct {
	reason say.Text
	count  int
}

// survey counts the failures by reason, the most frequent first, and gives the
// first addresses.
func (r Report) survey() (reasons []tally, first []string, err error) {
	byKey := make(map[string]tally)
	for f, err := range r.Failures {
		if err != nil {
			return nil, nil, err
		}
		n := byKey[f.Reason.Key]
		byKey[f.Reason.Key] = tally{f.Reason, n.count + 1}
		if len(first) < maxNamed {
			first = append(first, shorten(oneLine(f.Recipient.Address), maxAddress))
		}
	}
	reasons = slices.SortedFunc(maps.Values(byKey), func(a, b tally) int {
		return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(a.reason.Key, b.reason.Key))
	})
	return reasons, first, nil
}
