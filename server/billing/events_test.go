package billing

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/store/storetest"
)

// One reference is one order and one payment, however many ask at once.
func TestReferencesRaced(t *testing.T) { storetest.Each(t, testReferencesRaced) }

func testReferencesRaced(t *testing.T, dsn string) {
	nodes := offices(t, dsn)
	one := nodes[0]
	one.buy("acc", "unlimited-standard")
	ids := make([]string, 8)
	noErrors(t, both(nodes, func(o office, i int) error {
		order, err := o.Order(context.Background(), "acc", "chain-1", account.Wish{Kind: account.OrderChained, Plan: "unlimited-entry-month"})
		ids[i] = order.ID
		return err
	}))
	for _, id := range ids {
		if id != ids[0] {
			t.Fatalf("several orders under one reference: %v", ids)
		}
	}
	order, _, err := one.Store.Order(t.Context(), ids[0])
	if err != nil {
		t.Fatal(err)
	}
	noErrors(t, both(nodes, func(o office, _ int) error {
		paid, err := o.Pay(context.Background(), transfer(order, "money-1"))
		if err == nil && paid.State != account.OrderActive {
			err = fmt.Errorf("the order is %s, want active", paid.State)
		}
		return err
	}))
	r := one.rows("acc")
	if len(r.Orders) != 2 || len(r.Payments) != 2 || len(r.Credits) != 1 || r.Credits[0].Left != 9000 {
		t.Errorf("%d orders, %d payments, credits %v; want 2, 2 and one of 9,000", len(r.Orders), len(r.Payments), r.Credits)
	}
	// The same reference for something else.
	if _, err := one.Order(t.Context(), "acc", "chain-1", account.Wish{Kind: account.OrderChained, Plan: "unlimited-standard-month"}); !errors.Is(err, ErrReference) {
		t.Errorf("order of another plan: %v, want ErrReference", err)
	}
	other := transfer(order, "money-1")
	other.Amount--
	if _, err := one.Pay(t.Context(), other); !errors.Is(err, ErrReference) {
		t.Errorf("payment of another amount: %v, want ErrReference", err)
	}
}

// Two accounts with one reference at once: their rows have different locks, so
// only the database's key stands between them.
func TestReferenceOfTwoAccounts(t *testing.T) { storetest.Each(t, testReferenceOfTwoAccounts) }

func testReferenceOfTwoAccounts(t *testing.T, dsn string) {
	nodes := offices(t, dsn)
	var due [2]account.Order
	for i, id := range []string{"ann", "bob"} {
		nodes[i].buy(id, "unlimited-standard")
	}
	for round := range 20 {
		reference := fmt.Sprintf("order-%d", round)
		got := make([]account.Order, 8)
		errs := both(nodes, func(o office, i int) (err error) {
			got[i], err = o.Order(context.Background(), []string{"ann", "bob"}[i%2], reference, account.Wish{Kind: account.OrderChained, Plan: "unlimited-entry-month"})
			return err
		})
		won := -1
		for i, err := range errs {
			switch {
			case err == nil && won >= 0 && got[i].AccountID != got[won].AccountID:
				t.Fatalf("round %d: both accounts have the reference", round)
			case err == nil:
				won = i
			case !errors.Is(err, ErrReference):
				t.Fatalf("round %d: %v, want ErrReference", round, err)
			}
		}
		if won < 0 {
			t.Fatalf("round %d: nobody has the reference", round)
		}
	}
	for i, id := range []string{"ann", "bob"} {
		var err error
		if due[i], err = nodes[i].Order(t.Context(), id, "", account.Wish{Kind: account.OrderChained, Plan: "unlimited-standard-month"}); err != nil {
			t.Fatal(err)
		}
	}
	for round := range 20 {
		part := func(i int) account.Payment {
			p := transfer(due[i%2], fmt.Sprintf("money-%d", round))
			p.Amount = 1
			return p
		}
		for _, err := range both(nodes, func(o office, i int) error { _, err := o.Pay(context.Background(), part(i)); return err }) {
			if err != nil && !errors.Is(err, ErrReference) {
				t.Fatalf("round %d: %v, want ErrReference", round, err)
			}
		}
	}
	if n := len(nodes[0].rows("ann").Payments) + len(nodes[0].rows("bob").Payments); n != 2+20 {
		t.Errorf("%d payments, want 22: each of the money once", n)
	}
}

// Each event happens once, and says why not the second time.
func TestEventsRaced(t *testing.T) { storetest.Each(t, testEventsRaced) }

