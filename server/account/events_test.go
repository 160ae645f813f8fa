package account

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"servicesmtp.net/companion/internal/units"
)

// TestYearInTheZone: a yearly plan ends a year later at the same time of day,
// a monthly one after 30 × 24 hours.
func TestYearInTheZone(t *testing.T) {
	for _, c := range []struct{ plan, zone, start, end string }{
		{"standard", "UTC", "2026-03-10T09:00:00Z", "2027-03-10T09:00:00Z"},
		{"standard", "Europe/Rome", "2026-03-28T23:30:00Z", "2027-03-28T22:30:00Z"}, // 00:30, summer time begins a day later, and earlier the year after
		{"standard", "Europe/Rome", "2024-02-29T09:00:00Z", "2025-03-01T09:00:00Z"},
		{"standard", "America/New_York", "2026-11-01T05:30:00Z", "2027-11-01T05:30:00Z"},
		{"standard-month", "Europe/Rome", "2026-03-10T09:00:00Z", "2026-04-09T09:00:00Z"},
	} {
		r := owner(t, c.plan, c.zone, at(t, c.start))
		if s := r.Subscriptions[0]; !s.Start.Equal(at(t, c.start)) || !s.End.Equal(at(t, c.end)) || s.State != SubscriptionActive {
			t.Errorf("%s in %s from %s: %v to %v", c.plan, c.zone, c.start, s.Start, s.End)
		}
	}
}

// TestUpgradePrice: entry 29.00 to standard 89.00, 60.00 for a year.
func TestUpgradePrice(t *testing.T) {
	for _, c := range []struct {
		name, now string
		want      int64
	}{
		{"at once", "2026-03-10T09:00:00Z", 6000},
		{"a moment later", "2026-03-10T09:00:00.000001Z", 5983}, // 364 of 365 days, rounded down
		{"after 73 days", "2026-05-22T08:00:00Z", 4800},         // 292 of 365; 09:00 of the zone, clocks went forward
		{"with a day left", "2027-03-09T09:00:00Z", 16},
		{"with an hour left", "2027-03-10T08:00:00Z", 0},
	} {
		r := owner(t, "entry", "Europe/Rome", at(t, "2026-03-10T09:00:00Z"))
		o, err := r.NewOrder(Default(), Wish{ID: "up", Kind: OrderUpgrade, Plan: "standard"}, at(t, c.now))
		if err != nil || o.Price != c.want {
			t.Errorf("%s: %d, %v, want %d", c.name, o.Price, err, c.want)
		}
	}
}

// TestUpgrade: from the payment's recording on, to the same end, with the
// credits that were there, and for the whole month.
func TestUpgrade(t *testing.T) {
	start, now := at(t, "2026-03-10T09:00:00Z"), at(t, "2026-05-20T09:00:00Z")
	r := owner(t, "standard", "UTC", start)
	r = used(t, r, at(t, "2026-04-20T09:00:00Z"), Charge{Bytes: 1500 * units.MB})
	r, _ = closed(t, r, at(t, "2026-05-01T00:00:00Z"))
	r = used(t, r, now, Charge{Bytes: 5300 * units.MB})
	r = bought(t, r, OrderUpgrade, "mega", now)
	before, _ := InForce(r.Subscriptions, now.Add(-time.Microsecond))
	s, _ := InForce(r.Subscriptions, now)
	if before.Plan != "standard" || before.State != SubscriptionReplaced || s.Plan != "mega" || !s.End.Equal(at(t, "2027-03-10T09:00:00Z")) || s.Contract != before.Contract {
		t.Fatalf("before %+v, then %+v", before, s)
	}
	terms, err := r.Terms(Default(), now)
	if err != nil || terms.Credit != 500*mb || terms.Limit.Bytes != 20500*units.MB {
		t.Errorf("terms %+v, %v", terms, err)
	}
	if _, b := closed(t, r, at(t, "2026-06-01T00:00:00Z")); b.Plan != "mega" || b.Consumed != 300*mb || b.Tier != 0 {
		t.Errorf("bill %+v", b)
	}
}

