package viewmodel

import (
	"strings"
	"time"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/say"
)

// ErrorRow is one address that failed.
type ErrorRow struct {
	Key             string
	Address, Reason string
	Action          string // what helps
	Reply           string // the server's own words, with their code
	When, Source    string
	Account         string
}

// NewErrorRow says one error. The engine's reason and action are the keys of
// their translations.
func NewErrorRow(p say.Printer, e app.AddressError, now time.Time) ErrorRow {
	return ErrorRow{
		Key:     strings.Join([]string{e.Account, e.Source, e.Job, e.Address, e.At.UTC().Format(time.RFC3339Nano)}, "\x00"),
		Address: e.Address, Reason: p.Text(say.T(e.Reason)), Action: p.Text(say.T(e.Action)), Reply: reply(e.Code, e.Reply), Account: e.Account,
		When: p.Moment(say.Moment{Time: e.At, Now: now}), Source: errorSource(p, e.Source),
	}
}

// Words are why the address failed and what helps.
func (r ErrorRow) Words() string { return strings.TrimSpace(r.Reason + " " + r.Action) }

func errorSource(p say.Printer, source string) string {
	if source == "relay" {
		return p.Say("Your relay")
	}
	return p.Say("The recipient's server")
}

// ErrorCounts are the numbers of a list of errors.
type ErrorCounts struct {
	Errors    int
	Addresses int // that differ
	More      bool
}

// CountErrors counts list; more is whether there are older ones.
func CountErrors(list []app.AddressError, more bool) ErrorCounts {
	seen := make(map[string]struct{}, len(list))
	for _, e := range list {
		seen[strings.ToLower(e.Address)] = struct{}{}
	}
	return ErrorCounts{Errors: len(list), Addresses: len(seen), More: more}
}

// ErrorSummary is the line under the title of the errors.
func ErrorSummary(p say.Printer, c ErrorCounts) string {
	if c.Errors == 0 {
		return ""
	}
	words := say.Words{say.N(c.Addresses, "{{.N}} address has failed.", "{{.N}} addresses have failed.")}
	if c.Errors > c.Addresses {
		words = say.Words{say.N(c.Addresses, "{{.N}} address has failed, {{.Errors}} times in all.", "{{.N}} addresses have failed, {{.Errors}} times in all.").With("Errors", c.Errors)}
	}
	if c.More {
		words = append(words, say.T("These are the newest; there are older ones."))
	}
	return p.Words(words)
}

// ErrorsFile is the name that is offered for a list of errors.
func ErrorsFile(now time.Time) string { return "errors-" + now.Format(time.DateOnly) + ".csv" }

// ErrorsWritten says that a list of errors has been written to a file.
func ErrorsWritten(p say.Printer, path string, n int, more, stale bool) string {
	words := say.Words{say.N(n, "{{.N}} error is now in {{.File}}.", "{{.N}} errors are now in {{.File}}.").With("File", path)}
	if more {
		words = append(words, say.T("There are older ones, which it does not have."))
	}
	if stale {
		words = append(words, say.T("The relay could not be asked, so the newest errors of the recipients' servers may be missing."))
	}
	return p.Words(words)
}
