package reports

import "time"

// The parts of an account's reports, which can fail one without the other.
const (
	partEvents = "events"
	partFacts  = "facts"
)

type part struct{ account, name string }

// Health is how the latest attempt to ask the relay went.
type Health struct {
	OK    bool
	Since time.Time // when it became so
	Err   error     // why not
}

// Health says how asking the relay about an account goes. The second result is
// false where nobody has asked since the start. Of two parts the one that
// fails is told.
func (c *Cache) Health(account string) (Health, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	facts, asked := c.health[part{account, partFacts}]
	if events, ok := c.health[part{account, partEvents}]; ok && (!asked || facts.OK) {
		return events, true
	}
	return facts, asked
}

// fresh says that the latest attempt succeeded.
func (c *Cache) fresh(account, name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.health[part{account, name}].OK
}

// stale says that events of an account, or of any where it is "", may be
// missing.
func (c *Cache) stale(account string) bool {
	if account != "" {
		return !c.fresh(account, partEvents)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for p, h := range c.health {
		if p.name == partEvents && !h.OK {
			return true
		}
	}
	return false
}

// note remembers how an attempt went, and says whether that is news, and
// whether a failure has ended with it.
func (c *Cache) note(account, name string, err error, now time.Time) (news, recovered bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := part{account, name}
	old, asked := c.health[p]
	h := Health{OK: err == nil, Since: old.Since, Err: err}
	news = !asked || old.OK != h.OK
	if news {
		h.Since = now
	}
	c.health[p] = h
	return news, asked && news && h.OK
}
