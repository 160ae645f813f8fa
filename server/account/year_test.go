package account

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"servicesmtp.net/companion/internal/race"
	"servicesmtp.net/companion/internal/units"
)

// life is one account's year as it was lived: what was tried, what came of it,
// and what the rules billed. The bookkeeper of ledger_test.go gets the first
// part only.
type life struct {
	rows      Rows
	zone      string
	contracts []contractNote
	chained   []chainedNote
	policies  []policyNote // the first from the start on
	tries     []try
	bills     []Bill
	reviews   []time.Time
	told      []toldNote
}

type (
	contractNote struct {
		bought time.Time
		start  time.Time
		plans  []planNote // the first from the start on, then upgrades
	}
	planNote struct {
		at   time.Time
		plan string
	}
	chainedNote struct {
		at     time.Time
		emails int64
	}
	policyNote struct {
		at     time.Time
		policy Policy
	}
	try struct {
		at         time.Time
		size       int64
		recipients int64
		accepted   bool
	}
)

// habit is when an account's periods are closed.
type habit string

const (
	daily  habit = "every midnight"
	lazily habit = "only before the first use of the next period"
	doubly habit = "before every message, and each period tried again"
)

var (
	yearZones = []string{"UTC", "Europe/Rome", "America/New_York", "America/Havana", "Australia/Lord_Howe",
		"Asia/Kolkata", "Pacific/Kiritimati", "America/Santiago", "Africa/Cairo"}
	newYear = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
)

// actor lives an account's year.
type actor struct {
	*life
	t     tester
	c     Catalogue
	rnd   *rand.Rand
	ids   func() string
	habit habit
	now   time.Time
	daily int64 // use of an ordinary day, in the plan's unit

	sent    []NoticeKey
	days    []DayUse
	counted int // of tries, in days
}

type tester interface{ Fatalf(string, ...any) }

// live makes an account of the seed and lives 2026 with it, day by day. The
// habit must make no difference.
func live(t tester, c Catalogue, seed uint64, h habit) *life {
	rnd := rand.New(rand.NewPCG(seed, 2026))
	l := &life{zone: yearZones[rnd.IntN(len(yearZones))]}
	l.rows = Rows{AccountID: fmt.Sprintf("account%04d", seed), Zone: Location(l.zone)}
	a := &actor{life: l, t: t, c: c, rnd: rnd, ids: names(), habit: h}
	plans := c.Plans()
	p := plans[rnd.IntN(len(plans))]
	a.now = newYear.Add(time.Duration(rnd.IntN(400*24*3600)-340*24*3600) * time.Second)
	if p.Monthly {
		a.now = newYear.Add(time.Duration(rnd.IntN(200*24*3600)) * time.Second)
	}
	a.setPolicy()
	a.buy(OrderNew, p.Name)
	a.daily = max(1, p.Allowance()/30*int64(20+rnd.IntN(400))/100)
	for day := range 365 {
		a.day(newYear.AddDate(0, 0, day))
	}
	a.now = newYear.AddDate(2, 0, 0)
	a.close(a.now)
	return l
}

// day is up to four things at times of their own.
func (a *actor) day(midnight time.Time) {
	seconds := make([]int, a.rnd.IntN(5))
	for i := range seconds {
		seconds[i] = a.rnd.IntN(24 * 3600)
	}
	slices.Sort(seconds)
	if a.habit == daily && midnight.After(a.now) {
		a.close(midnight)
	}
	a.review(midnight)
	for _, s := range seconds {
		at := midnight.Add(time.Duration(s) * time.Second)
		what := a.rnd.IntN(200)
		sizes, share := []int64{700, 10_000, 33_333, 250_000, 2_000_000}[a.rnd.IntN(5)], int64(a.rnd.IntN(200))
		if !at.After(a.now) {
			continue
		}
		a.now = at
		switch {
		case what == 0:
			a.setPolicy()
		case what == 1:
			a.upgrade()
		case what <= 3:
			a.renew()
		default:
			a.send(sizes, share)
		}
	}
}

