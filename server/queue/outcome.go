package queue

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"servicesmtp.net/companion/server/delivery"
	"servicesmtp.net/companion/server/store"
)

// outcomes is what to write down after one attempt.
type outcomes struct {
	account string
	all     []store.Outcome
	again   []int64 // not attempted after all, due at once
	next    time.Time
	counts  map[string]int // by status, for the log
}

// outcomes turns results into rows. Recipients with the same end share a
// statement.
func (d *drain) outcomes(ctx context.Context, due *store.Due, results []delivery.Result) outcomes {
	now := time.Now()
	o := outcomes{account: due.AccountID, counts: make(map[string]int)}
	rows := make(map[int64]store.DueRecipient, len(due.Recipients))
	for _, r := range due.Recipients {
		rows[r.ID] = r
	}
	type key struct {
		result   delivery.Result
		attempts int
		old      bool
	}
	groups := make(map[key]int)
	for _, r := range results {
		row := rows[r.ID]
		// What our own stop broke off before the dot is no attempt.
		if r.Soon || (ctx.Err() != nil && r.Lost && !r.MaybeDup) {
			o.again = append(o.again, r.ID)
			continue
		}
		k := key{result: r, attempts: row.Attempts, old: now.Sub(row.CreatedAt) >= d.q.c.MaxAge}
		k.result.ID = 0
		i, known := groups[k]
		if !known {
			i = len(o.all)
			groups[k] = i
			o.all = append(o.all, d.outcome(r, row, now))
		}
		o.all[i].IDs = append(o.all[i].IDs, r.ID)
		o.counts[o.all[i].Status]++
		if o.all[i].Status == "queued" && (o.next.IsZero() || o.all[i].NextAt.Before(o.next)) {
			o.next = o.all[i].NextAt
		}
	}
	return o
}

// outcome is the row's end, without its id.
func (d *drain) outcome(r delivery.Result, row store.DueRecipient, now time.Time) store.Outcome {
	o := store.Outcome{Code: r.Code, Enhanced: r.Enhanced, Reply: r.Reply, Remote: r.Remote, At: now}
	switch {
	case r.Status == delivery.Delivered:
		o.Status = "delivered"
	case r.Status == delivery.Failed || now.Sub(row.CreatedAt) >= d.q.c.MaxAge:
		o.Status = "failed" // with the last reply, which says why (RFC 5321 §4.5.4.1)
	default:
		o.Status, o.MaybeDup = "queued", r.MaybeDup
		wait := steps()
		if r.Lost && !r.MaybeDup {
			wait = lostSteps()
		}
		o.NextAt = now.Add(backoff(wait, row.Attempts))
	}
	return o
}

// record writes outcomes, again and again until it succeeds or the relay
// stops: as long as they are not on disk, nothing else may be sent.
func (d *drain) record(ctx context.Context, o outcomes) error {
	if len(o.all) == 0 && len(o.again) == 0 {
		return nil
	}
	var late int // of how many another node has taken over
	write := func(ctx context.Context, tx *sql.Tx) error {
		late = len(o.again)
		for _, out := range o.all {
			n, err := d.q.c.Store.WriteOutcome(ctx, tx, out)
			if err != nil {
				return err
			}
			late += len(out.IDs) - int(n)
		}
		if len(o.again) > 0 {
			n, err := d.q.c.Store.Requeue(ctx, tx, o.again, time.Now())
			late -= int(n)
			return err
		}
		return nil
	}
	if err := d.persist(ctx, "what became of mail cannot be written down", write); err != nil {
		return err
	}
	if late > 0 {
		d.q.log.Warn("what became of mail is not written down: another node has it, or it is done", "recipients", late)
	}
	d.q.alarm.set(o.next)
	if len(o.all) > 0 {
		d.q.c.News(o.account)
	}
	d.q.log.Debug("message attempted", "delivered", o.counts["delivered"], "failed", o.counts["failed"], "deferred", o.counts["queued"], "again", len(o.again))
	return nil
}

// unreachable deals with a next host that could not be connected to.
func (d *drain) unreachable(ctx context.Context, due *store.Due, m delivery.Message, cause error) error {
	var open *delivery.OpenError
	switch {
	case ctx.Err() != nil:
		return nil // nothing was tried; run sees the end
	case !errors.As(cause, &open):
		return cause
	case open.Status == delivery.Failed:
		return d.record(ctx, d.outcomes(ctx, due, delivery.Results(m, open)))
	}
	at := d.q.lanes.hesitate(d.lane, time.Now())
	d.q.alarm.set(at)
	if d.q.lanes.connected(d.lane, 0) > 0 {
		return nil // the host takes no more connections, but works
	}
	d.q.log.Warn("next host cannot be reached; will retry", "code", open.Code, "delay", time.Until(at).Round(time.Second))
	defer d.q.c.News(due.AccountID)
	return d.q.rec.do(ctx, func(ctx context.Context, tx *sql.Tx) error {
		c := &d.lane.claims
		c.mu.Lock()
		query := c.query(d.lane.name, time.Now().Add(lastPause), d.single)
		c.mu.Unlock()
		query.SkipMessages = slices.DeleteFunc(query.SkipMessages, func(id string) bool { return id == due.MessageID })
		query.SkipIDs = slices.DeleteFunc(query.SkipIDs, func(id int64) bool { return slices.Contains(due.IDs(), id) })
		return d.q.c.Store.DeferLane(ctx, tx, store.LaneDeferral{DueQuery: query, Code: open.Code, Enhanced: open.Enhanced,
			Reply: open.Reply, Remote: open.Remote, At: time.Now(), Steps: lostSteps(), MaxAge: d.q.c.MaxAge})
	})
}
