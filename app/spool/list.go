package spool

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/internal/wire"
)

// RecipientState is one recipient of a job, with what is known last.
type RecipientState struct {
	Address string
	Batch   int // the latest that has it
	Status  mail.Status
	Reply   mail.Reply
	QueueID string // the relay's, where it accepted
	At      time.Time
}

// Recipients lists a page of a job's recipients, by batch. next is the cursor
// of the page after it, or "". A recipient who was deferred stands in the batch
// that has him now, with the reply that put him there.
func (s *Spool) Recipients(ctx context.Context, job mail.JobID, cursor string, limit int) (list []RecipientState, next string, err error) {
	limit = pageSize(limit, 1000, 10_000)
	from, err := parseCursor(cursor, 2)
	if err != nil {
		return nil, "", err
	}
	seq, accepted, err := s.listedJob(ctx, job)
	if err != nil {
		return nil, "", err
	}
	number, place := max(from[0], 1), int(from[1])
	for ; ; number, place = number+1, 0 {
		b, err := s.listed(ctx, seq, number)
		if errors.Is(err, ErrNotFound) {
			return list, "", nil
		}
		if err != nil {
			return nil, "", fmt.Errorf("read recipients of job %s: %w", job, err)
		}
		b.accepted = accepted
		for ; place < len(b.recipients); place++ {
			r, moved := b.recipient(place)
			if moved {
				continue
			}
			if len(list) == limit {
				return list, fmt.Sprintf("%d.%d", number, place), nil
			}
			list = append(list, r)
		}
	}
}

// listedJob is what the list of a job's recipients needs of the job.
func (s *Spool) listedJob(ctx context.Context, job mail.JobID) (seq int64, accepted time.Time, err error) {
	var at int64
	if err := s.row(ctx, `SELECT seq, accepted_at FROM jobs WHERE id = ?`, []any{job}, &seq, &at); err != nil {
		return 0, time.Time{}, fmt.Errorf("read job %s: %w", job, err)
	}
	return seq, moment(at), nil
}

// listed is a batch as Recipients shows it.
type listed struct {
	number     int
	state      int
	round      int
	result     mail.Status
	reply      mail.Reply // why it is uncertain
	queueID    string
	doneAt     int64
	accepted   time.Time
	recipients []mail.Recipient
	outcomes   map[int]mail.Outcome    // by place
	before     map[string]mail.Outcome // of the parent, by address: why these were deferred
}

func (s *Spool) listed(ctx context.Context, seq, number int64) (*listed, error) {
	b := listed{number: int(number)}
	var id, parent int64
	var code, enhanced int
	var list storedList
	err := s.row(ctx, `SELECT b.id, b.state, b.round, b.result, b.code, b.enhanced, b.reply, b.command, b.queue_id, b.done_at, b.recipients,
			coalesce((SELECT p.id FROM batches p WHERE p.job = b.job AND p.number = b.parent), 0)
		FROM batches b WHERE b.job = ? AND b.number = ?`, []any{seq, number},
		&id, &b.state, &b.round, &b.result, &code, &enhanced, &b.reply.Text, &b.reply.Command, &b.queueID, &b.doneAt, &list, &parent)
	if err != nil {
		return nil, err
	}
	b.reply.Code, b.recipients = unpackCode(code, enhanced), list
	b.outcomes = make(map[int]mail.Outcome)
	if err := s.outcomes(ctx, id, func(place int, o mail.Outcome) { b.outcomes[place] = o }); err != nil {
		return nil, err
	}
	b.before = make(map[string]mail.Outcome)
	if parent == 0 || b.state == done {
		return &b, nil
	}
	return &b, s.outcomes(ctx, parent, func(_ int, o mail.Outcome) { b.before[wire.LowerDomain(o.Address)] = o })
}

func (s *Spool) outcomes(ctx context.Context, batch int64, each func(place int, o mail.Outcome)) error {
	return s.rows(ctx, `SELECT place, address, status, code, enhanced, reply, command, at FROM outcomes WHERE batch = ?`, []any{batch}, nil,
		func(rows *sql.Rows) error {
			var o mail.Outcome
			var place, code, enhanced int
			var at int64
			err := rows.Scan(&place, &o.Address, &o.Status, &code, &enhanced, &o.Reply.Text, &o.Reply.Command, &at)
			o.Reply.Code, o.At = unpackCode(code, enhanced), moment(at)
			each(place, o)
			return err
		})
}

// recipient is what is known of the recipient at place; moved says that a later
// batch has him.
func (b *listed) recipient(place int) (r RecipientState, moved bool) {
	r = RecipientState{Address: b.recipients[place].Address, Batch: b.number, At: b.accepted}
	switch {
	case b.state == uncertain:
		r.Status, r.Reply = mail.StatusUncertain, b.reply
	case b.state != done && b.round == 0:
		r.Status = mail.StatusQueued
	case b.state != done:
		r.Status = mail.StatusDeferred
		if o, ok := b.before[wire.LowerDomain(r.Address)]; ok {
			r.Reply, r.At = o.Reply, o.At
		}
	default:
		o, own := b.outcomes[place]
		if !own {
			o = mail.Outcome{Status: b.result, Reply: b.reply, At: moment(b.doneAt)}
		}
		r.Status, r.Reply, r.At = o.Status, o.Reply, o.At
		if r.Status == mail.StatusAccepted {
			r.QueueID, r.Reply = b.queueID, mail.Reply{}
		}
	}
	return r, b.state == done && r.Status == mail.StatusDeferred
}
