package units

import (
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestByteSize(t *testing.T) {
	for in, want := range map[string]ByteSize{"0": 0, "12": 12, "100MB": 100e6, "5 GB": 5e9, "90.5kb": 90500, " 1 b ": 1} {
		got, err := ParseByteSize(in)
		if err != nil || got != want {
			t.Errorf("%q: got %d %v, want %d", in, got, err, want)
		}
	}
	for _, bad := range []string{"", "MB", "-1", "1TB", "1,5 GB", "9e30GB", "NaN"} {
		if got, err := ParseByteSize(bad); err == nil {
			t.Errorf("%q: got %d, want an error", bad, got)
		}
	}
	for in, want := range map[ByteSize]string{0: "0 B", 999: "999 B", 1000: "1 KB", 1500 * MB: "1.5 GB", 90 * MB: "90 MB"} {
		if got := in.String(); got != want {
			t.Errorf("%d: got %q, want %q", int64(in), got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		in := ByteSize(rapid.Int64Range(0, 1<<50).Draw(t, "size"))
		text, err := in.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var out ByteSize
		if err := out.UnmarshalText(text); err != nil || out != in {
			t.Fatalf("%s: got %d %v, want %d", text, out, err, in)
		}
	})
}

func TestRateTimeIsNeverShort(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := Rate{N: rapid.IntRange(1, 1_000_000).Draw(t, "n"), Per: time.Duration(rapid.IntRange(1, 86400).Draw(t, "s")) * time.Second}
		n := rapid.IntRange(1, 50_000).Draw(t, "things")
		d := r.Time(n)
		// n things at this rate need at least n*Per/N: d*N >= n*Per, in whole seconds to stay in range
		exact := float64(n) * float64(r.Per) / float64(r.N)
		if float64(d) < exact*(1-1e-12)-1 || float64(d) > exact*(1+1e-12)+2 {
			t.Fatalf("%v for %d at %+v, exact %f", d, n, r, exact)
		}
	})
}

func TestStricter(t *testing.T) {
	hour := func(n int) Rate { return Rate{N: n, Per: time.Hour} }
	for _, c := range []struct{ a, b, want Rate }{
		{Rate{}, hour(5), hour(5)}, {hour(5), Rate{}, hour(5)}, {hour(5), hour(6), hour(5)}, {hour(7), hour(6), hour(6)}, {Rate{}, Rate{}, Rate{}},
	} {
		if got := c.a.Stricter(c.b); got != c.want {
			t.Errorf("%v, %v: got %v, want %v", c.a, c.b, got, c.want)
		}
	}
}

func TestByteSizeIsANumberInJSON(t *testing.T) {
	text, err := json.Marshal(struct{ Size ByteSize }{1500 * KB})
	if err != nil || string(text) != `{"Size":1500000}` {
		t.Fatalf("got %s %v", text, err)
	}
	var back struct{ Size ByteSize }
	if err := json.Unmarshal(text, &back); err != nil || back.Size != 1500*KB {
		t.Errorf("got %d %v", back.Size, err)
	}
	if err := json.Unmarshal([]byte(`{"Size":"1MB"}`), &back); err == nil {
		t.Error("a text was taken for a size")
	}
}
