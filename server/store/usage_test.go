package store

import (
	"context"
	"database/sql"
	"math"
	"testing"
	"time"

	"servicesmtp.net/companion/server/account"

	"servicesmtp.net/companion/server/store/storetest"
)

// TestCountingHoldsTheLimit: the statement itself refuses to pass the limit,
// whatever was read before.
func TestCountingHoldsTheLimit(t *testing.T) { storetest.Each(t, testCountingHoldsTheLimit) }

func testCountingHoldsTheLimit(t *testing.T, dsn string) {
	s := openShelf(t, dsn, t.TempDir())
	start := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	limit := account.Charge{Emails: 10, Bytes: 1000}
	for _, c := range []struct {
		name string
		more account.Charge
		lim  account.Charge
		want bool
	}{
		{"more than all, first", account.Charge{Emails: 11, Bytes: 1}, limit, false},
		{"some", account.Charge{Emails: 4, Bytes: 400}, limit, true},
		{"too many e-mails", account.Charge{Emails: 7, Bytes: 1}, limit, false},
		{"too many bytes", account.Charge{Emails: 1, Bytes: 601}, limit, false},
		{"the rest", account.Charge{Emails: 6, Bytes: 600}, limit, true},
		{"one more", account.Charge{Emails: 1}, limit, false},
		{"no limit", account.Charge{Emails: 5, Bytes: 5}, account.Charge{Emails: math.MaxInt64, Bytes: math.MaxInt64}, true},
	} {
		var ok bool
		err := s.Tx(context.Background(), func(tx *sql.Tx) (err error) {
			ok, err = s.intake.In(tx).AddUsage(context.Background(), Count{AccountID: "acc", Start: start, End: start.AddDate(0, 1, 0),
				Day: "2026-11-25", More: c.more, Limit: c.lim})
			return err
		})
		if err != nil || ok != c.want {
			t.Errorf("%s: got %v %v, want %v", c.name, ok, err, c.want)
		}
	}
	want := account.Charge{Emails: 15, Bytes: 1005}
	if got, err := s.Used(context.Background(), "acc", start); err != nil || got != want {
		t.Errorf("used %+v %v, want %+v", got, err, want)
	}
	days, err := s.UsageDays(context.Background(), "acc", "2026-11-25", "2026-11-26")
	if err != nil || len(days) != 1 || days[0].Used != want {
		t.Errorf("days %+v, %v", days, err)
	}
	if days, err := s.UsageDays(context.Background(), "acc", "2026-11-26", "2026-12-01"); err != nil || len(days) != 0 {
		t.Errorf("days %+v, %v", days, err)
	}
	if got, err := s.Used(context.Background(), "acc", start.AddDate(0, 1, 0)); err != nil || got != (account.Charge{}) {
		t.Errorf("the next period has used %+v, %v", got, err)
	}
}
