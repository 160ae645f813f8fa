package submission

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"servicesmtp.net/companion/internal/smtpdata"
	"servicesmtp.net/companion/internal/units"
	"servicesmtp.net/companion/internal/wire"
	"servicesmtp.net/companion/server/accept"
)

func TestMapError(t *testing.T) {
	reset := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		err  error
		want string
	}{
		{&accept.QuotaError{Reset: reset}, "550 5.7.1 SSMTP-QUOTA reset=2026-12-01T00:00:00Z "},
		{accept.ErrBlocked, "550 5.7.1 SSMTP-BLOCKED "},
		{accept.ErrEnded, "550 5.7.1 SSMTP-BLOCKED "},
		{accept.ErrConflict, "554 5.5.4 SSMTP-CONFLICT "},
		{accept.ErrClosed, "554 5.5.4 SSMTP-CLOSED "},
		{accept.ErrAgain, "451 4.3.0 "},
		{accept.ErrStopped, "421 4.3.2 "},
		{wire.ErrBareLine, "554 5.6.0 "},
		{smtp.ErrTooLongLine, "554 5.6.0 "},
		{smtp.ErrDataTooLarge, "552 5.3.4 "},
		{smtpdata.ErrTooLarge, "552 5.3.4 "},
		{smtpdata.ErrLongLine, "554 5.6.0 "},
		{errNoLogin, "530 5.7.0 "},
		{syscall.ENOSPC, "452 4.3.1 "},
		{io.ErrUnexpectedEOF, "451 4.3.0 "},
		{context.Canceled, "451 4.3.0 "},
		{errors.New("open /var/lib/relay/bodies/x@a.example"), "451 4.3.0 "},
	} {
		for _, err := range []error{c.err, fmt.Errorf("open /secret for x@a.example: %w", c.err)} {
			r := mapError(err)
			got := fmt.Sprintf("%d %d.%d.%d %s", r.Code, r.EnhancedCode[0], r.EnhancedCode[1], r.EnhancedCode[2], r.Message)
			if !strings.HasPrefix(got, c.want) {
				t.Errorf("%v: got %q, want %q", err, got, c.want)
			}
			if r.Code/100 != r.EnhancedCode[0] || strings.ContainsAny(r.Message, "/@\r\n") {
				t.Errorf("%v: %q disagrees with itself or tells too much", err, got)
			}
		}
	}
}

// TestReplies walks through docs/protocol.md.
func TestReplies(t *testing.T) {
	w := newWorld(t)
	id := w.account("alice", "standard")
	c := w.login("alice")

	c.offer(envid(1), "x@a.example", "y@b.example")
	first := c.data(message("hello"), "250 2.0.0 queued as 0")
	if !strings.HasSuffix(c.repeat(envid(1), "hello", "250 "), strings.TrimPrefix(first, "250 2.0.0 ")+" (replayed)") {
		t.Error("a replay must name the first id")
	}
	c.repeat(envid(1), "other", "554 5.5.4 SSMTP-CONFLICT")
	if !strings.Contains(w.log.String(), "one key, two contents") {
		t.Error("a conflict is not in the log")
	}

	if _, err := w.accept.Close(context.Background(), id, []string{envid(2)}); err != nil {
		t.Fatal(err)
	}
	c.cmd("MAIL FROM:<a@example.com> ENVID="+envid(2), "554 5.5.4 SSMTP-CLOSED")
	c.offer(envid(3), "x@a.example")
	if _, err := w.accept.Close(context.Background(), id, []string{envid(3)}); err != nil {
		t.Fatal(err)
	}
	c.data(message("hello"), "554 5.5.4 SSMTP-CLOSED") // the close came in between

	c.offer("", "x@a.example")
	w.exec(`UPDATE accounts SET status = 'blocked'`)
	c.data(message("hello"), "451 4.3.0") // the token is for MAIL only
	c.cmd("MAIL FROM:<a@example.com>", "550 5.7.1 SSMTP-BLOCKED")
	c.cmd("MAIL FROM:<a@example.com> ENVID="+envid(1), "250 ") // a replay is answered all the same
	c.cmd("RSET", "250 ")
	w.exec(`UPDATE accounts SET status = 'ended'`)
	c.cmd("MAIL FROM:<a@example.com>", "550 5.7.1 SSMTP-BLOCKED")
	w.exec(`UPDATE accounts SET status = 'held'`)
	c.offer(envid(4), "x@a.example")
	m, _ := w.content(c.data(message("hello"), "250 2.0.0 queued as "))
	if !m.Held {
		t.Error("held account, but the message is not")
	}
	c.cmd("QUIT", "221 ")
}

