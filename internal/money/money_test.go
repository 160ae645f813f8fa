package money

import (
	"math"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

func TestString(t *testing.T) {
	for _, c := range []struct {
		minor    int64
		currency string
		want     string
	}{
		{8900, "EUR", "EUR 89.00"},
		{5, "EUR", "EUR 0.05"},
		{0, "EUR", "EUR 0.00"},
		{8900, "JPY", "JPY 8900"},
		{8900, "KWD", "KWD 8.900"},
		{math.MaxInt64, "EUR", "EUR 92233720368547758.07"},
	} {
		if got := (Amount{c.minor, c.currency}).String(); got != c.want {
			t.Errorf("%d %s: got %q, want %q", c.minor, c.currency, got, c.want)
		}
	}
	for _, a := range []Amount{{-1, "EUR"}, {1, "euro"}, {1, ""}} {
		if got, err := a.Format(func(n uint64) string { return strconv.FormatUint(n, 10) }); err == nil {
			t.Errorf("%+v: got %q, want an error", a, got)
		}
	}
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		text, currency string
		want           int64 // -1: refused
	}{
		{"89", "EUR", 8900}, {"89.00", "EUR", 8900}, {"89,05", "EUR", 8905}, {"0.10", "EUR", 10},
		{"89.5", "EUR", -1}, {"89.000", "EUR", -1}, {"1.234,50", "EUR", -1}, {"-1", "EUR", -1}, {"", "EUR", -1}, {"89 EUR", "EUR", -1},
		{"8900", "JPY", 8900}, {"89.00", "JPY", -1}, {"8.900", "KWD", 8900}, {"99999999999999999999", "EUR", -1}, {"92233720368547758", "EUR", -1},
	} {
		got, err := Parse(c.text, c.currency)
		if refused := err != nil; refused != (c.want < 0) || !refused && got.Minor != c.want {
			t.Errorf("%q %s: got %v, %v, want %d", c.text, c.currency, got, err, c.want)
		}
	}
}

// What is printed is read back as the same.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := Amount{rapid.Int64Range(0, math.MaxInt64/2).Draw(t, "minor"), rapid.SampledFrom([]string{"EUR", "JPY", "KWD", "USD"}).Draw(t, "currency")}
		if got, err := Parse(a.example(), a.Currency); err != nil || got != a {
			t.Fatalf("%v: got %v, %v", a, got, err)
		}
	})
}
