package settings

import (
	"strings"

	"golang.org/x/net/idna"
)

// Route names the account that sends mail of this reverse-path: the one that
// lists the address, else the one that lists its domain, else the first that
// lists nothing. ok is false where there is none.
func (s Settings) Route(from string) (account string, ok bool) {
	from = normalSender(from)
	_, domain, isAddress := cutLast(from, "@")
	byDomain, other := -1, -1
	for i, a := range s.Accounts {
		for _, sender := range a.Senders {
			switch n := normalSender(sender); {
			case isAddress && n == from:
				return a.Name, true
			case isAddress && n == domain && byDomain < 0:
				byDomain = i
			}
		}
		if len(a.Senders) == 0 && other < 0 {
			other = i
		}
	}
	for _, i := range []int{byDomain, other} {
		if i >= 0 {
			return s.Accounts[i].Name, true
		}
	}
	return "", false
}

// normalSender makes addresses and domains comparable. Case is ignored in the
// local part too: no real sender relies on it, and a person who wrote
// News@example.com means news@example.com.
func normalSender(s string) string {
	local, domain, isAddress := cutLast(s, "@")
	if ascii, err := idna.Lookup.ToASCII(domain); err == nil {
		domain = ascii
	}
	domain = strings.ToLower(domain)
	if !isAddress {
		return domain
	}
	return strings.ToLower(local) + "@" + domain
}