// repeat offers the recipients of the first batch again.
func (c *client) repeat(envelopeID, text, prefix string) string {
	c.t.Helper()
	c.offer(envelopeID, "x@a.example", "y@b.example")
	return c.data(message(text), prefix)
}

func TestQuotaReplies(t *testing.T) {
	w := newWorld(t)
	w.account("alice", "entry-month") // 90 MB, then cut off
	c := w.login("alice")
	// Sure at MAIL: not even one recipient of that size fits.
	got := c.cmd("MAIL FROM:<a@example.com> SIZE=90000001", "550 5.7.1 SSMTP-QUOTA reset=")
	_, text, _ := strings.Cut(got, "550 5.7.1 ")
	if s, ok := wire.ParseSignal(text); !ok || s.Reset.Before(time.Now().AddDate(0, 0, 29)) || s.Reset.After(time.Now().AddDate(0, 0, 31)) {
		t.Errorf("%q: reset %v", got, s.Reset)
	}
	// Not sure at MAIL: what is declared may be wrong, and is wrong here.
	c.cmd("MAIL FROM:<a@example.com> SIZE=90000000 ENVID="+envid(1), "250 ")
	c.cmd("RCPT TO:<x@a.example>", "250 ")
	c.data(message("hello"), "250 ")
	// After the dot: one recipient would fit, fifty do not, so none does.
	w.exec(`UPDATE usage_periods SET bytes = $1`, int64(90*units.MB)-49*int64(len(message("hello"))))
	c.offer(envid(2), addresses(50, "r")...)
	c.data(message("hello"), "550 5.7.1 SSMTP-QUOTA reset=")
	c.offer(envid(2), addresses(49, "r")...) // the key is free
	c.data(message("hello"), "250 2.0.0 queued as ")
	c.cmd("MAIL FROM:<a@example.com>", "250 ") // nothing declared, so nothing is sure
	c.cmd("RSET", "250 ")
	c.cmd("MAIL FROM:<a@example.com> SIZE=1", "550 5.7.1 SSMTP-QUOTA")
	// A replay costs nothing and is answered.
	c.offer(envid(2), addresses(49, "r")...)
	c.data(message("hello"), "250 2.0.0 queued as ")
	if n := w.count(`SELECT bytes FROM usage_periods`); n != int64(90*units.MB) {
		t.Errorf("%d bytes counted, want all of the plan", n)
	}
}

func TestTooManyRecipients(t *testing.T) {
	w := newWorld(t)
	w.account("alice", "standard")
	c := w.login("alice")
	c.offer(envid(1), addresses(50, "r")...)
	c.cmd("RCPT TO:<one@more.example>", "452 4.5.3")
	c.data(message("hello"), "250 2.0.0 queued as ")
	if n := w.count(`SELECT count(*) FROM deliveries`); n != 50 {
		t.Errorf("%d recipients, want 50", n)
	}
}

// TestRefusedRecipientsEnd: those that are refused are remembered, too, but
// not without end.
func TestRefusedRecipientsEnd(t *testing.T) {
	w := newWorld(t)
	w.account("alice", "standard")
	c := w.login("alice")
	c.offer("", "x@a.example")
	for range offeredMax - 1 {
		c.cmd("RCPT TO:<käse@b.example>", "553 5.6.7")
	}
	c.cmd("RCPT TO:<käse@b.example>", "452 4.5.3")
	c.data(message("hello"), "250 2.0.0 queued as ")
}

// TestStoredDecisions: a replay is answered as the first time, from RCPT on.
func TestStoredDecisions(t *testing.T) {
	w := newWorld(t)
	w.account("alice", "standard")
	for i, utf8 := range []string{"", " SMTPUTF8"} { // what refused the address is gone the second time
		c := w.login("alice")
		c.cmd("MAIL FROM:<a@example.com> ENVID="+envid(1)+utf8, "250 ")
		c.cmd("RCPT TO:<x@a.example>", "250 ")
		c.cmd("RCPT TO:<käse@b.example>", "553 5.6.7 The address needs SMTPUTF8")
		reply := c.data(message("hello"), "250 2.0.0 queued as ")
		if got := strings.HasSuffix(reply, "(replayed)"); got != (i == 1) {
			t.Errorf("%q", reply)
		}
	}
	c := w.login("alice")
	c.offer(envid(1), "x@a.example", "never@offered.example")
	c.data(message("hello"), "554 5.5.4 SSMTP-CONFLICT")
	if n := w.count(`SELECT count(*) FROM deliveries`); n != 1 {
		t.Errorf("%d deliveries, want 1", n)
	}
}

