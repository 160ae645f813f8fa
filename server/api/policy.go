package api

import (
	"context"
	"time"

	"servicesmtp.net/companion/server/accept"
	"servicesmtp.net/companion/server/pace"
	"servicesmtp.net/companion/server/store"
)

// shareValid is how long a device may go by its share of an account's rate.
// Who has not asked for twice as long has no share any more.
const shareValid = time.Minute

type policyQuery struct {
	Waiting int64 `query:"waiting" minimum:"-1" default:"-1" doc:"Recipients that wait at this device; -1, or without: it has some"`
}

// policy tells what the relay's settings say, and this device's share of the
// account's rate. Only where there is a rate is anything written.
func (s *Server) policy(ctx context.Context, in *policyQuery) (*out[Policy], error) {
	c, p := from(ctx), s.Policy
	if p.PerProvider == nil {
		p.PerProvider = map[string]int64{}
	}
	rate, source, err := s.rate(ctx, c.account)
	if err != nil {
		return nil, err
	}
	p.AccountPerMinute, p.Source, p.PerMinute = rate, string(source), 0
	if rate > 0 {
		now := time.Now()
		active, err := s.Store.AskPace(ctx, c.device, in.Waiting, now.Add(-2*shareValid), now)
		if err != nil {
			return nil, err
		}
		p.Batch, p.PersonalBurst = pace.Batch, pace.Burst
		p.PerMinute, p.ValidSeconds = pace.Share(rate, c.device.ID, active), int64(shareValid.Seconds())
	}
	return &out[Policy]{Body: p}, nil
}

// rate is the account's, in recipients a minute, and who set it.
func (s *Server) rate(ctx context.Context, a store.Account) (int64, accept.RateSource, error) {
	own, err := s.Store.PerMinute(ctx, a.ID)
	if err != nil {
		return 0, accept.RateNone, err
	}
	plan, _ := s.Plans.Plan(a.Subscription.Plan) // one that has left the catalogue has no rate to give
	n, source := accept.RateOf(plan, own, s.Policy.PerMinute)
	return n, source, nil
}
