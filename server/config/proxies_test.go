package config

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestProxies(t *testing.T) {
	got, err := API{TrustedProxies: []string{"192.0.2.1", "::ffff:192.0.2.2", "10.1.2.3/8", "2001:db8::1", "2001:db8:1::/48"}}.Proxies()
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, p := range got {
		if p != p.Masked() {
			t.Errorf("%v is not a network", p)
		}
		texts = append(texts, p.String())
	}
	if d := cmp.Diff([]string{"192.0.2.1/32", "192.0.2.2/32", "10.0.0.0/8", "2001:db8::1/128", "2001:db8:1::/48"}, texts); d != "" {
		t.Error(d)
	}
	if !got[2].Contains(netip.MustParseAddr("10.255.0.1")) {
		t.Error("a network holds only the address it was written with")
	}
}
