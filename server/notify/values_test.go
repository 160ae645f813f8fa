package notify

import (
	"strings"
	"testing"

	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

func TestMoney(t *testing.T) {
	for _, c := range []struct {
		money Money
		want  string
	}{
		{Money{0, "EUR"}, "EUR 0.00"}, {Money{5, "EUR"}, "EUR 0.05"}, {Money{99, "EUR"}, "EUR 0.99"}, {Money{100, "EUR"}, "EUR 1.00"},
		{Money{123_456_789, "USD"}, "USD 1,234,567.89"}, {Money{5000, "JPY"}, "JPY 5,000"}, {Money{1, "JPY"}, "JPY 1"},
		{Money{1234, "KWD"}, "KWD 1.234"}, {Money{7, "TND"}, "TND 0.007"},
		{Money{9_223_372_036_854_775_807, "EUR"}, "EUR 92,233,720,368,547,758.07"},
		{Money{100, "eur"}, ""}, {Money{100, ""}, ""}, {Money{-1, "EUR"}, ""},
	} {
		p := message.NewPrinter(language.English)
		got, err := c.money.Format(func(n uint64) string { return p.Sprintf("%d", n) })
		if got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%+v: %q, %v, want %q", c.money, got, err, c.want)
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
