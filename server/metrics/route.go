package metrics

import (
	"context"

	"servicesmtp.net/companion/server/delivery"
)

// Route counts what becomes of recipients on their way out.
func (m *Metrics) Route(r delivery.Route) delivery.Route { return &route{r, m} }

type route struct {
	delivery.Route
	m *Metrics
}

// Open implements delivery.Route.
func (r *route) Open(ctx context.Context, lane string) (delivery.Conn, error) {
	c, err := r.Route.Open(ctx, lane)
	if err != nil {
		if ctx.Err() == nil {
			r.m.unreachable.Inc()
		}
		return nil, err
	}
	return &conn{c, r.m}, nil
}

type conn struct {
	delivery.Conn
	m *Metrics
}

// Deliver implements delivery.Conn.
func (c *conn) Deliver(ctx context.Context, m delivery.Message, beforeData func([]int64) error) []delivery.Result {
	results := c.Conn.Deliver(ctx, m, beforeData)
	for _, r := range results {
		if !r.Soon { // was not attempted
			c.m.deliveries.WithLabelValues(string(r.Status)).Inc()
		}
	}
	return results
}
