package account

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"servicesmtp.net/companion/internal/units"
)

// TestFiveCredits is the service's table: 500 MB plan, paid tier, used in
// total, credited.
func TestFiveCredits(t *testing.T) {
	for _, c := range []struct {
		name           string
		tier           int64 // MB
		used           int64 // MB
		price, granted int64 // granted in MB
	}{
		{"1 GB paid, 501 MB used, 0 credited", 1000, 501, 1000, 0},
		{"1 GB paid, 999 MB used, 0 credited", 1000, 999, 1000, 0},
		{"1 GB paid, 1 GB used, 0 credited", 1000, 1000, 1000, 0},
		{"2 GB paid, 1.5 GB used, 500 MB credited", 2000, 1500, 1800, 500},
		{"2 GB paid, 1.2 GB used, 500 MB credited", 2000, 1200, 1800, 500},
		{"2 GB paid, 1.6 GB used, 0 credited", 2000, 1600, 1800, 0},
		{"5 GB paid, 2.6 GB used, 2 GB credited", 5000, 2600, 3900, 2000},
		{"within the plan", 0, 500, 0, 0},
	} {
		start := at(t, "2026-03-10T09:00:00Z")
		r := owner(t, "standard", "Europe/Rome", start)
		r = used(t, r, at(t, "2026-05-20T09:00:00Z"), Charge{Emails: 10, Bytes: units.ByteSize(c.used) * units.MB})
		r, b := closed(t, r, at(t, "2026-06-01T00:00:00Z"))
		if b.Tier != c.tier*mb || b.Price != c.price || b.Granted != c.granted*mb || b.Currency != "EUR" {
			t.Errorf("%s: tier %d, price %d, granted %d", c.name, b.Tier/mb, b.Price, b.Granted/mb)
		}
		var credit int64
		for _, k := range r.Credits {
			credit += k.Left
			if want := at(t, "2027-03-10T09:00:00Z"); !k.ExpiresAt.Equal(want) || !k.ValidFrom.Equal(b.End) {
				t.Errorf("%s: credit from %v to %v, want until %v", c.name, k.ValidFrom, k.ExpiresAt, want)
			}
		}
		if credit != c.granted*mb {
			t.Errorf("%s: credit %d MB", c.name, credit/mb)
		}
		if orders := r.Orders[1:]; len(orders) != min(1, int(c.tier)) || len(orders) == 1 && (orders[0].Price != c.price || orders[0].Kind != OrderSurcharge || orders[0].State != OrderWaiting) {
			t.Errorf("%s: payment requests %+v", c.name, orders)
		}
	}
}

// TestSmallMailCountsAsTenKB: 60,000 e-mails of 1 KB are 600 MB of the plan.
func TestSmallMailCountsAsTenKB(t *testing.T) {
	r := owner(t, "standard", "UTC", at(t, "2026-03-10T09:00:00Z"))
	r = used(t, r, at(t, "2026-05-20T09:00:00Z"), ChargeFor(units.KB, 60_000))
	if _, b := closed(t, r, at(t, "2026-06-01T00:00:00Z")); b.Use != 600*mb || b.Tier != 1000*mb {
		t.Errorf("use %d, tier %d", b.Use, b.Tier)
	}
}

// TestCreditPaysBeforeSurcharge: the 2 GB of May pay in June, and only what
// they leave in July.
func TestCreditPaysBeforeSurcharge(t *testing.T) {
	r := owner(t, "standard", "UTC", at(t, "2026-03-10T09:00:00Z"))
	r = used(t, r, at(t, "2026-05-20T09:00:00Z"), Charge{Bytes: 2600 * units.MB})
	for _, m := range []struct {
		close, next                            string
		use, consumed, tier, granted, left, in int64 // MB; in: use of the next month
	}{
		{"2026-06-01T00:00:00Z", "2026-06-15T00:00:00Z", 2600, 0, 5000, 2000, 2000, 1700},
		{"2026-07-01T00:00:00Z", "2026-07-15T00:00:00Z", 1700, 1200, 0, 0, 800, 2500},
		{"2026-08-01T00:00:00Z", "2026-08-15T00:00:00Z", 2500, 800, 2000, 0, 0, 500}, // 1,700 of 2,000
		{"2026-09-01T00:00:00Z", "2026-09-15T00:00:00Z", 500, 0, 0, 0, 0, 0},
	} {
		var b Bill
		r, b = closed(t, r, at(t, m.close))
		if b.Use != m.use*mb || b.Consumed != m.consumed*mb || b.Tier != m.tier*mb || b.Granted != m.granted*mb || sum(r.Credits) != m.left*mb {
			t.Errorf("closed %s: %+v, left %d MB", m.close, b, sum(r.Credits)/mb)
		}
		r = used(t, r, at(t, m.next), Charge{Bytes: units.ByteSize(m.in) * units.MB})
	}
}

