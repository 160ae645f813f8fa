package api

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"servicesmtp.net/companion/server/login"
	"servicesmtp.net/companion/server/store"
)

// addPartner makes a partner and a token of it.
func (r *relay) addPartner(p store.Partner, change ...func(*store.PartnerToken)) (token string) {
	r.t.Helper()
	now := time.Now()
	p.Email, p.CreatedAt = p.Name+"@example.com", now
	if err := r.store.AddPartner(r.t.Context(), p); err != nil {
		r.t.Fatal(err)
	}
	return r.partnerToken(p.Name, change...)
}

func (r *relay) partnerToken(partner string, change ...func(*store.PartnerToken)) (token string) {
	r.t.Helper()
	now, token := time.Now(), login.NewToken()
	k := store.PartnerToken{ID: store.NewID(now), Partner: partner, TokenHash: login.TokenHash(token), Scopes: chosen(partnerScopes, nil), CreatedAt: now, SeenAt: now}
	for _, c := range change {
		c(&k)
	}
	if err := r.store.AddPartnerToken(r.t.Context(), k); err != nil {
		r.t.Fatal(err)
	}
	return token
}

// orderForm is what a partner sends; more follows the reference and the name.
func orderForm(reference, name, more string) string {
	return fmt.Sprintf(`{"reference":%q,"name":%q,"email":"%s@example.com","plan":"standard"%s}`, reference, name, name, more)
}

// ordered orders an account and wants it made.
func (r *relay) ordered(token, reference, name string) PartnerAccountMade {
	r.t.Helper()
	resp, text := r.do("POST", "/partner/accounts", orderForm(reference, name, ""), bearer(token))
	if resp.StatusCode != http.StatusCreated {
		r.t.Fatalf("order: %d %s", resp.StatusCode, text)
	}
	return decodeTo[PartnerAccountMade](r.t, text)
}

// accountCalls are all calls about one account, with a body that is fine.
var accountCalls = []struct{ method, path, body, scope string }{
	{"GET", "", "", scopeAccountsRead},
	{"PATCH", "", `{"email":"other@example.com","overage":"stop"}`, scopeAccountsWrite},
	{"POST", "/password", "", scopeAccountsWrite},
	{"GET", "/usage", "", scopeUsageRead},
	{"GET", "/quota", "", scopeUsageRead},
	{"GET", "/orders", "", scopeAccountsRead},
}

// TestEveryPartnerCallIsTested: a call that is added needs its place in
// accountCalls, and so in the tests below.
func TestEveryPartnerCallIsTested(t *testing.T) {
	a := humago.NewWithPrefix(http.NewServeMux(), "/v1", describe())
	(*Server)(nil).register(a)
	calls := 0
	for path, item := range a.OpenAPI().Paths {
		rest, ok := strings.CutPrefix(path, "/partner/accounts/{id}")
		for method, op := range map[string]any{"GET": item.Get, "POST": item.Post, "PATCH": item.Patch, "PUT": item.Put, "DELETE": item.Delete} {
			if !ok || fmt.Sprint(op) == "<nil>" {
				continue
			}
			calls++
			found := false
			for _, c := range accountCalls {
				found = found || c.method == method && c.path == rest
			}
			if !found {
				t.Errorf("%s %s has no place in accountCalls", method, path)
			}
		}
	}
	if calls != len(accountCalls) {
		t.Errorf("%d calls are there, %d are tested", calls, len(accountCalls))
	}
}

