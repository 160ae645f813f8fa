package metrics

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// notices are all kinds that the steward tells.
var notices = []string{"usage", "near_limit", "over_limit", "heavy_use", "renewal_due", "ended", "activation", "blocked_until", "active_again",
	"month_report", "payment_request", "credit_granted"}

// steward counts what the daily review does.
type steward struct {
	passes, failed prometheus.Counter
	last           prometheus.Gauge
	told           *prometheus.CounterVec
}

// newSteward begins with now as the last pass: a relay that never makes one
// is found out like one that ceased to.
func newSteward(r prometheus.Registerer, now time.Time) *steward {
	s := &steward{
		passes: prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: "review_passes_total", Help: "Passes over all accounts that ended."}),
		failed: prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: "review_failed_accounts_total", Help: "Accounts that a pass could not look after."}),
		last: prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: "review_last_pass_timestamp_seconds",
			Help: "When the last pass of this relay ended, or when it started."}),
		told: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: "told_total", Help: "Notices to customers and alarms to the operator, by kind."}, []string{"kind"}),
	}
	r.MustRegister(s.passes, s.failed, s.last, s.told)
	for _, k := range append([]string{"other"}, notices...) {
		s.told.WithLabelValues(k)
	}
	s.last.Set(float64(now.Unix()))
	return s
}

// Passed counts a pass over all accounts, and those that failed in it.
func (m *Metrics) Passed(at time.Time, failed int) {
	m.steward.passes.Inc()
	m.steward.failed.Add(float64(failed))
	m.steward.last.Set(float64(at.Unix()))
}

// Told counts a notice.
func (m *Metrics) Told(kind string) {
	if !slices.Contains(notices, kind) {
		kind = "other"
	}
	m.steward.told.WithLabelValues(kind).Inc()
}
