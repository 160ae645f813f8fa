package store

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/store/storetest"
)

// A period is closed once, only while it is as it was read, and takes nothing
// after: the statements themselves see to it, whatever was locked before.
func TestClosingHolds(t *testing.T) { storetest.Each(t, testClosingHolds) }

func testClosingHolds(t *testing.T, dsn string) {
	s := openShelf(t, dsn, t.TempDir())
	start := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	end := start.AddDate(0, 1, 0)
	count := func() (ok bool) {
		t.Helper()
		err := s.Tx(t.Context(), func(tx *sql.Tx) (err error) {
			ok, err = s.intake.In(tx).AddUsage(t.Context(), Count{AccountID: "acc", Start: start, End: end, Day: "2026-11-25",
				More: account.Charge{Emails: 1, Bytes: 10}, Limit: account.Charge{Emails: 100, Bytes: 1000}})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	// One try: Tx would run a lost race again, and lose it again.
	closing := func(used account.Charge, at time.Time) error {
		tx, err := s.Writer().BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		err = s.SaveChanges(context.Background(), tx, account.Changes{Periods: []account.Usage{{AccountID: "acc", Start: start, End: end, Used: used, ClosedAt: at}}})
		if err != nil {
			return errors.Join(err, tx.Rollback())
		}
		return tx.Commit()
	}
	for range 2 {
		if !count() {
			t.Fatal("an open period counts nothing")
		}
	}
	for _, old := range []account.Charge{{Emails: 1, Bytes: 20}, {Emails: 2, Bytes: 10}} {
		if err := closing(old, end); !errors.Is(err, ErrRace) {
			t.Errorf("closed with the use of before (%+v): %v, want ErrRace", old, err)
		}
	}
	used := account.Charge{Emails: 2, Bytes: 20}
	if err := closing(used, end); err != nil {
		t.Fatal(err)
	}
	if err := closing(used, end.Add(time.Hour)); !errors.Is(err, ErrRace) {
		t.Errorf("closed twice: %v, want ErrRace", err)
	}
	if count() {
		t.Error("a closed period counts")
	}
	if got, err := s.Used(t.Context(), "acc", start); err != nil || got != used {
		t.Errorf("used %+v (%v), want %+v", got, err, used)
	}
	if days, err := s.UsageDays(t.Context(), "acc", "2026-11-25", "2026-11-26"); err != nil || len(days) != 1 || days[0].Used != used {
		t.Errorf("days %+v (%v), want %+v", days, err, used)
	}
}
