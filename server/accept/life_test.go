package accept

import (
	"errors"
	"testing"
	"time"

	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/billing"
	"servicesmtp.net/companion/server/store"
	"servicesmtp.net/companion/server/store/storetest"
)

// From waiting to the end: what the times of subscriptions say, without a job.
func TestLifeOfAnAccount(t *testing.T) { storetest.Each(t, testLifeOfAnAccount) }

func testLifeOfAnAccount(t *testing.T, dsn string) {
	w, _, c := yearly(t, dsn)
	ctx := t.Context()
	n := billing.NewAccount{Plan: "unlimited-entry-month", Wait: true, Reference: "first", Account: store.Account{ID: "acc", Name: "acc", Email: "a@example.com",
		Zone: "Europe/Rome", Status: "held", Overage: "stop", PasswordHash: "x"}}
	_, o, err := w.billing.Open(ctx, n)
	if err != nil {
		t.Fatal(err)
	}
	admit := func() error { _, err := w.Admit(ctx, "acc", "", 0); return err }
	pay := func(o account.Order, reference string) account.Order {
		t.Helper()
		o, err := w.billing.Pay(ctx, account.Payment{OrderID: o.ID, Method: "transfer", Reference: reference, Amount: o.Price, Currency: o.Currency})
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	for _, step := range []string{"ordered", "paid"} {
		if err := admit(); !errors.Is(err, ErrBlocked) {
			t.Errorf("%s: %v at MAIL, want ErrBlocked", step, err)
		}
		if step == "ordered" {
			pay(o, "money")
		}
	}
	if o, err = w.billing.Activate(ctx, o.ID); err != nil {
		t.Fatal(err)
	}
	if err := admit(); err != nil {
		t.Errorf("activated: %v at MAIL", err)
	}
	w.mustOne("acc") // held, and counted all the same
	w.use("acc", account.Charge{Emails: 9000})
	if err := w.one("acc"); !isQuota(err) {
		t.Errorf("used up: %v, want a refusal", err)
	}

	renewal, err := w.billing.Order(ctx, "acc", "second", account.Wish{Kind: account.OrderRenewal, Plan: "unlimited-entry-month"})
	if err != nil {
		t.Fatal(err)
	}
	pay(renewal, "money-2")
	end := o.ActivatedAt.Add(30 * 24 * time.Hour)
	c.set(end.Add(-time.Microsecond))
	if err := w.one("acc"); !isQuota(err) {
		t.Errorf("at the last moment: %v, want a refusal", err)
	}
	c.set(end)
	w.mustOne("acc")
	if got := w.count(`SELECT period_start FROM usage_periods WHERE closed_at IS NULL`); got != store.Micros(end) {
		t.Errorf("the renewed plan counts from %v, want %v", store.Time(got), end)
	}
	c.set(end.Add(30*24*time.Hour - time.Microsecond))
	w.mustOne("acc")
	c.set(end.Add(30 * 24 * time.Hour))
	if err := errors.Join(admit(), w.one("acc")); !errors.Is(err, ErrEnded) {
		t.Errorf("at the end: %v, want ErrEnded", err)
	}
}

// An upgrade keeps the month's count; a refund ends the plan with its credits.
func TestUpgradeAndRefundByMail(t *testing.T) { storetest.Each(t, testUpgradeAndRefundByMail) }

func testUpgradeAndRefundByMail(t *testing.T, dsn string) {
	w, _, c := yearly(t, dsn)
	ctx := t.Context()
	stop := func(n *billing.NewAccount) { n.Account.Overage = "stop" }
	id := w.account("acc", "standard", stop)
	w.mustOne(id)
	w.use(id, account.Charge{Emails: 50000})
	if err := w.one(id); !isQuota(err) {
		t.Errorf("used up: %v, want a refusal", err)
	}
	c.set(rome(time.March, 20, 9))
	if _, err := w.billing.Order(ctx, id, "up", account.Wish{Kind: account.OrderUpgrade, Plan: "mega", Free: true}); err != nil {
		t.Fatal(err)
	}
	w.mustOne(id)
	if got := w.count(`SELECT emails FROM usage_periods WHERE account_id = $1`, id); got != 50001 {
		t.Errorf("%d e-mails counted after the upgrade, want 50,001", got)
	}
	w.wantRoom(id, account.Charge{Emails: 500000})

	back := w.account("back", "unlimited-standard")
	w.chain(back)
	w.mustOne(back)
	order := w.bought(back)
	c.set(rome(time.March, 25, 9))
	if _, err := w.billing.Refund(ctx, order); err != nil {
		t.Fatal(err)
	}
	if err := w.one(back); !errors.Is(err, ErrEnded) {
		t.Errorf("refunded: %v, want ErrEnded", err)
	}
	c.set(rome(time.March, 26, 9))
	if _, err := w.billing.SetPlan(ctx, back, "unlimited-standard"); err != nil {
		t.Fatal(err)
	}
	w.mustOne(back)
	w.wantRoom(back, account.Charge{Emails: 50000})
}

// bought is the account's first order.
func (w *world) bought(accountID string) (id string) {
	w.t.Helper()
	if err := w.Store.Reader().QueryRow(`SELECT id FROM orders WHERE account_id = $1 AND kind = 'new'`, accountID).Scan(&id); err != nil {
		w.t.Fatal(err)
	}
	return id
}