// TestPartnersSeeTheirOwn: an account of another partner, or of nobody's, is
// answered as one that is not there, and nothing about it changes.
func TestPartnersSeeTheirOwn(t *testing.T) {
	r := start(t, t.TempDir())
	anna, bert := r.addPartner(store.Partner{Name: "anna"}), r.addPartner(store.Partner{Name: "bert"})
	made := r.ordered(anna, "1", "ann-1")
	direct := r.addAccount("direct")
	before, err := r.store.AccountByID(t.Context(), made.Account.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range accountCalls {
		_, unknown := r.do(c.method, "/partner/accounts/01ARZ3NDEKTSV4RRFFQ69G5FAV"+c.path, c.body, bearer(bert))
		for _, id := range []string{made.Account.ID, direct.ID, store.ServiceID} {
			resp, text := r.do(c.method, "/partner/accounts/"+id+c.path, c.body, bearer(bert))
			r.wantProblem(resp, text, http.StatusNotFound)
			if text != unknown {
				t.Errorf("%s %s of %s is told from one that is not there: %s", c.method, c.path, id, text)
			}
		}
	}
	after, err := r.store.AccountByID(t.Context(), made.Account.ID)
	if err != nil || after != before {
		t.Errorf("the account was changed from outside: %+v, %v", after, err)
	}
	if all := get[PartnerAccounts](r, bert, "/partner/accounts"); len(all.Accounts) != 0 || all.More {
		t.Errorf("bert sees %+v", all)
	}
	for _, c := range accountCalls { // the calls are fine: their own partner may
		if resp, text := r.do(c.method, "/partner/accounts/"+made.Account.ID+c.path, c.body, bearer(anna)); resp.StatusCode != http.StatusOK {
			t.Errorf("%s %s: %d %s", c.method, c.path, resp.StatusCode, text)
		}
	}
	// References are each partner's own.
	if other := r.ordered(bert, "1", "ber-1"); other.Account.ID == made.Account.ID {
		t.Error("another's reference answers another's account")
	}
}

// TestPartnerTokensEnd: revoked, expired, disabled, and of another kind.
func TestPartnerTokensEnd(t *testing.T) {
	r := start(t, t.TempDir())
	good := r.addPartner(store.Partner{Name: "anna"})
	revoked := r.partnerToken("anna", func(k *store.PartnerToken) { k.RevokedAt = time.Now() })
	expired := r.partnerToken("anna", func(k *store.PartnerToken) { k.ExpiresAt = time.Now() })
	later := r.partnerToken("anna", func(k *store.PartnerToken) { k.ExpiresAt = time.Now().Add(time.Hour) })
	disabled := r.addPartner(store.Partner{Name: "bert", DisabledAt: time.Now()})
	r.addAccount("alice")
	device := r.token("alice")
	id := r.ordered(good, "1", "ann-1").Account.ID
	for _, c := range []struct{ name, token, say string }{
		{"none", "", "not known here"}, {"nonsense", "sbt_x", "not known here"}, {"a computer's", device, "not known here"},
		{"revoked", revoked, "was revoked"}, {"expired", expired, "has expired"}, {"disabled", disabled, "is disabled"},
	} {
		refused := func(method, path, body string) {
			t.Helper()
			resp, text := r.do(method, path, body, bearer(c.token))
			r.wantProblem(resp, text, http.StatusUnauthorized)
			if !strings.Contains(text, c.say) || resp.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s: %s", c.name, text)
			}
		}
		refused("GET", "/partner/accounts", "")
		refused("POST", "/partner/accounts", orderForm("2", "ann-2", ""))
		for _, call := range accountCalls {
			refused(call.method, "/partner/accounts/"+id+call.path, call.body)
		}
	}
	get[PartnerAccounts](r, later, "/partner/accounts")
	// Nor is a partner's token a computer's.
	resp, text := r.do("GET", "/account", "", bearer(good))
	r.wantProblem(resp, text, http.StatusUnauthorized)
	// Who is disabled is refused at once; its accounts go on.
	if err := r.store.SetPartnerDisabled(t.Context(), "anna", time.Now()); err != nil {
		t.Fatal(err)
	}
	resp, text = r.do("GET", "/partner/accounts", "", bearer(good))
	r.wantProblem(resp, text, http.StatusUnauthorized)
	if a, err := r.store.AccountByID(t.Context(), id); err != nil || a.Status != "active" {
		t.Errorf("its account is %q, %v", a.Status, err)
	}
}

func TestPartnerScopes(t *testing.T) {
	r := start(t, t.TempDir())
	id := r.ordered(r.addPartner(store.Partner{Name: "anna"}), "1", "ann-1").Account.ID
	calls := append(slices.Clone(accountCalls), struct{ method, path, body, scope string }{"POST", "", orderForm("2", "ann-2", ""), scopeAccountsWrite})
	for _, scope := range partnerScopes {
		token := r.partnerToken("anna", func(k *store.PartnerToken) { k.Scopes = scope })
		for _, c := range calls {
			path := "/partner/accounts/" + id + c.path
			if c.method == "POST" && c.path == "" {
				path = "/partner/accounts"
			}
			resp, text := r.do(c.method, path, c.body, bearer(token))
			if refused := resp.StatusCode == http.StatusForbidden; refused == (scope == c.scope) {
				t.Errorf("%s %s with %s: %d %s", c.method, c.path, scope, resp.StatusCode, text)
			}
			if resp.StatusCode == http.StatusForbidden {
				r.wantProblem(resp, text, http.StatusForbidden)
			}
		}
	}
}