func TestRefusedRecipients(t *testing.T) {
	w := newWorld(t)
	w.account("alice", "standard")
	c := w.login("alice")
	c.cmd("MAIL FROM:<ä@example.com>", "553 5.6.7")
	c.cmd("MAIL FROM:<a@example.com>", "250 ")
	c.cmd("MAIL FROM:<a@example.com>", "503 5.5.1") // nested
	c.cmd("RCPT TO:<postmaster>", "501 ")
	c.cmd("RCPT TO:<käse@b.example>", "553 5.6.7")
	c.cmd("DATA", "502 ")
	c.cmd("RCPT TO:<>", "501 ")
	c.cmd("RCPT TO:<x@a.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;o+40a.example", "250 ")
	c.cmd("RCPT TO:<x@A.example>", "250 ") // the same again: delivered once
	c.data(message("hello"), "250 2.0.0 queued as ")
	if n := w.count(`SELECT count(*) FROM deliveries WHERE notify = 'SUCCESS,FAILURE' AND orcpt = 'rfc822;o@a.example'`); n != 1 {
		t.Error("NOTIFY and ORCPT are not stored as given")
	}
	if n := w.count(`SELECT count(*) FROM deliveries`); n != 1 {
		t.Errorf("%d deliveries, want 1", n)
	}
	if n := w.count(`SELECT emails FROM usage_periods`); n != 1 {
		t.Errorf("%d e-mails counted, want 1", n)
	}
}

// TestLongValues: a line may be very long for the sake of messages, an address
// that is kept may not.
func TestLongValues(t *testing.T) {
	w := newWorld(t)
	w.account("alice", "standard")
	c := w.login("alice")
	long := func(n int) string { return strings.Repeat("x", n) }
	c.cmd("MAIL FROM:<"+long(maxAddress)+"@example.com>", "553 5.1.7")
	c.cmd("MAIL FROM:<a@example.com> ENVID="+long(maxEnvelope+1), "501 5.5.4")
	c.cmd("MAIL FROM:<a@example.com> ENVID="+long(maxEnvelope), "250 ")
	c.cmd("RCPT TO:<"+long(500_000)+"@a.example>", "553 5.1.3")
	c.cmd("RCPT TO:<x@a.example> ORCPT=rfc822;"+long(maxOriginal)+"@a.example", "501 5.5.4")
	c.cmd("RCPT TO:<"+long(maxAddress-len("@a.example"))+"@a.example>", "250 ")
	c.data(message("hello"), "250 2.0.0 queued as ")
}

func TestAnySenderIsTaken(t *testing.T) {
	w := newWorld(t)
	w.account("alice", "standard")
	c := w.login("alice")
	for _, from := range []string{"", "somebody@else.example"} {
		c.cmd("MAIL FROM:<"+from+"> RET=HDRS BODY=8BITMIME", "250 ")
		c.cmd("RCPT TO:<x@a.example>", "250 ")
		m, _ := w.content(c.data(message("hello"), "250 2.0.0 queued as "))
		if m.From != from || m.Return != "HDRS" || !m.EightBit || m.UTF8 {
			t.Errorf("message %+v", m)
		}
	}
	c.cmd("MAIL FROM:<ä@example.com> SMTPUTF8 ENVID=QQ314159", "250 ")
	c.cmd("RCPT TO:<käse@b.example>", "250 ")
	m, _ := w.content(c.data(message("hello"), "250 2.0.0 queued as "))
	if !m.UTF8 || m.ClientID != "QQ314159" || !strings.Contains(m.Received, "with UTF8SMTPSA id") {
		t.Errorf("message %+v", m)
	}
}

// TestDiskFull: 452 while there is no room, and no harm afterwards.
func TestDiskFull(t *testing.T) {
	w := newWorld(t)
	w.account("alice", "standard")
	c := w.login("alice")
	pages := w.count(`PRAGMA page_count`)
	w.exec(fmt.Sprintf(`PRAGMA max_page_count = %d`, pages))
	c.offer(envid(1), "x@a.example")
	c.data(message(strings.Repeat("x", 200_000)), "452 4.3.1")
	w.exec(fmt.Sprintf(`PRAGMA max_page_count = %d`, pages+10_000))
	c.offer(envid(1), "x@a.example")
	c.data(message(strings.Repeat("x", 200_000)), "250 2.0.0 queued as ")
	if n := w.count(`SELECT emails FROM usage_periods`); n != 1 {
		t.Errorf("%d e-mails counted, want 1", n)
	}
}
