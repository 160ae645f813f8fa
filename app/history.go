package app

import (
	"context"
	"time"
)

// SentSpan is what left in a span of time.
type SentSpan struct {
	From       time.Time
	Recipients int // accepted by the relay
	Failed     int // refused for good
}

const (
	maxSpans = 1000                // of one call
	longSpan = 90 * 24 * time.Hour // maxSpans of it are all time that a Duration holds
)

// Sent lists what left since a time, in spans of a length, oldest first, the
// empty ones too. account "" means all. There are at most 1,000 spans, the
// newest. Spans begin at multiples of their length on the clock of since's zone,
// those of whole days at midnight.
func (e *Engine) Sent(ctx context.Context, account string, since time.Time, span time.Duration) ([]SentSpan, error) {
	if account != "" {
		if _, err := e.account(account); err != nil {
			return nil, err
		}
	}
	list := spans(since, time.Now(), span)
	if len(list) == 0 {
		return nil, nil
	}
	counts, err := e.spool.Sent(ctx, account, list[0].From, unitOf(span))
	if err != nil {
		return nil, spoolError(err)
	}
	i := 0
	for _, c := range counts {
		for i+1 < len(list) && !c.From.Before(list[i+1].From) {
			i++
		}
		list[i].Recipients += c.Accepted
		list[i].Failed += c.Failed
	}
	return list, nil
}

// zoneStep divides the offsets of all zones.
const zoneStep = 15 * time.Minute

// unitOf is the longest unit, counted from 1970 in UTC, of which spans consist
// in every zone.
func unitOf(span time.Duration) time.Duration {
	a, b := span, zoneStep
	for b > 0 {
		a, b = b, a%b
	}
	return max(a, time.Microsecond)
}

// spans are the empty spans from the one that since is in to the one that now
// is in.
func spans(since, now time.Time, span time.Duration) []SentSpan {
	if span < time.Second || since.After(now) {
		return nil
	}
	if span < longSpan {
		if oldest := now.Add(-maxSpans * span); since.Before(oldest) {
			since = oldest.In(since.Location())
		}
	}
	var list []SentSpan
	for from := spanAt(since, span, 0); !from.After(now); {
		list = append(list, SentSpan{From: from})
		from = nextSpan(from, span)
	}
	return list[max(len(list)-maxSpans, 0):]
}

// spanAt is the beginning of the span, on the clock of its zone, that so many
// lie behind the one that t is in.
func spanAt(t time.Time, span time.Duration, behind int) time.Time {
	_, offset := t.Zone()
	clock := time.Unix(t.Unix()+int64(offset), 0).UTC() // what the clock shows, as if it were UTC
	into := time.Duration(clock.Unix()) * time.Second % span
	if into < 0 {
		into += span
	}
	if span <= time.Hour {
		// An hour stays one when the clocks change, and is not counted twice.
		return t.Truncate(time.Second).Add(-into).Add(time.Duration(behind) * span)
	}
	b := clock.Add(-into).Add(time.Duration(behind) * span)
	return time.Date(b.Year(), b.Month(), b.Day(), b.Hour(), b.Minute(), b.Second(), 0, t.Location())
}

// nextSpan is the beginning of the span behind the one that begins at from.
func nextSpan(from time.Time, span time.Duration) time.Time {
	for behind := 1; ; behind++ {
		if next := spanAt(from, span, behind); next.After(from) {
			return next
		}
	}
}
