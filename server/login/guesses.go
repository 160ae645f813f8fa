package login

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// How many wrong logins are free, and how fast they come back. One name from
// one address is counted strictly; an address alone loosely, because an office
// or a mobile network shares one.
const (
	pairBurst   = 10
	pairEvery   = 10 * time.Second
	remoteBurst = 100
	remoteEvery = 2 * time.Second
)

// guesses counts wrong logins. Memory is bounded: a full table is emptied,
// which gives guessers their burst back once per maxEntries addresses.
type guesses struct {
	mu      sync.Mutex // guards the tables
	pairs   map[string]*rate.Limiter
	remotes map[string]*rate.Limiter
}

func newGuesses() *guesses {
	return &guesses{pairs: make(map[string]*rate.Limiter), remotes: make(map[string]*rate.Limiter)}
}

// wait is how long a login must wait; 0: it may be tried.
func (g *guesses) wait(name, remote string, now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	from := network(remote)
	return max(until(g.pairs[from+" "+name], now), until(g.remotes[from], now))
}

func until(l *rate.Limiter, now time.Time) time.Duration {
	if l == nil {
		return 0
	}
	missing := 1 - l.TokensAt(now)
	if missing <= 0 {
		return 0
	}
	return time.Duration(missing / float64(l.Limit()) * float64(time.Second))
}

// wrong counts a wrong login.
func (g *guesses) wrong(name, remote string, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	from := network(remote)
	take(g.pairs, from+" "+name, pairEvery, pairBurst, now)
	take(g.remotes, from, remoteEvery, remoteBurst, now)
}

func take(table map[string]*rate.Limiter, key string, every time.Duration, burst int, now time.Time) {
	l, ok := table[key]
	if !ok {
		if len(table) >= maxEntries {
			clear(table)
		}
		l = rate.NewLimiter(rate.Every(every), burst)
		table[key] = l
	}
	l.AllowN(now, 1)
}

// network is what one guesser usually controls: an IPv4 address, or a /64 of
// IPv6 (RFC 6177 §2).
func network(remote string) string {
	ip, err := netip.ParseAddr(remote)
	if err != nil {
		return remote
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is6() {
		if p, err := ip.Prefix(64); err == nil {
			return p.String()
		}
	}
	return ip.String()
}