func (a *actor) setPolicy() {
	a.rows.Policy = []Policy{Surcharge, Surcharge, Surcharge, Stop, Block}[a.rnd.IntN(5)]
	a.policies = append(a.policies, policyNote{a.now, a.rows.Policy})
}

func (a *actor) close(now time.Time) {
	if a.habit == doubly {
		for _, u := range a.rows.Periods {
			if !u.ClosedAt.IsZero() {
				if _, err := a.rows.Close(a.c, u.Start, a.ids, now); err == nil {
					a.t.Fatalf("closed twice")
				}
			}
		}
	}
	c, err := a.rows.CloseEnded(a.c, a.ids, now)
	if err != nil {
		a.t.Fatalf("close: %v", err)
	}
	a.rows = a.rows.Apply(c)
	a.bills = append(a.bills, c.Bills...)
}

// buy orders, pays and activates, and says whether the rules allowed it.
func (a *actor) buy(kind OrderKind, plan string) bool {
	o, err := a.rows.NewOrder(a.c, Wish{ID: a.ids(), Kind: kind, Plan: plan}, a.now)
	if err != nil {
		return false
	}
	a.rows = a.rows.Apply(Changes{Orders: []Order{o}})
	if o.State == OrderWaiting {
		c, err := a.rows.Pay(a.c, Payment{ID: a.ids(), OrderID: o.ID, Amount: o.Price, Currency: o.Currency}, a.ids(), a.now)
		if err != nil {
			a.t.Fatalf("pay: %v", err)
		}
		a.rows = a.rows.Apply(c)
	}
	if i := slices.IndexFunc(a.rows.Orders, func(other Order) bool { return other.ID == o.ID }); a.rows.Orders[i].State == OrderPaid {
		c, err := a.rows.Activate(a.c, o.ID, a.ids(), a.now)
		if err != nil {
			a.t.Fatalf("activate: %v", err)
		}
		a.rows = a.rows.Apply(c)
	}
	if kind == OrderNew || kind == OrderRenewal {
		s, _ := last(a.rows.Subscriptions)
		a.contracts = append(a.contracts, contractNote{a.now, s.Start, []planNote{{s.Start, plan}}})
	}
	return true
}

func (a *actor) upgrade() {
	to := []string{"standard", "mega", "unlimited-standard"}[a.rnd.IntN(3)]
	if !a.buy(OrderUpgrade, to) {
		return
	}
	for i := len(a.contracts) - 1; i >= 0; i-- { // a renewal may wait behind it
		if !a.contracts[i].start.After(a.now) {
			a.contracts[i].plans = append(a.contracts[i].plans, planNote{a.now, to})
			return
		}
	}
}

// renew buys the same plan again, or another of any kind.
func (a *actor) renew() {
	s, _ := last(a.rows.Subscriptions)
	plan := s.Plan
	if a.rnd.IntN(3) == 0 {
		plan = a.c.plans[a.rnd.IntN(10)].Name
	}
	if s.End.Sub(a.now) < 45*24*time.Hour {
		a.buy(OrderRenewal, plan)
	}
}

// send tries a message as acceptance does, and chains a plan now and then
// where it does not fit.
func (a *actor) send(size, share int64) {
	if a.habit != daily || StatusAt(a.rows.Subscriptions, a.now) == Active {
		a.close(a.now)
	}
	s, ok := InForce(a.rows.Subscriptions, a.now)
	if !ok {
		a.tries = append(a.tries, try{at: a.now, size: size, recipients: 1})
		return
	}
	p, _ := a.c.Plan(s.Plan)
	n := max(1, a.daily*share/100)
	if p.Kind == Bandwidth {
		n = max(1, n/size)
	}
	terms, err := a.rows.Terms(a.c, a.now)
	if err != nil {
		a.t.Fatalf("terms: %v", err)
	}
	u := Usage{AccountID: a.rows.AccountID, Start: terms.Start, End: terms.End}
	if i := slices.IndexFunc(a.rows.Periods, func(u Usage) bool { return u.Start.Equal(terms.Start) }); i >= 0 {
		u = a.rows.Periods[i]
	}
	more := ChargeFor(units.ByteSize(size), int(n))
	fits := terms.Decide(u.Used, more)
	a.tries = append(a.tries, try{a.now, size, n, fits})
	if fits {
		u.Used = u.Used.Add(more)
		a.rows = a.rows.Apply(Changes{Periods: []Usage{u}})
		return
	}
	if p.Kind == Unlimited && share%40 == 0 && a.buy(OrderChained, "unlimited-entry-month") {
		a.chained = append(a.chained, chainedNote{a.now, 9_000})
	}
}

