package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// TestPaceAndOvertaking: at 600 recipients a minute ten batches of 50 take 45
// seconds from the first to the tenth, never less, and a personal message
// handed in meanwhile overtakes.
func TestPaceAndOvertaking(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{rpm: 600})
	to := addresses(500, "paced", "dst.invalid")
	w.mustSend("news@example.com", to, message("paced", 5000))
	w.far.waitRecipients(t, 50, 20*time.Second)

	handed := time.Now()
	w.mustSend("me@example.com", []string{"friend@personal.invalid"}, message("hello", 500))
	w.far.wait(t, 2*time.Second, "personal message", func(all []transaction) bool {
		return slices.ContainsFunc(all, func(tx transaction) bool { return tx.recipients[0] == "friend@personal.invalid" })
	})
	t.Logf("personal message arrived after %v", time.Since(handed).Round(time.Millisecond))

	w.far.waitRecipients(t, 501, 90*time.Second)
	w.once(append(to, "friend@personal.invalid"))
	var at []time.Time
	for _, tx := range w.far.transactions() {
		if !strings.Contains(tx.recipients[0], "personal") {
			at = append(at, tx.ended)
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