// TestUpgradeOvertaken: two upgrades are ordered, and the larger is paid first.
// The money for the other is recorded, and takes nothing away.
func TestUpgradeOvertaken(t *testing.T) {
	now := at(t, "2026-05-20T09:00:00Z")
	r := owner(t, "entry", "UTC", at(t, "2026-03-10T09:00:00Z"))
	for _, plan := range []string{"standard", "mega"} {
		o, err := r.NewOrder(Default(), Wish{ID: plan, Kind: OrderUpgrade, Plan: plan}, now)
		if err != nil {
			t.Fatal(err)
		}
		r.Orders = append(r.Orders, o)
	}
	for _, id := range []string{"mega", "standard"} {
		o, err := r.order("test", id)
		if err != nil {
			t.Fatal(err)
		}
		c, err := r.Pay(Default(), Payment{ID: id, OrderID: id, Amount: o.Price, Currency: "EUR"}, "s-"+id, now)
		if err != nil {
			t.Fatal(err)
		}
		r, now = r.Apply(c), now.Add(time.Hour)
	}
	if s, _ := InForce(r.Subscriptions, now); s.Plan != "mega" {
		t.Errorf("the plan is %q", s.Plan)
	}
	if o, err := r.order("test", "standard"); err != nil || o.State != OrderPaid {
		t.Errorf("the order is %s, %v", o.State, err)
	}
	if _, back, err := r.RefundPaid("standard", now); err != nil || back == 0 {
		t.Errorf("given back %d, %v", back, err)
	}
}

func TestRenewal(t *testing.T) {
	start, end := at(t, "2026-03-10T09:00:00Z"), at(t, "2027-03-10T09:00:00Z")
	r := owner(t, "standard", "UTC", start)
	r = bought(t, r, OrderRenewal, "mega", at(t, "2027-02-20T12:00:00Z"))
	for _, c := range []struct {
		at   time.Time
		plan string
	}{{end.Add(-1), "standard"}, {end, "mega"}, {at(t, "2028-03-10T08:59:59Z"), "mega"}, {at(t, "2028-03-10T09:00:00Z"), ""}} {
		if s, _ := InForce(r.Subscriptions, c.at); s.Plan != c.plan {
			t.Errorf("at %v: %q, want %q", c.at, s.Plan, c.plan)
		}
	}
	_, err := r.NewOrder(Default(), Wish{Kind: OrderRenewal, Plan: "mega"}, at(t, "2027-02-21T12:00:00Z"))
	wantReason(t, "twice", err, AlreadyRenewed)
	late := at(t, "2029-01-01T00:00:00Z")
	if got := StatusAt(r.Subscriptions, late); got != Ended {
		t.Errorf("status %s, want ended", got)
	}
	r = bought(t, r, OrderRenewal, "entry", late)
	if s, ok := InForce(r.Subscriptions, late); !ok || !s.Start.Equal(late) {
		t.Errorf("renewed after the end: %+v", s)
	}
}

func TestEnd(t *testing.T) {
	end := at(t, "2027-03-10T09:00:00Z")
	r := owner(t, "standard", "UTC", at(t, "2026-03-10T09:00:00Z"))
	for _, c := range []struct {
		at    time.Time
		state SubscriptionState
		want  Status
	}{{end.Add(-1), SubscriptionActive, Active}, {end, SubscriptionEnded, Ended}} {
		after := r.Apply(r.Finish(c.at))
		if got := after.Subscriptions[0].State; got != c.state || StatusAt(after.Subscriptions, c.at) != c.want || StatusAt(r.Subscriptions, c.at) != c.want {
			t.Errorf("at %v: %s, %s", c.at, got, StatusAt(after.Subscriptions, c.at))
		}
	}
	if StatusAt(nil, end) != Waiting || StatusAt(r.Subscriptions, at(t, "2026-03-10T08:59:59Z")) != Waiting {
		t.Error("before the start: want waiting")
	}
}

