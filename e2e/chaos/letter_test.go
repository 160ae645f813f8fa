package chaos

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"strings"

	"servicesmtp.net/companion/e2e/world"
)

// fate is what the sender knows of a letter.
type fate int

const (
	pending  fate = iota // not taken, or not offered yet
	accepted             // 250
	perhaps              // the connection was lost after the final dot (RFC 1047)
)

// letter is one message with its recipients.
type letter struct {
	token string // names it in its recipients and its subject
	to    []string
	data  string
	sum   [sha256.Size]byte // of data
	fate  fate
}

// letters makes messages to so many recipients in all, of 1 to 5,000 each, as
// people and newsletters have them; in an order that mixes them.
func letters(rng *rand.Rand, recipients int) []*letter {
	var all []*letter
	for left := recipients; left > 0; {
		n := 1
		switch rng.IntN(12) {
		case 0:
			n = 1000 + rng.IntN(4001)
		case 1, 2:
			n = 50 + rng.IntN(950)
		case 3, 4:
			n = 2 + rng.IntN(48)
		}
		// A short run has its share of small ones too.
		n = min(n, left, max(1, recipients/8))
		all = append(all, newLetter(rng, fmt.Sprintf("m%d", len(all)), n))
		left -= n
	}
	return all
}

// newLetter writes one. Most are small; some are too large for the database of
// the spool and become files.
func newLetter(rng *rand.Rand, token string, n int) *letter {
	size := 6<<10 + rng.IntN(20<<10)
	if rng.IntN(8) == 0 {
		size = 130<<10 + rng.IntN(150<<10)
	}
	l := &letter{token: token, to: world.Addresses(n, token, "dst.invalid"), data: world.Message(token, size)}
	l.sum = sha256.Sum256([]byte(l.data))
	return l
}

// again is the same letter as the mail program would send it once more: to us
// it is another one.
func (l *letter) again(try int) *letter {
	token := fmt.Sprintf("%sx%d", l.token, try)
	next := &letter{token: token, to: world.Addresses(len(l.to), token, "dst.invalid"), data: strings.ReplaceAll(l.data, l.token, token)}
	next.sum = sha256.Sum256([]byte(next.data))
	return next
}

// tokenOf reads the token out of an address of world.Addresses.
func tokenOf(address string) string {
	local, _, _ := strings.Cut(address, "@")
	_, token, _ := strings.Cut(local, ".")
	return token
}