func testEventsRaced(t *testing.T, dsn string) {
	nodes := offices(t, dsn)
	one := nodes[0]
	order := one.open("acc", "standard", true)
	if _, err := one.Activate(t.Context(), order.ID); reasonOf(err) != account.WrongState {
		t.Errorf("activate before payment: %v", err)
	}
	if _, err := one.Refund(t.Context(), order.ID); reasonOf(err) != account.WrongState {
		t.Errorf("refund before activation: %v", err)
	}
	one.pay(order, "first")
	if _, err := one.Cancel(t.Context(), order.ID); reasonOf(err) != account.WrongState {
		t.Errorf("cancel what is paid: %v", err)
	}
	wantOnce(t, both(nodes, func(o office, _ int) error { _, err := o.Activate(context.Background(), order.ID); return err }), account.WrongState)
	if r := one.rows("acc"); len(r.Subscriptions) != 1 || !r.Subscriptions[0].Start.Equal(spring) {
		t.Errorf("subscriptions %v, want one from %v", r.Subscriptions, spring)
	}

	// Cancelled and paid at once: one of them, and no money is lost with it.
	up, err := one.Order(t.Context(), "acc", "up", account.Wish{Kind: account.OrderUpgrade, Plan: "mega"})
	if err != nil {
		t.Fatal(err)
	}
	wantOnce(t, both(nodes, func(o office, i int) error {
		if i%4 < 2 {
			_, err := o.Cancel(context.Background(), up.ID)
			return err
		}
		_, err := o.Pay(context.Background(), transfer(up, fmt.Sprint("up-", i)))
		return err
	}), account.WrongState)
	r := one.rows("acc")
	switch up, _, err = one.Store.Order(t.Context(), up.ID); {
	case err != nil:
		t.Fatal(err)
	case up.State == account.OrderActive:
		if r.Paid(up.ID) != up.Price || len(r.Subscriptions) != 2 || !r.Subscriptions[1].End.Equal(r.Subscriptions[0].Since.In(r.Zone).AddDate(1, 0, 0)) {
			t.Errorf("paid %d of %d, subscriptions %v", r.Paid(up.ID), up.Price, r.Subscriptions)
		}
	case up.State != account.OrderCancelled || r.Paid(up.ID) != 0 || len(r.Subscriptions) != 1:
		t.Errorf("the order is %s, paid %d, subscriptions %v", up.State, r.Paid(up.ID), r.Subscriptions)
	}

	want := order.Price + r.Paid(up.ID)
	one.clock.set(spring.Add(48 * time.Hour))
	wantOnce(t, both(nodes, func(o office, _ int) error {
		amount, err := o.Refund(context.Background(), order.ID)
		if err == nil && amount != want {
			err = fmt.Errorf("%d given back, want %d", amount, want)
		}
		return err
	}), account.WrongState)
	if st := account.StatusAt(one.rows("acc").Subscriptions, one.clock.now()); st != account.Ended {
		t.Errorf("after the refund the account is %s", st)
	}
}

// What was paid for an order that bought nothing yet is given back once, and
// only once; it can then not be activated any more.
func TestRefundOfWhatIsPaid(t *testing.T) { storetest.Each(t, testRefundOfWhatIsPaid) }

func testRefundOfWhatIsPaid(t *testing.T, dsn string) {
	nodes := offices(t, dsn)
	one := nodes[0]
	order := one.open("acc", "standard", true)
	one.pay(order, "first")
	one.clock.set(spring.Add(40 * 24 * time.Hour)) // no term runs out: nothing began
	wantOnce(t, both(nodes, func(o office, _ int) error {
		amount, err := o.Refund(context.Background(), order.ID)
		if err == nil && amount != order.Price {
			err = fmt.Errorf("%d given back, want %d", amount, order.Price)
		}
		return err
	}), account.WrongState)
	if _, err := one.Activate(t.Context(), order.ID); reasonOf(err) != account.WrongState {
		t.Errorf("activate what was given back: %v", err)
	}
	after, _, err := one.Store.Order(t.Context(), order.ID)
	if err != nil || after.State != account.OrderRefunded || !after.ClosedAt.Equal(one.clock.now()) {
		t.Errorf("order %+v, %v", after, err)
	}
	if st := account.StatusAt(one.rows("acc").Subscriptions, one.clock.now()); st != account.Waiting {
		t.Errorf("the account is %s", st)
	}
}
