package store

import (
	"log/slog"
	"strings"
	"testing"
	"time"
)

// Every message asks for its account's terms: no table may be read through.
func TestTermsUseIndexes(t *testing.T) {
	s, err := Open(t.Context(), Options{Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	rows, err := s.Reader().QueryContext(t.Context(), `EXPLAIN QUERY PLAN `+selectTerms, Micros(time.Now()), "acc")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var plan []string
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, step)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	all := strings.Join(plan, "\n")
	if strings.Contains(all, "SCAN ") {
		t.Errorf("a table is read through:\n%s", all)
	}
	for _, index := range []string{"credits_left", "usage_periods_open", "subscriptions_account"} {
		if !strings.Contains(all, index) {
			t.Errorf("%s is not used:\n%s", index, all)
		}
	}
}