// TestPartnerOrdersOnce: the same reference is the same account, and its
// password is told once.
func TestPartnerOrdersOnce(t *testing.T) {
	r := start(t, t.TempDir())
	token := r.addPartner(store.Partner{Name: "anna"})
	first := r.ordered(token, "A-1", "Shop")
	if first.Password == "" || first.Account.Name != "shop" || first.Account.Status != "waiting" || first.Account.Plan != "" || first.Order.State != "waiting" ||
		first.Order.Plan != "standard" || first.Order.PriceMinor == 0 || first.Account.Zone != "UTC" || first.Account.Overage != "surcharge" {
		t.Errorf("ordered: %+v", first)
	}
	if _, err := r.server.Login.Verify(t.Context(), "shop", first.Password, "192.0.2.1"); err != nil {
		t.Errorf("the password told: %v", err)
	}
	resp, text := r.do("POST", "/partner/accounts", orderForm("A-1", "shop", ""), bearer(token))
	again := decodeTo[PartnerAccountMade](t, text)
	if resp.StatusCode != http.StatusOK || again.Password != "" || again.Account.ID != first.Account.ID || again.Order.ID != first.Order.ID ||
		!strings.Contains(again.Note, first.Account.ID+"/password") {
		t.Errorf("again: %d %s", resp.StatusCode, text)
	}
	for name, body := range map[string]string{
		"another name": orderForm("A-1", "shop2", ""),
		"another plan": strings.Replace(orderForm("A-1", "shop", ""), "standard", "entry", 1),
		"a taken name": orderForm("A-2", "shop", ""),
	} {
		resp, text := r.do("POST", "/partner/accounts", body, bearer(token))
		if resp.StatusCode != http.StatusConflict {
			t.Errorf("%s: %d %s", name, resp.StatusCode, text)
		}
	}
	resp, text = r.do("POST", "/partner/accounts/"+first.Account.ID+"/password", "", bearer(token))
	reset := decodeTo[PartnerPassword](t, text)
	if resp.StatusCode != 200 || reset.Password == first.Password {
		t.Errorf("reset: %d", resp.StatusCode)
	}
	if _, err := r.server.Login.Verify(t.Context(), "shop", first.Password, "192.0.2.1"); err == nil {
		t.Error("the old password is still good")
	}
	if _, err := r.server.Login.Verify(t.Context(), "shop", reset.Password, "192.0.2.1"); err != nil {
		t.Errorf("the new password: %v", err)
	}
	for _, secret := range []string{first.Password, reset.Password, token, "shop@example.com"} {
		if strings.Contains(r.log.String(), secret) {
			t.Errorf("the log has %q", secret)
		}
	}
	if n := r.number(`SELECT count(*) FROM orders`); n != 1 {
		t.Errorf("%d orders", n)
	}
}

// TestPartnerOrdersAtOnce: many at the same time make one, and no more
// accounts than allowed.
func TestPartnerOrdersAtOnce(t *testing.T) {
	r := start(t, t.TempDir())
	token := r.addPartner(store.Partner{Name: "anna", MaxAccounts: 3})
	var mu sync.Mutex // guards codes and passwords
	codes, passwords := map[int]int{}, 0
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			reference := "same"
			if i%2 == 0 {
				reference = fmt.Sprint(i)
			}
			resp, text := r.do("POST", "/partner/accounts", orderForm(reference, "n-"+reference, ""), bearer(token))
			mu.Lock()
			defer mu.Unlock()
			codes[resp.StatusCode]++
			if strings.Contains(text, `"password"`) {
				passwords++
			}
		})
	}
	all.Wait()
	if n := r.number(`SELECT count(*) FROM accounts WHERE partner = 'anna'`); n != 3 || codes[201] != 3 || passwords != 3 || codes[200]+codes[403] != 13 {
		t.Errorf("%d accounts, %v, %d passwords", n, codes, passwords)
	}
	if n := r.number(`SELECT count(*) FROM accounts WHERE partner_reference = 'same'`); n > 1 {
		t.Errorf("%d accounts of one reference", n)
	}
}

