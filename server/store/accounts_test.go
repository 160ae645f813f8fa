package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/store/storetest"
)

var day1 = time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)

func addAccount(t *testing.T, s *Store, name string) Account {
	t.Helper()
	id := NewID(day1)
	a := Account{ID: id, Name: name, Email: name + "@example.com", Customer: "c-" + name, Zone: "Europe/Rome", Status: "active",
		Overage: "stop", PasswordHash: "hash-" + name, CreatedAt: day1, Subscription: account.Subscription{ID: id, AccountID: id, Contract: id,
			Since: day1, Plan: "standard", Start: day1, End: day1.AddDate(1, 0, 0), State: account.SubscriptionActive}}
	if err := insertAccount(s, a); err != nil {
		t.Fatal(err)
	}
	return a
}

func insertAccount(s *Store, a Account) error {
	return s.Tx(context.Background(), func(tx *sql.Tx) error {
		if err := s.AddAccount(context.Background(), tx, a); err != nil {
			return err
		}
		return s.SaveChanges(context.Background(), tx, account.Changes{Subscriptions: []account.Subscription{a.Subscription}})
	})
}

func TestAccountIsReadAsWritten(t *testing.T) { storetest.Each(t, testAccountIsReadAsWritten) }

func testAccountIsReadAsWritten(t *testing.T, dsn string) {
	s := openTest(t, dsn, t.TempDir())
	want := addAccount(t, s, "bob")
	addAccount(t, s, "alice")
	byName, err := s.AccountByName(t.Context(), "bob")
	if err != nil {
		t.Fatal(err)
	}
	byID, err := s.AccountByID(t.Context(), want.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, got := range []Account{byName, byID} {
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
	}
	all, err := s.Accounts(t.Context(), "")
	if err != nil || len(all) != 2 || all[0].Name != "alice" || all[1].Name != "bob" {
		t.Errorf("list %v, %v", all, err)
	}
}

func TestAccountErrors(t *testing.T) { storetest.Each(t, testAccountErrors) }

func testAccountErrors(t *testing.T, dsn string) {
	s := openTest(t, dsn, t.TempDir())
	a := addAccount(t, s, "alice")
	again := a
	again.ID = NewID(day1)
	if err := insertAccount(s, again); !errors.Is(err, ErrExists) {
		t.Errorf("same name: %v", err)
	}
	_, byName := s.AccountByName(t.Context(), "nobody")
	_, byID := s.AccountByID(t.Context(), "nobody")
	for name, err := range map[string]error{
		"by name": byName, "by id": byID,
		"status":   setStatus(t, s, "nobody", "active", "held"),
		"from":     setStatus(t, s, a.ID, "blocked", "held"),
		"misuse":   s.SetAccountMisuse(t.Context(), "nobody", true, ""),
		"overage":  s.SetAccountOverage(t.Context(), "nobody", "stop"),
		"password": s.SetAccountPassword(t.Context(), "nobody", "h", day1),
	} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: got %v, want ErrNotFound", name, err)
		}
	}
}

func setStatus(t *testing.T, s *Store, id, from, to string) error {
	return s.Tx(t.Context(), func(tx *sql.Tx) error { return s.SetAccountStatus(t.Context(), tx, id, from, to) })
}

func TestAccountChanges(t *testing.T) { storetest.Each(t, testAccountChanges) }

