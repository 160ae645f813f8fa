package batch

import (
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

// families joins registrable domains that one operator's servers take mail
// for. A domain missing here is only spread by itself.
var families = map[string]string{
	"googlemail.com": "gmail.com",
	"msn.com":        "outlook.com",
	"ymail.com":      "yahoo.com",
	"rocketmail.com": "yahoo.com",
	"aol.com":        "yahoo.com",
	"me.com":         "icloud.com",
	"mac.com":        "icloud.com",
	"protonmail.com": "proton.me",
	"protonmail.ch":  "proton.me",
	"pm.me":          "proton.me",
	"web.de":         "gmx.net",
	"ya.ru":          "yandex.ru",
}

// brands are names that an operator uses under many countries' domains, such
// as yahoo.co.uk. A stranger's domain that is joined by mistake does no harm:
// its addresses are spread together with the others.
var brands = map[string]string{
	"yahoo":   "yahoo.com",
	"hotmail": "outlook.com",
	"outlook": "outlook.com",
	"live":    "outlook.com",
	"gmx":     "gmx.net",
	"yandex":  "yandex.ru",
}

// Provider names who takes mail for a domain: the domain that was registered,
// or the best known one of the operator's family. What is no domain (an
// address literal, a bare host name) is its own provider, in lower case.
func Provider(domain string) string {
	domain = strings.ToLower(strings.TrimSuffix(domain, "."))
	if strings.HasPrefix(domain, "[") { // address literal, RFC 5321 §4.1.3
		return domain
	}
	if a, err := idna.Lookup.ToASCII(domain); err == nil {
		domain = a
	}
	registered, err := publicsuffix.EffectiveTLDPlusOne(domain)
	if err != nil {
		return domain
	}
	if family, ok := families[registered]; ok {
		return family
	}
	label, _, _ := strings.Cut(registered, ".")
	if family, ok := brands[label]; ok {
		return family
	}
	return registered
}
