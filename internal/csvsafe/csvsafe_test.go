package csvsafe

import (
	"encoding/csv"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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
		if got := Cell(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func FuzzCell(f *testing.F) {
	f.Add("=1;\n-2\"; '+3")
	f.Fuzz(func(t *testing.T, in string) {
		got := Cell(in)
		if strings.ContainsAny(got, "\r\n\t\x00") {
			t.Errorf("%q: not one line: %q", in, got)
		}
		for part := range strings.SplitSeq(got, ";") {
			if strings.ContainsAny(strings.TrimLeft(part, " \"")[:min(1, len(strings.TrimLeft(part, " \"")))], "=+-@|%") {
				t.Errorf("%q: formula in %q", in, got)
			}
		}
	})
}

func TestWriter(t *testing.T) {
	var out strings.Builder
	w := NewWriter(&out)
	row := []string{"=1", "a,b", ""}
	if err := errors.Join(w.Write([]string{"x", "y", "z"}, row), w.Write(), w.Write(row)); err != nil {
		t.Fatal(err)
	}
	got, err := csv.NewReader(strings.NewReader(out.String())).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]string{{"x", "y", "z"}, {"'=1", "a,b", ""}, {"'=1", "a,b", ""}}, got); diff != "" {
		t.Error(diff)
	}
	if row[0] != "=1" {
		t.Error("the caller's row was changed")
	}
	if err := NewWriter(broken{}).Write(row); !errors.Is(err, errBroken) {
		t.Errorf("got %v, want the writer's own error", err)
	}
}

var errBroken = errors.New("broken")

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errBroken }
