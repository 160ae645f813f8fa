package api

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Proxies are the web servers before the relay whose word about who asks is
// believed. Limits and guesses are counted by address: without it all customers
// behind one would be one.
type Proxies []netip.Prefix

// trust says that a is one of them.
func (p Proxies) trust(a netip.Addr) bool {
	return slices.ContainsFunc(p, func(n netip.Prefix) bool { return n.Contains(a) })
}

// client is who asks with a request that came from remote with the header's
// X-Forwarded-For: each proxy adds whom it was asked by, so that the last
// address that is none of ours is the first that nobody can make up.
func (p Proxies) client(remote string, header http.Header) string {
	nearest, ok := addressIn(remote)
	if !ok {
		return remote
	}
	hops := strings.Split(strings.Join(header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		if !p.trust(nearest) {
			break
		}
		before, ok := addressIn(strings.TrimSpace(hop))
		if !ok {
			break
		}
		nearest = before
	}
	return nearest.String()
}

// addressIn reads "192.0.2.1", "192.0.2.1:1234", "2001:db8::1", "[2001:db8::1]"
// or "[2001:db8::1]:1234".
func addressIn(s string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(hostOf(s), "["), "]"))
	return a.Unmap().WithZone(""), err == nil
}

// seeThrough gives handlers the client's address as the remote one.
func (p Proxies) seeThrough(next http.Handler) http.Handler {
	if len(p) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.RemoteAddr = net.JoinHostPort(p.client(r.RemoteAddr, r.Header), "0")
		next.ServeHTTP(w, r)
	})
}
