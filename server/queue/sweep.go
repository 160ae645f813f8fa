package queue

import (
	"context"
	"sync"
	"time"
)

// alarm is when the sweeper must look next. Whoever defers something sets it.
type alarm struct {
	c chan struct{}

	mu sync.Mutex // guards at
	at time.Time  // zero: not set
}

func newAlarm() *alarm { return &alarm{c: make(chan struct{}, 1)} }

func (a *alarm) set(at time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if at.IsZero() || (!a.at.IsZero() && !at.Before(a.at)) {
		return
	}
	a.at = at
	select {
	case a.c <- struct{}{}:
	default:
	}
}

func (a *alarm) next() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.at
}

func (a *alarm) clear() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.at = time.Time{}
}

// sweepGap lies between two sweeps at least: times of retries are spread, and
// each would otherwise make a sweep of its own.
const sweepGap = 500 * time.Millisecond

// sweepLoop looks for lanes with due rows: when something deferred comes due,
// and now and then in case a wake-up was lost after all.
func (q *Queue) sweepLoop(ctx context.Context) {
	last := time.Now()
	for {
		at := last.Add(q.c.Sweep)
		if next := q.alarm.next(); !next.IsZero() && next.Before(at) {
			at = next
		}
		if earliest := last.Add(sweepGap); at.Before(earliest) {
			at = earliest
		}
		t := time.NewTimer(time.Until(at))
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-q.alarm.c:
			t.Stop()
			continue
		case <-t.C:
		}
		q.alarm.clear()
		last = time.Now()
		if _, err := q.sweep(ctx, false); err != nil && ctx.Err() == nil {
			q.log.Error("the queue cannot be looked through; will retry", "err", err)
		}
	}
}

// Rebuild makes the lane jobs again from the table and tells how many lanes
// have something due.
func (q *Queue) Rebuild(ctx context.Context) (int, error) { return q.sweep(ctx, true) }

// sweep inserts the jobs that due lanes lack and sets the alarm for the rest.
func (q *Queue) sweep(ctx context.Context, force bool) (int, error) {
	now := time.Now()
	all, err := q.c.Store.Lanes(ctx, now, q.c.Slots)
	if err != nil {
		return 0, err
	}
	var jobs []laneArgs
	due := 0
	for _, l := range all {
		q.alarm.set(l.Next)
		if l.Due == 0 {
			continue
		}
		due++
		if until := q.lanes.pausedUntil(l.Name, now); !until.IsZero() {
			q.alarm.set(until)
			continue
		}
		for _, slot := range q.lanes.vacant(l.Name, l.Due, now, force) {
			jobs = append(jobs, laneArgs{Lane: l.Name, Slot: slot})
		}
	}
	if len(jobs) == 0 {
		return due, nil
	}
	if err := q.insert(ctx, jobs); err != nil {
		q.lanes.forget(jobs)
		return due, err
	}
	q.bell.ring()
	return due, nil
}
