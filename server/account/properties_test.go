package account

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"servicesmtp.net/companion/internal/units"
)

// drawRows draws an account with a period that is over, whatever was counted
// in it, and some credits.
func drawRows(t *rapid.T, c Catalogue) Rows {
	p := rapid.SampledFrom(c.plans).Draw(t, "plan")
	start := newYear.Add(time.Duration(rapid.Int64Range(0, 300*24*3600).Draw(t, "start")) * time.Second)
	r := Rows{AccountID: "a1", Zone: Location(rapid.SampledFrom(yearZones).Draw(t, "zone"))}
	r.Subscriptions = r.begin(p, Order{ID: "o1"}, "s1", start)
	now := start.Add(time.Duration(rapid.Int64Range(0, 29*24*3600).Draw(t, "into")) * time.Second)
	from, to := r.Period(p, r.Subscriptions[0], now)
	most := p.Allowance() * 12
	r.Periods = []Usage{{AccountID: "a1", Start: from, End: to, Used: Charge{
		Emails: rapid.Int64Range(0, p.Emails*12).Draw(t, "emails"), Bytes: units.ByteSize(rapid.Int64Range(0, most).Draw(t, "bytes"))}}}
	for i := range rapid.IntRange(0, 4).Draw(t, "credits") {
		n := rapid.Int64Range(0, most/4).Draw(t, "granted")
		r.Credits = append(r.Credits, Credit{ID: fmt.Sprintf("c%d", i), AccountID: "a1", Contract: "s1", Unit: p.Unit(), Granted: n,
			Left:      rapid.Int64Range(0, n).Draw(t, "left"),
			ValidFrom: from.Add(time.Duration(rapid.Int64Range(-100, 1000).Draw(t, "hours")) * time.Hour), ExpiresAt: r.Subscriptions[0].End})
	}
	return r
}

// TestUseIsNeverLost: what was used is within the allowance, or paid by
// credits, by the tier, or named as uncovered; credits pay exactly what the
// bill says and are never negative; the tier is the smallest that covers.
func TestUseIsNeverLost(t *testing.T) {
	cat := Default()
	rapid.Check(t, func(t *rapid.T) {
		r := drawRows(t, cat)
		u := r.Periods[0]
		c, err := r.Close(cat, u.Start, names(), u.End)
		if err != nil {
			t.Fatal(err)
		}
		b := c.Bills[0]
		if got := min(b.Use, b.Allowance) + b.Consumed + b.Surcharged + b.Uncovered; got != b.Use || min(b.Consumed, b.Surcharged, b.Uncovered, b.Granted) < 0 {
			t.Fatalf("%+v: %d of %d", b, got, b.Use)
		}
		after := r.Apply(c)
		for _, k := range after.Credits {
			if k.Left < 0 || k.Left > k.Granted {
				t.Fatalf("credit %+v", k)
			}
		}
		if got := sum(r.Credits) - sum(after.Credits) + b.Granted; got != b.Consumed {
			t.Fatalf("credits lost %d, the bill says %d", got, b.Consumed)
		}
		if b.Consumed < b.Over() && sum(creditsOf(after.Credits, "s1", b.Unit, u.End)) > 0 {
			t.Fatalf("a surcharge while credits are left: %+v", b)
		}
		if b.Granted%int64(CreditStep) != 0 || b.Granted > max(0, b.Tier-(b.Use-b.Consumed)) || b.Tier-(b.Use-b.Consumed)-b.Granted >= int64(CreditStep) && b.End.Before(r.Subscriptions[0].End) && b.Tier > 0 {
			t.Fatalf("granted %d: %+v", b.Granted, b)
		}
		p, _ := cat.Plan(b.Plan)
		for _, tier := range p.Tiers {
			if need := b.Use - b.Consumed; b.Tier > 0 && int64(tier.Bytes) < b.Tier && int64(tier.Bytes) >= need {
				t.Fatalf("%d would do for %d: %+v", tier.Bytes, need, b)
			}
		}
		if (b.Price > 0) != (b.Tier > 0) || (b.Tier > 0) != (len(c.Orders) == 1) {
			t.Fatalf("payment request: %+v, %+v", b, c.Orders)
		}
	})
}

