package store

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"servicesmtp.net/companion/server/store/storetest"
)

func addPartner(t *testing.T, s *Store, p Partner) Partner {
	t.Helper()
	p.Email, p.CreatedAt = p.Name+"@example.com", day1
	if err := s.AddPartner(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	return p
}

// addPartnersAccount adds an account without a plan.
func addPartnersAccount(s *Store, partner, reference, name string) (string, error) {
	id := NewID(time.Now())
	return id, s.Tx(context.Background(), func(tx *sql.Tx) error {
		return s.AddAccount(context.Background(), tx, Account{ID: id, Name: name, Email: name + "@example.com", Zone: "UTC", Status: "active", Overage: "stop",
			PasswordHash: "h", CreatedAt: day1, Partner: partner, Reference: reference})
	})
}

func TestPartnersAreReadAsWritten(t *testing.T) { storetest.Each(t, testPartnersAreReadAsWritten) }

func testPartnersAreReadAsWritten(t *testing.T, dsn string) {
	s := openTest(t, dsn, t.TempDir())
	bert := addPartner(t, s, Partner{Name: "bert", DisabledAt: day1})
	anna := addPartner(t, s, Partner{Name: "anna", Plans: []string{"entry", "standard"}, MaxAccounts: 7})
	if err := s.AddPartner(t.Context(), anna); !errors.Is(err, ErrExists) {
		t.Errorf("twice: got %v, want ErrExists", err)
	}
	got, err := s.Partners(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	bert.Plans = []string{}
	if d := cmp.Diff([]Partner{anna, bert}, got); d != "" {
		t.Error(d)
	}
	k := PartnerToken{ID: NewID(day1), Partner: "anna", TokenHash: "hash", Scopes: "usage:read", CreatedAt: day1, SeenAt: day1, ExpiresAt: day1.Add(time.Hour)}
	if err := s.AddPartnerToken(t.Context(), k); err != nil {
		t.Fatal(err)
	}
	if gotK, gotP, err := s.PartnerByToken(t.Context(), "hash"); err != nil || gotK != k || gotP.Name != "anna" || gotP.MaxAccounts != 7 {
		t.Errorf("got %+v %+v %v", gotK, gotP, err)
	}
	if _, _, err := s.PartnerByToken(t.Context(), "other"); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown token: %v", err)
	}
	for range 2 { // revoked once, at the first time
		if _, err := s.RevokePartnerToken(t.Context(), k.ID, day1.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if got, err := s.RevokePartnerToken(t.Context(), k.ID, day1.Add(time.Hour)); err != nil || !got.RevokedAt.Equal(day1.Add(time.Minute)) {
			t.Errorf("revoked: %+v %v", got, err)
		}
	}
	if err := s.TouchPartnerToken(t.Context(), k.ID, day1.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	all, err := s.PartnerTokens(t.Context(), "anna")
	if err != nil || len(all) != 1 || !all[0].SeenAt.Equal(day1.Add(time.Hour)) || all[0].RevokedAt.IsZero() {
		t.Errorf("tokens %+v %v", all, err)
	}
	for name, err := range map[string]error{
		"revoke":  func() error { _, err := s.RevokePartnerToken(t.Context(), "x", day1); return err }(),
		"disable": s.SetPartnerDisabled(t.Context(), "x", day1), "read": func() error { _, err := s.Partner(t.Context(), "x"); return err }(),
	} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%s what is not there: %v", name, err)
		}
	}
	for _, at := range []time.Time{day1, {}} {
		if err := s.SetPartnerDisabled(t.Context(), "anna", at); err != nil {
			t.Fatal(err)
		}
		if p, err := s.Partner(t.Context(), "anna"); err != nil || !p.DisabledAt.Equal(at) {
			t.Errorf("disabled at %v, want %v (%v)", p.DisabledAt, at, err)
		}
	}
}

// TestPartnersAccounts: a reference is used once by each partner, and nobody
// finds an account of another, or of no partner.
func TestPartnersAccounts(t *testing.T) { storetest.Each(t, testPartnersAccounts) }

func testPartnersAccounts(t *testing.T, dsn string) {
	s := openTest(t, dsn, t.TempDir())
	addPartner(t, s, Partner{Name: "anna"})
	addPartner(t, s, Partner{Name: "bert"})
	direct := addAccount(t, s, "direct")
	addAccount(t, s, "direct2") // no partner and no reference: as often as wanted
	first, err := addPartnersAccount(s, "anna", "1", "a1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := addPartnersAccount(s, "anna", "1", "a2"); !errors.Is(err, ErrExists) {
		t.Errorf("the same reference: got %v, want ErrExists", err)
	}
	if _, err := addPartnersAccount(s, "bert", "1", "a1"); !errors.Is(err, ErrExists) {
		t.Errorf("the same name: got %v, want ErrExists", err)
	}
	if _, err := addPartnersAccount(s, "bert", "1", "b1"); err != nil {
		t.Errorf("another's reference: %v", err)
	}
	for _, c := range []struct {
		partner, id string
		found       bool
	}{{"anna", first, true}, {"bert", first, false}, {"", first, false}, {"", direct.ID, false}, {"anna", direct.ID, false}, {"anna", ServiceID, false}} {
		a, err := s.PartnerAccount(t.Context(), c.partner, c.id)
		if found := err == nil; found != c.found || found && (a.ID != first || a.Partner != "anna" || a.Reference != "1") || !found && !errors.Is(err, ErrNotFound) {
			t.Errorf("%q asks for %s: %+v %v", c.partner, c.id, a, err)
		}
	}
	for partner, want := range map[string]int64{"anna": 1, "bert": 1, "": 0, "x": 0} {
		all, err := s.PartnerAccounts(t.Context(), partner, "", 10)
		if err != nil || int64(len(all)) != want {
			t.Errorf("%q has %v, %v", partner, all, err)
		}
		if n, err := s.CountPartnerAccounts(t.Context(), partner); err != nil || n != want {
			t.Errorf("%q has %d, %v", partner, n, err)
		}
		if _, err := s.PartnerAccountByReference(t.Context(), partner, ""); !errors.Is(err, ErrNotFound) {
			t.Errorf("no reference of %q: %v", partner, err)
		}
	}
	const email = "new@example.com"
	if err := s.SetAccountEmail(t.Context(), first, email); err != nil {
		t.Fatal(err)
	}
	if a, err := s.AccountByID(t.Context(), first); err != nil || a.Email != email {
		t.Errorf("changed: %+v %v", a, err)
	}
	if err := s.SetAccountEmail(t.Context(), "x", email); !errors.Is(err, ErrNotFound) {
		t.Errorf("change of nothing: %v", err)
	}
}

// TestLockPartner: who opens an account waits for another node that does so
// already, and then counts its account. (On SQLite one writes at a time anyway.)
func TestLockPartner(t *testing.T) {
	dsn := storetest.Database(t)
	s, other := openTest(t, dsn, t.TempDir()), openTest(t, dsn, t.TempDir())
	addPartner(t, s, Partner{Name: "anna", MaxAccounts: 1})
	counted, ended := make(chan int64, 1), make(chan error, 1)
	err := s.Tx(t.Context(), func(tx *sql.Tx) error {
		if _, n, err := s.LockPartner(t.Context(), tx, "anna"); err != nil || n != 0 {
			t.Errorf("%d accounts, %v", n, err)
		}
		go func() {
			ended <- other.Tx(context.Background(), func(tx *sql.Tx) error {
				_, n, err := other.LockPartner(context.Background(), tx, "anna")
				counted <- n
				return err
			})
		}()
		for waits := 0; waits == 0 && len(counted) == 0; { // until it waits, or did not need to
			if err := s.Reader().QueryRow(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&waits); err != nil {
				return err
			}
		}
		return s.AddAccount(t.Context(), tx, Account{ID: NewID(day1), Name: "a", Zone: "UTC", Status: "active", Overage: "stop", CreatedAt: day1, Partner: "anna", Reference: "1"})
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if n := <-counted; n != 1 {
		t.Errorf("the other node counted %d accounts, want 1", n)
	}
}