func TestPartnerRefusals(t *testing.T) {
	r := start(t, t.TempDir())
	token := r.addPartner(store.Partner{Name: "anna", Plans: []string{"entry", "standard"}, MaxAccounts: 1})
	for _, c := range []struct {
		name, body, say string
		status          int
	}{
		{"plan of others", strings.Replace(orderForm("1", "a", ""), "standard", "mega", 1), "These you can: entry, standard.", 422},
		{"unknown plan", strings.Replace(orderForm("1", "a", ""), "standard", "gold", 1), "These you can: entry, standard.", 422},
		{"odd name", orderForm("1", "a:b", ""), "cannot be used", 422},
		{"no address", strings.Replace(orderForm("1", "a", ""), "@", " ", 1), "not an e-mail address", 422},
		{"zone", orderForm("1", "a", `,"zone":"Mars/Base"`), "zone", 422},
		{"overage", orderForm("1", "a", `,"overage":"never"`), "overage", 422},
		{"no reference", orderForm("", "a", ""), "reference", 422},
	} {
		resp, text := r.do("POST", "/partner/accounts", c.body, bearer(token))
		if resp.StatusCode != c.status || !strings.Contains(text, c.say) {
			t.Errorf("%s: %d %s", c.name, resp.StatusCode, text)
		}
	}
	if n := r.number(`SELECT count(*) FROM accounts WHERE partner <> ''`); n != 0 {
		t.Errorf("%d accounts were made", n)
	}
	id := r.ordered(token, "1", "ann-1").Account.ID
	resp, text := r.do("POST", "/partner/accounts", orderForm("2", "ann-2", ""), bearer(token))
	if r.wantProblem(resp, text, http.StatusForbidden); !strings.Contains(text, "may have no more") {
		t.Error(text)
	}
	if resp, text := r.do("POST", "/partner/accounts", orderForm("1", "ann-1", ""), bearer(token)); resp.StatusCode != http.StatusOK {
		t.Errorf("a repetition at the limit: %d %s", resp.StatusCode, text)
	}
	resp, text = r.do("PATCH", "/partner/accounts/"+id, `{"email":"nobody","overage":"stop"}`, bearer(token))
	r.wantProblem(resp, text, http.StatusUnprocessableEntity)
	if a := get[PartnerAccount](r, token, "/partner/accounts/"+id); a.Overage != "surcharge" || a.Email != "ann-1@example.com" {
		t.Errorf("a change that was refused changed %+v", a)
	}
	r.do("PATCH", "/partner/accounts/"+id, `{"overage":"stop"}`, bearer(token))
	if a := get[PartnerAccount](r, token, "/partner/accounts/"+id); a.Overage != "stop" || a.Email != "ann-1@example.com" {
		t.Errorf("the overage alone: %+v", a)
	}
}

// TestPartnerCustomersAreTheirOwn: what two partners and the operator call by
// one name are three customers.
func TestPartnerCustomersAreTheirOwn(t *testing.T) {
	r := start(t, t.TempDir())
	names := map[string]bool{"acme": true}
	for _, partner := range []string{"anna", "bert"} {
		token := r.addPartner(store.Partner{Name: partner})
		for _, n := range []string{"1", "2"} {
			resp, text := r.do("POST", "/partner/accounts", orderForm(n, partner+n, `,"customer":"acme"`), bearer(token))
			made := decodeTo[PartnerAccountMade](t, text)
			if resp.StatusCode != 201 || made.Account.Customer != "acme" || get[PartnerAccount](r, token, "/partner/accounts/"+made.Account.ID).Customer != "acme" {
				t.Fatalf("%d %s", resp.StatusCode, text)
			}
			a, err := r.store.AccountByID(t.Context(), made.Account.ID)
			if err != nil {
				t.Fatal(err)
			}
			names[a.Customer] = true
			if all, err := r.store.Accounts(t.Context(), a.Customer); err != nil || fmt.Sprint(len(all)) != n {
				t.Errorf("%s has %d accounts, want %s (%v)", a.Customer, len(all), n, err)
			}
		}
	}
	if len(names) != 3 {
		t.Errorf("customers are %v", names)
	}
}