func testAccountChanges(t *testing.T, dsn string) {
	s := openTest(t, dsn, t.TempDir())
	a := addAccount(t, s, "alice")
	other := addAccount(t, s, "other")
	for name, err := range map[string]error{
		"status":   setStatus(t, s, a.ID, "active", "held"),
		"misuse":   s.SetAccountMisuse(t.Context(), a.ID, true, "sold lists"),
		"overage":  s.SetAccountOverage(t.Context(), a.ID, "surcharge"),
		"password": s.SetAccountPassword(t.Context(), a.ID, "new", day1),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	want := a
	want.Status, want.Overage, want.PasswordHash = "held", "surcharge", "new"
	want.Misuse, want.MisuseReason = true, "sold lists"
	for _, want := range []Account{want, other} {
		if got, err := s.AccountByID(t.Context(), want.ID); err != nil || got != want {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
}

func addDevice(t *testing.T, s *Store, account, hash string, seen time.Time) Device {
	t.Helper()
	d := Device{ID: NewID(seen), AccountID: account, Name: "pc", TokenHash: hash, CreatedAt: seen, SeenAt: seen}
	a, err := s.AccountByID(context.Background(), account)
	if err == nil {
		err = s.AddDevice(context.Background(), d, a.PasswordHash)
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// A login that was looked at before the password was changed makes no token.
func TestDeviceOfAnOldPassword(t *testing.T) { storetest.Each(t, testDeviceOfAnOldPassword) }

func testDeviceOfAnOldPassword(t *testing.T, dsn string) {
	s := openTest(t, dsn, t.TempDir())
	a := addAccount(t, s, "alice")
	if err := s.SetAccountPassword(t.Context(), a.ID, "new", day1); err != nil {
		t.Fatal(err)
	}
	d := Device{ID: "d", AccountID: a.ID, Name: "pc", TokenHash: "h", CreatedAt: day1, SeenAt: day1}
	if err := s.AddDevice(t.Context(), d, a.PasswordHash); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	if _, _, err := s.DeviceByToken(t.Context(), "h"); !errors.Is(err, ErrNotFound) {
		t.Errorf("the token is good: %v", err)
	}
}

func TestDevices(t *testing.T) { storetest.Each(t, testDevices) }

func testDevices(t *testing.T, dsn string) {
	s := openTest(t, dsn, t.TempDir())
	a, other := addAccount(t, s, "alice"), addAccount(t, s, "other")
	want := addDevice(t, s, a.ID, "h1", day1)
	addDevice(t, s, other.ID, "h2", day1)
	got, account, err := s.DeviceByToken(t.Context(), "h1")
	if err != nil || got != want || account != a {
		t.Fatalf("got %+v of %+v, %v", got, account, err)
	}
	if _, _, err := s.DeviceByToken(t.Context(), "h3"); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown token: %v", err)
	}
	later := day1.Add(time.Hour)
	if err := s.TouchDevice(t.Context(), want.ID, later); err != nil {
		t.Fatal(err)
	}
	if got, _, _ := s.DeviceByToken(t.Context(), "h1"); !got.SeenAt.Equal(later) {
		t.Errorf("seen at %v", got.SeenAt)
	}
	if err := s.SetAccountPassword(t.Context(), a.ID, "new", later); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.DeviceByToken(t.Context(), "h1"); !errors.Is(err, ErrNotFound) {
		t.Errorf("token after a new password: %v", err)
	}
	if _, _, err := s.DeviceByToken(t.Context(), "h2"); err != nil {
		t.Errorf("token of another account: %v", err)
	}
}

// TestTokensDoNotPileUp holds that the least recently seen tokens give way.
func TestTokensDoNotPileUp(t *testing.T) { storetest.Each(t, testTokensDoNotPileUp) }

func testTokensDoNotPileUp(t *testing.T, dsn string) {
	s := openTest(t, dsn, t.TempDir())
	a := addAccount(t, s, "alice")
	for i := range MaxDevices + 3 {
		addDevice(t, s, a.ID, fmt.Sprint("h", i), day1.Add(time.Duration(i)*time.Minute))
		if i == 10 { // the first one is used every day
			first, _, err := s.DeviceByToken(t.Context(), "h0")
			if err != nil {
				t.Fatal(err)
			}
			if err := s.TouchDevice(t.Context(), first.ID, day1.Add(24*time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := range MaxDevices + 3 {
		_, _, err := s.DeviceByToken(t.Context(), fmt.Sprint("h", i))
		if gone := i >= 1 && i <= 3; gone != errors.Is(err, ErrNotFound) {
			t.Errorf("token %d: %v", i, err)
		}
	}
}

func TestNotices(t *testing.T) { storetest.Each(t, testNotices) }

func testNotices(t *testing.T, dsn string) {
	s := openTest(t, dsn, t.TempDir())
	a, other := addAccount(t, s, "alice"), addAccount(t, s, "other")
	add := func(account, subject string) (id int64) {
		t.Helper()
		err := s.Tx(t.Context(), func(tx *sql.Tx) (err error) {
			id, err = s.AddNotice(t.Context(), tx, Notice{AccountID: account, Kind: "quota", Severity: "warning", Subject: subject, Body: "b", CreatedAt: day1})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	first, foreign, second := add(a.ID, "one"), add(other.ID, "foreign"), add(a.ID, "two")
	if err := s.AckNotice(t.Context(), a.ID, first, day1.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := s.AckNotice(t.Context(), a.ID, first, day1.Add(2*time.Hour)); err != nil {
		t.Errorf("again: %v", err)
	}
	if err := s.AckNotice(t.Context(), a.ID, foreign, day1); !errors.Is(err, ErrNotFound) {
		t.Errorf("somebody else's: %v", err)
	}
	want := []Notice{
		{ID: first, AccountID: a.ID, Kind: "quota", Severity: "warning", Subject: "one", Body: "b", CreatedAt: day1, AckedAt: day1.Add(time.Hour)},
		{ID: second, AccountID: a.ID, Kind: "quota", Severity: "warning", Subject: "two", Body: "b", CreatedAt: day1},
	}
	for _, c := range []struct {
		after int64
		limit int
		want  []Notice
	}{{0, 10, want}, {0, 1, want[:1]}, {first, 10, want[1:]}, {second, 10, nil}} {
		got, err := s.Notices(t.Context(), a.ID, c.after, c.limit)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("after %d, limit %d: %s", c.after, c.limit, d)
		}
	}
}