// TestClosingLooksAtNothingLater: closed a year later, with an upgrade, a
// renewal, credits and use that came at or after the period's end, a period
// comes to the same.
func TestClosingLooksAtNothingLater(t *testing.T) {
	cat := Default()
	rapid.Check(t, func(t *rapid.T) {
		r := drawRows(t, cat)
		u := r.Periods[0]
		want, err := r.Close(cat, u.Start, names(), u.End)
		if err != nil {
			t.Fatal(err)
		}
		end := r.Subscriptions[0].End
		p, _ := cat.Plan(r.Subscriptions[0].Plan)
		if later := u.End.Add(time.Duration(rapid.IntRange(0, 40).Draw(t, "later")) * 24 * time.Hour); later.Before(end) && !p.Monthly {
			up := cat.plans[slices.IndexFunc(cat.plans, func(q Plan) bool { return q.Kind == p.Kind && !q.Monthly })]
			subs, err := r.upgrade(cat, up, Order{ID: "o2"}, "s2", later)
			if err != nil {
				t.Fatal(err)
			}
			r = r.Apply(Changes{Subscriptions: subs})
		}
		r = r.Apply(Changes{Subscriptions: r.begin(cat.plans[0], Order{ID: "o3"}, "s3", end)})
		r.Credits = append(r.Credits, Credit{ID: "later", Contract: "s1", Unit: p.Unit(), Granted: 1 << 40, Left: 1 << 40, ValidFrom: u.End},
			Credit{ID: "other", Contract: "s3", Unit: p.Unit(), Granted: 1 << 40, Left: 1 << 40, ValidFrom: u.Start})
		r.Periods = append(r.Periods, Usage{AccountID: "a1", Start: u.End, End: u.End.AddDate(0, 1, 0), Used: Charge{Emails: 1 << 30}})
		r.Policy = Block
		now := u.End.AddDate(1, 0, 0)
		got, err := r.Close(cat, u.Start, names(), now)
		if err != nil {
			t.Fatal(err)
		}
		got.Periods[0].ClosedAt = want.Periods[0].ClosedAt
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Fatalf("late (-timely +late):\n%s", diff)
		}
	})
}

// TestOrderOfADayMakesNoDifference: the use, the chained plans, the upgrade
// and the policies of a day come to the same bill in any order, and so do the
// rows in any order.
func TestOrderOfADayMakesNoDifference(t *testing.T) {
	cat := Default()
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom([]string{"entry", "unlimited-entry"}).Draw(t, "plan")
		p, _ := cat.Plan(name)
		upgrade, _ := cat.Plan(map[string]string{"entry": "standard", "unlimited-entry": "unlimited-standard"}[name])
		month, _ := cat.Plan("unlimited-entry-month")
		base := Rows{AccountID: "a1", Zone: Location(rapid.SampledFrom(yearZones).Draw(t, "zone"))}
		base.Subscriptions = base.begin(p, Order{ID: "o1"}, "s1", newYear)
		day := newYear.AddDate(0, 0, rapid.IntRange(40, 300).Draw(t, "day"))
		events := []func(Rows, time.Time) Rows{
			func(r Rows, now time.Time) Rows { r.Policy = Block; return r },
			func(r Rows, now time.Time) Rows { r.Policy = Surcharge; return r },
			func(r Rows, now time.Time) Rows {
				subs, err := r.upgrade(cat, upgrade, Order{ID: "o2"}, "s2", now)
				if err != nil {
					t.Fatal(err)
				}
				return r.Apply(Changes{Subscriptions: subs})
			},
		}
		for range rapid.IntRange(1, 8).Draw(t, "messages") {
			more := ChargeFor(units.ByteSize(rapid.Int64Range(1, 100_000).Draw(t, "size")), rapid.IntRange(1, 20_000).Draw(t, "recipients"))
			events = append(events, func(r Rows, now time.Time) Rows {
				s, _ := InForce(r.Subscriptions, now)
				plan, _ := cat.Plan(s.Plan)
				u := Usage{AccountID: "a1"}
				u.Start, u.End = r.Period(plan, s, now)
				if len(r.Periods) > 0 {
					u = r.Periods[0]
				}
				u.Used = u.Used.Add(more)
				return r.Apply(Changes{Periods: []Usage{u}})
			})
		}
		if p.Kind == Unlimited {
			for i := range rapid.IntRange(0, 3).Draw(t, "chained") {
				events = append(events, func(r Rows, now time.Time) Rows {
					credits, err := r.chain(cat, month, Order{ID: "o3"}, fmt.Sprintf("k%d", i), now)
					if err != nil {
						t.Fatal(err)
					}
					return r.Apply(Changes{Credits: credits})
				})
			}
		}
		lived := func(events []func(Rows, time.Time) Rows, reverse bool) ([]Bill, int64) {
			r := base
			for i, e := range events {
				r = e(r, day.Add(time.Duration(i+1)*time.Minute))
			}
			if reverse {
				slices.Reverse(r.Subscriptions)
				slices.Reverse(r.Credits)
			}
			c, err := r.CloseEnded(cat, names(), day.AddDate(1, 0, 0))
			if err != nil {
				t.Fatal(err)
			}
			return c.Bills, sum(r.Apply(c).Credits)
		}
		bills, left := lived(events, false)
		shuffled := slices.Clone(events)
		rnd := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "order"), 0))
		rnd.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		bills2, left2 := lived(shuffled, true)
		if diff := gocmp.Diff(bills, bills2); diff != "" || left != left2 {
			t.Fatalf("another order (%d, %d left):\n%s", left, left2, diff)
		}
	})
}

