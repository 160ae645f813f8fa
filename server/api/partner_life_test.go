package api

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/billing"
	"servicesmtp.net/companion/server/store"
)

func TestPartnerPagesAndTags(t *testing.T) {
	r := start(t, t.TempDir())
	token, other := r.addPartner(store.Partner{Name: "anna"}), r.addPartner(store.Partner{Name: "bert"})
	r.ordered(other, "x", "ber-1")
	var want []string
	for i := range 5 {
		want = append(want, r.ordered(token, fmt.Sprint(i), fmt.Sprintf("ann-%d", i)).Account.ID)
	}
	slices.Sort(want) // made within one millisecond, ids may be in another order
	var got []string
	for page := (PartnerAccounts{More: true}); page.More; {
		page = get[PartnerAccounts](r, token, "/partner/accounts?limit=2&cursor="+page.Cursor)
		for _, a := range page.Accounts {
			got = append(got, a.ID)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("pages have %v, want %v", got, want)
	}
	resp, text := r.do("GET", "/partner/accounts?cursor="+r.server.cursors.write(eventList, 1), "", bearer(token))
	r.wantProblem(resp, text, http.StatusGone)
	for _, path := range []string{"/partner/accounts", "/partner/accounts/" + want[0], "/partner/accounts/" + want[0] + "/orders"} {
		resp, _ := r.do("GET", path, "", bearer(token))
		tag := resp.Header.Get("ETag")
		resp, text := r.do("GET", path, "", func(q *http.Request) {
			bearer(token)(q)
			q.Header.Set("If-None-Match", tag)
		})
		if tag == "" || resp.StatusCode != http.StatusNotModified || text != "" {
			t.Errorf("%s: tag %q, %d", path, tag, resp.StatusCode)
		}
	}
}

// TestPartnerAccountBegins: with its payment and activation, which are the
// operator's; then quota and usage are the plan's.
func TestPartnerAccountBegins(t *testing.T) {
	r := start(t, t.TempDir())
	token := r.addPartner(store.Partner{Name: "anna"})
	made := r.ordered(token, "1", "ann-1")
	b := billing.Billing{Store: r.store, Plans: account.Default()}
	if _, err := b.Pay(t.Context(), account.Payment{OrderID: made.Order.ID, Method: "transfer", Reference: "7", Amount: made.Order.PriceMinor, Currency: made.Order.Currency}); err != nil {
		t.Fatal(err)
	}
	if a := get[PartnerAccount](r, token, "/partner/accounts/"+made.Account.ID); a.Status != "waiting" {
		t.Errorf("paid: %+v", a)
	}
	if _, err := b.Activate(t.Context(), made.Order.ID); err != nil {
		t.Fatal(err)
	}
	if a := get[PartnerAccount](r, token, "/partner/accounts/"+made.Account.ID); a.Status != "active" || a.Plan != "standard" || a.Start == nil || a.End == nil {
		t.Errorf("activated: %+v", a)
	}
	if q := get[Quota](r, token, "/partner/accounts/"+made.Account.ID+"/quota"); q.Plan != "standard" || q.EmailsLimit != 50_000 {
		t.Errorf("quota: %+v", q)
	}
	if u := get[Usage](r, token, "/partner/accounts/"+made.Account.ID+"/usage"); u.Plan != "standard" {
		t.Errorf("usage: %+v", u)
	}
	if o := get[PartnerOrders](r, token, "/partner/accounts/"+made.Account.ID+"/orders"); len(o.Orders) != 1 || o.Orders[0].State != "active" || o.Orders[0].ActivatedAt == nil {
		t.Errorf("orders: %+v", o)
	}
}
