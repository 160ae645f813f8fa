package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"servicesmtp.net/companion/e2e/world"
)

// TestPaceAndOvertaking: at 600 recipients a minute ten batches of 50 take 45
// seconds from the first to the tenth, never less, and a personal message
// handed in meanwhile overtakes.
func TestPaceAndOvertaking(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{RPM: 600})
	to := world.Addresses(500, "paced", "dst.invalid")
	w.MustSend("news@example.com", to, world.Message("paced", 5000))
	w.Far.WaitRecipients(t, 50, 20*time.Second)

	handed := time.Now()
	w.MustSend("me@example.com", []string{"friend@personal.invalid"}, world.Message("hello", 500))
	w.Far.Wait(t, 2*time.Second, "personal message", func(all []world.Transaction) bool {
		return slices.ContainsFunc(all, func(tx world.Transaction) bool { return tx.Recipients[0] == "friend@personal.invalid" })
	})
	t.Logf("personal message arrived after %v", time.Since(handed).Round(time.Millisecond))

	w.Far.WaitRecipients(t, 501, 90*time.Second)
	w.Once(append(to, "friend@personal.invalid"))
	var at []time.Time
	for _, tx := range w.Far.Transactions() {
		if !strings.Contains(tx.Recipients[0], "personal") {
			at = append(at, tx.Ended)
		}
	}
	slices.SortFunc(at, time.Time.Compare)
	if len(at) != 10 {
		t.Fatalf("%d batches, want 10", len(at))
	}
	span := at[9].Sub(at[0])
	t.Logf("tenth batch %v after the first", span.Round(time.Millisecond))
	// What arrives passes the relay first, whose own time varies by a little; the
	// companion's exact gaps are held by the properties of app/pace and app.
	if span < 45*time.Second-300*time.Millisecond {
		t.Errorf("the tenth batch came %v after the first, want 45 s at least", span)
	}
	if span > 55*time.Second {
		t.Errorf("the tenth batch came %v after the first: much too slow", span)
	}
}
