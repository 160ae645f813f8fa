package account

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"servicesmtp.net/companion/internal/units"
)

// words are notices as "kind step".
func words(all []Notice) []string {
	var w []string
	for _, n := range all {
		w = append(w, fmt.Sprintf("%s %d", n.Kind, n.Step))
	}
	return w
}

func keys(all []Notice) []NoticeKey {
	var k []NoticeKey
	for _, n := range all {
		k = append(k, n.NoticeKey)
	}
	return k
}

// TestReviewSteps goes through a month: at every 10 %, one for the highest
// step, each once.
func TestReviewSteps(t *testing.T) {
	start := at(t, "2026-05-02T00:00:00Z")
	r := owner(t, "standard", "UTC", start)
	var sent []NoticeKey
	for day, c := range []struct {
		used int64 // MB in total
		want []string
	}{
		{0, nil},
		{49, nil},
		{50, []string{"usage 10"}},
		{99, nil},
		{215, []string{"usage 40"}}, // one for the highest step
		{215, nil},
		{160, nil}, // a larger plan makes it fewer steps: none comes again
		{449, []string{"usage 80"}},
		{450, []string{"usage 90", "near 90"}},
		{499, nil},
		{500, []string{"usage 100", "over 100"}},
		{780, []string{"usage 150"}},
		{790, nil},
	} {
		now := start.AddDate(0, 0, day)
		r = used(t, r, now, Charge{Bytes: units.ByteSize(c.used) * units.MB})
		due := r.Review(Default(), nil, sent, now)
		if diff := cmp.Diff(c.want, words(due)); diff != "" {
			t.Errorf("day %d, %d MB (-want +got):\n%s", day, c.used, diff)
		}
		sent = append(sent, keys(due)...)
	}
	june := at(t, "2026-06-02T00:00:00Z")
	r = used(t, r, june, Charge{Bytes: 60 * units.MB})
	if got := words(r.Review(Default(), nil, sent, june)); !slices.Equal(got, []string{"usage 10"}) {
		t.Errorf("a new period: %v", got)
	}
	fresh := used(t, owner(t, "standard", "UTC", start), start, Charge{Bytes: 600 * units.MB})
	if got := words(fresh.Review(Default(), nil, nil, start)); !slices.Equal(got, []string{"usage 120", "over 100"}) {
		t.Errorf("all at once: %v, near says less than over", got)
	}
}

func TestReviewHeavy(t *testing.T) {
	now := at(t, "2026-05-20T22:30:00Z") // 21 May in Rome
	history := func(days int, each, today int64) []DayUse {
		h := []DayUse{{"2026-05-21", Charge{Emails: today}}, {"2026-05-22", Charge{Emails: 9_999}}, {"2026-05-19", Charge{}}}
		for i := range days {
			h = append(h, DayUse{now.AddDate(0, 0, -2*i-2).Format(time.DateOnly), Charge{Emails: each}})
		}
		return h
	}
	r := owner(t, "unlimited-standard", "Europe/Rome", at(t, "2026-03-10T09:00:00Z"))
	r = used(t, r, now, Charge{Emails: 4_000})
	for _, c := range []struct {
		name    string
		history []DayUse
		want    bool
	}{
		{"just 3 times", history(10, 1_000, 3_000), false},
		{"more than 3 times", history(10, 1_000, 3_001), true},
		{"7 days of history", history(7, 1_000, 3_001), true},
		{"6 days of history", history(6, 1_000, 3_001), false},
		{"5 % of the allowance", history(10, 10, 2_500), false},
		{"more than 5 %", history(10, 10, 2_501), true},
		{"only the last 28 days count", append(history(28, 1_000, 3_001), DayUse{"2025-01-01", Charge{Emails: 900_000}}), true},
		{"the 28th counts", append(history(27, 1_000, 3_001), DayUse{"2025-01-01", Charge{Emails: 900_000}}), false},
		{"nothing today", history(10, 1_000, 0), false},
	} {
		due := r.Review(Default(), c.history, nil, now)
		if got := slices.Equal(words(due), []string{"heavy 20260521"}); got != c.want || !c.want && len(due) != 0 {
			t.Errorf("%s: %v, want %v", c.name, words(due), c.want)
		}
		if again := r.Review(Default(), c.history, keys(due), now.Add(time.Hour)); len(again) != 0 {
			t.Errorf("%s: again %v", c.name, words(again))
		}
	}
}

