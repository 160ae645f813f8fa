package monthly

import (
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"servicesmtp.net/companion/internal/money"
	"servicesmtp.net/companion/internal/units"
	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/notify"
	"servicesmtp.net/companion/server/store"
)

type world struct {
	t  *testing.T
	st *store.Store
	a  store.Account
}

func newWorld(t *testing.T, plan string) *world {
	t.Helper()
	st, err := store.Open(t.Context(), store.Options{Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	a := store.Account{ID: "a", Name: "alice", Email: "a@example.com", Zone: "Europe/Rome", Status: "active", Overage: "stop",
		PasswordHash: "x", CreatedAt: time.Now(), Subscription: account.Subscription{Plan: plan}}
	if err := st.Tx(t.Context(), func(tx *sql.Tx) error { return st.AddAccount(t.Context(), tx, a) }); err != nil {
		t.Fatal(err)
	}
	return &world{t, st, a}
}

func (w *world) exec(query string, args ...any) {
	w.t.Helper()
	if _, err := w.st.Writer().Exec(query, args...); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) sent(day string, emails int64, bytes units.ByteSize) {
	w.t.Helper()
	w.exec(`INSERT INTO usage_days (account_id, day, emails, bytes) VALUES ('a', $1, $2, $3)`, day, emails, int64(bytes))
}

func (w *world) failed(to string, code int, enhanced string, at time.Time) {
	w.t.Helper()
	w.exec(`INSERT INTO events (account_id, message_id, recipient, status, code, enhanced, reply, at) VALUES ('a', 'M', $1, 'failed', $2, $3, 'no', $4)`,
		to, code, enhanced, store.Micros(at))
}

var (
	november = time.Date(2026, 10, 31, 23, 0, 0, 0, time.UTC) // in Rome
	december = time.Date(2026, 11, 30, 23, 0, 0, 0, time.UTC)
)

func TestRead(t *testing.T) {
	w := newWorld(t, "standard")
	w.sent("2026-10-31", 1, units.KB)
	w.sent("2026-11-01", 1000, 10*units.MB)
	w.sent("2026-11-30", 2000, 30*units.MB)
	w.sent("2026-12-01", 1, units.KB)
	w.failed("early@x.example", 550, "5.1.1", november.Add(-time.Microsecond))
	w.failed("gone@X.example", 452, "4.2.2", november)
	w.failed("full@x.example", 552, "5.2.2", november.Add(time.Hour))
	w.failed("gone@x.example", 550, "5.1.1", november.Add(2*time.Hour)) // the last reply counts
	w.failed("late@x.example", 550, "5.1.1", december)
	got, err := Read(t.Context(), w.st, account.Default(), w.a, "2026-11")
	if err != nil {
		t.Fatal(err)
	}
	want := notify.MonthReport{
		Use: notify.Use{Plan: "Standard", Used: notify.Volume{Emails: 3000, Bytes: 40 * units.MB}, Allowance: notify.Volume{Emails: 50_000, Bytes: 500 * units.MB},
			Percent: 8, Errors: 2, Start: november, End: december},
		Days:   []notify.Day{{Day: "2026-11-01", Sent: notify.Volume{Emails: 1000, Bytes: 10 * units.MB}}, {Day: "2026-11-30", Sent: notify.Volume{Emails: 2000, Bytes: 30 * units.MB}}},
		Kinds:  []notify.KindCount{{Kind: notify.NoAddress, Count: 1}, {Kind: notify.MailboxFull, Count: 1}},
		Failed: 2,
		Addresses: []notify.FailedAddress{
			{Address: "gone@X.example", Kind: notify.NoAddress, Reply: "550 5.1.1 no", At: november.Add(2 * time.Hour), Times: 2},
			{Address: "full@x.example", Kind: notify.MailboxFull, Reply: "552 5.2.2 no", At: november.Add(time.Hour), Times: 1},
		},
	}
	if diff := cmp.Diff(Month{MonthReport: want}, got); diff != "" {
		t.Error(diff)
	}
	for month, want := range map[string]error{"2026-09": ErrNone, "2026-13": ErrMonth, "": ErrMonth, "2026-1": ErrMonth, "2026-11-01": ErrMonth} {
		if _, err := Read(t.Context(), w.st, account.Default(), w.a, month); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", month, err, want)
		}
	}
}

func TestPercent(t *testing.T) {
	for _, c := range []struct {
		plan string
		used notify.Volume
		want int64
	}{
		{"standard", notify.Volume{}, 0},
		{"standard", notify.Volume{Emails: 1, Bytes: 499_999_999}, 99},
		{"standard", notify.Volume{Emails: 1, Bytes: 500 * units.MB}, 100},
		{"standard", notify.Volume{Emails: 25_000, Bytes: units.MB}, 50}, // small e-mails count as 10 KB
		{"standard", notify.Volume{Emails: 1, Bytes: 1600 * units.MB}, 320},
		{"unlimited-entry", notify.Volume{Emails: 4499, Bytes: units.GB}, 49},
		{"unlimited-entry", notify.Volume{Emails: 9000}, 100},
	} {
		p, _ := account.Default().Plan(c.plan)
		if got := percent(p, c.used); got != c.want {
			t.Errorf("%s %+v: %d, want %d", c.plan, c.used, got, c.want)
		}
	}
}

// TestManyAddresses: a report lists so many, and counts them all.
func TestManyAddresses(t *testing.T) {
	w := newWorld(t, "entry")
	const all = MaxAddresses + 7
	w.exec(fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
		INSERT INTO events (account_id, message_id, recipient, status, code, enhanced, reply, at) SELECT 'a', 'M', 'r' || i || '@x.example', 'failed', 550, '5.1.1', 'no', $1 FROM n`, all),
		store.Micros(november))
	r, err := Read(t.Context(), w.st, account.Default(), w.a, "2026-11")
	if err != nil || r.Failed != all || len(r.Addresses) != MaxAddresses || r.More() != 7 || len(r.Kinds) != 1 || r.Kinds[0].Count != all {
		t.Errorf("%d of %d, %d more, %v, %v", len(r.Addresses), r.Failed, r.More(), r.Kinds, err)
	}
}

// TestClosed: a month that was closed is measured as it was billed, whatever
// the plan is by now; periods that are not the month's are not.
func TestClosed(t *testing.T) {
	w := newWorld(t, "mega")
	w.sent("2026-11-10", 120_000, 1200*units.MB)
	w.exec(`INSERT INTO subscriptions (id, account_id, contract, since, plan, starts_at, ends_at, state) VALUES ('s', 'a', 's', 0, 'standard', 0, NULL, 'active')`)
	closed := december.Add(time.Hour)
	period := func(start, end time.Time) {
		w.exec(`DELETE FROM usage_periods`)
		w.exec(`DELETE FROM bills`)
		w.exec(`INSERT INTO usage_periods (account_id, period_start, period_end, emails, bytes, closed_at) VALUES ('a', $1, $2, 120000, 1200000000, $3)`,
			store.Micros(start), store.Micros(end), store.Micros(closed))
		w.exec(`INSERT INTO bills (account_id, period_start, period_end, plan, unit, used, allowance, consumed, surcharged, uncovered, tier, price, currency, order_id, granted)
			VALUES ('a', $1, $2, 'standard', 'bytes', 1200000000, 500000000, 0, 700000000, 0, 2000000000, 1800, 'EUR', 'order', 500000000)`, store.Micros(start), store.Micros(end))
	}
	bill := &notify.Bill{Tier: "2 GB", Amount: money.Amount{Minor: 1800, Currency: "EUR"}, Credited: notify.Volume{Bytes: 500 * units.MB}, Reference: "order"}
	mega, _ := account.Default().Plan("mega")
	for _, c := range []struct {
		name       string
		start, end time.Time
		closed     bool
		bill       *notify.Bill
		plan       string
		percent    int64
	}{
		{"the month", november, december, true, bill, "Standard", 240},
		{"its second half", november.AddDate(0, 0, 15), december, true, bill, mega.Title, int64(account.Percent(int64(1200*units.MB), mega.Allowance()))},
		{"its first half", november, december.AddDate(0, 0, -15), false, bill, mega.Title, int64(account.Percent(int64(1200*units.MB), mega.Allowance()))},
		{"30 days over its end", november.AddDate(0, 0, 9), december.AddDate(0, 0, 9), false, nil, mega.Title, int64(account.Percent(int64(1200*units.MB), mega.Allowance()))},
	} {
		period(c.start, c.end)
		m, err := Read(t.Context(), w.st, account.Default(), w.a, "2026-11")
		if err != nil || m.ClosedAt.Equal(closed) != c.closed || m.Use.Plan != c.plan || m.Use.Percent != c.percent {
			t.Errorf("%s: %+v, closed %v, %v", c.name, m.Use, m.ClosedAt, err)
		}
		if diff := cmp.Diff(c.bill, m.Bill); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
		all, err := w.st.ClosedPeriods(t.Context(), "a")
		if err != nil || len(all) != 1 {
			t.Fatal(all, err)
		}
		r, err := Period(t.Context(), w.st, account.Default(), w.a, all[0])
		if err != nil || r.Use.Percent != 240 || r.Use.Used.Emails != 120_000 || !r.Use.Start.Equal(c.start) || !r.Use.End.Equal(c.end) || r.Bill == nil {
			t.Errorf("%s: %+v, %v", c.name, r, err)
		}
	}
}
