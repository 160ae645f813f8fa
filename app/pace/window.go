package pace

import "time"

// window counts what left within a span that slides. Leaves are gathered in
// slots of one grain and counted as if they had left at the slot's end: at
// most one grain too late, never too early. A day of mail is then some
// thousand numbers.
type window struct {
	span, grain time.Duration
	slots       []slot // oldest first
}

type slot struct {
	end time.Time // after whatever is counted in it
	n   int
}

// slotEnd is the end of the grain that t lies in, always after t.
func (w window) slotEnd(t time.Time) time.Time { return t.Truncate(w.grain).Add(w.grain) }

// charge counts n that leave at now, and drops what has left the window. now
// must not be before that of an earlier charge.
func (w *window) charge(n int, now time.Time) {
	for len(w.slots) > 0 && !w.slots[0].end.Add(w.span).After(now) {
		w.slots = w.slots[1:]
	}
	if last := len(w.slots) - 1; last >= 0 && w.slots[last].end.After(now) {
		w.slots[last].n += n
		return
	}
	w.slots = append(w.slots, slot{w.slotEnd(now), n})
}

// fits is the first moment from now on at which n more are within limit, when
// pending others leave now. An n above the limit, of a batch frozen under
// looser limits, fits into an empty window: it would wait for ever otherwise.
func (w window) fits(n, pending, limit int, now time.Time) time.Time {
	if limit <= 0 {
		return now
	}
	over := min(n, limit) + pending - limit
	for _, s := range w.slots {
		over += s.n
	}
	if over <= 0 {
		return now
	}
	for _, s := range w.slots {
		if over -= s.n; over <= 0 {
			if at := s.end.Add(w.span); at.After(now) {
				return at
			}
			return now
		}
	}
	return w.slotEnd(now).Add(w.span)
}

// shift moves everything by d, for a clock that was set back. The slots are
// copied: a reader may look at the old ones.
func (w window) shift(d time.Duration) window {
	slots := make([]slot, len(w.slots))
	for i, s := range w.slots {
		slots[i] = slot{s.end.Add(d), s.n}
	}
	w.slots = slots
	return w
}