// Test55000Chained: 50,000 a month, 55,000 needed, 9,000 chained: 4,000 are
// credited for the rest of the plan's period.
func Test55000Chained(t *testing.T) {
	r := owner(t, "unlimited-standard", "Europe/Rome", at(t, "2026-03-10T09:00:00Z"))
	now := at(t, "2026-05-20T09:00:00Z")
	r = used(t, r, now, Charge{Emails: 50_000})
	terms, err := r.Terms(Default(), now)
	if err != nil || terms.Decide(Charge{Emails: 50_000}, Charge{Emails: 1}) || !terms.Reset.Equal(at(t, "2026-05-31T22:00:00Z")) {
		t.Fatalf("at the maximum: %+v, %v", terms, err)
	}
	r = bought(t, r, OrderChained, "unlimited-entry-month", now)
	terms, err = r.Terms(Default(), now)
	if err != nil || !terms.Decide(Charge{Emails: 50_000}, Charge{Emails: 9_000}) || terms.Decide(Charge{Emails: 50_000}, Charge{Emails: 9_001}) {
		t.Fatalf("with 9,000 chained: %+v, %v", terms, err)
	}
	r = used(t, r, now, Charge{Emails: 55_000})
	r, b := closed(t, r, at(t, "2026-05-31T22:00:00Z"))
	if b.Consumed != 5_000 || b.Tier != 0 || b.Price != 0 || len(r.Credits) != 1 || r.Credits[0].Left != 4_000 {
		t.Errorf("bill %+v, credits %+v", b, r.Credits)
	}
	end := at(t, "2027-03-10T09:00:00Z")
	for _, c := range []struct {
		at   time.Time
		want int64
	}{{end.Add(-time.Microsecond), 54_000}, {at(t, "2026-12-31T23:30:00Z"), 54_000}} {
		if terms, err := r.Terms(Default(), c.at); err != nil || terms.Limit.Emails != c.want {
			t.Errorf("at %v: limit %d, %v, want %d", c.at, terms.Limit.Emails, err, c.want)
		}
	}
	r = bought(t, r, OrderRenewal, "unlimited-standard", at(t, "2027-03-01T00:00:00Z"))
	if terms, err := r.Terms(Default(), end); err != nil || terms.Limit.Emails != 50_000 {
		t.Errorf("renewed: limit %d, %v: the credit lasts to the end of the old plan", terms.Limit.Emails, err)
	}
}

func TestLimits(t *testing.T) {
	for _, c := range []struct {
		plan   string
		policy Policy
		credit int64
		want   Charge
	}{
		{"standard", Surcharge, 0, Charge{500_000, 5 * units.GB}},
		{"standard", Surcharge, 500 * mb, Charge{550_000, 5500 * units.MB}},
		{"standard", Stop, 500 * mb, Charge{100_000, units.GB}},
		{"standard", Block, 0, Charge{50_000, 500 * units.MB}},
		{"entry", Block, 0, Charge{9_000, 90 * units.MB}},
		{"mega", Surcharge, 0, Charge{2_000_000, 20 * units.GB}},
		{"standard-month", Surcharge, 0, Charge{50_000, 500 * units.MB}},
		{"unlimited-entry", Surcharge, 0, Charge{9_000, NoLimit}},
		{"unlimited-standard", Surcharge, 4_000, Charge{54_000, NoLimit}},
		{"unlimited-standard-month", Stop, 0, Charge{50_000, NoLimit}},
	} {
		if got := plan(t, c.plan).Limit(c.policy, c.credit); got != c.want {
			t.Errorf("%s, %s, credit %d: got %+v, want %+v", c.plan, c.policy, c.credit, got, c.want)
		}
	}
	without := plan(t, "standard")
	without.Tiers = nil
	if got := without.Limit(Surcharge, 0); got.Bytes != 500*units.MB {
		t.Errorf("without tiers: %+v", got)
	}
}

