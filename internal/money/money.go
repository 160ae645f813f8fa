// Package money is amounts as accounts are kept in: whole numbers of a
// currency's smallest unit (ISO 4217), never fractions.
package money

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// Amount is an amount in the smallest unit of a currency.
type Amount struct {
	Minor    int64
	Currency string // "EUR"
}

// digits after the point, where they are not two (ISO 4217).
var digits = map[string]int{
	"BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
	"BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0, "PYG": 0, "RWF": 0, "UGX": 0, "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
}

func digitsOf(currency string) int {
	if n, ok := digits[currency]; ok {
		return n
	}
	return 2
}

var code = regexp.MustCompile(`^[A-Z]{3}$`)

// Zero says that there is no amount.
func (a Amount) Zero() bool { return a == Amount{} }

// String is the amount exactly, as "EUR 1234.50".
func (a Amount) String() string {
	text, err := a.Format(func(n uint64) string { return strconv.FormatUint(n, 10) })
	if err != nil {
		return fmt.Sprintf("%s %d/-", a.Currency, a.Minor)
	}
	return text
}

// Format is the amount exactly, with the whole number as number writes it.
func (a Amount) Format(number func(uint64) string) (string, error) {
	if !code.MatchString(a.Currency) {
		return "", fmt.Errorf("currency %q is no ISO 4217 code", a.Currency)
	}
	if a.Minor < 0 {
		return "", errors.New("negative amount")
	}
	n := digitsOf(a.Currency)
	text := strconv.FormatInt(a.Minor, 10)
	if len(text) <= n {
		text = strings.Repeat("0", n+1-len(text)) + text
	}
	whole, err := strconv.ParseUint(text[:len(text)-n], 10, 64)
	if err != nil {
		return "", fmt.Errorf("format amount: %w", err)
	}
	out := a.Currency + " " + number(whole)
	if n > 0 {
		out += "." + text[len(text)-n:]
	}
	return out, nil
}

var written = regexp.MustCompile(`^([0-9]+)(?:[.,]([0-9]+))?$`)

// Parse reads an amount as a person writes it: "89", "89.00" or "89,00".
func Parse(text, currency string) (Amount, error) {
	m, n := written.FindStringSubmatch(text), digitsOf(currency)
	if m == nil || m[2] != "" && len(m[2]) != n {
		return Amount{}, fmt.Errorf("amount %q: write it like %s, in %s", text, Amount{8900, currency}.example(), currency)
	}
	minor, err := strconv.ParseInt(m[1]+m[2]+strings.Repeat("0", n-len(m[2])), 10, 64)
	if err != nil || minor > math.MaxInt64/2 {
		return Amount{}, fmt.Errorf("amount %q is too large", text)
	}
	return Amount{minor, currency}, nil
}

// example is the amount without its currency.
func (a Amount) example() string {
	_, text, _ := strings.Cut(a.String(), " ")
	return text
}