// TestPeriodsOfContractsTile: every instant of a contract is in its period,
// periods leave no gap and do not cross the contract's ends.
func TestPeriodsOfContractsTile(t *testing.T) {
	cat := Default()
	rapid.Check(t, func(t *rapid.T) {
		r := drawRows(t, cat)
		s := r.Subscriptions[0]
		p, _ := cat.Plan(s.Plan)
		for now := s.Start; ; {
			start, end := r.Period(p, s, now)
			if !start.Equal(now) || !end.After(now) || end.After(s.End) {
				t.Fatalf("at %v of %v to %v: %v to %v", now, s.Start, s.End, start, end)
			}
			if inside, _ := r.Period(p, s, end.Add(-time.Microsecond)); !inside.Equal(start) {
				t.Fatalf("the last moment of %v to %v is in %v", start, end, inside)
			}
			if now = end; now.Equal(s.End) {
				return
			}
		}
	})
}

// TestLimitIsWhatClosingCovers: what stays within the limit is paid for by
// something when the period is closed, and one more is not let in.
func TestLimitIsWhatClosingCovers(t *testing.T) {
	cat := Default()
	rapid.Check(t, func(t *rapid.T) {
		r := drawRows(t, cat)
		r.Policy = rapid.SampledFrom([]Policy{Surcharge, Stop, Block}).Draw(t, "policy")
		u := &r.Periods[0]
		terms, err := r.Terms(cat, u.End.Add(-time.Microsecond))
		if err != nil {
			t.Fatal(err)
		}
		u.Used = Charge{Emails: terms.Limit.Emails}
		if terms.Plan.Kind == Bandwidth {
			u.Used.Bytes = terms.Limit.Bytes
		}
		if !terms.Decide(Charge{}, u.Used) || terms.Decide(u.Used, Charge{Emails: 1}) {
			t.Fatalf("%+v: the limit is not the limit", terms)
		}
		if c, err := r.Close(cat, u.Start, names(), u.End); err != nil || c.Bills[0].Uncovered != 0 {
			t.Fatalf("%v, %+v", err, c.Bills)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add(shipped)
	f.Add([]byte("currency = \"EUR\"\n[[plan]]\nname = \"a\"\ntitle = \"A\"\nkind = \"bandwidth\"\nbytes = \"1GB\"\nprice = 1\ntiers = [{bytes = \"2GB\", price = 2}]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Parse(text)
		if err != nil {
			return
		}
		for _, p := range c.Plans() {
			ascending := slices.IsSortedFunc(p.Tiers, func(a, b Tier) int { return cmp.Compare(a.Bytes, b.Bytes) })
			if p.Allowance() <= 0 || p.Price < 0 || !ascending || p.Limit(Surcharge, math.MaxInt64).Emails <= 0 || len(p.Tiers) > 0 && int64(p.Tiers[0].Bytes) <= p.Allowance() {
				t.Fatalf("accepted %+v", p)
			}
		}
	})
}

// FuzzClose closes with any numbers that a database can hold.
func FuzzClose(f *testing.F) {
	f.Add(int64(55_000), int64(1), int64(9_000), uint8(4))
	f.Add(int64(math.MaxInt64), int64(math.MaxInt64), int64(math.MaxInt64), uint8(1))
	f.Add(int64(math.MaxInt64), int64(0), int64(0), uint8(1))
	cat := Default()
	f.Fuzz(func(t *testing.T, emails, bytes, left int64, plan uint8) {
		if min(emails, bytes, left) < 0 {
			return
		}
		r := Rows{AccountID: "a1"}
		p := cat.plans[int(plan)%len(cat.plans)]
		r.Subscriptions = r.begin(p, Order{ID: "o1"}, "s1", newYear)
		from, to := r.Period(p, r.Subscriptions[0], newYear)
		r.Periods = []Usage{{Start: from, End: to, Used: Charge{emails, units.ByteSize(bytes)}}}
		r.Credits = []Credit{{ID: "k", Contract: "s1", Unit: p.Unit(), Granted: left, Left: left, ValidFrom: from}}
		c, err := r.Close(cat, from, names(), to)
		if err != nil {
			t.Fatal(err)
		}
		b := c.Bills[0]
		if min(b.Use, b.Allowance)+b.Consumed+b.Surcharged+b.Uncovered != b.Use || min(b.Consumed, b.Surcharged, b.Uncovered, b.Granted) < 0 {
			t.Fatalf("%+v", b)
		}
		r.Review(cat, []DayUse{{"2026-01-01", r.Periods[0].Used}}, nil, newYear)
	})
}