// TestReviewEnd: a warning with a link 30 and 7 days before the end, none
// where the plan is renewed, and a word when it ended.
func TestReviewEnd(t *testing.T) {
	start := at(t, "2026-03-10T09:00:00Z")
	year := owner(t, "standard", "Europe/Rome", start)
	renewed := bought(t, year, OrderRenewal, "standard", at(t, "2027-02-01T09:00:00Z"))
	refunded, _, err := year.Refund(Default(), "s1", start.AddDate(0, 0, 3))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		r    Rows
		now  string
		want []string
	}{
		{"31 days before", year, "2027-02-07T09:00:00Z", nil},
		{"a moment before the 30", year, "2027-02-08T08:59:59Z", nil},
		{"30 days before", year, "2027-02-08T09:00:00Z", []string{"renewal 30"}},
		{"8 days before", year, "2027-03-02T09:00:00Z", []string{"renewal 30"}},
		{"7 days before", year, "2027-03-03T09:00:00Z", []string{"renewal 7"}},
		{"the last moment", year, "2027-03-10T08:59:59Z", []string{"renewal 7"}},
		{"at the end", year, "2027-03-10T09:00:00Z", []string{"ended 0"}},
		{"renewed, 7 days before", renewed, "2027-03-03T09:00:00Z", nil},
		{"renewed, at the end", renewed, "2027-03-10T09:00:00Z", nil},
		{"renewed, a year later", renewed, "2028-03-03T09:00:00Z", []string{"renewal 7"}},
		{"refunded", year.Apply(refunded), "2027-03-10T09:00:00Z", nil},
		{"a month, at once", owner(t, "entry-month", "UTC", start), "2026-03-10T09:00:00Z", nil},
		{"a month, 7 days before", owner(t, "entry-month", "UTC", start), "2026-04-02T09:00:00Z", []string{"renewal 7"}},
	} {
		due := c.r.Review(Default(), nil, nil, at(t, c.now))
		if diff := cmp.Diff(c.want, words(due)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
		if again := c.r.Review(Default(), nil, keys(due), at(t, c.now)); len(again) != 0 {
			t.Errorf("%s: again %v", c.name, words(again))
		}
	}
}

func TestReviewActivation(t *testing.T) {
	paid := at(t, "2026-03-10T09:00:00Z")
	r := Rows{AccountID: "a1", Orders: []Order{{ID: "o1", State: OrderPaid, PaidAt: paid}, {ID: "o2", State: OrderPaid, PaidAt: paid}}}
	if due := r.Review(Default(), nil, nil, paid.Add(20*time.Hour-1)); len(due) != 0 {
		t.Errorf("before 20 hours: %v", words(due))
	}
	due := r.Review(Default(), nil, nil, paid.Add(20*time.Hour))
	if len(due) != 2 || due[0].OrderID != "o1" || due[1].OrderID != "o2" || !due[0].End.Equal(paid.Add(24*time.Hour)) {
		t.Errorf("after 20 hours: %+v", due)
	}
	if due := r.Review(Default(), nil, keys(due[:1]), paid.Add(21*time.Hour)); len(due) != 1 || due[0].OrderID != "o2" {
		t.Errorf("one was sent: %+v", due)
	}
}

// TestReviewOnce: whatever is used, and whenever it is reviewed, a key comes
// once, and steps of a period only go up.
func TestReviewOnce(t *testing.T) {
	start := at(t, "2026-03-10T09:00:00Z")
	base := owner(t, "standard", "UTC", start)
	rapid.Check(t, func(rt *rapid.T) {
		r, now, total := base, start, int64(0)
		var sent []NoticeKey
		before := map[string]bool{}
		steps := map[time.Time]int{}
		for range rapid.IntRange(1, 40).Draw(rt, "reviews") {
			next := now.Add(time.Duration(rapid.IntRange(1, 400).Draw(rt, "hours")) * time.Hour)
			if next.Month() != now.Month() {
				total = 0
			}
			now = next
			if StatusAt(r.Subscriptions, now) == Active {
				total += rapid.Int64Range(0, 200*mb).Draw(rt, "more")
				r = used(t, r, now, Charge{Bytes: units.ByteSize(total)})
			}
			for _, n := range r.Review(Default(), nil, sent, now) {
				key := fmt.Sprint(n.Kind, n.Start.Unix(), n.Step)
				if before[key] || n.Kind == NoticeUsage && n.Step <= steps[n.Start] {
					rt.Fatalf("%+v again", n.NoticeKey)
				}
				before[key] = true
				if n.Kind == NoticeUsage {
					steps[n.Start] = n.Step
				}
				sent = append(sent, n.NoticeKey)
			}
		}
	})
}
