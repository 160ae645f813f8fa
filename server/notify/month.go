package notify

import (
	"bytes"
	"strconv"
	"time"

	"servicesmtp.net/companion/internal/csvsafe"
	"servicesmtp.net/companion/internal/money"
)

// MonthReport is the report at the end of a period: a calendar month, or what
// Use.Start and Use.End say.
type MonthReport struct {
	Use       Use
	Days      []Day // on which anything was sent, oldest first
	Kinds     []KindCount
	Failed    int64           // addresses in error, also those not in Addresses
	Addresses []FailedAddress // for the attachment
	Bill      *Bill           // nil: nothing is to be paid
}

// Day is one day of the account's zone.
type Day struct {
	Day  string // YYYY-MM-DD
	Sent Volume
}

// KindCount is how many addresses failed in one way.
type KindCount struct {
	Kind  Kind
	Count int64
}

// FailedAddress is an address that failed for good.
type FailedAddress struct {
	Address string
	Kind    Kind
	Reply   string // the last one, with its codes
	At      time.Time
	Times   int64
}

// Bill is what a month costs beside the plan.
type Bill struct {
	Tier      string // "2 GB"
	Amount    money.Amount
	Credited  Volume // kept for later months
	Reference string // of the payment request, which comes by itself
}

func (MonthReport) heading() heading { return heading{"month_report", Info, keyReport} }

// More is how many addresses are not in the attachment.
func (r MonthReport) More() int64 { return r.Failed - int64(len(r.Addresses)) }

func (r MonthReport) attachments(l Letter) ([]Attachment, error) {
	if len(r.Addresses) == 0 {
		return nil, nil
	}
	var b bytes.Buffer
	w := csvsafe.NewWriter(&b)
	rows := make([][]string, 0, len(r.Addresses)+1)
	rows = append(rows, []string{"address", "kind", "reply", "last_failed_at", "times"})
	for _, a := range r.Addresses {
		rows = append(rows, []string{a.Address, string(a.Kind), a.Reply, a.At.UTC().Format(time.RFC3339), strconv.FormatInt(a.Times, 10)})
	}
	if err := w.Write(rows...); err != nil {
		return nil, err
	}
	return []Attachment{{Name: "addresses-in-error-" + fileSpan(l.Zone, r.Use.Start, r.Use.End) + ".csv", Type: "text/csv; charset=utf-8; header=present", Data: b.Bytes()}}, nil
}

// wholeMonth says that the span is a calendar month of the zone. Where clocks
// change at midnight it may begin up to an hour later.
func wholeMonth(zone *time.Location, start, end time.Time) bool {
	first, after := start.In(zone), end.In(zone)
	return first.Day() == 1 && first.Hour() <= 1 && after.Day() == 1 && after.Hour() <= 1 && sameMonth(first, after.AddDate(0, 0, -1))
}

func sameMonth(a, b time.Time) bool { return a.Year() == b.Year() && a.Month() == b.Month() }

// Span names a period: "November 2026", or its first and last day.
func Span(zone *time.Location, start, end time.Time) string {
	first, last := start.In(zone), end.Add(-1).In(zone)
	switch {
	case wholeMonth(zone, start, end):
		return first.Format("January 2006")
	case sameMonth(first, last):
		return first.Format("2") + " to " + last.Format("2 January 2006")
	case first.Year() == last.Year():
		return first.Format("2 January") + " to " + last.Format("2 January 2006")
	}
	return first.Format("2 January 2006") + " to " + last.Format("2 January 2006")
}

// fileSpan names a period in a file's name.
func fileSpan(zone *time.Location, start, end time.Time) string {
	if wholeMonth(zone, start, end) {
		return start.In(zone).Format("2006-01")
	}
	return start.In(zone).Format(time.DateOnly) + "-to-" + end.Add(-1).In(zone).Format(time.DateOnly)
}
