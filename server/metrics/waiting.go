package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"servicesmtp.net/companion/server/store"
)

// Depth reads how much waits.
type Depth func(ctx context.Context, now time.Time) (store.Depth, error)

// waiting is read when somebody scrapes.
type waiting struct {
	depth  Depth
	failed prometheus.Counter
	queue  *prometheus.Desc
	oldest *prometheus.Desc
}

func newWaiting(depth Depth, failed prometheus.Counter) *waiting {
	return &waiting{depth: depth, failed: failed,
		queue: prometheus.NewDesc(namespace+"_queue_recipients",
			"Recipients that wait: to be sent, for an hour their sender named, for the operator.", []string{"state"}, nil),
		oldest: prometheus.NewDesc(namespace+"_queue_oldest_seconds", "How long the first recipient that may be sent has waited; 0: none waits.", nil, nil)}
}

// Describe implements prometheus.Collector.
func (w *waiting) Describe(to chan<- *prometheus.Desc) {
	to <- w.queue
	to <- w.oldest
}

// scrapeTimeout is how long the store may take.
const scrapeTimeout = 10 * time.Second

// Collect implements prometheus.Collector. When the store cannot be read, its
// series are missing from this scrape, and the failure is counted.
func (w *waiting) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	now := time.Now()
	d, err := w.depth(ctx, now)
	if err != nil {
		w.failed.Inc()
		return
	}
	for state, n := range map[string]int64{"queued": d.Queued, "later": d.Later, "held": d.Held} {
		to <- prometheus.MustNewConstMetric(w.queue, prometheus.GaugeValue, float64(n), state)
	}
	age := time.Duration(0)
	if !d.Oldest.IsZero() {
		age = max(0, now.Sub(d.Oldest))
	}
	to <- prometheus.MustNewConstMetric(w.oldest, prometheus.GaugeValue, age.Seconds())
}
