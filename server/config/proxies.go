package config

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// Proxies are the networks of trusted_proxies; a single address is one too.
func (a API) Proxies() ([]netip.Prefix, error) {
	var all []netip.Prefix
	var errs []error
	for _, text := range a.TrustedProxies {
		p, err := network(text)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf(`api.trusted_proxies: %q is no address: write the web server's, e.g. "192.0.2.1", or its network, e.g. "10.0.0.0/8"`, text))
		case p.Bits() == 0:
			errs = append(errs, fmt.Errorf("api.trusted_proxies: %q is everybody, who could then call himself what he likes: write the web server's address", text))
		}
		all = append(all, p)
	}
	return all, errors.Join(errs...)
}

func network(text string) (netip.Prefix, error) {
	if strings.Contains(text, "/") {
		p, err := netip.ParsePrefix(text)
		return p.Masked(), err
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, err
	}
	a = a.Unmap()
	return a.Prefix(a.BitLen())
}
