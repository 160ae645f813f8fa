package api

import (
	"context"
	"errors"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"servicesmtp.net/companion/internal/wire"
	"servicesmtp.net/companion/server/store"
)

// Cancellations answers cancel, in the order asked.
type Cancellations struct {
	Batches []CancelledBatch `json:"batches" nullable:"false"`
}

// CancelledBatch is what cancel did to one batch.
type CancelledBatch struct {
	Envid     string `json:"envid" doc:"As asked" example:"sb1.01JDJ8Y7QX4Z5V0M3T9C2B6K8N.1"`
	State     string `json:"state" enum:"cancelled,partly,left,closed" doc:"cancelled: nothing has left or will. partly: some recipients were taken back in time. left: too late for all. closed: it was not accepted, and will not be"`
	ID        string `json:"id,omitempty" doc:"The id after 'queued as', unless closed"`
	Cancelled int64  `json:"cancelled" doc:"Recipients taken back, now or earlier"`
	Left      int64  `json:"left" doc:"Recipients to whom it was sent, or may have been"`
}

func (s *Server) cancelBatches(ctx context.Context, in *batchesIn) (*out[Cancellations], error) {
	account := from(ctx).account.ID
	done, err := s.Accept.Cancel(ctx, account, in.Body.Envids)
	if errors.Is(err, wire.ErrEnvelopeID) {
		return nil, huma.Error422UnprocessableEntity("Every one of envids must be a key sb1.<job>.<number>: " + err.Error())
	}
	if err != nil {
		return nil, err
	}
	answer := Cancellations{Batches: make([]CancelledBatch, 0, len(done))}
	for i, c := range done {
		answer.Batches = append(answer.Batches, CancelledBatch{Envid: in.Body.Envids[i], State: c.State, ID: c.ID, Cancelled: c.Cancelled, Left: c.Left})
	}
	s.Wake(account) // there are events
	return &out[Cancellations]{Body: answer}, nil
}

type messageID struct {
	ID string `path:"id" minLength:"1" maxLength:"40" doc:"After 'queued as'"`
}

// Message is an accepted message and what became of its recipients.
type Message struct {
	ID         string             `json:"id" example:"01JDJ8Y7QX4Z5V0M3T9C2B6K8N"`
	Envid      string             `json:"envid" doc:"As received, or empty"`
	From       string             `json:"from" doc:"Reverse-path; empty: the null sender"`
	Size       int64              `json:"size" doc:"Bytes without Bcc"`
	AcceptedAt time.Time          `json:"accepted_at"`
	Held       bool               `json:"held" doc:"Waits for the service to let it go"`
	Recipients []MessageRecipient `json:"recipients" nullable:"false"`
}

// MessageRecipient is one recipient of an accepted message.
type MessageRecipient struct {
	Address  string     `json:"address"`
	Status   string     `json:"status" enum:"queued,sending,delivered,failed,cancelled"`
	Attempts int        `json:"attempts"`
	NextAt   *time.Time `json:"next_at,omitempty" doc:"When it is tried, where it is queued and not held"`
	DoneAt   *time.Time `json:"done_at,omitempty"`
	Code     int        `json:"code" doc:"Last reply of the far server; 0: none"`
	Enhanced string     `json:"enhanced" doc:"RFC 3463 code, or empty"`
	Reply    string     `json:"reply" doc:"Text after the codes"`
	MaybeDup bool       `json:"maybe_twice,omitempty" doc:"The relay stopped between its content and the answer, so it may have come twice"`
}

func (s *Server) message(ctx context.Context, in *messageID) (*out[Message], error) {
	account := from(ctx).account.ID
	m, err := s.Store.Message(ctx, in.ID)
	if err == nil && m.AccountID != account {
		err = store.ErrNotFound // another's message is no message
	}
	if err != nil {
		return nil, err
	}
	rows, err := s.Store.Recipients(ctx, account, m.ID)
	if err != nil {
		return nil, err
	}
	v := Message{ID: m.ID, Envid: m.EnvelopeID, From: m.From, Size: m.Size, AcceptedAt: m.At, Held: m.Held, Recipients: make([]MessageRecipient, 0, len(rows))}
	for _, r := range rows {
		v.Recipients = append(v.Recipients, MessageRecipient{Address: r.Address, Status: word(r.Status), Attempts: r.Attempts, NextAt: optional(r.NextAt),
			DoneAt: optional(r.DoneAt), Code: r.Code, Enhanced: r.Enhanced, Reply: r.Reply, MaybeDup: r.MaybeDup})
	}
	return &out[Message]{Body: v}, nil
}

// word is a stored status for people.
func word(status string) string {
	if status == "in_data" {
		return "sending"
	}
	return status
}

type jobID struct {
	Job string `path:"job" pattern:"^[0-7][0-9A-HJKMNP-TV-Z]{25}$" doc:"The ULID in the keys of its batches"`
}

// Job is what the relay knows of one job.
type Job struct {
	Job     string     `json:"job" example:"01JDJ8Y7QX4Z5V0M3T9C2B6K8N"`
	Batches []JobBatch `json:"batches" nullable:"false"`
	More    bool       `json:"more" doc:"There are more batches than one answer holds"`
}

// JobBatch is one batch of a job.
type JobBatch struct {
	Envid      string           `json:"envid" doc:"The key"`
	State      string           `json:"state" enum:"accepted,closed"`
	ID         string           `json:"id,omitempty" doc:"The id after 'queued as', when accepted"`
	At         time.Time        `json:"at" doc:"Of acceptance or closing"`
	Recipients map[string]int64 `json:"recipients" nullable:"false" doc:"How many are queued, sending, delivered, failed, cancelled"`
}

const maxJob = 2000 // batches: 100,000 recipients

func (s *Server) job(ctx context.Context, in *jobID) (*out[Job], error) {
	rows, err := s.Store.Job(ctx, from(ctx).account.ID, "sb1."+in.Job+".", maxJob+1)
	if err == nil && len(rows) == 0 {
		err = store.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	rows, more := cut(rows, maxJob)
	v := Job{Job: in.Job, Batches: make([]JobBatch, 0, len(rows)), More: more}
	for _, b := range rows {
		counts := make(map[string]int64, len(b.Counts))
		for status, n := range b.Counts {
			counts[word(status)] += n
		}
		v.Batches = append(v.Batches, JobBatch{Envid: b.Key, State: b.State, ID: b.MessageID, At: b.At, Recipients: counts})
	}
	return &out[Job]{Body: v}, nil
}
