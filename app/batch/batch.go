// Package batch splits the recipients of one message into the parts that go
// to the relay, one SMTP transaction each.
//
// It promises that every address is in exactly one batch, that no batch is
// larger than the limit, that there are as few batches as the limit permits,
// and that one provider's addresses are spread evenly over them, so that no
// provider sees a newsletter arrive in one lump. The same input gives the same
// batches.
//
// It is pure: no clock, no log, no I/O, no goroutine. It never judges whether
// an address is good.
package batch

import (
	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/internal/wire"
)

// DefaultLimit is what the relay takes in one transaction.
const DefaultLimit = 50

// Split makes ceil(n/limit) batches of n different recipients; a limit of 0 or
// less means DefaultLimit. An address that comes twice is kept once, with the
// DSN parameters of its first place; domains are compared without case, local
// parts are not (RFC 5321 §2.4). The number of one provider's addresses, and
// the number of all, differs by at most one between any two batches. Recipients
// of one provider keep their order, within a batch and from batch to batch.
func Split(recipients []mail.Recipient, limit int) [][]mail.Recipient {
	if limit <= 0 {
		limit = DefaultLimit
	}
	kept, providers, sizes := group(recipients)
	if len(kept) == 0 {
		return nil
	}
	count := (len(kept)-1)/limit + 1 // rounded up; a sum could overflow with a huge limit
	shares := deal(sizes, count)
	out := make([][]mail.Recipient, count)
	size := (len(kept) + count - 1) / count
	all := make([]mail.Recipient, count*size)
	for b := range out {
		out[b] = all[b*size : b*size : (b+1)*size]
	}
	for i, r := range kept {
		b := shares[providers[i]].next()
		out[b] = append(out[b], r)
	}
	return out
}

// group leaves out repeated addresses, names each recipient's provider by a
// number, and counts the recipients of each.
func group(recipients []mail.Recipient) (kept []mail.Recipient, providers, sizes []int) {
	kept = make([]mail.Recipient, 0, len(recipients))
	providers = make([]int, 0, len(recipients))
	seen := make(map[string]struct{}, len(recipients))
	numbers := make(map[string]int) // by provider
	domains := make(map[string]int) // by domain: a cache, a list has few of them
	for _, r := range recipients {
		address := wire.LowerDomain(r.Address)
		if _, ok := seen[address]; ok {
			continue
		}
		seen[address] = struct{}{}
		domain := wire.Domain(address)
		number, ok := domains[domain]
		if !ok {
			name := Provider(domain)
			if number, ok = numbers[name]; !ok {
				number = len(sizes)
				numbers[name] = number
				sizes = append(sizes, 0)
			}
			domains[domain] = number
		}
		kept = append(kept, r)
		providers = append(providers, number)
		sizes[number]++
	}
	return kept, providers, sizes
}

// share says how many of one provider's recipients go into each batch: each,
// and one more in the `extra` batches that begin at start and go on from 0
// after the last one.
type share struct {
	count              int // of batches
	each, extra, start int
	batch, left        int // where next is
}

// deal gives every provider its shares. It is as if the providers were laid in
// one row and dealt out like cards: whoever's first card goes to the batch
// after the last card of the one before, nobody gets two more than another.
func deal(sizes []int, count int) []share {
	shares := make([]share, len(sizes))
	dealt := 0
	for p, n := range sizes {
		shares[p] = share{count: count, each: n / count, extra: n % count, start: dealt % count, batch: -1}
		dealt += n
	}
	return shares
}

// next is the batch of the provider's next recipient. It is called once for
// each of them.
func (s *share) next() int {
	for s.left == 0 {
		s.batch++
		s.left = s.each
		if (s.batch-s.start+s.count)%s.count < s.extra {
			s.left++
		}
		if s.left == 0 { // few recipients: no batch before start takes one
			s.batch = s.start - 1
		}
	}
	s.left--
	return s.batch
}
