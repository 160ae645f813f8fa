package api

import (
	"database/sql"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/billing"
	"servicesmtp.net/companion/server/store"
)

// buys makes an account and its orders; chained plans are paid.
func (r *relay) buys(name, plan string, then ...account.Wish) {
	r.t.Helper()
	b := r.billing()
	acc := r.open(billing.NewAccount{Plan: plan, Account: store.Account{Name: name, Zone: "Europe/Rome", Overage: "stop"}})
	for _, w := range then {
		o, err := b.Order(r.t.Context(), acc.ID, "", w)
		if err == nil && w.Kind == account.OrderChained {
			_, err = b.Pay(r.t.Context(), account.Payment{OrderID: o.ID, Method: "card", Reference: o.ID, Amount: o.Price, Currency: o.Currency})
		}
		if err != nil {
			r.t.Fatal(err)
		}
	}
}

// TestOwnOrdersAndCredits are listed page by page, and nobody else's.
func TestOwnOrdersAndCredits(t *testing.T) {
	r := start(t, t.TempDir())
	chain := account.Wish{Kind: account.OrderChained, Plan: "unlimited-entry-month"}
	r.buys("alice", "unlimited-standard", chain, chain, account.Wish{Kind: account.OrderRenewal, Plan: "unlimited-entry"})
	r.buys("bob", "entry")
	alice, bob := r.token("alice"), r.token("bob")
	var seen, ids []string
	for cursor, pages := "", 0; ; pages++ {
		page := get[Orders](r, alice, "/orders?limit=3&cursor="+url.QueryEscape(cursor))
		for _, o := range page.Orders {
			seen, ids = append(seen, o.Kind+" "+o.State), append(ids, o.ID)
		}
		if cursor = page.Cursor; !page.More {
			if pages != 1 || len(get[Orders](r, alice, "/orders?cursor="+url.QueryEscape(cursor)).Orders) != 0 {
				t.Errorf("%d pages", pages)
			}
			break
		}
	}
	slices.Sort(seen) // made within one millisecond, ids may be in another order
	if got := strings.Join(seen, ", "); got != "chained active, chained active, new active, renewal waiting" || !slices.IsSorted(ids) {
		t.Errorf("orders: %s, ids %q", got, ids)
	}
	if c := get[Credits](r, alice, "/credits"); len(c.Credits) != 2 || c.Credits[0].Left != 9000 || c.Credits[0].Unit != "emails" || c.Credits[0].ExpiresAt == nil {
		t.Errorf("%+v", c)
	}
	if o := get[Orders](r, bob, "/orders"); len(o.Orders) != 1 || o.Orders[0].Plan != "entry" {
		t.Errorf("bob's orders: %+v", o)
	}
	if c, b := get[Credits](r, bob, "/credits"), get[Bills](r, bob, "/bills"); len(c.Credits)+len(b.Bills) != 0 {
		t.Errorf("bob has %+v, %+v", c, b)
	}
	resp, text := r.do("GET", "/credits?cursor="+url.QueryEscape(get[Orders](r, alice, "/orders").Cursor), "", bearer(alice))
	r.wantProblem(resp, text, http.StatusGone)
	q := get[Quota](r, alice, "/quota")
	if q.Unit != "emails" || q.Allowance != 50000 || q.Credit != 18000 || q.Limit != 68000 || q.AtLimit != "chain" || !q.Resets || q.AtLimitText == "" {
		t.Errorf("quota %+v", q)
	}
	resp, text = r.do("PATCH", "/account/overage-policy", `{"policy":"surcharge"}`, bearer(alice))
	r.wantProblem(resp, text, http.StatusConflict)
	if a := get[Account](r, alice, "/account"); a.Overage != "stop" || a.PlanStart == nil || a.PlanEnd == nil || a.RenewalLink == "" || a.RenewedFrom != nil {
		t.Errorf("account %+v", a)
	}
}

// TestOwnBills says what a month cost, and whether it is paid.
func TestOwnBills(t *testing.T) {
	r := start(t, t.TempDir())
	b := r.billing()
	acc := r.open(billing.NewAccount{Plan: "standard", Begins: time.Now().AddDate(0, 0, -70),
		Account: store.Account{Name: "alice", Zone: "UTC", Overage: "surcharge"}})
	now := time.Now().UTC()
	end := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	err := r.store.Tx(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec(`INSERT INTO usage_periods (account_id, period_start, period_end, emails, bytes) VALUES ($1, $2, $3, 1, 1200000000)`,
			acc.ID, store.Micros(end.AddDate(0, -1, 0)), store.Micros(end))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Close(t.Context(), acc.ID, now); err != nil {
		t.Fatal(err)
	}
	token := r.token("alice")
	bills := get[Bills](r, token, "/bills")
	if len(bills.Bills) != 1 {
		t.Fatalf("%+v", bills)
	}
	bill := bills.Bills[0]
	if bill.State != due || bill.PriceMinor != 1800 || bill.Used != bill.Allowance+bill.Surcharged || bill.Credited != 500_000_000 {
		t.Errorf("%+v", bill)
	}
	if _, err := b.Pay(t.Context(), account.Payment{OrderID: bill.Order, Method: "card", Reference: "1", Amount: 1800, Currency: "EUR"}); err != nil {
		t.Fatal(err)
	}
	if got := get[Bills](r, token, "/bills"); got.Bills[0].State != billPaid {
		t.Errorf("after the payment: %+v", got)
	}
	if again := get[Bills](r, token, "/bills?cursor="+url.QueryEscape(bills.Cursor)); len(again.Bills) != 0 {
		t.Errorf("the same bill again: %+v", again)
	}
	if q := get[Quota](r, token, "/quota"); q.Limit != 5_500_000_000 || q.Credit != 500_000_000 || q.AtLimit != "surcharge" {
		t.Errorf("%+v", q)
	}
}
