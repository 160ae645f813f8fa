package app

import (
	"strings"
	"testing"
	"time"
)

// Whatever strangers write, no cell is a formula, neither where commas part
// them nor where a spreadsheet takes semicolons.
func TestNoCellIsAFormula(t *testing.T) {
	for in, want := range map[string]string{
		"550 no such user":     "550 no such user",
		"a; b":                 "a; b",
		"=1+1":                 "'=1+1",
		"  =1+1":               "'=1+1",
		"\t@x\r\n=y":           "'@x =y",
		"x;=cmd|' /C calc'!A0": "x;'=cmd|' /C calc'!A0",
		"x; +1;-1":             "x;' +1;'-1",
		`x;"=1"`:               `x;'"=1"`,
		"＝1":                   "'＝1",
		"a\u202eb\x00":         "a?b?",
	} {
		if got := harmless(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	var out strings.Builder
	err := WriteErrorsCSV(&out, []AddressError{{Address: "=1@b", Reason: "r", Code: "550", Reply: "x;=1", At: time.Unix(0, 0), Account: "-a", Source: "relay"}})
	if want := "address,reason,code,reply,at,account,source\n'=1@b,r,550,x;'=1,1970-01-01T00:00:00Z,'-a,relay\n"; err != nil || out.String() != want {
		t.Errorf("%v, got %q", err, out.String())
	}
}
