package mail

import "testing"

func TestCode(t *testing.T) {
	for _, c := range []struct {
		code                 Code
		permanent, transient bool
		text                 string
	}{
		{Code{250, [3]int{2, 0, 0}}, false, false, "250 2.0.0"},
		{Code{451, [3]int{}}, false, true, "451"},
		{Code{550, [3]int{5, 1, 1}}, true, false, "550 5.1.1"},
		{Code{}, false, true, "0"},
		{Code{354, [3]int{}}, false, true, "354"},
	} {
		if c.code.Permanent() != c.permanent || c.code.Transient() != c.transient || c.code.String() != c.text {
			t.Errorf("%+v: permanent %v, transient %v, %q", c.code, c.code.Permanent(), c.code.Transient(), c.code.String())
		}
	}
}

func TestEveryStatusHasAName(t *testing.T) {
	for s := StatusQueued; s <= StatusCancelled; s++ {
		if s.String() == "" {
			t.Errorf("status %d has no name", s)
		}
	}
}

func TestParseEnhanced(t *testing.T) {
	for in, want := range map[string][3]int{"5.1.1": {5, 1, 1}, "4.7.10": {4, 7, 10}, "": {}, "5.1": {}, "5.x.1": {}, "5.-1.1": {}, "5.1.1.1": {}} {
		if got := ParseEnhanced(in); got != want {
			t.Errorf("%q: got %v, want %v", in, got, want)
		}
	}
}
