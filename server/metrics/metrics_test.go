package metrics

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"servicesmtp.net/companion/server/accept"
	"servicesmtp.net/companion/server/delivery"
	"servicesmtp.net/companion/server/store"
)

func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler(http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("scrape: %d", w.Code)
	}
	return w.Body.String()
}

// fixed is a route with one answer.
type fixed struct{ err error }

func (f fixed) Lane(string) string  { return "" }
func (f fixed) Plan() delivery.Plan { return delivery.Plan{} }
func (f fixed) Open(context.Context, string) (delivery.Conn, error) {
	return f, f.err
}
func (f fixed) Alive() bool  { return true }
func (f fixed) Close() error { return nil }
func (f fixed) Deliver(context.Context, delivery.Message, func([]int64) error) []delivery.Result {
	return []delivery.Result{{Status: delivery.Delivered}, {Status: delivery.Failed}, {Status: delivery.Deferred}, {Status: delivery.Deferred, Soon: true}}
}

func TestCounters(t *testing.T) {
	var failing error
	m := New("v1", func(_ context.Context, now time.Time) (store.Depth, error) {
		return store.Depth{Queued: 7, Later: 2, Held: 1, Oldest: now.Add(-90 * time.Second)}, failing
	})
	for _, o := range []accept.Observation{
		{Reason: "accepted", Recipients: 3, Bytes: 1000, Took: time.Millisecond},
		{Reason: "accepted", Replayed: true},
		{Reason: accept.Reason(&accept.QuotaError{})}, {Reason: accept.Reason(accept.ErrBlocked)}, {Reason: accept.Reason(errors.New("disk"))},
	} {
		m.Accepted(o)
	}
	m.Answered("GET /v1/account", 200, time.Millisecond)
	m.Answered("/", 404, time.Millisecond)
	m.Answered("GET /v1/quota", 500, time.Millisecond)
	c, err := m.Route(fixed{}).Open(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	c.Deliver(t.Context(), delivery.Message{}, nil)
	if _, err := m.Route(fixed{errors.New("down")}).Open(t.Context(), ""); err == nil {
		t.Error("the route's error is lost")
	}
	got := scrape(t, m)
	for _, want := range []string{
		"accepted_messages_total 1", "accepted_recipients_total 3", "accepted_bytes_total 1000", "replayed_batches_total 1",
		`refused_total{reason="quota"} 1`, `refused_total{reason="blocked"} 1`, `refused_total{reason="store"} 1`, `refused_total{reason="ended"} 0`,
		`deliveries_total{result="delivered"} 1`, `deliveries_total{result="deferred"} 1`, `deliveries_total{result="failed"} 1`, "unreachable_total 1",
		`api_answers_total{call="GET /v1/account",code="200"} 1`, `api_answers_total{call="unknown",code="404"} 1`, "store_errors_total 2",
		`queue_recipients{state="queued"} 7`, `queue_recipients{state="later"} 2`, `queue_recipients{state="held"} 1`, "queue_oldest_seconds 90", `build_info{version="v1"} 1`,
		"accept_seconds_count 1",
	} {
		if !strings.Contains(got, namespace+"_"+want) {
			t.Errorf("no %q in the scrape", want)
		}
	}
	failing = errors.New("locked")
	if got = scrape(t, m); strings.Contains(got, "queue_recipients{") || !strings.Contains(got, "accepted_messages_total 1") {
		t.Error("a store that cannot be read must cost its own series only")
	}
	if got = scrape(t, m); !strings.Contains(got, namespace+"_store_errors_total 4") && !strings.Contains(got, namespace+"_store_errors_total 3") {
		t.Error("the failure is not counted")
	}
}

// TestReasonsAreAll holds that no reason of accept lacks its series.
func TestReasonsAreAll(t *testing.T) {
	m := New("v1", func(context.Context, time.Time) (store.Depth, error) { return store.Depth{}, nil })
	before := strings.Count(scrape(t, m), namespace+"_refused_total{")
	for _, err := range []error{&accept.QuotaError{}, accept.ErrBlocked, accept.ErrEnded, accept.ErrConflict, accept.ErrClosed, accept.ErrAgain,
		accept.ErrStopped, context.Canceled, io.EOF} {
		m.Accepted(accept.Observation{Reason: accept.Reason(err)})
	}
	if after := strings.Count(scrape(t, m), namespace+"_refused_total{"); after != before || accept.Reason(nil) != "accepted" {
		t.Errorf("%d series before, %d after", before, after)
	}
}

func TestRunEnds(t *testing.T) {
	m := New("v1", func(context.Context, time.Time) (store.Depth, error) { return store.Depth{}, nil })
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx, ln, http.NotFoundHandler()) }()
	resp, err := http.Get("http://" + ln.Addr().String() + "/metrics")
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("scrape: %v", err)
	}
	resp.Body.Close()
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("run: %v", err)
	}
}
