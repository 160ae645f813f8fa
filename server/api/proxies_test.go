package api

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

// TestWhoAsksThroughProxies: the last address that no proxy of ours has is it,
// and what anybody can write himself is not believed.
func TestWhoAsksThroughProxies(t *testing.T) {
	ours := Proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::1/128")}
	for _, c := range []struct {
		name, remote string
		header       []string
		want         string
	}{
		{"direct", "192.0.2.7:99", nil, "192.0.2.7"},
		{"direct, and makes one up", "192.0.2.7:99", []string{"198.51.100.1"}, "192.0.2.7"},
		{"through one", "10.0.0.1:99", []string{"192.0.2.7"}, "192.0.2.7"},
		{"through one, and makes one up", "10.0.0.1:99", []string{"198.51.100.1, 192.0.2.7"}, "192.0.2.7"},
		{"makes up a proxy", "10.0.0.1:99", []string{"10.0.0.9, 192.0.2.7"}, "192.0.2.7"},
		{"through two", "10.0.0.1:99", []string{"192.0.2.7, 10.2.0.1"}, "192.0.2.7"},
		{"two headers", "10.0.0.1:99", []string{"198.51.100.1, 192.0.2.7", "10.2.0.1"}, "192.0.2.7"},
		{"from inside", "10.0.0.1:99", []string{"10.3.0.4"}, "10.3.0.4"},
		{"it says nothing", "10.0.0.1:99", nil, "10.0.0.1"},
		{"it says nonsense", "10.0.0.1:99", []string{"192.0.2.7, unknown"}, "10.0.0.1"},
		{"nonsense before", "10.0.0.1:99", []string{"unknown, 192.0.2.7"}, "192.0.2.7"},
		{"over IPv6", "[2001:db8::1]:99", []string{"2001:db8::7"}, "2001:db8::7"},
		{"with ports", "[::ffff:10.0.0.1]:99", []string{"[2001:db8::7]:4444"}, "2001:db8::7"},
		{"in brackets", "10.0.0.1:99", []string{"[2001:db8::7]"}, "2001:db8::7"},
		{"mapped", "10.0.0.1:99", []string{"::ffff:192.0.2.7"}, "192.0.2.7"},
		{"no address", "pipe", []string{"192.0.2.7"}, "pipe"},
	} {
		if got := ours.client(c.remote, http.Header{"X-Forwarded-For": c.header}); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

// TestOneGuesserBehindAProxy: whoever guesses passwords through the web server
// in front locks himself out, and nobody else.
func TestOneGuesserBehindAProxy(t *testing.T) {
	for _, trusted := range []bool{true, false} {
		r := start(t, t.TempDir())
		r.addAccount("alice")
		var proxies Proxies
		if trusted {
			proxies = Proxies{netip.MustParsePrefix("127.0.0.1/32")}
		}
		ask := throughProxy(t, proxies.seeThrough(r.server.handler))
		guesser, owner := "192.0.2.1", "192.0.2.2"
		status := http.StatusUnauthorized
		for range 40 {
			if status = ask(guesser, "wrong"); status != http.StatusUnauthorized {
				break
			}
		}
		if status != http.StatusTooManyRequests {
			t.Errorf("trusted %v: the guesser is told %d", trusted, status)
		}
		want := http.StatusCreated
		if !trusted {
			want = http.StatusTooManyRequests
		}
		if got := ask(owner, "secret-alice"); got != want {
			t.Errorf("trusted %v: the owner is told %d, want %d", trusted, got, want)
		}
	}
}

// throughProxy asks for a device's token through net/http's reverse proxy, which
// was asked by another proxy of this machine on behalf of from.
func throughProxy(t *testing.T, api http.Handler) func(from, password string) int {
	t.Helper()
	behind := httptest.NewServer(api)
	t.Cleanup(behind.Close)
	target, err := url.Parse(behind.URL)
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
		p.SetURL(target)
		p.Out.Header["X-Forwarded-For"] = p.In.Header["X-Forwarded-For"]
		p.SetXForwarded()
	}})
	t.Cleanup(front.Close)
	return func(from, password string) int {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, front.URL+"/v1/devices", strings.NewReader(`{"name":"pc"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-Forwarded-For", from)
		req.SetBasicAuth("alice", password)
		resp, err := front.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
}
