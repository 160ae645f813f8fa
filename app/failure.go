package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/oklog/ulid/v2"

	"servicesmtp.net/companion/app/dsn"
	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/settings"
	"servicesmtp.net/companion/app/spool"
	"servicesmtp.net/companion/app/uplink"
)

// Reports that cannot be stored are tried again after a while that grows.
const (
	tellAgain   = time.Minute
	tellAtMost  = time.Hour
	tellPerPage = 100
)

// reportingMTA is the name in Received too: the computer's own is nobody's
// business.
const reportingMTA = "localhost"

// reportFailures tells senders of recipients who will not get their message,
// until ctx ends. It looks at the start and when the spool says so, and has a
// timer only while a report could not be stored.
func (e *Engine) reportFailures(ctx context.Context) {
	var again time.Time
	for failures := 0; ; {
		switch whole := e.tellSenders(ctx); {
		case ctx.Err() != nil:
			return
		case whole:
			again, failures = time.Time{}, 0
		default:
			again = time.Now().Add(min(tellAgain<<min(failures, 10), tellAtMost))
			failures++
		}
		if sleepUntil(ctx, again, e.spool.ReportsDue()) != nil {
			return
		}
	}
}

// tellSenders stores every report that is due, and says whether none failed.
func (e *Engine) tellSenders(ctx context.Context) (whole bool) {
	whole = true
	for cursor := ""; ; {
		list, next, err := e.spool.DueReports(ctx, cursor, tellPerPage)
		if err != nil {
			e.log.Error("due reports cannot be read", "err", err)
			return false
		}
		for _, d := range list {
			err := e.tellSender(ctx, d)
			switch {
			case ctx.Err() != nil:
				return false
			case err == nil, errors.Is(err, spool.ErrState): // told meanwhile
				continue
			case errors.Is(err, errNoAccount):
				// It waits until there is that account again; nothing else can send it.
				e.log.Warn("a report waits for its account", "job", d.ID, "account", d.Account)
				continue
			}
			e.log.Error("a report to a sender cannot be stored yet", "job", d.ID, "rcpt_count", d.Failures, "err", err)
			whole = false
			if errors.Is(err, spool.ErrFull) || errors.Is(err, spool.ErrDiskFull) {
				e.spoolProblem(err)
				return false
			}
		}
		if cursor = next; next == "" {
			return whole
		}
	}
}

// tellSender stores one report as mail of the same account: it keeps its pace
// and its quota.
func (e *Engine) tellSender(ctx context.Context, d spool.DueReport) error {
	e.storing.RLock() // a report is mail of its account, too
	defer e.storing.RUnlock()
	a, err := e.account(d.Account)
	if err != nil {
		return fmt.Errorf("%w: %w", errNoAccount, err)
	}
	now := time.Now()
	id := mail.JobID(ulid.MustNew(ulid.Timestamp(now), rand.Reader).String())
	r := e.report(ctx, d, id, now)
	r.RemoteMTA = relayHost(a.settings)
	in, err := e.spool.Create(ctx, id, 0)
	if err != nil {
		return fmt.Errorf("create report: %w", err)
	}
	defer in.Discard()
	if err := r.Write(in); err != nil {
		return err
	}
	err = in.CommitReport(ctx, mail.Envelope{
		Job: id, Account: d.Account, Lane: mail.Personal, AcceptedAt: now, UTF8: r.UTF8(), EightBit: r.EightBit(),
		Recipients: []mail.Recipient{{Address: d.From, Notify: []string{"NEVER"}}}, // RFC 3461 §6.1
	}, d)
	if err != nil {
		return fmt.Errorf("store report: %w", err)
	}
	e.log.Info("the sender is told of failures", "job", d.ID, "report", id, "rcpt_count", d.Failures)
	a.sender.poke()
	e.pub.changed()
	return nil
}

// report is what d asks for.
func (e *Engine) report(ctx context.Context, d spool.DueReport, id mail.JobID, now time.Time) dsn.Report {
	r := dsn.Report{
		Say: e.printer(), ID: string(id), Now: now, To: d.From, Hostname: reportingMTA, EnvelopeID: d.ClientID, Arrived: d.AcceptedAt,
		Original: e.original(ctx, d), Failed: d.Failures, Recipients: d.Recipients,
		Accepted: d.Counts.Accepted, Cancelled: d.Counts.Cancelled, Uncertain: d.Counts.Uncertain,
		Digest: d.Lane == mail.Bulk, List: func(w io.Writer) error { return e.listFailures(ctx, w, d) },
	}
	r.Failures = func(yield func(dsn.Failure, error) bool) {
		for f, err := range e.spool.ReportedFailures(ctx, d) {
			w := failureWords(f.Reply.Code)
			if !yield(dsn.Failure{Recipient: f.Recipient, Reply: f.Reply, At: f.At, Reason: w.sentence, Advice: w.action}, err) {
				return
			}
		}
	}
	return r
}

// original is the beginning of the message. A report goes without it rather
// than not at all.
func (e *Engine) original(ctx context.Context, d spool.DueReport) dsn.Original {
	body, _, err := e.spool.Body(ctx, d.ID)
	if err != nil {
		e.log.Warn("a report goes without the message that it is about", "job", d.ID, "err", err)
		return dsn.Original{}
	}
	defer body.Close()
	o, err := dsn.ReadOriginal(body, d.Return == "FULL")
	if err != nil {
		e.log.Warn("a report goes without the message that it is about", "job", d.ID, "err", err)
	}
	return o
}

// listPage is how many failures are written at a time.
const listPage = 500

// listFailures writes them as the list of errors does.
func (e *Engine) listFailures(ctx context.Context, w io.Writer, d spool.DueReport) error {
	out := NewErrorsCSV(w)
	page := make([]AddressError, 0, listPage)
	for f, err := range e.spool.ReportedFailures(ctx, d) {
		if err != nil {
			return err
		}
		page = append(page, addressError(failureWords(f.Reply.Code), f.Reply, AddressError{
			At: f.At, Account: d.Account, Address: f.Recipient.Address, Source: "relay", Job: string(d.ID),
		}))
		if len(page) == listPage {
			if err := out.Write(page); err != nil {
				return err
			}
			page = page[:0]
		}
	}
	return out.Write(page)
}

// relayHost is the host that refused, where the account has only one.
func relayHost(a settings.Account) (host string) {
	for _, text := range a.Endpoints {
		endpoint, err := uplink.ParseEndpoint(text)
		if err != nil {
			return ""
		}
		h, _, err := net.SplitHostPort(endpoint.Addr)
		if err != nil || host != "" && h != host {
			return ""
		}
		host = h
	}
	return host
}