func TestCloseRefuses(t *testing.T) {
	r := owner(t, "standard", "UTC", at(t, "2026-03-10T09:00:00Z"))
	r = used(t, r, at(t, "2026-04-20T09:00:00Z"), Charge{Bytes: 700 * units.MB})
	r = used(t, r, at(t, "2026-05-20T09:00:00Z"), Charge{Bytes: 700 * units.MB})
	april, may, june := at(t, "2026-04-01T00:00:00Z"), at(t, "2026-05-01T00:00:00Z"), at(t, "2026-06-01T00:00:00Z")
	_, err := r.Close(Default(), may, names(), june.Add(-1))
	wantReason(t, "before its end", err, StillOpen)
	_, err = r.Close(Default(), may, names(), june)
	wantReason(t, "before an earlier one", err, Earlier)
	_, err = r.Terms(Default(), may)
	wantReason(t, "terms before closing", err, Earlier)
	once, err := r.Close(Default(), april, names(), june)
	if err != nil {
		t.Fatal(err)
	}
	twice := r.Apply(once)
	_, err = twice.Close(Default(), april, names(), june)
	wantReason(t, "twice", err, AlreadyClosed)
	if again, err := twice.CloseEnded(Default(), names(), may); err != nil || !cmp.Equal(again, Changes{}) {
		t.Errorf("closing all again: %+v, %v", again, err)
	}
}

// TestUncoveredIsNotBilled: what was let in under another limit is no debt,
// and holds nothing up.
func TestUncoveredIsNotBilled(t *testing.T) {
	for _, c := range []struct {
		name, plan                        string
		use                               Charge
		surcharged, uncovered, tier, left int64
	}{
		{"above the largest tier", "standard", Charge{Bytes: 6 * units.GB}, 4500 * mb, 1000 * mb, 5000 * mb, 0},
		{"above a monthly plan", "standard-month", Charge{Bytes: 600 * units.MB}, 0, 100 * mb, 0, 0},
		{"above an unlimited plan", "unlimited-entry", Charge{Emails: 9_500}, 0, 500, 0, 0},
	} {
		r := owner(t, c.plan, "UTC", at(t, "2026-03-10T09:00:00Z"))
		r = used(t, r, at(t, "2026-03-20T09:00:00Z"), c.use)
		_, b := closed(t, r, at(t, "2026-06-01T00:00:00Z"))
		if b.Surcharged != c.surcharged || b.Uncovered != c.uncovered || b.Tier != c.tier || b.Granted != c.left {
			t.Errorf("%s: %+v", c.name, b)
		}
	}
	r := Rows{AccountID: "old", Periods: []Usage{{AccountID: "old", Start: at(t, "2026-03-01T00:00:00Z"), End: at(t, "2026-04-01T00:00:00Z"), Used: Charge{Emails: 7}}}}
	if _, b := closed(t, r, at(t, "2026-06-01T00:00:00Z")); b.Uncovered != 7 || b.Price != 0 {
		t.Errorf("before there were subscriptions: %+v", b)
	}
}

// TestSmallerPlanBillsNothing: a month in which the operator gave a smaller plan
// has the larger one's allowance, the next has its own.
func TestSmallerPlanBillsNothing(t *testing.T) {
	larger, _ := Default().Plan("mega")
	r := owner(t, "mega", "UTC", at(t, "2026-03-10T09:00:00Z"))
	r = used(t, r, at(t, "2026-04-10T09:00:00Z"), Charge{Bytes: 2 * units.GB})
	c, err := r.Replace(Default(), "standard", "o2", "s2", at(t, "2026-04-20T09:00:00Z"))
	if err != nil {
		t.Fatal(err)
	}
	r, b := closed(t, r.Apply(c), at(t, "2026-05-01T00:00:00Z"))
	if b.Allowance != larger.Allowance() || b.Over() != 0 || b.Price != 0 {
		t.Errorf("the month of the change: %+v", b)
	}
	r = used(t, r, at(t, "2026-05-10T09:00:00Z"), Charge{Bytes: 2 * units.GB})
	if _, b = closed(t, r, at(t, "2026-06-01T00:00:00Z")); b.Surcharged != 1500*mb || b.Tier != 2000*mb {
		t.Errorf("the month after: %+v", b)
	}
}

// TestLastMonthGrantsNothing: what is not used is lost at the year's end.
func TestLastMonthGrantsNothing(t *testing.T) {
	r := owner(t, "standard", "UTC", at(t, "2026-03-10T09:00:00Z"))
	r = used(t, r, at(t, "2027-03-05T09:00:00Z"), Charge{Bytes: 1200 * units.MB})
	r, b := closed(t, r, at(t, "2027-03-10T09:00:00Z"))
	if b.Tier != 2000*mb || b.Granted != 0 || len(r.Credits) != 0 {
		t.Errorf("got %+v, %+v", b, r.Credits)
	}
}

// TestHugeNumbers: sums and products stop at the largest number.
func TestHugeNumbers(t *testing.T) {
	if got := plan(t, "standard").Use(Charge{Emails: math.MaxInt64}); got != math.MaxInt64 {
		t.Errorf("use: %d", got)
	}
	if got := plan(t, "standard").Limit(Stop, math.MaxInt64); got.Bytes != NoLimit {
		t.Errorf("limit: %+v", got)
	}
}
