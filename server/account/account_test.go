package account

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"servicesmtp.net/companion/internal/units"
)

func plan(t *testing.T, name string) Plan {
	t.Helper()
	p, ok := Default().Plan(name)
	if !ok {
		t.Fatalf("no plan %q", name)
	}
	return p
}

// TestNumbersOfThePlans holds each number that the service promises: so many
// e-mails of so many bytes, and not one more.
func TestNumbersOfThePlans(t *testing.T) {
	for _, c := range []struct {
		plan   string
		size   units.ByteSize
		emails int64
	}{
		{"entry", 10 * units.KB, 9_000},
		{"entry", 1 * units.KB, 9_000}, // small ones do not make it more
		{"standard", 10 * units.KB, 50_000},
		{"standard", 20 * units.KB, 25_000},
		{"standard", 50 * units.KB, 10_000},
		{"standard", 250 * units.KB, 2_000},
		{"mega", 10 * units.KB, 500_000},
		{"unlimited-entry", 10 * units.KB, 9_000},
		{"unlimited-entry", 90 * units.MB, 9_000}, // no limit per e-mail
		{"unlimited-standard", 90 * units.MB, 50_000},
		{"entry-month", 10 * units.KB, 9_000},
		{"standard-month", 250 * units.KB, 2_000},
		{"mega-month", 10 * units.KB, 500_000},
		{"unlimited-entry-month", 90 * units.MB, 9_000},
		{"unlimited-standard-month", 90 * units.MB, 50_000},
	} {
		p := plan(t, c.plan)
		used := ChargeFor(c.size, int(c.emails-1))
		one := ChargeFor(c.size, 1)
		if ok := p.Limit(Stop, 0).Fits(used, one); !ok {
			t.Errorf("%s: e-mail %d of %v was refused", c.plan, c.emails, c.size)
		}
		if p.Limit(Stop, 0).Fits(used.Add(one), one) {
			t.Errorf("%s: e-mail %d of %v was let in", c.plan, c.emails+1, c.size)
		}
	}
}

func TestWhoMayOveruse(t *testing.T) {
	for _, c := range []struct {
		plan   string
		policy Policy
		want   bool
	}{
		{"standard", Surcharge, true},
		{"standard", Stop, false},
		{"standard", Block, false},
		{"standard-month", Surcharge, false},
		{"unlimited-standard", Surcharge, false},
		{"unlimited-standard-month", Surcharge, false},
	} {
		p := plan(t, c.plan)
		used := Charge{Emails: p.Emails, Bytes: p.Bytes}
		if ok := p.Limit(c.policy, 0).Fits(used, ChargeFor(units.KB, 1)); ok != c.want {
			t.Errorf("%s, %s: overuse allowed %v, want %v", c.plan, c.policy, ok, c.want)
		}
	}
}

func TestAllOrNothing(t *testing.T) {
	p := plan(t, "unlimited-entry")
	used := Charge{Emails: 8_980}
	if ok := p.Limit(Surcharge, 0).Fits(used, ChargeFor(units.KB, 20)); !ok {
		t.Error("20 into the last 20 were refused")
	}
	if ok := p.Limit(Surcharge, 0).Fits(used, ChargeFor(units.KB, 21)); ok {
		t.Error("21 into the last 20 were let in")
	}
}

func TestMonthlyPlanEnds(t *testing.T) {
	p := plan(t, "standard-month")
	at := time.Date(2026, 1, 31, 22, 30, 0, 0, time.UTC)
	for _, c := range []struct {
		name string
		now  time.Time
		ok   bool
	}{
		{"at once", at, true},
		{"29 days later", at.AddDate(0, 0, 29), true},
		{"a moment before", at.Add(30*24*time.Hour - 1), true},
		{"30 days later", at.Add(30 * 24 * time.Hour), false},
		{"a year later", at.AddDate(1, 0, 0), false},
	} {
		start, end := Period(p, time.UTC, at, c.now)
		if !start.Equal(at) || end.Sub(start) != 30*24*time.Hour {
			t.Fatalf("%s: period %v to %v", c.name, start, end)
		}
		if ok := (Subscription{Start: at, End: endOf(p, time.UTC, at)}).At(c.now); ok != c.ok {
			t.Errorf("%s: in force %v, want %v", c.name, ok, c.ok)
		}
	}
}

