package steward

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"servicesmtp.net/companion/internal/units"
	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/billing"
	"servicesmtp.net/companion/server/store"
	"servicesmtp.net/companion/server/store/storetest"
)

// TestOneReportForADay: of the steps passed in a day one is told, the highest,
// at six o'clock of the account's zone; a warning comes at once.
func TestOneReportForADay(t *testing.T) {
	h := open(t, t.TempDir(), "")
	rome := account.Location("Europe/Rome")
	clock := func(day, hour int) { h.set(time.Date(2026, 3, day, hour, 0, 0, 0, rome)) }
	clock(2, 9)
	h.add("ann", "standard", "Europe/Rome", account.Surcharge)
	for _, c := range []struct {
		day, hour int
		mb        int64 // more
		want      []string
	}{
		{2, 10, 55, []string{"ann usage 10"}}, // the first review of the account
		{2, 11, 60, nil},
		{3, 5, 40, nil},
		{3, 6, 0, []string{"ann usage 30"}},
		{3, 22, 300, []string{"ann near_limit 90"}},
		{4, 6, 0, []string{"ann usage 90"}},
		{4, 7, 60, []string{"ann over_limit 100"}},
		{7, 3, 100, []string{"ann usage 120"}}, // days that were missed are made up for at once
		{7, 5, 50, nil},
		{7, 7, 0, []string{"ann usage 130"}},
	} {
		clock(c.day, c.hour)
		if c.mb > 0 {
			h.use("ann", c.mb, units.MB)
		}
		if got := h.pass(); !slices.Equal(got, c.want) {
			t.Errorf("%d March, %d o'clock: %v, want %v", c.day, c.hour, got, c.want)
		}
	}
}

// TestLate: a relay that was off over two ends of months closes and reports
// both, and tells the highest step alone.
func TestLate(t *testing.T) {
	storetest.Each(t, func(t *testing.T, dsn string) {
		h := open(t, t.TempDir(), dsn)
		h.set(time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC))
		h.add("ann", "standard", "Europe/Rome", account.Surcharge)
		h.use("ann", 100, units.MB)
		h.pass()
		h.use("ann", 1100, units.MB)
		h.failed("ann", "gone@dst.example", h.now())
		h.set(time.Date(2026, 4, 20, 9, 0, 0, 0, time.UTC))
		h.use("ann", 80, units.MB)
		h.set(time.Date(2026, 5, 3, 3, 0, 0, 0, time.UTC))
		h.use("ann", 340, units.MB)
		want := []string{"ann month_report", "ann payment_request", "ann credit_granted", "ann month_report", "ann usage 60"}
		dry, err := h.Pass(t.Context(), Request{DryRun: true})
		if err != nil || !slices.Equal(words(dry), want) {
			t.Errorf("dry run: %v, %v", words(dry), err)
		}
		before := h.mails()
		if got := h.pass(); !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		if n := h.mails() - before; n != len(want) {
			t.Errorf("%d mails, want %d", n, len(want))
		}
		bills, err := h.Store.Bills(t.Context(), "ann")
		if err != nil || len(bills) != 2 || bills[0].Use != 1_200_000_000 || bills[0].Granted != 500_000_000 || bills[1].Use != 80_000_000 {
			t.Errorf("bills %+v, %v", bills, err)
		}
		if got := h.pass(); len(got) > 0 {
			t.Errorf("again: %v", got)
		}
	})
}

