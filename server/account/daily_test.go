package account

import (
	"slices"
	"testing"
	"time"

	"servicesmtp.net/companion/internal/units"
)

// TestReviewDay: a day is due from six o'clock on, on the account's clock.
func TestReviewDay(t *testing.T) {
	for _, c := range []struct{ zone, now, want string }{
		{"UTC", "2026-11-10T05:59:59Z", "2026-11-09"},
		{"UTC", "2026-11-10T06:00:00Z", "2026-11-10"},
		{"Europe/Rome", "2026-11-10T05:00:00Z", "2026-11-10"},
		{"America/New_York", "2026-11-10T10:59:59Z", "2026-11-09"},
		{"Pacific/Kiritimati", "2026-11-09T16:00:00Z", "2026-11-10"},
		{"UTC", "2026-03-01T03:00:00Z", "2026-02-28"},
		{"Europe/Rome", "2026-03-29T03:59:59Z", "2026-03-28"}, // a day of 23 hours
		{"Europe/Rome", "2026-03-29T04:00:00Z", "2026-03-29"},
	} {
		if got := ReviewDay(Location(c.zone), at(t, c.now)); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.zone, c.now, got, c.want)
		}
	}
}

// TestReviewLimit: blocked at the limit, once for each limit, and active again
// with the next period, once.
func TestReviewLimit(t *testing.T) {
	r := owner(t, "standard", "UTC", at(t, "2026-05-01T00:00:00Z"))
	r.Policy = Block
	var sent []NoticeKey
	for _, c := range []struct {
		name   string
		now    string
		policy Policy
		used   int64 // MB, in the period
		want   []string
	}{
		{"within", "2026-05-02T00:00:00Z", Block, 400, nil},
		{"room for one more", "2026-05-03T00:00:00Z", Block, 499, nil},
		{"full", "2026-05-04T00:00:00Z", Block, 500, []string{"blocked 500"}},
		{"still", "2026-05-05T00:00:00Z", Block, 500, nil},
		{"goes on with a surcharge", "2026-05-06T00:00:00Z", Surcharge, 600, nil},
		{"its largest tier", "2026-05-07T00:00:00Z", Surcharge, 5000, []string{"blocked 5000"}},
		{"June", "2026-06-01T00:00:00Z", Surcharge, 0, []string{"again 0"}},
		{"still June", "2026-06-02T00:00:00Z", Surcharge, 10, nil},
		{"July", "2026-07-02T00:00:00Z", Block, 500, []string{"blocked 500"}},
		{"August, full at once", "2026-08-01T01:00:00Z", Block, 500, []string{"blocked 500"}},
		{"October", "2026-10-05T00:00:00Z", Block, 0, []string{"again 0"}},
		{"November", "2026-11-05T00:00:00Z", Block, 0, nil},
	} {
		now := at(t, c.now)
		r.Policy = c.policy
		if done, err := r.CloseEnded(Default(), names(), now); err != nil {
			t.Fatal(err)
		} else if r = r.Apply(done); true {
			r.Credits = nil // of tiers; the limits above are without
		}
		if c.used > 0 {
			r = used(t, r, now, Charge{Bytes: units.ByteSize(c.used) * units.MB})
		}
		due, err := r.ReviewLimit(Default(), sent, now)
		if err != nil || !slices.Equal(words(due), c.want) {
			t.Errorf("%s: %v, %v, want %v", c.name, words(due), err, c.want)
		}
		for _, n := range due {
			if next := monthStart(now.Year(), now.Month()+1, time.UTC); !n.End.Equal(next) {
				t.Errorf("%s: until %s, want %s", c.name, n.End, next)
			}
		}
		sent = append(sent, keys(due)...)
	}
	month := used(t, owner(t, "entry-month", "UTC", at(t, "2026-05-01T00:00:00Z")), at(t, "2026-05-02T00:00:00Z"), Charge{Emails: 9000})
	due, err := month.ReviewLimit(Default(), nil, at(t, "2026-05-02T00:00:00Z"))
	if err != nil || !slices.Equal(words(due), []string{"blocked 90"}) || !due[0].End.IsZero() {
		t.Errorf("a plan that does not start again: %+v, %v", due, err)
	}
	if due, err := month.ReviewLimit(Default(), nil, at(t, "2026-07-02T00:00:00Z")); err != nil || len(due) != 0 {
		t.Errorf("an ended plan: %v, %v", words(due), err)
	}
}
