package spool

import (
	"context"
	"database/sql"
	"fmt"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/internal/wire"
)

// BrowseRecipients reads limit recipients of a job (at most 1,000) from offset
// on, in the order of Recipients, and counts all of them.
func (s *Spool) BrowseRecipients(ctx context.Context, job mail.JobID, offset, limit int) (total int, list []RecipientState, err error) {
	offset, limit = max(offset, 0), pageSize(limit, 100, 1000)
	seq, accepted, err := s.listedJob(ctx, job)
	if err != nil {
		return 0, nil, err
	}
	type part struct {
		number int64
		skip   int // of its recipients, before the page begins
	}
	var parts []part
	// Those who were deferred stand in the batch that has them now.
	err = s.rows(ctx, `SELECT number, CASE WHEN state <> 5 THEN count WHEN result = 3 THEN 0
			ELSE count - (SELECT count(*) FROM outcomes o WHERE o.batch = b.id AND o.status = 3) END
		FROM batches b WHERE job = ? ORDER BY number`, []any{seq}, func() { total, parts = 0, nil }, func(rows *sql.Rows) error {
		var number int64
		var n int
		err := rows.Scan(&number, &n)
		if total < offset+limit && total+n > offset {
			parts = append(parts, part{number, max(offset-total, 0)})
		}
		total += n
		return err
	})
	for i := 0; err == nil && i < len(parts); i++ {
		var b *listed
		if b, err = s.listed(ctx, seq, parts[i].number); err == nil {
			b.accepted = accepted
			here := b.states()
			here = here[min(parts[i].skip, len(here)):] // it may have ended meanwhile
			list = append(list, here[:min(len(here), limit-len(list))]...)
		}
	}
	if err != nil {
		return 0, nil, fmt.Errorf("read recipients of job %s: %w", job, err)
	}
	return total, list, nil
}

// AllRecipients lists all recipients of a job at once, in the order of
// Recipients.
func (s *Spool) AllRecipients(ctx context.Context, job mail.JobID) ([]RecipientState, error) {
	seq, accepted, err := s.listedJob(ctx, job)
	if err != nil {
		return nil, err
	}
	batches, total, err := s.listedAll(ctx, seq)
	if err != nil {
		return nil, fmt.Errorf("read recipients of job %s: %w", job, err)
	}
	list := make([]RecipientState, 0, total)
	for _, b := range batches {
		b.accepted = accepted
		list = append(list, b.states()...)
	}
	return list, nil
}

// listedAll reads all batches of a job with two queries.
func (s *Spool) listedAll(ctx context.Context, seq int64) (list []*listed, total int, err error) {
	outcomes := make(map[int]map[int]mail.Outcome) // by number of the batch, by place
	var parents []int
	err = s.rows(ctx, `SELECT number, state, round, result, code, enhanced, reply, command, queue_id, done_at, recipients, parent
		FROM batches WHERE job = ? ORDER BY number`, []any{seq}, func() { list, parents, total = nil, nil, 0 }, func(rows *sql.Rows) error {
		b := &listed{outcomes: make(map[int]mail.Outcome), before: make(map[string]mail.Outcome)}
		var code, enhanced, parent int
		var recipients storedList
		err := rows.Scan(&b.number, &b.state, &b.round, &b.result, &code, &enhanced, &b.reply.Text, &b.reply.Command, &b.queueID, &b.doneAt, &recipients, &parent)
		if err != nil {
			return err
		}
		b.reply.Code, b.recipients = unpackCode(code, enhanced), recipients
		outcomes[b.number] = b.outcomes
		list, parents, total = append(list, b), append(parents, parent), total+len(b.recipients)
		return err
	})
	if err == nil {
		err = s.rows(ctx, `SELECT b.number, o.place, o.address, o.status, o.code, o.enhanced, o.reply, o.command, o.at
			FROM batches b CROSS JOIN outcomes o ON o.batch = b.id WHERE b.job = ?`, []any{seq}, nil, func(rows *sql.Rows) error {
			var o mail.Outcome
			var number, place, code, enhanced int
			var at int64
			err := rows.Scan(&number, &place, &o.Address, &o.Status, &code, &enhanced, &o.Reply.Text, &o.Reply.Command, &at)
			o.Reply.Code, o.At = unpackCode(code, enhanced), moment(at)
			if of := outcomes[number]; of != nil { // a batch that came between the two queries
				of[place] = o
			}
			return err
		})
	}
	for i, b := range list {
		if b.state != done {
			for _, o := range outcomes[parents[i]] {
				b.before[wire.LowerDomain(o.Address)] = o
			}
		}
	}
	return list, total, err
}

// states are the recipients whom no later batch has.
func (b *listed) states() []RecipientState {
	list := make([]RecipientState, 0, len(b.recipients))
	for i := range b.recipients {
		if r, moved := b.recipient(i); !moved {
			list = append(list, r)
		}
	}
	return list
}
