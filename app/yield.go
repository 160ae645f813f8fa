package app

import (
	"math/rand/v2"
	"time"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/pace"
)

const (
	patience = 3 // how often a batch may be lost in a row before others go ahead
	mostOwn  = 5 // doublings of its wait: half an hour; a large message over a bad line is lost often, and gets through
)

// losses are a batch's sessions that ended with nothing said of it. Where other
// mail gets through meanwhile, the batch is the cause: a server that hangs up at
// one message, or says "later" to one sender, must not hold up all the others
// for ever.
type losses struct {
	count int
	own   int    // while others got through
	seen  uint64 // sender.replies at the last one
}

// yield is until when a batch that was lost once more lets others go ahead;
// zero: it does not. During an outage, in which nothing gets through, that is a
// minute, so that mail leaves soon when it ends.
func (s *sender) yield(b mail.Batch, now time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.lost[keyOf(b)]
	if l.count > 0 && s.replies != l.seen {
		l.own++
	}
	l.count++
	l.seen = s.replies
	s.lost[keyOf(b)] = l
	if l.own == 0 && l.count < patience {
		return time.Time{}
	}
	return now.Add(pace.Backoff(min(l.own, mostOwn), rand.Uint64()))
}

// gotThrough forgets a batch's losses: something is known of it.
func (s *sender) gotThrough(b mail.Batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.lost, keyOf(b))
	s.replies++
}
