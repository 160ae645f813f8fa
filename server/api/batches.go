package api

import (
	"context"
	"errors"

	"github.com/danielgtaylor/huma/v2"

	"servicesmtp.net/companion/internal/wire"
	"servicesmtp.net/companion/server/accept"
	"servicesmtp.net/companion/server/store"
)

// Keys answers what became of batches, in the order asked.
type Keys interface {
	Check(ctx context.Context, accountID string, envids []string) ([]accept.Batch, error)
	Close(ctx context.Context, accountID string, envids []string) ([]accept.Batch, error)
}

var _ Keys = (*accept.Acceptor)(nil)

func (s *Server) checkBatches(ctx context.Context, in *batchesIn) (*out[Batches], error) {
	return answerBatches(ctx, in.Body.Envids, s.Keys.Check)
}

func (s *Server) closeBatches(ctx context.Context, in *batchesIn) (*out[Batches], error) {
	return answerBatches(ctx, in.Body.Envids, s.Keys.Close)
}

func answerBatches(ctx context.Context, envids []string, ask func(context.Context, string, []string) ([]accept.Batch, error)) (*out[Batches], error) {
	found, err := ask(ctx, from(ctx).account.ID, envids)
	if errors.Is(err, wire.ErrEnvelopeID) {
		return nil, huma.Error422UnprocessableEntity("Every one of envids must be a key sb1.<job>.<number>: " + err.Error())
	}
	if err != nil {
		return nil, err
	}
	answer := Batches{Batches: make([]Batch, 0, len(found))}
	for i, b := range found {
		answer.Batches = append(answer.Batches, viewBatch(envids[i], b))
	}
	return &out[Batches]{Body: answer}, nil
}

func viewBatch(envid string, b accept.Batch) Batch {
	v := Batch{Envid: envid, State: b.State}
	if b.State != store.KeyAccepted {
		return v
	}
	v.ID, v.AcceptedAt = b.ID, &b.At
	for _, d := range b.Decisions {
		v.Recipients = append(v.Recipients, BatchRecipient{Address: d.Address, Decision: decision(d.Code), Code: d.Code, Enhanced: d.Enhanced, Reply: d.Reply})
	}
	return v
}

// decision puts a reply code into a word (RFC 5321 §4.2.1).
func decision(code int) string {
	switch code / 100 {
	case 2:
		return "accepted"
	case 5:
		return "refused"
	}
	return "deferred"
}
