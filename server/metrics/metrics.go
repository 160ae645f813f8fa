// Package metrics counts what the relay does, for Prometheus.
//
// It promises that nothing it tells names an account, an address or content:
// labels come from fixed lists. What can be counted when it happens is
// counted; how much waits is read from the store when somebody scrapes. It
// decides nothing, and a relay without it works the same.
//
// Run owns the goroutines of its listener and waits for them.
package metrics

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"servicesmtp.net/companion/server/accept"
	"servicesmtp.net/companion/server/delivery"
)

const namespace = "servicesmtp_relay"

// reasons are all words of accept.Reason for a refusal: a series that exists
// from the start can be alerted on.
var reasons = [...]string{"quota", "blocked", "ended", "conflict", "closed", "again", "pace", "stopping", "gone", "store"}

// Metrics are the relay's counters. Its methods may be called from any goroutine.
type Metrics struct {
	registry *prometheus.Registry

	messages, recipients, bytes, replays prometheus.Counter
	refused                              *prometheus.CounterVec
	accepting                            prometheus.Histogram
	deliveries                           *prometheus.CounterVec
	unreachable                          prometheus.Counter
	calls                                *prometheus.HistogramVec
	answers                              *prometheus.CounterVec
	storeErrors                          prometheus.Counter
	steward                              *steward
}

// New makes the counters; depth reads what waits.
func New(version string, depth Depth) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help})
		m.registry.MustRegister(c)
		return c
	}
	vector := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
		m.registry.MustRegister(c)
		return c
	}
	m.messages = counter("accepted_messages_total", "Messages accepted for the first time.")
	m.recipients = counter("accepted_recipients_total", "Recipients of accepted messages.")
	m.bytes = counter("accepted_bytes_total", "Bytes of accepted messages, each counted once.")
	m.replays = counter("replayed_batches_total", "Batches that were answered as before.")
	m.refused = vector("refused_total", "Messages not accepted, by reason.", "reason")
	m.deliveries = vector("deliveries_total", "Recipients attempted, by result.", "result")
	m.unreachable = counter("unreachable_total", "Next hosts that could not be connected to.")
	m.answers = vector("api_answers_total", "Answers of the API, by call and status.", "call", "code")
	m.steward = newSteward(m.registry, time.Now())
	m.storeErrors = counter("store_errors_total", "Failures of our own, mostly the store's.")
	for _, r := range reasons {
		m.refused.WithLabelValues(r)
	}
	for _, s := range []delivery.Status{delivery.Delivered, delivery.Deferred, delivery.Failed} {
		m.deliveries.WithLabelValues(string(s))
	}
	m.accepting = prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: namespace, Name: "accept_seconds",
		Help: "From the whole message to its commit.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 14)})
	m.calls = prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: "api_seconds",
		Help: "Duration of API calls, waiting ones included.", Buckets: prometheus.ExponentialBuckets(0.001, 3, 11)}, []string{"call"})
	build := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: "build_info", Help: "1, with the version.",
		ConstLabels: prometheus.Labels{"version": version}})
	build.Set(1)
	m.registry.MustRegister(m.accepting, m.calls, build, newWaiting(depth, m.storeErrors),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Accepted counts what became of a submission.
func (m *Metrics) Accepted(o accept.Observation) {
	switch {
	case o.Replayed:
		m.replays.Inc()
	case o.Reason == "accepted":
		m.messages.Inc()
		m.recipients.Add(float64(o.Recipients))
		m.bytes.Add(float64(o.Bytes))
		m.accepting.Observe(o.Took.Seconds())
	default:
		m.refused.WithLabelValues(o.Reason).Inc()
		if o.Reason == "store" {
			m.storeErrors.Inc()
		}
	}
}

// Answered counts a call of the API. call is the pattern that it matched.
func (m *Metrics) Answered(call string, status int, took time.Duration) {
	if call == "" || call == "/" {
		call = "unknown"
	}
	m.answers.WithLabelValues(call, strconv.Itoa(status)).Inc()
	m.calls.WithLabelValues(call).Observe(took.Seconds())
	if status == http.StatusInternalServerError || status == http.StatusInsufficientStorage {
		m.storeErrors.Inc()
	}
}

// Handler serves /metrics, and whatever health serves.
func (m *Metrics) Handler(health http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 20 * time.Second}))
	mux.Handle("/", health)
	return mux
}

// Run serves ln until ctx ends.
func (m *Metrics) Run(ctx context.Context, ln net.Listener, health http.Handler) error {
	srv := &http.Server{Handler: m.Handler(health), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve metrics: %w", err)
	case <-ctx.Done():
	}
	err := srv.Close() // a scrape comes again
	if ended := <-served; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return err
}