// plain are bills without the names of their rows.
func plain(all []Bill) []Bill {
	all = slices.Clone(all)
	for i := range all {
		all[i].OrderID, all[i].CreditID = "", ""
	}
	return all
}

// TestYear lives 2026 with 1,000 accounts and compares with the bookkeeper,
// who replays the whole list of e-mails month by month, bills and reports. With
// -v it prints ten accounts, to be checked by hand.
func TestYear(t *testing.T) {
	var shown int
	c := Default()
	kinds := map[string]int{}
	for seed := uint64(0); seed < 1000; seed += uint64(race.Sample(10)) {
		l := live(t, c, seed, []habit{daily, lazily, doubly}[seed%3])
		if diff := cmp.Diff(book(c, l), plain(l.bills)); diff != "" {
			t.Fatalf("account %d (-bookkeeper +rules):\n%s", seed, diff)
		}
		if diff := cmp.Diff(bookReports(c, l), reports(l)); diff != "" {
			t.Fatalf("reports of account %d (-bookkeeper +rules):\n%s", seed, diff)
		}
		count(kinds, l)
		for _, k := range l.rows.Credits {
			if k.Left < 0 || k.Left > k.Granted {
				t.Fatalf("account %d: credit %+v", seed, k)
			}
		}
		if testing.Verbose() && shown < 10 && slices.ContainsFunc(l.bills, func(b Bill) bool { return b.Consumed > 0 }) {
			shown++
			print(t, l)
		}
	}
	t.Logf("%v", kinds)
	for _, kind := range []string{"accepted", "refused", "within", "surcharged", "by credit", "granted", "chained", "upgraded", "renewed",
		"told usage", "told near", "told over", "told heavy", "told renewal", "told ended"} {
		if kinds[kind] == 0 {
			t.Errorf("the year had none that was %s", kind)
		}
	}
	if kinds["uncovered"] > 0 {
		t.Errorf("%d periods were let above what anything pays for", kinds["uncovered"])
	}
}

// count tells what happened in a life, so that a year without something to
// find out is no good test.
func count(kinds map[string]int, l *life) {
	for _, try := range l.tries {
		if try.accepted {
			kinds["accepted"]++
		} else {
			kinds["refused"]++
		}
	}
	for _, b := range l.bills {
		for kind, is := range map[string]bool{"within": b.Over() == 0, "surcharged": b.Tier > 0, "by credit": b.Consumed > 0, "granted": b.Granted > 0, "uncovered": b.Uncovered > 0} {
			if is {
				kinds[kind]++
			}
		}
	}
	for _, n := range l.told {
		kinds["told "+string(n.kind)]++
	}
	kinds["chained"] += len(l.chained)
	kinds["renewed"] += len(l.contracts) - 1
	for _, c := range l.contracts {
		kinds["upgraded"] += len(c.plans) - 1
	}
}

// TestClosingWhenever: closing at every midnight, late, and again and again
// gives the same bills, credits and acceptances.
func TestClosingWhenever(t *testing.T) {
	c := Default()
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		timely := live(t, c, seed, daily)
		for _, h := range []habit{lazily, doubly} {
			other := live(t, c, seed, h)
			if diff := cmp.Diff(plain(timely.bills), plain(other.bills)); diff != "" {
				t.Fatalf("%s (-%s +%s):\n%s", other.rows.AccountID, daily, h, diff)
			}
			if !slices.Equal(timely.tries, other.tries) {
				t.Fatalf("%s: other messages accepted", h)
			}
		}
	})
}