func TestRefund(t *testing.T) {
	start := at(t, "2026-03-10T09:00:00Z")
	fresh := owner(t, "standard", "UTC", start)
	last := at(t, "2026-04-09T09:00:00Z") // 30 days
	misused := fresh
	misused.Misuse = true
	exact := used(t, fresh, start, Charge{Bytes: 500 * units.MB})
	over := used(t, fresh, start, Charge{Bytes: 500*units.MB + 1})
	tiny := used(t, fresh, start, ChargeFor(units.KB, 50_001))
	overThenUpgraded := bought(t, over, OrderUpgrade, "mega", at(t, "2026-03-20T09:00:00Z"))
	for _, c := range []struct {
		name string
		r    Rows
		now  time.Time
		want Reason
	}{
		{"at once", fresh, start, ""},
		{"on day 30", fresh, last, ""},
		{"after day 30", fresh, last.Add(1), TooLate},
		{"allowance used to the last byte", exact, last, ""},
		{"one byte over", over, last, Overrun},
		{"one e-mail over", tiny, last, Overrun},
		{"over the old plan, within the new", overThenUpgraded, last, ""},
		{"misuse", misused, start, Misused},
		{"after its end", fresh, at(t, "2027-03-10T09:00:00Z"), WrongState},
	} {
		err := c.r.Refundable(Default(), "s1", c.now)
		if c.want == "" && err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if c.want != "" {
			wantReason(t, c.name, err, c.want)
		}
	}
	done, amount, err := overThenUpgraded.Refund(Default(), "s1", last)
	if err != nil || amount != 8900+overThenUpgraded.Orders[1].Price || len(done.Orders) != 2 {
		t.Fatalf("refund: %d, %v, %+v", amount, err, done)
	}
	r := overThenUpgraded.Apply(done)
	if StatusAt(r.Subscriptions, last) != Ended || StatusAt(r.Subscriptions, last.Add(-1)) != Active {
		t.Error("a refunded plan ends when it is refunded")
	}
	if _, _, err := r.Refund(Default(), "s1", last); err == nil {
		t.Error("refunded twice")
	}
}

// TestNewPlanAfterRefund: a refunded plan takes its credits and its period
// with it, and a new plan of the same month begins with counters of its own.
func TestNewPlanAfterRefund(t *testing.T) {
	start, refund := at(t, "2026-03-10T09:00:00Z"), at(t, "2026-03-15T09:00:00Z")
	r := owner(t, "unlimited-standard", "UTC", start)
	r = bought(t, r, OrderChained, "unlimited-entry-month", start)
	r = used(t, r, start, Charge{Emails: 50_000})
	done, amount, err := r.Refund(Default(), "s1", refund)
	if err != nil || amount != 14900+800 {
		t.Fatalf("refund %d, %v", amount, err)
	}
	r = r.Apply(done)
	if k := r.Credits[0]; !k.ExpiresAt.Equal(refund) {
		t.Errorf("the credit ends %v, want %v", k.ExpiresAt, refund)
	}
	now := at(t, "2026-03-20T09:00:00Z")
	r = bought(t, r, OrderNew, "unlimited-entry", now)
	_, err = r.Terms(Default(), now)
	wantReason(t, "before closing", err, Earlier)
	r, b := closed(t, r, now)
	if !b.End.Equal(refund) {
		t.Errorf("the refunded period ends %v", b.End)
	}
	terms, err := r.Terms(Default(), now)
	if err != nil || !terms.Start.Equal(now) || terms.Limit.Emails != 9_000 {
		t.Errorf("terms %+v, %v", terms, err)
	}
}

// TestReset: counters start again at the period's end where a plan is in force
// then, and else never.
func TestReset(t *testing.T) {
	start := at(t, "2026-03-10T09:00:00Z")
	year, month := owner(t, "standard", "UTC", start), owner(t, "standard-month", "UTC", start)
	for _, c := range []struct {
		name      string
		r         Rows
		now, want string
	}{
		{"the first of the next month", year, "2026-05-20T09:00:00Z", "2026-06-01T00:00:00Z"},
		{"the year's last month", year, "2027-03-05T09:00:00Z", ""},
		{"the year's last month, renewed", bought(t, year, OrderRenewal, "entry", at(t, "2027-03-01T00:00:00Z")), "2027-03-05T09:00:00Z", "2027-03-10T09:00:00Z"},
		{"a month", month, "2026-03-20T09:00:00Z", ""},
		{"a month, renewed", bought(t, month, OrderRenewal, "standard-month", start), "2026-03-20T09:00:00Z", "2026-04-09T09:00:00Z"},
	} {
		terms, err := c.r.Terms(Default(), at(t, c.now))
		if err != nil || terms.Reset.IsZero() != (c.want == "") || c.want != "" && !terms.Reset.Equal(at(t, c.want)) {
			t.Errorf("%s: %v, %v, want %q", c.name, terms.Reset, err, c.want)
		}
	}
	_, err := month.Terms(Default(), at(t, "2026-04-09T09:00:00Z"))
	wantReason(t, "30 days are over", err, NoPlan)
}

