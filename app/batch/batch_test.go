package batch

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/internal/wire"
)

func recipients(addresses ...string) []mail.Recipient {
	out := make([]mail.Recipient, len(addresses))
	for i, a := range addresses {
		out[i] = mail.Recipient{Address: a}
	}
	return out
}

func addresses(batches [][]mail.Recipient) [][]string {
	var out [][]string
	for _, b := range batches {
		var as []string
		for _, r := range b {
			as = append(as, r.Address)
		}
		out = append(out, as)
	}
	return out
}

func TestSplit(t *testing.T) {
	for _, c := range []struct {
		name  string
		in    []string
		limit int
		want  [][]string
	}{
		{"nobody", nil, 50, nil},
		{"one", []string{"a@x.example"}, 50, [][]string{{"a@x.example"}}},
		{"the same address twice", []string{"a@x.example", "a@X.Example", "A@x.example"}, 50,
			[][]string{{"a@x.example", "A@x.example"}}},
		{"one provider over two batches", []string{"1@x.example", "2@x.example", "3@x.example"}, 2,
			[][]string{{"1@x.example", "2@x.example"}, {"3@x.example"}}},
		{"two providers, each spread", []string{"1@x.example", "2@x.example", "1@y.example", "2@y.example"}, 2,
			[][]string{{"1@x.example", "1@y.example"}, {"2@x.example", "2@y.example"}}},
		{"families are one provider", []string{"1@hotmail.com", "2@live.com", "1@x.example", "2@x.example"}, 2,
			[][]string{{"1@hotmail.com", "1@x.example"}, {"2@live.com", "2@x.example"}}},
		{"no domain", []string{"postmaster", "a@x.example"}, 1, [][]string{{"postmaster"}, {"a@x.example"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := addresses(Split(recipients(c.in...), c.limit))
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("batches (-want +got):\n%s", d)
			}
		})
	}
}

func TestSplitSizes(t *testing.T) {
	for _, c := range []struct{ n, limit, batches, largest int }{
		{50, 50, 1, 50}, {51, 50, 2, 26}, {500, 50, 10, 50}, {500, 0, 10, 50}, {500, -1, 10, 50}, {7, 100, 1, 7},
	} {
		var in []mail.Recipient
		for i := range c.n {
			in = append(in, mail.Recipient{Address: fmt.Sprintf("r%d@x.example", i)})
		}
		got := Split(in, c.limit)
		largest := 0
		for _, b := range got {
			largest = max(largest, len(b))
		}
		if len(got) != c.batches || largest != c.largest {
			t.Errorf("%d recipients, limit %d: %d batches of at most %d, want %d of %d", c.n, c.limit, len(got), largest, c.batches, c.largest)
		}
	}
}

func TestFirstOfARepeatedAddressWins(t *testing.T) {
	in := []mail.Recipient{
		{Address: "a@x.example", Notify: []string{"NEVER"}},
		{Address: "a@X.EXAMPLE", Notify: []string{"FAILURE"}},
	}
	if d := cmp.Diff([][]mail.Recipient{in[:1]}, Split(in, 50)); d != "" {
		t.Errorf("batches (-want +got):\n%s", d)
	}
}

func TestBatchesDoNotShareRoom(t *testing.T) {
	got := Split(recipients("1@x.example", "2@x.example", "3@x.example"), 2)
	_ = append(got[0], mail.Recipient{Address: "new@x.example"})
	if got[1][0].Address != "3@x.example" {
		t.Errorf("adding to one batch changed the next: %v", got)
	}
}

func TestProvider(t *testing.T) {
	for _, c := range []struct{ domain, want string }{
		{"example.com", "example.com"},
		{"Mail.Example.COM", "example.com"},
		{"example.com.", "example.com"},
		{"a.b.example.co.uk", "example.co.uk"},
		{"gmail.com", "gmail.com"},
		{"googlemail.com", "gmail.com"},
		{"hotmail.com", "outlook.com"},
		{"hotmail.co.uk", "outlook.com"},
		{"live.com", "outlook.com"},
		{"msn.com", "outlook.com"},
		{"outlook.com", "outlook.com"},
		{"yahoo.com", "yahoo.com"},
		{"yahoo.co.jp", "yahoo.com"},
		{"yahoo.example.com", "example.com"},
		{"notyahoo.com", "notyahoo.com"},
		{"bücher.example", "xn--bcher-kva.example"},
		{"xn--bcher-kva.example", "xn--bcher-kva.example"},
		{"co.uk", "co.uk"},
		{"localhost", "localhost"},
		{"[192.0.2.1]", "[192.0.2.1]"},
		{"", ""},
		{"..", "."},
	} {
		if got := Provider(c.domain); got != c.want {
			t.Errorf("Provider(%q) = %q, want %q", c.domain, got, c.want)
		}
	}
}