// TestDryRunWritesNothing, neither what it would close nor what it would tell.
func TestDryRunWritesNothing(t *testing.T) {
	h := open(t, t.TempDir(), "")
	h.add("ann", "standard", "UTC", account.Surcharge)
	h.use("ann", 1200, units.MB)
	h.set(newYear.AddDate(0, 1, 3))
	dump := func() (n [6]int) {
		err := h.Store.Reader().QueryRow(`SELECT (SELECT count(*) FROM notices), (SELECT count(*) FROM messages), (SELECT count(*) FROM bills),
			(SELECT count(*) FROM reports_sent), (SELECT count(*) FROM leases), (SELECT count(*) FROM accounts WHERE reviewed_day <> '')`).Scan(&n[0], &n[1], &n[2], &n[3], &n[4], &n[5])
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := dump()
	res, err := h.Pass(t.Context(), Request{DryRun: true})
	if err != nil || len(res.Closed) != 1 || len(res.Told) != 3 || res.Closed[0].Bill.Tier != 2_000_000_000 {
		t.Errorf("%+v, %v", res, err)
	}
	if after := dump(); after != before {
		t.Errorf("before %v, after %v", before, after)
	}
}

// TestAgain: a report that was sent is sent again only where that is asked for,
// and nothing else with it.
func TestAgain(t *testing.T) {
	h := open(t, t.TempDir(), "")
	h.add("ann", "standard", "UTC", account.Surcharge)
	h.use("ann", 1200, units.MB)
	h.set(newYear.AddDate(0, 2, 3))
	for _, c := range []struct {
		q    Request
		want []string
		err  error
	}{
		{Request{Month: "2026-02"}, nil, nil},
		{Request{AccountID: "bob", Month: "2026-01"}, nil, nil},
		{Request{Month: "2026-01"}, []string{"ann month_report", "ann payment_request", "ann credit_granted"}, nil},
		{Request{Month: "2026-01"}, nil, nil},
		{Request{AccountID: "ann", Month: "2026-01", Again: true}, []string{"ann month_report"}, nil},
		{Request{AccountID: "ann", Month: "2026-01"}, nil, nil},
		{Request{Month: "2026-01", Again: true}, nil, ErrAgain},
		{Request{AccountID: "ann", Again: true}, nil, ErrAgain},
	} {
		res, err := h.Pass(t.Context(), c.q)
		if !errors.Is(err, c.err) || !slices.Equal(words(res), c.want) {
			t.Errorf("%+v: %v, %v, want %v", c.q, words(res), err, c.want)
		}
	}
	if _, err := h.Pass(t.Context(), Request{Month: "january"}); err == nil {
		t.Error("a month that is none")
	}
}

// TestSilentMonth: nothing sent and something failed is a report, nothing at
// all is none.
func TestSilentMonth(t *testing.T) {
	h := open(t, t.TempDir(), "")
	h.add("ann", "standard", "Europe/Rome", account.Surcharge)
	h.add("bob", "standard", "Europe/Rome", account.Surcharge)
	h.failed("ann", "gone@dst.example", newYear.AddDate(0, 0, 10))
	h.set(newYear.AddDate(0, 1, 3))
	if got := h.pass(); !slices.Equal(got, []string{"ann month_report"}) {
		t.Errorf("got %v", got)
	}
	h.set(newYear.AddDate(0, 1, 5))
	if got := h.pass(); len(got) > 0 {
		t.Errorf("again: %v", got)
	}
	if n := len(h.letters()); n != 1 || !strings.Contains(h.letters()[0], "addresses-in-error-2026-01.csv") {
		t.Errorf("%d letters", n)
	}
}

// TestAlarm: a paid order that waits is told to the operator, once.
func TestAlarm(t *testing.T) {
	for _, operator := range []string{"ops@relay.example", ""} {
		h := open(t, t.TempDir(), "")
		var log bytes.Buffer
		o := h.Options
		o.Operator, o.Log = operator, slog.New(slog.NewTextHandler(&log, nil))
		var counted []string
		o.Told = func(kind string) { counted = append(counted, kind) }
		h.Steward = New(o)
		_, order, err := h.billing.Open(t.Context(), billing.NewAccount{Plan: "standard", Wait: true, Account: store.Account{ID: "ann", Name: "ann", Email: "ann@kunde.example",
			Zone: "Europe/Rome", Status: "active", Overage: "stop", PasswordHash: "x"}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.billing.Pay(t.Context(), account.Payment{OrderID: order.ID, Method: "transfer", Reference: "m", Amount: order.Price, Currency: order.Currency}); err != nil {
			t.Fatal(err)
		}
		h.set(newYear.Add(20*time.Hour - time.Second))
		if got := h.pass(); len(got) > 0 {
			t.Errorf("too early: %v", got)
		}
		h.set(newYear.Add(20 * time.Hour))
		if got := h.pass(); !slices.Equal(got, []string{"ann activation"}) || !slices.Equal(counted, []string{"activation"}) {
			t.Errorf("got %v, counted %v", got, counted)
		}
		h.set(newYear.Add(200 * time.Hour))
		if got := h.pass(); len(got) > 0 {
			t.Errorf("again: %v", got)
		}
		if n := strings.Count(log.String(), "level=ERROR"); n != 1 || !strings.Contains(log.String(), order.ID) {
			t.Errorf("operator %q: %d errors in the log:\n%s", operator, n, log.String())
		}
		letters := h.letters()
		if operator == "" {
			if len(letters) != 0 {
				t.Errorf("%d letters to nobody", len(letters))
			}
			continue
		}
		if len(letters) != 1 || !strings.Contains(letters[0], "To: <ops@relay.example>") || !strings.Contains(letters[0], order.ID) {
			t.Errorf("letters %v", letters)
		}
		if got := h.counts("ann"); len(got) > 0 {
			t.Errorf("the customer sees the alarm: %v", got)
		}
	}
}

// TestOneFails: an account that cannot be looked after leaves the others alone.
func TestOneFails(t *testing.T) {
	h := open(t, t.TempDir(), "")
	for _, name := range []string{"ann", "bob", "cid"} {
		h.add(name, "standard", "UTC", account.Surcharge)
		h.use(name, 60, units.MB)
	}
	h.exec(`UPDATE subscriptions SET plan = 'of-yesterday' WHERE account_id = 'bob'`)
	var failed []int
	h.Passed = func(_ time.Time, n int) { failed = append(failed, n) }
	h.set(newYear.AddDate(0, 1, 1))
	res, err := h.Pass(t.Context(), Request{})
	if err != nil || res.Failed != 1 || res.Accounts != 3 || !slices.Equal(words(res), []string{"ann month_report", "cid month_report"}) || !slices.Equal(failed, []int{1}) {
		t.Errorf("%+v, %v, %v", res, err, failed)
	}
	h.exec(`UPDATE subscriptions SET plan = 'standard' WHERE account_id = 'bob'`)
	if got := h.pass(); !slices.Equal(got, []string{"bob month_report"}) {
		t.Errorf("then: %v", got)
	}
}

// TestPages: more accounts than are read at once.
func TestPages(t *testing.T) {
	h := open(t, t.TempDir(), "")
	for n := range page + 3 {
		h.exec(`INSERT INTO accounts (id, name, email, zone, status, overage, password_hash, created_at) VALUES ($1, $1, '', 'UTC', 'active', 'stop', 'x', 0)`, fmt.Sprintf("a%04d", n))
	}
	if res, err := h.Pass(t.Context(), Request{}); err != nil || res.Accounts != page+3 || res.Failed > 0 {
		t.Errorf("%d accounts, %d failed, %v", res.Accounts, res.Failed, err)
	}
}

// TestLease: one pass at a time; whoever has it may go on, and what was not
// given back runs out.
func TestLease(t *testing.T) {
	storetest.Each(t, func(t *testing.T, dsn string) {
		h := open(t, t.TempDir(), dsn)
		take := func(holder string, lasts time.Duration) bool {
			t.Helper()
			ok, err := h.Store.Lease(t.Context(), leaseName, holder, lasts)
			if err != nil {
				t.Fatal(err)
			}
			return ok
		}
		if !take("a", time.Hour) || take("b", time.Hour) || !take("a", time.Hour) {
			t.Error("the lease is not the holder's alone")
		}
		if _, err := h.Pass(t.Context(), Request{}); !errors.Is(err, ErrBusy) {
			t.Errorf("a pass beside another: %v", err)
		}
		if _, err := h.Pass(t.Context(), Request{DryRun: true}); err != nil {
			t.Errorf("a dry run needs no lease: %v", err)
		}
		if err := h.Store.EndLease(t.Context(), leaseName, "b"); err != nil || take("b", time.Hour) {
			t.Errorf("b gave back what was a's: %v", err)
		}
		if !take("a", -time.Second) || !take("b", time.Hour) {
			t.Error("a lease that ran out cannot be taken")
		}
		if err := h.Store.EndLease(t.Context(), leaseName, "b"); err != nil {
			t.Fatal(err)
		}
		h.pass()
		if !take("a", time.Hour) {
			t.Error("a pass did not give its lease back")
		}
		lost := &lease{store: h.Store, length: time.Minute, holder: "b", renewed: time.Now().Add(-time.Minute)}
		if err := lost.renew(t.Context()); !errors.Is(err, errLost) {
			t.Errorf("renew a lost lease: %v", err)
		}
	})
}

// TestTwoNodes lets two nodes make the same passes at the same moment, without
// the lease, which only saves work: everything is told once.
func TestTwoNodes(t *testing.T) {
	storetest.Each(t, func(t *testing.T, dsn string) {
		dir := t.TempDir()
		one := open(t, dir, dsn)
		if dsn != "" {
			dir = t.TempDir()
		}
		two := open(t, dir, dsn)
		one.add("ann", "standard", "UTC", account.Block)
		one.add("bob", "standard", "Europe/Rome", account.Surcharge)
		want := map[string]map[string]int{"ann": {}, "bob": {}}
		for n := range 70 {
			now := day(n)
			one.set(now)
			two.set(now)
			for _, id := range []string{"ann", "bob"} {
				one.use(id, 20, units.MB)
			}
			var mu sync.Mutex // guards told
			told := make(map[string]int)
			var all sync.WaitGroup
			for _, h := range []*house{one, two, one, two} {
				all.Go(func() {
					var res Result
					if err := h.accounts(context.Background(), Request{}, &lease{}, &res); err != nil || res.Failed > 0 {
						t.Errorf("day %d: %v, %d failed", n, err, res.Failed)
					}
					mu.Lock()
					defer mu.Unlock()
					for _, w := range res.Told {
						told[fmt.Sprint(w.AccountID, " ", w.Kind, w.Start, w.Step)]++
						want[w.AccountID][w.Kind]++
					}
				})
			}
			all.Wait()
			for w, times := range told {
				if times != 1 {
					t.Errorf("day %d: %s told %d times", n, w, times)
				}
			}
		}
		total := 0
		for id, kinds := range want {
			if diff := cmp.Diff(kinds, one.counts(id)); diff != "" {
				t.Errorf("%s (-said +stored):\n%s", id, diff)
			}
			for _, n := range kinds {
				total += n
			}
		}
		if got := one.mails(); got != total || total < 20 {
			t.Errorf("%d mails for %d notices: %v", got, total, slices.Collect(maps.Values(want)))
		}
	})
}

// TestHigherStepRaces: two nodes that see different use on one day tell one
// step.
func TestHigherStepRaces(t *testing.T) {
	h := open(t, t.TempDir(), "")
	h.add("ann", "standard", "UTC", account.Surcharge)
	h.use("ann", 60, units.MB)
	all, err := h.Store.Reviewables(t.Context(), "", 10, h.now())
	if err != nil {
		t.Fatal(err)
	}
	slow, _, err := h.load(t.Context(), all[0], Request{}, h.now()) // sees 10 %
	if err != nil {
		t.Fatal(err)
	}
	due, err := slow.due(t.Context())
	if err != nil || len(due) != 1 {
		t.Fatalf("%d due, %v", len(due), err)
	}
	h.use("ann", 60, units.MB)
	if got := h.pass(); !slices.Equal(got, []string{"ann usage 20"}) {
		t.Fatalf("got %v", got)
	}
	var res Result
	if err := slow.tell(t.Context(), due[0], &res); err != nil || len(res.Told) > 0 {
		t.Errorf("told %v, %v", words(res), err)
	}
	if got := h.counts("ann"); got["usage"] != 1 || h.mails() != 1 {
		t.Errorf("%v, %d mails", got, h.mails())
	}
}
