package notify

import (
	"bytes"
	"strconv"
	"time"

	"servicesmtp.net/companion/internal/csvsafe"

	"servicesmtp.net/companion/internal/money"
)

// MonthReport is the report at the end of a month.
type MonthReport struct {
	Month     time.Time // any moment of it
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
	return []Attachment{{Name: "addresses-in-error-" + r.Month.In(l.Zone).Format("2006-01") + ".csv", Type: "text/csv; charset=utf-8; header=present", Data: b.Bytes()}}, nil
}
