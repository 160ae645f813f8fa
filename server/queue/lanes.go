package queue

import (
	"maps"
	"slices"
	"sync"
	"time"

	"servicesmtp.net/companion/server/store"
)

// How long a lane waits before it connects again to a host that refused or
// dropped a connection: doubled from the first to the last.
const (
	firstPause = time.Second
	lastPause  = time.Minute
)

// How long the sweeper believes that a job it inserted is there. Where nodes
// share the lanes another may have run it to its end.
const (
	jobTrust    = 10 * time.Minute
	sharedTrust = 10 * time.Second
)

// lanes is what this process knows about its lanes. Nothing in it is needed
// after a crash.
type lanes struct {
	slots  int
	shared bool // other nodes run slots too

	mu       sync.Mutex // guards all below, and the fields of each lane but claims
	byName   map[string]*lane
	running  int  // slots, of all lanes
	turn     int  // where the next look for a free slot begins, when shared
	inserted bool // Enqueue inserted a job that River was not told of
}

// lane is one lane that runs, pauses, or has a job waiting.
type lane struct {
	name    string
	busy    map[int]bool      // slots that run
	jobs    map[int]time.Time // slots whose job the sweeper inserted, and when
	waiting map[int]bool      // running slots that linger, and that no transaction counts on yet
	open    int               // running slots that have a connection
	token   chan struct{}     // looks at the lane that lingering slots owe

	pause     time.Duration
	notBefore time.Time // no new connection earlier

	claims claims
}

func newLanes(slots int, shared bool) *lanes {
	return &lanes{slots: slots, shared: shared, byName: make(map[string]*lane)}
}

// get finds or makes a lane. mu is held.
func (s *lanes) get(name string) *lane {
	l := s.byName[name]
	if l == nil {
		l = &lane{name: name, busy: make(map[int]bool), jobs: make(map[int]time.Time), waiting: make(map[int]bool),
			token: make(chan struct{}, s.slots)}
		l.claims.messages, l.claims.ids = make(map[string]bool), make(map[int64]bool)
		s.byName[name] = l
	}
	return l
}

// vacancy is the slot that needs a job so that a lane's new rows are looked at,
// if any does. It is called inside the transaction that adds the rows: a slot
// that runs now cannot have given up its right before that transaction ends.
func (s *lanes) vacancy(name string, now time.Time) (slot int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shared { // another node may be slow at the first, which nobody sees here
		s.turn++
		slot = s.turn % s.slots
	}
	l := s.byName[name]
	switch {
	case l == nil:
	case l.reserve():
		return 0, false
	case now.Add(firstPause).Before(l.notBefore):
		return 0, false // the sweeper comes when the pause ends
	default:
		for tried := 0; l.busy[slot]; tried++ {
			if tried == s.slots {
				return 0, false
			}
			slot = (slot + 1) % s.slots
		}
	}
	s.inserted = true
	return slot, true
}

// reserve counts on a lingering slot, so that the next message finds another.
// If its transaction fails after all, a slot more is started than needed.
func (l *lane) reserve() bool {
	for slot := range l.waiting {
		delete(l.waiting, slot)
		return true
	}
	return false
}

// wake gives these lanes' slots something to look at. It says whether jobs were
// inserted that River does not know of.
func (s *lanes) wake(names []string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range names {
		if l := s.byName[name]; l != nil {
			l.poke()
		}
	}
	inserted := s.inserted
	s.inserted = false
	return inserted
}

// heard does so for what another node added to; without names, for all lanes.
// What this process has inserted is not its matter.
func (s *lanes) heard(names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(names) == 0 {
		for _, l := range s.byName {
			l.poke()
		}
	}
	for _, name := range names {
		if l := s.byName[name]; l != nil {
			l.poke()
		}
	}
}

// poke leaves a token, whether or not a slot lingers at the moment: one that is
// about to must find it.
func (l *lane) poke() {
	select {
	case l.token <- struct{}{}:
	default:
	}
}

