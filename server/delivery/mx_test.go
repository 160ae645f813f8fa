package delivery

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/foxcpp/go-mockdns"
	"github.com/google/go-cmp/cmp"
)

// names serves a DNS zone on loopback.
func names(t *testing.T, zones map[string]mockdns.Zone) string {
	t.Helper()
	s, err := mockdns.NewServerWithLogger(zones, quietLog{}, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s.LocalAddr().String()
}

func TestMX(t *testing.T) {
	f := newFar(t, "127.0.0.1:0", nil)
	v4, v6 := []string{"127.0.0.1"}, []string{"::1"} // nobody listens on ::1
	dns := names(t, map[string]mockdns.Zone{
		"plain.example.":         {MX: []net.MX{{Host: "mx.plain.example.", Pref: 10}}},
		"mx.plain.example.":      {A: v4},
		"order.example.":         {MX: []net.MX{{Host: "live.example.", Pref: 20}, {Host: "dead.example.", Pref: 10}, {Host: "gone.example.", Pref: 5}}},
		"live.example.":          {A: v4},
		"dead.example.":          {AAAA: v6},
		"both.example.":          {MX: []net.MX{{Host: "dual.example.", Pref: 10}}},
		"dual.example.":          {A: v4, AAAA: v6},
		"implicit.example.":      {A: v4},
		"alias.example.":         {CNAME: "plain.example."},
		"null.example.":          {MX: []net.MX{{Host: ".", Pref: 0}}},
		"lost.example.":          {MX: []net.MX{{Host: "gone.example.", Pref: 10}}},
		"down.example.":          {MX: []net.MX{{Host: "dead.example.", Pref: 10}}},
		"broken.example.":        {Err: errors.New("servfail")},
		"xn--bcher-kva.example.": {A: v4},
	})
	r := route(t, Config{Route: "mx", DNS: dns, MXPort: f.port})
	for _, c := range []struct {
		name, to string
		remote   string
		fails    string // "status code enhanced", or "": delivered
	}{
		{"one host", "b@plain.example", "mx.plain.example", ""},
		{"upper case", "b@PLAIN.Example", "mx.plain.example", ""},
		{"the first hosts are missing and dead", "b@order.example", "live.example", ""},
		{"a host whose IPv6 is dead", "b@both.example", "dual.example", ""},
		{"no MX", "b@implicit.example", "implicit.example", ""},
		{"alias", "b@alias.example", "mx.plain.example", ""},
		{"address literal", "b@[127.0.0.1]", "127.0.0.1", ""},
		{"letters beyond ASCII", "b@bücher.example", "xn--bcher-kva.example", ""},
		{"null MX", "b@null.example", "", "failed 556 5.1.10"},
		{"no such domain", "b@nothing.example", "nothing.example", "failed 550 5.1.2"},
		{"MX without an address", "b@lost.example", "gone.example", "deferred 451 4.4.4"},
		{"nobody listens", "b@down.example", "dead.example", "deferred 451 4.4.1"},
		{"DNS does not answer", "b@broken.example", "", "deferred 451 4.4.3"},
		{"not well-formed", "b@[127.0.0", "", "failed 550 5.1.2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn, err := r.Open(context.Background(), r.Lane(c.to))
			if c.fails != "" {
				var open *OpenError
				if !errors.As(err, &open) {
					t.Fatalf("got %v", err)
				}
				got := fmt.Sprint(open.Status, " ", open.Code, " ", open.Enhanced)
				if got != c.fails || open.Remote != c.remote {
					t.Errorf("got %q from %q, want %q from %q", got, open.Remote, c.fails, c.remote)
				}
				return
			}
			if err != nil {
				t.Fatal(err, errors.Unwrap(err))
			}
			defer conn.Close()
			got := conn.Deliver(context.Background(), message("a\r\n", c.to), yes)
			if d := cmp.Diff(map[int64]string{1: "delivered 250"}, byID(got)); d != "" {
				t.Fatal(d)
			}
			if got[0].Remote != c.remote {
				t.Errorf("remote %q, want %q", got[0].Remote, c.remote)
			}
		})
	}
}

func TestResolverThatIsNotThere(t *testing.T) {
	r := route(t, Config{Route: "mx", DNS: "127.0.0.1:1"})
	_, err := r.Open(context.Background(), "plain.example")
	var open *OpenError
	if !errors.As(err, &open) || open.Status != Deferred || open.Enhanced != "4.4.3" {
		t.Errorf("got %v", err)
	}
}

// A server's own words are worth more than a failure to reach another.
func TestWordsOfARefusingHostAreKept(t *testing.T) {
	addr := newScript(t, func(s *script) { s.say("554 5.7.1 listed"); s.hang() })
	_, port, _ := net.SplitHostPort(addr)
	p, err := net.LookupPort("tcp", port)
	if err != nil {
		t.Fatal(err)
	}
	dns := names(t, map[string]mockdns.Zone{
		"x.example.":   {MX: []net.MX{{Host: "one.example.", Pref: 10}, {Host: "two.example.", Pref: 20}}},
		"one.example.": {A: []string{"127.0.0.1"}},
		"two.example.": {AAAA: []string{"::1"}},
	})
	_, err = route(t, Config{Route: "mx", DNS: dns, MXPort: p}).Open(context.Background(), "x.example")
	var open *OpenError
	if !errors.As(err, &open) || open.Status != Deferred || open.Code != 554 || open.Reply != "listed" || open.Remote != "one.example" {
		t.Errorf("got %v", err)
	}
}

func TestAlternate(t *testing.T) {
	ip := net.ParseIP
	got := alternate([]net.IP{ip("::1"), ip("::2"), ip("::3"), ip("1.1.1.1"), ip("2.2.2.2")})
	want := []net.IP{ip("::1"), ip("1.1.1.1"), ip("::2"), ip("2.2.2.2"), ip("::3")}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if got := alternate(nil); len(got) != 0 {
		t.Errorf("got %v", got)
	}
}
