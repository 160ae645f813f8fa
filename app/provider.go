package app

import (
	"strings"

	"servicesmtp.net/companion/app/batch"
	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/pace"
)

// perProvider names the providers of rates by domain, as batches are spread by
// them. Where several domains are one provider's, the smallest rate counts.
func perProvider[N int | int64](byDomain map[string]N) map[string]int {
	if len(byDomain) == 0 {
		return nil
	}
	rates := make(map[string]int, len(byDomain))
	for domain, n := range byDomain {
		p := batch.Provider(domain)
		if old, ok := rates[p]; n > 0 && (!ok || int(n) < old) {
			rates[p] = int(n)
		}
	}
	return rates
}

// counts are a batch's recipients by provider, of those that have a rate.
func counts(b mail.Batch, rates map[string]int) pace.Counts {
	if len(rates) == 0 {
		return nil
	}
	var all pace.Counts
	for _, r := range b.Recipients {
		p := batch.Provider(r.Address[strings.LastIndexByte(r.Address, '@')+1:])
		if rates[p] > 0 {
			all = all.Add(pace.Counts{p: 1}, 1)
		}
	}
	return all
}
