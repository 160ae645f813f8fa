package login

import (
	"errors"
	"log/slog"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"servicesmtp.net/companion/server/store"
)

// TestNobodyLogsInAsTheService: not even where somebody gave its account a
// password by hand.
func TestNobodyLogsInAsTheService(t *testing.T) {
	st, err := store.Open(t.Context(), store.Options{Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	try := func(passwords ...string) {
		t.Helper()
		for _, password := range passwords {
			if a, err := New(st).Verify(t.Context(), store.ServiceName, password, "192.0.2.1"); !errors.Is(err, ErrWrong) {
				t.Errorf("password %q: %+v, %v", password, a, err)
			}
		}
	}
	try("", "service", "@service")
	hash, err := bcrypt.GenerateFromPassword([]byte("by-hand"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Writer().Exec(`UPDATE accounts SET password_hash = $1 WHERE id = $2`, string(hash), store.ServiceID); err != nil {
		t.Fatal(err)
	}
	try("by-hand")
}
