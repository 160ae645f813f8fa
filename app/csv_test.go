package app

import (
	"strings"
	"testing"
	"time"
)

// What strangers write is no formula in the list that a person saves.
func TestTheErrorListHoldsNoFormula(t *testing.T) {
	var out strings.Builder
	err := WriteErrorsCSV(&out, []AddressError{{Address: "=1@b", Reason: "r", Code: "550", Reply: "x;=1", At: time.Unix(0, 0), Account: "-a", Source: "relay"}})
	if want := "address,reason,code,reply,at,account,source\n'=1@b,r,550,x;'=1,1970-01-01T00:00:00Z,'-a,relay\n"; err != nil || out.String() != want {
		t.Errorf("%v, got %q", err, out.String())
	}
}