// vacant lists, for the sweeper, up to n slots of a lane that have no job yet.
func (s *lanes) vacant(name string, n int, now time.Time, force bool) []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.get(name)
	l.poke()
	trust := jobTrust
	if s.shared {
		trust = sharedTrust
	}
	var slots []int
	for slot := 0; slot < s.slots && n > 0; slot++ {
		if l.busy[slot] {
			n-- // takes care of one
			continue
		}
		n--
		if at, ok := l.jobs[slot]; ok && !force && now.Sub(at) < trust {
			continue
		}
		l.jobs[slot] = now
		slots = append(slots, slot)
	}
	return slots
}

// start takes a slot. It is false when the slot runs already, which can only
// be when River gave its job away twice.
func (s *lanes) start(name string, slot int) (*lane, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.get(name)
	if l.busy[slot] {
		return nil, false
	}
	l.busy[slot] = true
	delete(l.jobs, slot)
	s.running++
	return l, true
}

// leave gives the slot back.
func (s *lanes) leave(l *lane, slot int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(l.busy, slot)
	s.running--
	if len(l.busy) == 0 && len(l.jobs) == 0 && time.Now().After(l.notBefore) {
		delete(s.byName, l.name)
	}
}

// linger counts a slot among those that wait for more. It is false when too
// many connections are in use to keep one idle.
func (s *lanes) linger(l *lane, slot, workers int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running > workers/2 {
		return false
	}
	l.waiting[slot] = true
	return true
}

func (s *lanes) lingered(l *lane, slot int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(l.waiting, slot)
}

// connected counts the connections of a lane and tells their number.
func (s *lanes) connected(l *lane, change int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	l.open += change
	return l.open
}

// pausedUntil is when a lane may connect again; zero: now.
func (s *lanes) pausedUntil(name string, now time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.byName[name]; l != nil && now.Before(l.notBefore) {
		return l.notBefore
	}
	return time.Time{}
}

// hesitate begins a pause, or leaves the one that runs, and tells its end.
func (s *lanes) hesitate(l *lane, now time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !now.Before(l.notBefore) {
		l.pause = min(max(2*l.pause, firstPause), lastPause)
		l.notBefore = now.Add(jitter(l.pause))
	}
	return l.notBefore
}

// resume ends the memory of pauses: the host takes mail.
func (s *lanes) resume(l *lane) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l.pause, l.notBefore = 0, time.Time{}
}

// claims are the recipients that slots of one lane hold. mu is held while the
// store is asked, and a claim is given up only after what became of it was
// committed: so whoever asks sees either the claim or the outcome.
type claims struct {
	mu       sync.Mutex      // guards messages and ids
	messages map[string]bool // where a claim is all of a message
	ids      map[int64]bool  // where a claim is one recipient
}

// query looks for what nobody holds. mu is held.
func (c *claims) query(l string, now time.Time, single bool) store.DueQuery {
	q := store.DueQuery{Lane: l, Now: now, Single: single}
	if single {
		q.SkipIDs = slices.Collect(maps.Keys(c.ids))
	} else {
		q.SkipMessages = slices.Collect(maps.Keys(c.messages))
	}
	return q
}

// add claims d. mu is held.
func (c *claims) add(d *store.Due, single bool) {
	if single {
		for _, id := range d.IDs() {
			c.ids[id] = true
		}
		return
	}
	c.messages[d.MessageID] = true
}

func (c *claims) release(d *store.Due, single bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if single {
		for _, id := range d.IDs() {
			delete(c.ids, id)
		}
		return
	}
	delete(c.messages, d.MessageID)
}

// forget takes back what vacant noted, when the jobs could not be inserted.
func (s *lanes) forget(jobs []laneArgs) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range jobs {
		if l := s.byName[j.Lane]; l != nil {
			delete(l.jobs, j.Slot)
		}
	}
}
