package main

import (
	"database/sql"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/api"
	"servicesmtp.net/companion/server/store"
	"servicesmtp.net/companion/server/store/storetest"
)

// fills reads what a command printed as JSON.
func fills[T any](t *testing.T, text string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return v
}

// order runs a command that answers with an order.
func (p place) order(line string) api.OrderView {
	p.t.Helper()
	return fills[api.OrderView](p.t, p.must("", append(strings.Fields(line), "--json")...))
}

// refused runs a command that has to be refused, in words that hold say.
func (p place) refused(line, say string) {
	p.t.Helper()
	r := p.command("", strings.Fields(line)...)
	if r.code != exitFailed || !strings.Contains(r.stderr, say) || strings.Count(r.stderr, "\n") != 1 {
		p.t.Errorf("%s: code %d, %q, want %q", line, r.code, r.stderr, say)
	}
}

// usedLastMonth puts down what an account used in the calendar month before now.
func (p place) usedLastMonth(name string, used account.Charge) (month string) {
	p.t.Helper()
	st := p.open()
	defer st.Close()
	acc, err := st.AccountByName(p.t.Context(), name)
	if err != nil {
		p.t.Fatal(err)
	}
	now := time.Now().UTC()
	end := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	start := end.AddDate(0, -1, 0)
	err = st.Tx(p.t.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec(`INSERT INTO usage_periods (account_id, period_start, period_end, emails, bytes) VALUES ($1, $2, $3, $4, $5)`,
			acc.ID, store.Micros(start), store.Micros(end), used.Emails, int64(used.Bytes))
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return start.Format("2006-01")
}

// twoMonthsAgo is a first day that makes last month a whole period.
func twoMonthsAgo() string { return time.Now().UTC().AddDate(0, 0, -70).Format(time.DateOnly) }

// TestWalkOfAnOperator takes an account from its order to its refund.
func TestWalkOfAnOperator(t *testing.T) { storetest.Each(t, testWalkOfAnOperator) }

func testWalkOfAnOperator(t *testing.T, dsn string) {
	p := newPlace(t)
	p.write(p.config, settings+"[store]\ndsn = \""+dsn+"\"\n")
	golden(t, "order-list-none.txt", p.must("", "order", "list"))
	golden(t, "bill-list-none.txt", p.must("", "bill", "list"))
	golden(t, "account-list-none.txt", p.must("", "account", "list"))
	golden(t, "account-add-order.txt", p.must("", "account", "add", "alice", "--plan", "entry", "--email", "a@example.com", "--customer", "C-17", "--order-only", "--zone", "Africa/Lagos")) // no year there is an hour longer
	id := fills[[]api.OrderView](t, p.must("", "order", "list", "--account", "alice", "--json"))[0].ID

	// A transfer that came short, and then the rest with too much.
	p.refused("order activate "+id, "is waiting")
	golden(t, "order-pay-short.txt", p.must("", "order", "pay", id, "--amount", "27.50", "--method", "transfer", "--reference", "T-1"))
	if o := p.order("order pay " + id + " --amount 27.50 --method transfer --reference T-1"); o.PaidMinor != 2750 || o.MissingMinor != 150 {
		t.Errorf("the same payment twice: %+v", o)
	}
	p.refused("order pay "+id+" --amount 9.00 --method transfer --reference T-1", "reference of its own")
	p.refused("order pay "+id+" --amount 1.5 --method transfer --reference T-2", "write it like 89.00")
	golden(t, "order-pay-rest.txt", p.must("", "order", "pay", id, "--amount", "2,00", "--method", "transfer", "--reference", "T-2", "--received", "2026-01-05"))
	p.refused("order cancel "+id, "is paid")
	golden(t, "order-activate.txt", p.must("", "order", "activate", id))
	golden(t, "order-show.json", p.must("", "order", "show", id, "--json"))
	golden(t, "order-list.txt", p.must("", "order", "list", "--customer", "C-17", "--state", "active"))

	// The upgrade costs the whole difference on its first day.
	golden(t, "order-quote.txt", p.must("", "order", "add", "alice", "--plan", "standard", "--kind", "upgrade", "--quote"))
	if n := len(fills[[]api.OrderView](t, p.must("", "order", "list", "--json"))); n != 1 {
		t.Errorf("%d orders after asking for a price", n)
	}
	p.refused("account set-plan alice standard", "EUR 59.83") // 364 of 365 days are left whole
	up := p.order("order add alice --plan standard --kind upgrade --reference UP-1")
	if again := p.order("order add alice --plan standard --kind upgrade --reference UP-1"); again.ID != up.ID || up.PriceMinor != 5983 {
		t.Errorf("%+v and %+v", up, again)
	}
	if o := p.order("order pay " + up.ID + " --amount 60 --method card --reference X-1"); o.State != "active" || o.Over != 17 {
		t.Errorf("an upgrade that is paid, and more: %+v", o)
	}
	p.must("", "account", "misuse", "alice", "--reason", "bought a list")
	p.refused("order refund "+up.ID, "marked for misuse")
	golden(t, "account-misuse-clear.txt", p.must("", "account", "misuse", "alice", "--clear"))
	golden(t, "order-refund.txt", p.must("", "order", "refund", up.ID))
	if a := fills[api.AccountDetail](t, p.must("", "account", "show", "alice", "--json")); a.Status != "ended" {
		t.Errorf("after the refund the account is %s", a.Status)
	}
	p.refused("order show "+account.Default().Currency, "no such order")
}

// TestSurchargeByCommand closes a month that went over the plan.
func TestSurchargeByCommand(t *testing.T) {
	p := newPlace(t)
	p.must("", "account", "add", "bob", "--plan", "standard", "--email", "b@example.com", "--since", twoMonthsAgo())
	month := p.usedLastMonth("bob", account.Charge{Emails: 10, Bytes: 1_500_000_000})
	p.refused("bill show bob "+month, "period close")
	golden(t, "period-close.txt", p.must("", "period", "close"))
	golden(t, "period-close-again.txt", p.must("", "period", "close", "bob"))
	golden(t, "period-close-again.json", p.must("", "period", "close", "--json"))
	golden(t, "bill-show.txt", p.must("", "bill", "show", "bob", month))
	golden(t, "bill-show.json", p.must("", "bill", "show", "bob", month+"-01", "--json"))
	golden(t, "bill-list.txt", p.must("", "bill", "list", "--unpaid", "--month", month))
	golden(t, "bill-account.txt", p.must("", "account", "show", "bob"))
	first := fills[[]api.OrderView](t, p.must("", "order", "list", "--json"))[0]
	p.refused("order refund "+first.ID, "30 days")
	if o := p.order("bill paid bob " + month + " --amount 18.00 --method paypal --reference P-1"); o.State != "paid" || o.Due != nil {
		t.Errorf("a paid surcharge: %+v", o)
	}
	golden(t, "bill-list-none.txt", p.must("", "bill", "list", "--unpaid"))
	p.refused("period close --before 2999-01-01", "has not come")
	p.refused("bill list --month 2026", "YYYY-MM")
	golden(t, "usage-days.txt", p.must("", "usage", "bob", "--from", month+"-01", "--to", month+"-02"))
	p.refused("usage bob --from "+month+"-02 --to "+month+"-01", "later than from")
}

// TestAccountsOfOneCustomer have reference addresses of their own, and what is
// done to one leaves the others alone.
func TestAccountsOfOneCustomer(t *testing.T) {
	p := newPlace(t)
	for _, name := range []string{"shop", "news"} {
		p.must("", "account", "add", name, "--plan", "entry", "--email", name+"@example.com", "--customer", "C-1")
	}
	p.must("", "account", "add", "other", "--plan", "entry", "--email", "o@example.com", "--customer", "C-2")
	p.must("", "account", "block", "news")
	p.must("", "account", "misuse", "news", "--reason", "spam")
	p.must("", "account", "set-policy", "news", "stop")
	all := fills[[]api.AccountView](t, p.must("", "account", "list", "--customer", "C-1", "--json"))
	if len(all) != 2 || all[0].Status != "blocked" || !all[0].Misuse || all[1].Status != "active" || all[1].Misuse || all[1].Overage != "surcharge" || all[0].Email == all[1].Email {
		t.Errorf("%+v", all)
	}
	if only := fills[[]api.AccountView](t, p.must("", "account", "list", "--customer", "C-1", "--status", "active", "--json")); len(only) != 1 || only[0].Name != "shop" {
		t.Errorf("active ones: %+v", only)
	}
}

func TestPolicyByCommand(t *testing.T) {
	p := newPlace(t)
	p.must("", "account", "add", "many", "--plan", "unlimited-standard", "--email", "m@example.com", "--overage", "stop")
	p.refused("account set-policy many surcharge", "yearly bandwidth plans with tiers")
	p.must("", "account", "add", "few", "--plan", "entry", "--email", "f@example.com")
	golden(t, "account-set-policy.txt", p.must("", "account", "set-policy", "few", "block"))
	golden(t, "account-set-policy.json", p.must("", "account", "set-policy", "few", "surcharge", "--json"))
}

func (p place) write(path, text string) {
	p.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

const oneWrong = `currency = "EUR"
[[plan]]
name = "tiny"
title = "Tiny"
kind = "bandwidth"
bytes = "10MB"
`

// TestCatalogue of the operator: it is read, and refused where it is wrong or
// lacks what accounts need.
func TestCatalogue(t *testing.T) {
	p := newPlace(t)
	file := filepath.Join(filepath.Dir(p.config), "plans.toml")
	p.write(file, oneWrong)
	p.refused("plan check "+file, `plans.toml: catalogue: plan 1 ("tiny"): price`)
	p.write(file, oneWrong+"price = 100\n")
	golden(t, "plan-check-empty.txt", p.must("", "plan", "check", file))
	p.must("", "account", "add", "alice", "--plan", "entry", "--email", "a@example.com")
	const lacks = `plan "entry" is not in the catalogue, but 1 account has or waits for it: put it back`
	p.refused("plan check "+file, lacks)
	p.write(p.config, settings+"[plans]\ncatalogue = \"plans.toml\"\n")
	if got := fills[[]api.PlanView](t, p.must("", "plan", "list", "--json")); len(got) != 1 || got[0].Name != "tiny" || got[0].PriceMinor != 100 {
		t.Errorf("%+v", got)
	}
	if r := p.command("", "serve"); r.code != exitFailed || !strings.Contains(r.stderr, lacks) || r.stdout != "" {
		t.Errorf("served without a plan that is in force: %+v", r)
	}
	p.must("", "account", "set-plan", "alice", "tiny", "--free")
	golden(t, "plan-check.txt", p.must("", "plan", "check", file))
	p.write(file, oneWrong)
	p.refused("serve", "plans.toml")
	p.refused("plan list", "plans.toml")
}
