package store

import (
	"io/fs"
	"log/slog"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"servicesmtp.net/companion/internal/lite"
	"servicesmtp.net/companion/server/account"
)

// before is a data folder as the version before subscriptions left it.
func before(t *testing.T, rows ...string) string {
	t.Helper()
	dir := t.TempDir()
	db, err := lite.Open(filepath.Join(dir, databaseFile), 1, lite.Full, "foreign_keys(1)")
	if err != nil {
		t.Fatal(err)
	}
	folder, err := fs.Sub(migrations, "migrations/sqlite")
	if err != nil {
		t.Fatal(err)
	}
	steps, err := goose.NewProvider(goose.DialectSQLite3, db, folder, goose.WithLogger(goose.NopLogger()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := steps.UpTo(t.Context(), 5); err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if _, err := db.ExecContext(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// What an account had used counts on, under the plan that it has; what it used
// under a plan of before is over when that plan is.
func TestAccountsOfBefore(t *testing.T) {
	us := func(s string) int64 {
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return Micros(v)
	}
	march, april := us("2026-03-01T00:00:00Z"), us("2026-04-01T00:00:00Z")
	tenth, twentieth := us("2026-03-10T10:11:12Z")+345678, us("2026-03-20T10:11:12Z")+345678
	const life = 2592000000000
	type period struct{ start, end, emails int64 }
	for _, c := range []struct {
		name      string
		plan      string
		activated int64
		had, want []period
		end       int64 // of the subscription; 0: none
		used      int64 // in the present period
	}{
		{"yearly, of last year", "standard", march - 200*24*3600e6, []period{{march, april, 7}}, []period{{march, april, 7}}, 0, 7},
		{"yearly, begun this month", "standard", tenth, []period{{march, april, 7}}, []period{{tenth, april, 7}}, 0, 7},
		{"yearly, begun with the month", "standard", march, []period{{march, april, 7}}, []period{{march, april, 7}}, 0, 7},
		{"monthly", "standard-month", tenth, []period{{tenth, tenth + life, 7}}, []period{{tenth, tenth + life, 7}}, tenth + life, 7},
		{"yearly, then monthly", "standard-month", tenth, []period{{march, april, 5}, {tenth, tenth + life, 7}},
			[]period{{march, tenth, 5}, {tenth, tenth + life, 7}}, tenth + life, 7},
		{"yearly, then monthly without mail", "standard-month", tenth, []period{{march, april, 5}}, []period{{march, tenth, 5}}, tenth + life, 0},
		{"monthly, then yearly", "standard", twentieth, []period{{march, april, 7}, {tenth, tenth + life, 5}},
			[]period{{tenth, twentieth, 5}, {twentieth, april, 7}}, 0, 7},
		{"monthly, then monthly", "standard-month", twentieth, []period{{tenth, tenth + life, 5}, {twentieth, twentieth + life, 7}},
			[]period{{tenth, twentieth, 5}, {twentieth, twentieth + life, 7}}, twentieth + life, 7},
	} {
		t.Run(c.name, func(t *testing.T) {
			rows := []string{`INSERT INTO accounts (id, name, email, plan, password_hash, activated_at, created_at)
				VALUES ('acc', 'alice', '', '` + c.plan + `', '', ` + strconv.FormatInt(c.activated, 10) + `, 0)`}
			for _, p := range c.had {
				rows = append(rows, `INSERT INTO usage_periods (account_id, period_start, period_end, emails, bytes)
					VALUES ('acc', `+strconv.FormatInt(p.start, 10)+`, `+strconv.FormatInt(p.end, 10)+`, `+strconv.FormatInt(p.emails, 10)+`, 0)`)
			}
			s, err := Open(t.Context(), Options{Dir: before(t, rows...), Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			r, err := s.Rows(t.Context(), s.Reader(), "acc")
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Periods) != len(c.want) {
				t.Fatalf("%d periods, want %d: %v", len(r.Periods), len(c.want), r.Periods)
			}
			for i, w := range c.want {
				// All of them are over by now, and are not billed afterwards.
				if !r.Periods[i].ClosedAt.Equal(r.Periods[i].End) {
					t.Errorf("period %d was closed at %v", i, r.Periods[i].ClosedAt)
				}
				if got := (period{Micros(r.Periods[i].Start), Micros(r.Periods[i].End), r.Periods[i].Used.Emails}); got != w {
					t.Errorf("period %d is %v, want %v", i, got, w)
				}
			}
			if len(r.Subscriptions) != 1 || r.Subscriptions[0].Plan != c.plan || !r.Subscriptions[0].End.Equal(instant(c.end)) {
				t.Errorf("subscriptions are %v, want one of %q up to %v", r.Subscriptions, c.plan, instant(c.end))
			}
			// What is over can be closed, and then the rules know where mail goes on.
			now := Time(us("2026-03-25T12:00:00Z"))
			done, err := r.CloseEnded(account.Default(), func() string { return NewID(now) }, now)
			if err != nil {
				t.Fatal(err)
			}
			terms, err := r.Apply(done).Terms(account.Default(), now)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := s.Used(t.Context(), "acc", terms.Start); err != nil || got.Emails != c.used {
				t.Errorf("%d e-mails counted in the present period, want %d (%v)", got.Emails, c.used, err)
			}
		})
	}
}