func TestActivationWithin24Hours(t *testing.T) {
	paid := at(t, "2026-03-10T09:00:00Z")
	o := Order{Kind: OrderNew, State: OrderPaid, PaidAt: paid}
	for _, c := range []struct {
		after time.Duration
		alarm bool
	}{{0, false}, {20*time.Hour - 1, false}, {20 * time.Hour, true}, {25 * time.Hour, true}} {
		if due, alarm := ActivationDue(o, paid.Add(c.after)); alarm != c.alarm || !due.Equal(paid.Add(24*time.Hour)) {
			t.Errorf("after %v: due %v, alarm %v", c.after, due, alarm)
		}
	}
	for _, o := range []Order{{State: OrderWaiting}, {State: OrderActive, PaidAt: paid}, {Kind: OrderSurcharge, State: OrderPaid, PaidAt: paid}} {
		if due, alarm := ActivationDue(o, paid.AddDate(1, 0, 0)); alarm || !due.IsZero() {
			t.Errorf("%+v: due %v", o, due)
		}
	}
}

func TestOrdersThatAreRefused(t *testing.T) {
	now := at(t, "2026-05-20T09:00:00Z")
	start := now.AddDate(0, -1, 0)
	endless := owner(t, "standard", "UTC", start)
	endless.Subscriptions[0].End = time.Time{}
	month := owner(t, "unlimited-entry-month", "UTC", now)
	for _, c := range []struct {
		name string
		r    Rows
		kind OrderKind
		plan string
		want Reason
	}{
		{"no such plan", Rows{}, OrderNew, "gold", UnknownPlan},
		{"a new plan beside another", owner(t, "entry", "UTC", start), OrderNew, "entry", HasPlan},
		{"nothing to renew", Rows{}, OrderRenewal, "entry", NoPlan},
		{"without end", endless, OrderRenewal, "entry", NoEnd},
		{"upgrade without end", endless, OrderUpgrade, "mega", NoEnd},
		{"nothing to upgrade", Rows{}, OrderUpgrade, "mega", NoPlan},
		{"upgrade of a month", month, OrderUpgrade, "unlimited-standard", NotYearly},
		{"upgrade to a month", owner(t, "entry", "UTC", start), OrderUpgrade, "standard-month", NotYearly},
		{"upgrade to the other kind", owner(t, "entry", "UTC", start), OrderUpgrade, "unlimited-standard", OtherKind},
		{"upgrade to the same", owner(t, "mega", "UTC", start), OrderUpgrade, "mega", NotLarger},
		{"upgrade to less", owner(t, "mega", "UTC", start), OrderUpgrade, "entry", NotLarger},
		{"chained to nothing", Rows{}, OrderChained, "unlimited-entry-month", NoPlan},
		{"chained to bytes", owner(t, "standard", "UTC", start), OrderChained, "unlimited-entry-month", NotChainable},
		{"a chained year", owner(t, "unlimited-standard", "UTC", start), OrderChained, "unlimited-entry", NotChainable},
		{"chained bytes", owner(t, "unlimited-standard", "UTC", start), OrderChained, "entry-month", NotChainable},
		{"a surcharge", owner(t, "standard", "UTC", start), OrderSurcharge, "standard", WrongState},
	} {
		_, err := c.r.NewOrder(Default(), Wish{ID: "x", Kind: c.kind, Plan: c.plan}, now)
		wantReason(t, c.name, err, c.want)
	}
	if o, err := endless.NewOrder(Default(), Wish{ID: "x", Kind: OrderUpgrade, Plan: "entry", Free: true}, now); err != nil || o.State != OrderPaid || o.Price != 0 {
		t.Errorf("a gift of the operator's: %+v, %v", o, err)
	}
}

// TestStatesOfAnOrder tries every event in every state.
func TestStatesOfAnOrder(t *testing.T) {
	now := at(t, "2026-05-20T09:00:00Z")
	for _, c := range []struct {
		state                 OrderState
		pay, activate, cancel bool
	}{
		{OrderWaiting, true, false, true},
		{OrderPaid, false, true, false},
		{OrderActive, false, false, false},
		{OrderCancelled, false, false, false},
		{OrderRefunded, false, false, false},
	} {
		o := Order{ID: "o", AccountID: "a1", Kind: OrderNew, Plan: "entry", Price: 2900, Currency: "EUR", State: c.state}
		r := Rows{AccountID: "a1", Orders: []Order{o}}
		_, pay := r.Pay(Default(), Payment{ID: "p", OrderID: "o", Amount: 2900, Currency: "EUR"}, "s", now)
		_, activate := r.Activate(Default(), "o", "s", now)
		_, cancel := r.Cancel("o", now)
		for _, e := range []struct {
			name string
			err  error
			ok   bool
		}{{"pay", pay, c.pay}, {"activate", activate, c.activate}, {"cancel", cancel, c.cancel}} {
			var typed *Error
			if e.ok != (e.err == nil) || !e.ok && (!errors.As(e.err, &typed) || typed.Reason != WrongState || typed.Detail == "") {
				t.Errorf("%s, %s: %v", c.state, e.name, e.err)
			}
		}
	}
}

