package notify

import (
	"strings"
	"testing"

	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"servicesmtp.net/companion/internal/money"
)

func TestMoney(t *testing.T) {
	for _, c := range []struct {
		amount money.Amount
		want   string
	}{
		{money.Amount{Minor: 0, Currency: "EUR"}, "EUR 0.00"}, {money.Amount{Minor: 5, Currency: "EUR"}, "EUR 0.05"}, {money.Amount{Minor: 99, Currency: "EUR"}, "EUR 0.99"}, {money.Amount{Minor: 100, Currency: "EUR"}, "EUR 1.00"},
		{money.Amount{Minor: 123_456_789, Currency: "USD"}, "USD 1,234,567.89"}, {money.Amount{Minor: 5000, Currency: "JPY"}, "JPY 5,000"}, {money.Amount{Minor: 1, Currency: "JPY"}, "JPY 1"},
		{money.Amount{Minor: 1234, Currency: "KWD"}, "KWD 1.234"}, {money.Amount{Minor: 7, Currency: "TND"}, "TND 0.007"},
		{money.Amount{Minor: 9_223_372_036_854_775_807, Currency: "EUR"}, "EUR 92,233,720,368,547,758.07"},
		{money.Amount{Minor: 100, Currency: "eur"}, ""}, {money.Amount{Minor: 100, Currency: ""}, ""}, {money.Amount{Minor: -1, Currency: "EUR"}, ""},
	} {
		p := message.NewPrinter(language.English)
		got, err := c.amount.Format(func(n uint64) string { return p.Sprintf("%d", n) })
		if got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%+v: %q, %v, want %q", c.amount, got, err, c.want)
		}
	}
}

func TestKindOf(t *testing.T) {
	for _, c := range []struct {
		code     int
		enhanced string
		want     Kind
	}{
		{550, "5.1.1", NoAddress}, {550, "", NoAddress}, {550, "5.1.2", NoDomain}, {556, "5.1.10", NoDomain}, {552, "5.2.2", MailboxFull},
		{452, "4.2.2", MailboxFull}, {550, "5.2.1", Disabled}, {552, "5.3.4", TooLarge}, {554, "5.7.1", Unwanted}, {550, "5.7.26", Unwanted},
		{450, "4.4.7", Unreachable}, {0, "4.4.1", Unreachable}, {0, "", Unreachable}, {554, "5.0.0", Unwanted}, {500, "", Other}, {550, "2.0.0", NoAddress},
		{550, "x", NoAddress}, {554, "5.3.0", Other},
	} {
		if got := KindOf(c.code, c.enhanced); got != c.want {
			t.Errorf("%d %s: %s, want %s", c.code, c.enhanced, got, c.want)
		}
	}
	var words []string
	for _, k := range Kinds() {
		var b strings.Builder
		if err := english.sentences.ExecuteTemplate(&b, "kind", k); err != nil {
			t.Fatal(err)
		}
		words = append(words, b.String())
	}
	for i, w := range words[:len(words)-1] {
		if w == "Another reason" {
			t.Errorf("%s has no words", Kinds()[i])
		}
	}
}
