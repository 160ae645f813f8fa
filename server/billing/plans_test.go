package billing

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/store"
	"servicesmtp.net/companion/server/store/storetest"
)

// A catalogue must have what is in force, waits, or is still to be billed, and
// nothing else.
func TestMissing(t *testing.T) { storetest.Each(t, testMissing) }

func testMissing(t *testing.T, dsn string) {
	o := offices(t, dsn)[0]
	ctx := context.Background()
	o.buy("a", "entry")
	o.buy("b", "entry")
	o.open("waits", "mega", true)
	given := o.buy("given", "unlimited-entry")
	renewed := o.buy("renewed", "standard")
	if _, err := o.Order(ctx, renewed.AccountID, "", account.Wish{Kind: account.OrderRenewal, Plan: "unlimited-standard"}); err != nil {
		t.Fatal(err)
	}
	cancelled := o.open("cancelled", "mega-month", true)
	if _, err := o.Cancel(ctx, cancelled.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Refund(ctx, given.ID); err != nil {
		t.Fatal(err)
	}
	o.buy("over", "entry-month")
	none := &Billing{Store: o.Store, Now: o.clock.now}
	missing := func() string {
		t.Helper()
		all, err := none.Missing(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var words []string
		for _, m := range all {
			words = append(words, fmt.Sprintf("%s %d", m.Plan, m.Accounts))
		}
		return strings.Join(words, ", ")
	}
	if got := missing(); got != "entry 2, entry-month 1, mega 1, standard 1, unlimited-standard 1" {
		t.Errorf("got %s", got)
	}
	err := o.Store.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.Exec(`INSERT INTO usage_periods (account_id, period_start, period_end, emails, bytes) VALUES ('over', $1, $2, 1, 1)`,
			store.Micros(spring), store.Micros(spring.AddDate(0, 0, 30)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	o.clock.set(spring.AddDate(0, 2, 0)) // the monthly plan is over, its period not closed
	if got := missing(); got != "entry 2, entry-month 1, mega 1, standard 1, unlimited-standard 1" {
		t.Errorf("with a period to be closed: %s", got)
	}
	if _, err := o.Close(ctx, "over", o.clock.now()); err != nil {
		t.Fatal(err)
	}
	if got := missing(); got != "entry 2, mega 1, standard 1, unlimited-standard 1" {
		t.Errorf("when it is closed: %s", got)
	}
	if err := none.Check(ctx); err == nil || !strings.Contains(err.Error(), `plan "entry" is not in the catalogue, but 2 accounts have or wait for it`) {
		t.Errorf("%v", err)
	}
	if err := o.Check(ctx); err != nil {
		t.Error(err)
	}
}
