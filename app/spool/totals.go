package spool

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"servicesmtp.net/companion/app/mail"
)

// Totals is what waits in the spool.
type Totals struct {
	Lanes    []LaneTotal // of those with anything in them, by account and lane
	Bytes    mail.ByteSize
	MaxBytes mail.ByteSize // 0: no limit
}

// LaneTotal is what waits in one lane of an account.
type LaneTotal struct {
	Account    string
	Lane       mail.Lane
	Messages   int // not done
	Recipients int // queued or deferred, those on their way included
	Uncertain  int // recipients for whom a person must decide
	// Next is when the first batch may leave: now where one is due, the zero
	// time where none is ready.
	Next time.Time
}

type laneKey struct {
	account string
	lane    mail.Lane
}

// count is a change of what waits in a lane.
type count struct {
	laneKey
	messages, recipients, uncertain int
	bytes                           mail.ByteSize // counted for all lanes together
}

// totals are the counters, kept in memory beside the rows: counting 100,000
// jobs for every look would take longer than a look may.
type totals struct {
	mu       sync.Mutex // guards the rest
	lanes    map[laneKey]count
	bytes    mail.ByteSize // of what is stored
	reserved mail.ByteSize // of what is being received
}

func (c *totals) add(changes []count) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range changes {
		if c.lanes == nil {
			c.lanes = make(map[laneKey]count)
		}
		n := c.lanes[d.laneKey]
		n.laneKey = d.laneKey
		n.messages += d.messages
		n.recipients += d.recipients
		n.uncertain += d.uncertain
		c.bytes += d.bytes
		if n == (count{laneKey: d.laneKey}) {
			delete(c.lanes, d.laneKey)
			continue
		}
		c.lanes[d.laneKey] = n
	}
}

// forget is for counting anew. What is being received stays reserved.
func (c *totals) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lanes, c.bytes = nil, 0
}

// reserve takes room for n more bytes under max, or returns false.
func (c *totals) reserve(n, max mail.ByteSize) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if max > 0 && c.bytes+c.reserved+n > max {
		return false
	}
	c.reserved += n
	return true
}

func (c *totals) release(n mail.ByteSize) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reserved -= n
}

// committed carries out what belongs to a transaction once it is on disk.
func (s *Spool) committed(t *tx) {
	s.totals.add(t.counts)
	for _, id := range t.gone {
		s.removeBody(id)
	}
	if t.due {
		s.sayDue()
	}
}

// loadTotals counts the rows once, at Open.
func (t *tx) loadTotals() error {
	err := t.each(`SELECT account, lane, count(*), sum(queued + deferred), 0, sum(stored) FROM jobs WHERE done_at = 0 GROUP BY account, lane
		UNION ALL SELECT account, lane, 0, 0, sum(count), 0 FROM batches WHERE state IN (2, 3, 4) AND state = 4 GROUP BY account, lane`,
		nil, func(rows *sql.Rows) error {
			var c count
			err := rows.Scan(&c.account, &c.lane, &c.messages, &c.recipients, &c.uncertain, &c.bytes)
			t.counts = append(t.counts, c)
			return err
		})
	if err != nil {
		return fmt.Errorf("count messages: %w", err)
	}
	return nil
}

// Totals counts what waits. It takes no longer with more in the spool.
func (s *Spool) Totals(ctx context.Context, now time.Time) (Totals, error) {
	s.totals.mu.Lock()
	out := Totals{Bytes: s.totals.bytes, MaxBytes: s.max}
	lanes := slices.Collect(maps.Values(s.totals.lanes))
	s.totals.mu.Unlock()
	slices.SortFunc(lanes, func(a, b count) int {
		return cmp.Or(cmp.Compare(a.account, b.account), cmp.Compare(a.lane, b.lane))
	})
	for _, c := range lanes {
		next, err := s.next(ctx, c.laneKey, -1)
		if err != nil {
			return Totals{}, err
		}
		l := LaneTotal{Account: c.account, Lane: c.lane, Messages: c.messages, Recipients: c.recipients, Uncertain: c.uncertain}
		if next >= 0 {
			l.Next = moment(max(next, micros(now)))
		}
		out.Lanes = append(out.Lanes, l)
	}
	return out, nil
}

// next is the first time after the given one at which a batch of the lane
// becomes due, or -1.
func (s *Spool) next(ctx context.Context, lane laneKey, after int64) (int64, error) {
	var first int64
	err := s.row(ctx, `SELECT not_before FROM batches INDEXED BY batches_ready
		WHERE state = 1 AND held = 0 AND account = ? AND lane = ? AND not_before > ? ORDER BY not_before LIMIT 1`,
		[]any{lane.account, lane.lane, after}, &first)
	if errors.Is(err, ErrNotFound) {
		return -1, nil
	}
	if err != nil {
		return 0, fmt.Errorf("look for next batch: %w", err)
	}
	return first, nil
}
