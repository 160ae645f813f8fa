package steward

import (
	"strings"
	"testing"
	"time"

	"servicesmtp.net/companion/internal/units"
	"servicesmtp.net/companion/server/account"
)

// TestLetters: with -v the mails can be read as a customer gets them.
func TestLetters(t *testing.T) {
	h := open(t, t.TempDir(), "")
	h.set(time.Date(2026, 3, 10, 9, 30, 0, 0, time.UTC))
	h.add("ann", "standard", "Europe/Rome", account.Surcharge)
	h.add("bob", "entry-month", "Europe/Rome", account.Stop)
	if _, err := h.Store.Writer().Exec(`UPDATE accounts SET name = 'bobby' WHERE id = 'bob'`); err != nil { // names are known to people, ids are not
		t.Fatal(err)
	}
	h.use("ann", 460, units.MB)
	h.use("bob", 9000, 10*units.KB)
	h.pass()
	h.use("ann", 740, units.MB)
	h.failed("ann", "gone@dst.example", h.now().Add(time.Hour))
	for _, at := range []time.Time{h.now().Add(time.Minute), time.Date(2026, 4, 1, 0, 5, 0, 0, account.Location("Europe/Rome")), time.Date(2026, 4, 2, 10, 0, 0, 0, time.UTC), time.Date(2026, 4, 9, 9, 31, 0, 0, time.UTC)} {
		h.set(at)
		h.pass()
	}
	all := strings.ReplaceAll(strings.Join(h.letters(), "\n\n========\n"), "=\r\n", "") // RFC 2045 §6.7: soft line ends
	for _, want := range []string{
		"Report for 10 to 31 March 2026", "addresses-in-error-2026-03-10-to-2026-03-31.csv", // not a whole month
		"Surcharge 2 GB, 10 to 31 March 2026", "Due         15 April 2026", "EUR 18.00",
		"2 GB surcharge of 10 to 31 March 2026",
		"Report for 10 March to 9 April 2026", // 30 days
		"Your plan ends in 7 days", "9 April 2026, 11:30",
		"Your plan has ended", "account=3Dbobby&plan=3Dentry-month",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("no letter has %q", want)
		}
	}
	t.Log(all)
}
