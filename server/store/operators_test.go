package store

import (
	"errors"
	"testing"
	"time"

	"servicesmtp.net/companion/server/store/storetest"
)

func TestOperators(t *testing.T) { storetest.Each(t, testOperators) }

func testOperators(t *testing.T, dsn string) {
	s := openTest(t, dsn, t.TempDir())
	want := Operator{Name: "olga", Role: "admin", PasswordHash: "h", CreatedAt: day1}
	if err := s.AddOperator(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	if err := s.AddOperator(t.Context(), want); !errors.Is(err, ErrExists) {
		t.Errorf("twice: got %v, want ErrExists", err)
	}
	if got, err := s.Operator(t.Context(), "olga"); err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	add := func(hash, passwordHash string) error {
		return s.AddOperatorSession(t.Context(), OperatorSession{ID: hash, Operator: "olga", TokenHash: hash, CreatedAt: day1, ExpiresAt: day1.Add(time.Hour)}, passwordHash)
	}
	session := func(hash, passwordHash string) {
		t.Helper()
		if err := add(hash, passwordHash); err != nil {
			t.Fatal(err)
		}
	}
	good := func(hash string, now time.Time, want bool) {
		t.Helper()
		id, o, err := s.OperatorBySession(t.Context(), hash, now)
		if want && (err != nil || id != hash || o.Name != "olga") || !want && !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: got %q %+v %v, good is %v", hash, id, o, err, want)
		}
	}
	session("s1", "h")
	session("s2", "h")
	good("s1", day1.Add(time.Hour-time.Microsecond), true)
	good("s1", day1.Add(time.Hour), false)
	good("s3", day1, false)
	if err := s.EndOperatorSession(t.Context(), "s1", day1); err != nil {
		t.Fatal(err)
	}
	good("s1", day1, false)
	good("s2", day1, true)
	if err := s.SetOperatorPassword(t.Context(), "olga", "h2", day1); err != nil {
		t.Fatal(err)
	}
	good("s2", day1, false)
	session("s4", "h2")
	if err := s.DisableOperator(t.Context(), "olga", day1); err != nil {
		t.Fatal(err)
	}
	good("s4", day1, false)
	// A login that raced with a new password, or with the end of all.
	if err := errors.Join(add("s5", "h"), add("s6", "h2")); !errors.Is(err, ErrNotFound) {
		t.Errorf("login after the end: %v", err)
	}
	if err := s.EnableOperator(t.Context(), "olga"); err != nil {
		t.Fatal(err)
	}
	good("s4", day1, false)
	good("s6", day1, false)
	if all, err := s.Operators(t.Context()); err != nil || len(all) != 1 || all[0].PasswordHash != "h2" || !all[0].DisabledAt.IsZero() {
		t.Errorf("operators %+v, %v", all, err)
	}
	for what, err := range map[string]error{"password": s.SetOperatorPassword(t.Context(), "x", "h", day1), "disable": s.DisableOperator(t.Context(), "x", day1),
		"enable": s.EnableOperator(t.Context(), "x")} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%s of nobody: %v", what, err)
		}
	}
}