func TestPayments(t *testing.T) {
	now := at(t, "2026-05-20T09:00:00Z")
	o := Order{ID: "o", AccountID: "a1", Kind: OrderNew, Plan: "entry", Price: 2900, Currency: "EUR", State: OrderWaiting}
	r := Rows{AccountID: "a1", Orders: []Order{o}}
	_, err := r.Pay(Default(), Payment{OrderID: "o", Amount: 2900, Currency: "USD"}, "s", now)
	wantReason(t, "dollars", err, WrongCurrency)
	_, err = r.Pay(Default(), Payment{OrderID: "o", Currency: "EUR"}, "s", now)
	wantReason(t, "nothing", err, WrongAmount)
	_, err = r.Pay(Default(), Payment{OrderID: "other", Amount: 1, Currency: "EUR"}, "s", now)
	wantReason(t, "another's", err, WrongAccount)
	c, err := r.Pay(Default(), Payment{ID: "p1", OrderID: "o", Amount: 2885, Currency: "EUR"}, "s", now) // fees were taken off
	if err != nil || len(c.Orders) != 0 {
		t.Fatalf("a part: %+v, %v", c, err)
	}
	r = r.Apply(c)
	c, err = r.Pay(Default(), Payment{ID: "p2", OrderID: "o", Amount: 15, Currency: "EUR"}, "s", now)
	if err != nil || len(c.Orders) != 1 || c.Orders[0].State != OrderPaid || !c.Orders[0].PaidAt.Equal(now) || len(c.Subscriptions) != 0 {
		t.Errorf("the rest: %+v, %v", c, err)
	}
	// An upgrade that cannot take place any more keeps the money and calls the operator.
	r = owner(t, "entry", "UTC", now)
	up, _ := r.NewOrder(Default(), Wish{ID: "up", Kind: OrderUpgrade, Plan: "mega"}, now)
	r = r.Apply(Changes{Orders: []Order{up}})
	late := now.AddDate(2, 0, 0)
	c, err = r.Pay(Default(), Payment{ID: "p", OrderID: "up", Amount: up.Price, Currency: "EUR"}, "s9", late)
	if err != nil || c.Orders[0].State != OrderPaid || len(c.Payments) != 1 {
		t.Fatalf("late upgrade: %+v, %v", c, err)
	}
	if _, alarm := ActivationDue(c.Orders[0], late.Add(20*time.Hour)); !alarm {
		t.Error("nobody is told of the late upgrade")
	}
}

// TestDays: the days between two instants, forwards and back, agree.
func TestDays(t *testing.T) {
	zones := []string{"UTC", "Europe/Rome", "America/Havana", "Australia/Lord_Howe", "Asia/Kolkata"}
	rapid.Check(t, func(t *rapid.T) {
		zone := Location(rapid.SampledFrom(zones).Draw(t, "zone"))
		from := time.Unix(rapid.Int64Range(946684800, 4102444800).Draw(t, "from"), 0)
		to := from.Add(time.Duration(rapid.Int64Range(0, 400*24*3600).Draw(t, "seconds")) * time.Second)
		n := int(days(zone, from, to))
		if local := to.In(zone); local.AddDate(0, 0, -n).Before(from) || !local.AddDate(0, 0, -n-1).Before(from) {
			t.Fatalf("%v to %v: %d", from, to, n)
		}
	})
}

// An upgrade within the clock's resolution of the start leaves the contract's
// end where it was.
func TestUpgradeAtTheStart(t *testing.T) {
	start := at(t, "2026-03-10T09:30:00Z")
	r := bought(t, owner(t, "standard", "UTC", start), OrderUpgrade, "mega", start)
	contract := r.Subscriptions[0].Contract
	if got, want := contractEnd(r.Subscriptions, contract), at(t, "2027-03-10T09:30:00Z"); !got.Equal(want) {
		t.Errorf("the contract ends at %v, want %v", got, want)
	}
	if _, amount, err := r.Refund(Default(), contract, start.Add(time.Hour)); err != nil || amount != 44900 {
		t.Errorf("refund: %d, %v; want 44900", amount, err)
	}
}
