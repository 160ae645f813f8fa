package notify

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Money is an amount in the smallest unit of an ISO 4217 currency.
type Money struct {
	Minor    int64
	Currency string // "EUR"
}

// digits after the point, where they are not two (ISO 4217).
var digits = map[string]int{
	"BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
	"BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0, "PYG": 0, "RWF": 0, "UGX": 0, "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
}

var currency = regexp.MustCompile(`^[A-Z]{3}$`)

// Zero says that there is no price.
func (m Money) Zero() bool { return m == Money{} }

// Format is the amount exactly, as "EUR 1,234.50".
func (m Money) Format(number func(uint64) string) (string, error) {
	if !currency.MatchString(m.Currency) {
		return "", fmt.Errorf("currency %q is no ISO 4217 code", m.Currency)
	}
	if m.Minor < 0 {
		return "", errors.New("negative amount")
	}
	n, ok := digits[m.Currency]
	if !ok {
		n = 2
	}
	text := strconv.FormatInt(m.Minor, 10)
	if len(text) <= n {
		text = strings.Repeat("0", n+1-len(text)) + text
	}
	whole, err := strconv.ParseUint(text[:len(text)-n], 10, 64)
	if err != nil {
		return "", fmt.Errorf("format amount: %w", err)
	}
	out := m.Currency + " " + number(whole)
	if n > 0 {
		out += "." + text[len(text)-n:]
	}
	return out, nil
}