// check holds what Split promises of any input.
func check(t interface {
	Helper()
	Fatalf(string, ...any)
}, in []mail.Recipient, limit int) {
	t.Helper()
	got := Split(in, limit)
	if d := cmp.Diff(got, Split(in, limit)); d != "" {
		t.Fatalf("a second call differs:\n%s", d)
	}
	if limit <= 0 {
		limit = DefaultLimit
	}
	want := map[string]int{} // address → position
	order := map[string][]string{}
	for i, r := range in {
		key := wire.LowerDomain(r.Address)
		if _, ok := want[key]; !ok {
			want[key] = i
			p := Provider(wire.Domain(r.Address))
			order[p] = append(order[p], r.Address)
		}
	}
	n := len(want) / limit
	if len(want)%limit > 0 {
		n++
	}
	if len(got) != n {
		t.Fatalf("%d batches, want %d", len(got), n)
	}
	total, shares, found := 0, map[string][]int{}, map[string][]string{}
	for b, batch := range got {
		if len(batch) == 0 || len(batch) > limit {
			t.Fatalf("batch %d has %d recipients, limit %d", b, len(batch), limit)
		}
		total += len(batch)
		for _, r := range batch {
			i, ok := want[wire.LowerDomain(r.Address)]
			if !ok || in[i].Address != r.Address {
				t.Fatalf("%q is not the first spelling, or came twice", r.Address)
			}
			delete(want, wire.LowerDomain(r.Address))
			p := Provider(wire.Domain(r.Address))
			found[p] = append(found[p], r.Address)
			if shares[p] == nil {
				shares[p] = make([]int, len(got))
			}
			shares[p][b]++
		}
	}
	if len(want) != 0 {
		t.Fatalf("%d recipients are in no batch", len(want))
	}
	for p, s := range shares {
		if slices.Max(s)-slices.Min(s) > 1 {
			t.Fatalf("%q has shares %v", p, s)
		}
		if !slices.Equal(order[p], found[p]) {
			t.Fatalf("%q came in order %v, left in %v", p, order[p], found[p])
		}
	}
}

func TestSplitProperties(t *testing.T) {
	domains := []string{"gmail.com", "googlemail.com", "GMail.com", "x.example", "X.example", "mail.x.example", "yahoo.fr", "yahoo.com", "", "[::1]"}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 400).Draw(t, "n")
		people := rapid.IntRange(1, 500).Draw(t, "people") // few people: many repeats
		spread := rapid.IntRange(1, 200).Draw(t, "spread")
		in := make([]mail.Recipient, n)
		for i := range in {
			d := rapid.IntRange(0, spread).Draw(t, "domain")
			domain := fmt.Sprintf("d%d.example", d)
			if d < len(domains) {
				domain = domains[d]
			}
			in[i].Address = fmt.Sprintf("p%d@%s", rapid.IntRange(0, people).Draw(t, "person"), domain)
		}
		check(t, in, rapid.IntRange(-1, 60).Draw(t, "limit"))
	})
}

func FuzzSplit(f *testing.F) {
	f.Add("a@x.example\nb@y.example\na@X.example", 2)
	f.Add("a@\n@\n\n@@\n\x00@\xff.\xff", 1)
	f.Add("a@x.example\nb@x.example", math.MaxInt)
	f.Add("ü@bücher.example\nx@xn--.example", 0)
	f.Fuzz(func(t *testing.T, list string, limit int) {
		check(t, recipients(strings.Split(list, "\n")...), limit)
	})
}

func BenchmarkSplit50000(b *testing.B) {
	var in []mail.Recipient
	for i := range 50_000 {
		domain := fmt.Sprintf("d%d.example", i%7919)
		if i%2 == 0 {
			domain = []string{"gmail.com", "yahoo.fr", "hotmail.com"}[i%3]
		}
		in = append(in, mail.Recipient{Address: fmt.Sprintf("person%d@%s", i, domain)})
	}
	for b.Loop() {
		Split(in, 50)
	}
}

// BenchmarkSplitAllDomainsDiffer is the worst case: no domain comes twice.
func BenchmarkSplitAllDomainsDiffer(b *testing.B) {
	var in []mail.Recipient
	for i := range 50_000 {
		in = append(in, mail.Recipient{Address: fmt.Sprintf("person@d%d.example", i)})
	}
	for b.Loop() {
		Split(in, 50)
	}
}
