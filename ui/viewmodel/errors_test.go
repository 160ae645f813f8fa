package viewmodel

import (
	"testing"
	"time"

	"golang.org/x/text/language"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/say"
)

func TestErrorRow(t *testing.T) {
	it, err := say.FromCatalogue(language.Italian, []byte(`{"The mailbox is full.": "La casella è piena.", "Send it again.": "Inviarlo di nuovo.", "Your relay": "Il relay",
		"The recipient's server": "Il server del destinatario", "{{.Day}}, {{.Hour}}": "{{.Day}}, {{.Hour}}", "{{.Day}} {{.Month}}": "{{.Day}} {{.Month}}", "November": "novembre"}`))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 25, 9, 30, 0, 0, time.UTC)
	e := app.AddressError{At: now.Add(-48 * time.Hour), Account: "home", Address: "Ada@x.example", Code: "552 5.2.2", Reason: "The mailbox is full.", Action: "Send it again.", Reply: "over\nquota", Source: "recipient", Job: "J"}
	got := NewErrorRow(it, e, now)
	want := ErrorRow{Key: got.Key, Address: "Ada@x.example", Reason: "La casella è piena.", Action: "Inviarlo di nuovo.", Reply: "552 5.2.2 over quota",
		When: "23 novembre, 09:30", Source: "Il server del destinatario", Account: "home"}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got.Words() != "La casella è piena. Inviarlo di nuovo." || (ErrorRow{Reason: "Gone."}).Words() != "Gone." {
		t.Errorf("got %q", got.Words())
	}
	keys := map[string]bool{got.Key: true}
	for name, change := range map[string]func(*app.AddressError){
		"address": func(e *app.AddressError) { e.Address = "bob@x.example" },
		"time":    func(e *app.AddressError) { e.At = e.At.Add(time.Nanosecond) },
		"account": func(e *app.AddressError) { e.Account = "office" },
		"source":  func(e *app.AddressError) { e.Source = "relay" },
		"job":     func(e *app.AddressError) { e.Job = "K" },
	} {
		other := e
		change(&other)
		key := NewErrorRow(say.English, other, now).Key
		if keys[key] {
			t.Errorf("errors of another %s are taken for the same", name)
		}
		keys[key] = true
	}
	e.Source = "relay"
	if got := NewErrorRow(say.English, e, now).Source; got != "Your relay" {
		t.Errorf("got %q", got)
	}
}

func TestErrorSummary(t *testing.T) {
	list := func(addresses ...string) []app.AddressError {
		var out []app.AddressError
		for _, a := range addresses {
			out = append(out, app.AddressError{Address: a})
		}
		return out
	}
	for _, c := range []struct {
		list []app.AddressError
		more bool
		want string
	}{
		{nil, false, ""},
		{list("a@x"), false, "1 address has failed."},
		{list("a@x", "b@x"), false, "2 addresses have failed."},
		{list("a@x", "A@X", "b@x"), false, "2 addresses have failed, 3 times in all."},
		{list("a@x", "A@X"), false, "1 address has failed, 2 times in all."},
		{list("a@x", "b@x"), true, "2 addresses have failed. These are the newest; there are older ones."},
	} {
		if got := ErrorSummary(say.English, CountErrors(c.list, c.more)); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestErrorsFile(t *testing.T) {
	if got, want := ErrorsFile(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)), "errors-2026-03-01.csv"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, c := range []struct {
		n           int
		more, stale bool
		want        string
	}{
		{1, false, false, "1 error is now in /home/x/e.csv."},
		{1200, true, true, "1,200 errors are now in /home/x/e.csv. There are older ones, which it does not have. " +
			"The relay could not be asked, so the newest errors of the recipients' servers may be missing."},
	} {
		if got := ErrorsWritten(say.English, "/home/x/e.csv", c.n, c.more, c.stale); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
