package main

import (
	"encoding/json"
	"strings"
	"syscall"
	"testing"

	"servicesmtp.net/companion/server/api"
)

// TestOneAccountStopsAlone: of a customer's accounts the one that was misused is
// held, and then blocked. Its mail waits, and then is refused; the other's goes
// out all the while, and nothing of the first leaves.
func TestOneAccountStopsAlone(t *testing.T) {
	p := newPlace(t)
	for _, name := range []string{"shop", "shop-news"} {
		p.must(password+"\n", "account", "add", name, "--plan", "standard", "--email", name+"@example.com", "--password-stdin")
	}
	st := p.open()
	if _, err := st.Writer().Exec(`UPDATE accounts SET customer = 'K-1' WHERE name LIKE 'shop%'`); err != nil {
		t.Fatal(err)
	}
	news, err := st.AccountByName(t.Context(), "shop-news")
	if err != nil {
		t.Fatal(err)
	}
	if err := st.SetAccountMisuse(t.Context(), news.ID, true, "a test"); err != nil {
		t.Fatal(err)
	}
	if all, err := st.Accounts(t.Context(), "K-1"); err != nil || len(all) != 2 {
		t.Fatalf("the customer has %d accounts, %v", len(all), err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	r := p.serve()
	defer r.end(syscall.SIGTERM)
	send := func(name, want string) {
		t.Helper()
		err := submitAs(p, r.ready.SMTP[0], false, name, password)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s sends: got %v, want %q", name, err, want)
		}
	}
	waiting := func() map[string]api.QueueGroup {
		t.Helper()
		var q api.QueueView
		if err := json.Unmarshal([]byte(p.must("", "queue", "list", "--json")), &q); err != nil {
			t.Fatal(err)
		}
		all := map[string]api.QueueGroup{}
		for _, g := range q.Groups {
			all[g.Account] = g
		}
		return all
	}
	p.must("", "account", "hold", "shop-news")
	send("shop-news", "") // a held account's mail is taken
	send("shop", "")
	p.mails(3) // the other's three, behind it in the queue
	if q := waiting(); q["shop-news"].Held != 3 {
		t.Errorf("held: %+v", q)
	}
	p.must("", "account", "block", "shop-news")
	send("shop-news", "SSMTP-BLOCKED")
	send("shop", "")
	p.mails(6)
	if q := waiting(); q["shop-news"].Held != 3 {
		t.Errorf("blocked: %+v", q)
	}
}
