package world

import (
	"fmt"
	"net/smtp"
	"strings"
)

// Addresses makes n recipients r0.<id>@<domain>.
func Addresses(n int, id, domain string) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("r%d.%s@%s", i, id, domain)
	}
	return out
}

// Message is a small newsletter of about size bytes; lines of it begin with
// dots.
func Message(subject string, size int) string {
	head := "From: News <news@example.com>\r\nTo: readers\r\nSubject: " + subject + "\r\n\r\n"
	line := ".A line that begins with a dot, and Grüße in UTF-8.\r\n"
	return head + strings.Repeat(line, max(1, size/len(line))) + "..\r\n.\t\r\nend of " + subject + "\r\n"
}

// Send hands a message in with the standard library's client.
func (w *World) Send(from string, to []string, data string) error {
	return smtp.SendMail(w.SMTP, nil, from, to, []byte(data))
}

// MustSend is Send that has to succeed.
func (w *World) MustSend(from string, to []string, data string) {
	w.T.Helper()
	if err := w.Send(from, to, data); err != nil {
		w.T.Fatalf("hand in: %v", err)
	}
}

// Once fails unless every recipient got exactly one copy.
func (w *World) Once(to []string) {
	w.T.Helper()
	counts := w.Far.Counts()
	for _, r := range to {
		if counts[r] != 1 {
			w.T.Errorf("%s got %d copies", r, counts[r])
		}
		delete(counts, r)
	}
	for r := range counts {
		w.T.Errorf("%s got a message and was never written to", r)
	}
}