func TestPeriodIsTheMonthInTheZone(t *testing.T) {
	for _, c := range []struct{ zone, now, start, end string }{
		{"UTC", "2026-11-25T09:00:00Z", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"},
		{"Europe/Rome", "2026-11-30T23:30:00Z", "2026-11-30T23:00:00Z", "2026-12-31T23:00:00Z"},
		{"Europe/Rome", "2026-03-31T21:59:59Z", "2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z"}, // summer time begins in it
		{"America/Los_Angeles", "2026-12-01T07:59:59Z", "2026-11-01T07:00:00Z", "2026-12-01T08:00:00Z"},
		{"Pacific/Kiritimati", "2026-12-31T10:00:00Z", "2026-12-31T10:00:00Z", "2027-01-31T10:00:00Z"},
		{"America/Havana", "2026-11-01T04:30:00Z", "2026-11-01T04:00:00Z", "2026-12-01T05:00:00Z"},   // midnight comes twice
		{"America/Asuncion", "2000-10-01T04:00:00Z", "2000-10-01T04:00:00Z", "2000-11-01T03:00:00Z"}, // midnight is missing
		{"No/Such_Zone", "2026-11-25T09:00:00Z", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"},
		{"Local", "2026-11-25T09:00:00Z", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"},
	} {
		now, err := time.Parse(time.RFC3339, c.now)
		if err != nil {
			t.Fatal(err)
		}
		start, end := Period(Plan{Kind: Unlimited, Emails: 1}, Location(c.zone), time.Time{}, now)
		if start.Format(time.RFC3339) != c.start || end.Format(time.RFC3339) != c.end {
			t.Errorf("%s at %s: got %s to %s, want %s to %s", c.zone, c.now,
				start.Format(time.RFC3339), end.Format(time.RFC3339), c.start, c.end)
		}
	}
}

// TestPeriodsTile: every instant is in its period, and periods leave no gap.
func TestPeriodsTile(t *testing.T) {
	zones := []string{"UTC", "Europe/Rome", "America/Havana", "America/Asuncion", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Cairo"}
	rapid.Check(t, func(t *rapid.T) {
		zone := Location(rapid.SampledFrom(zones).Draw(t, "zone"))
		now := time.Unix(rapid.Int64Range(946684800, 4102444800).Draw(t, "now"), 0)
		start, end := Period(Plan{}, zone, time.Time{}, now)
		if now.Before(start) || !now.Before(end) {
			t.Fatalf("%v is outside %v to %v", now, start, end)
		}
		next, _ := Period(Plan{}, zone, time.Time{}, end)
		_, before := Period(Plan{}, zone, time.Time{}, start.Add(-time.Microsecond))
		if !next.Equal(end) || !before.Equal(start) {
			t.Fatalf("gap: %v to %v, then %v; before it %v", start, end, next, before)
		}
	})
}

// TestNeverAboveTheLimit: whatever the messages, a plan that cuts off ends at
// or below its limit, and a message that fits is let in.
func TestNeverAboveTheLimit(t *testing.T) {
	plans := Default().Plans()
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SampledFrom(plans).Draw(t, "plan")
		policy := rapid.SampledFrom([]Policy{Surcharge, Stop, Block}).Draw(t, "policy")
		limit := p.Limit(policy, 0)
		var used Charge
		for range rapid.IntRange(1, 40).Draw(t, "messages") {
			more := ChargeFor(units.ByteSize(rapid.Int64Range(0, 150e6).Draw(t, "size")), rapid.IntRange(1, 50_000).Draw(t, "recipients"))
			ok := limit.Fits(used, more)
			sum := used.Add(more)
			if fits := sum.Emails <= limit.Emails && sum.Bytes <= limit.Bytes; ok != fits {
				t.Fatalf("%s: used %+v, more %+v: ok %v, fits %v", p.Name, used, more, ok, fits)
			}
			if ok {
				used = sum
			}
		}
		if overuse := p.Kind == Bandwidth && !p.Monthly && policy == Surcharge; (limit.Emails > p.Emails) != overuse {
			t.Fatalf("%s, %s: limit %+v", p.Name, policy, limit)
		}
	})
}
