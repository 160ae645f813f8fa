package reports

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"servicesmtp.net/companion/relayclient"
)

// relay answers the calls that reports makes, from memory.
type relay struct {
	mu       sync.Mutex // guards what follows
	store    string     // name in cursors
	token    string     // the one that is known; "": none is
	tokens   int        // made so far
	events   []relayclient.Event
	notices  []relayclient.Notice
	facts    map[string]any // by path
	page     int            // most events in one answer
	deaf     bool           // ignores wait
	calls    map[string]int // by path
	renewals int
	fault    func(w http.ResponseWriter, r *http.Request) bool // true: it has answered; runs without mu, many at once
	news     chan struct{}                                     // closed and replaced when something was added
}

func newRelay() *relay {
	day := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	return &relay{
		store: "S1", page: 500, calls: make(map[string]int), news: make(chan struct{}),
		facts: map[string]any{
			"/v1/account":   relayclient.Account{Name: "alice", Plan: "standard", Status: "active", CreatedAt: day},
			"/v1/quota":     relayclient.Quota{Plan: "standard", EmailsUsed: 150, EmailsLimit: 50_000, PeriodStart: day, PeriodEnd: day.AddDate(0, 1, 0), Reset: day.AddDate(0, 1, 0)},
			"/v1/usage":     relayclient.Usage{Plan: "standard", Emails: 150, From: day, To: day.AddDate(0, 1, 0), Days: []relayclient.UsageDay{{Day: "2026-11-02", Emails: 150, Bytes: 3}}},
			"/v1/policy":    relayclient.Policy{RecipientsPerMinute: 600, RcptMax: 50, MessageMax: 1e8, ValidSeconds: 3600},
			"/v1/endpoints": relayclient.Endpoints{Endpoints: []relayclient.Endpoint{{Host: "relay.example", Port: 587, TLS: "starttls", Store: "S1"}}},
		},
	}
}

// add appends events that happened at at.
func (r *relay) add(at time.Time, job string, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for range n {
		i := len(r.events)
		r.events = append(r.events, relayclient.Event{
			At: at, Envid: "sb1." + job + ".1", ID: "m1", Recipient: fmt.Sprintf("r%d@Dst.example", i), Status: relayclient.EventStatusDelivered, Code: 250, Enhanced: "2.0.0", Reply: "ok",
		})
	}
	r.wake()
}

// wake ends long polls; it needs mu.
func (r *relay) wake() {
	close(r.news)
	r.news = make(chan struct{})
}

func (r *relay) count(path string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.calls[path]
}

// made is how many tokens were asked for.
func (r *relay) made() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.renewals
}

// set changes the relay under its lock.
func (r *relay) set(change func(r *relay)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(r)
	r.wake()
}

func (r *relay) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	r.calls[req.URL.Path]++
	known := r.token != "" && req.Header.Get("Authorization") == "Bearer "+r.token
	fault := r.fault
	answer, isFact := r.facts[req.URL.Path]
	r.mu.Unlock()
	switch {
	case fault != nil && fault(w, req):
	case !known:
		problem(w, http.StatusUnauthorized)
	case isFact:
		answerJSON(w, answer)
	case req.URL.Path == "/v1/events":
		list(r, w, req, "e", func() []relayclient.Event { return r.events }, func(e []relayclient.Event, cursor string) any {
			return relayclient.Events{Events: e, Cursor: cursor}
		})
	case req.URL.Path == "/v1/notices":
		list(r, w, req, "n", func() []relayclient.Notice { return r.notices }, func(n []relayclient.Notice, cursor string) any {
			return relayclient.Notices{Notices: n, Cursor: cursor}
		})
	case strings.HasSuffix(req.URL.Path, "/ack"):
		r.set(func(r *relay) { r.calls["ack"]++ })
		w.WriteHeader(http.StatusNoContent)
	default:
		problem(w, http.StatusNotFound)
	}
}

// list answers a page of a list, and waits for one as asked.
func list[T any](r *relay, w http.ResponseWriter, req *http.Request, name string, all func() []T, answer func([]T, string) any) {
	q := req.URL.Query()
	r.mu.Lock()
	prefix := r.store + "." + name + "."
	r.mu.Unlock()
	after := 0
	if c := q.Get("cursor"); c != "" {
		n, err := strconv.Atoi(strings.TrimPrefix(c, prefix))
		if err != nil {
			problem(w, http.StatusGone)
			return
		}
		after = n
	}
	wait, _ := strconv.Atoi(q.Get("wait")) // absent: 0
	asked, _ := strconv.Atoi(q.Get("limit"))
	end := time.NewTimer(time.Duration(wait) * time.Second)
	defer end.Stop()
	for {
		r.mu.Lock()
		found, news, deaf, limit := all(), r.news, r.deaf, min(asked, r.page)
		r.mu.Unlock()
		found = found[min(after, len(found)):]
		found = found[:min(len(found), limit)]
		if len(found) > 0 || wait == 0 || deaf {
			answerJSON(w, answer(found, prefix+strconv.Itoa(after+len(found))))
			return
		}
		select {
		case <-news:
		case <-end.C:
			wait = 0
		case <-req.Context().Done():
			return
		}
	}
}

func answerJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		panic(err)
	}
}

func problem(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"title":%q,"status":%d,"detail":"No."}`, http.StatusText(status), status)
}

// access makes clients for a relay, as the engine does: it keeps the token,
// and registers a new one when it is told that the old one is not known.
type access struct {
	relay *relay
	http  *http.Client
	base  string

	mu    sync.Mutex // guards token
	token string
}

func (a *access) client(_ context.Context, renew bool) (*relayclient.Client, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if renew || a.token == "" {
		a.relay.set(func(r *relay) {
			r.renewals++
			r.tokens++
			r.token = "token" + strconv.Itoa(r.tokens)
			a.token = r.token
		})
	}
	return relayclient.New(relayclient.Options{BaseURL: a.base, Token: a.token, HTTPClient: a.http})
}

// overTCP serves the relay on loopback with TLS.
func overTCP(t *testing.T, r *relay) *access {
	t.Helper()
	srv := httptest.NewTLSServer(r)
	t.Cleanup(srv.Close)
	return &access{relay: r, http: srv.Client(), base: srv.URL}
}

// inProcess calls the relay without a socket, so that it can stand in a
// synctest bubble.
func inProcess(r *relay) *access {
	return &access{relay: r, http: &http.Client{Transport: direct{r}}, base: "https://relay.example"}
}

type direct struct{ handler http.Handler }

func (d direct) RoundTrip(req *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	done := make(chan any, 1)
	go func() {
		defer func() { done <- recover() }()
		d.handler.ServeHTTP(rec, req)
	}()
	select {
	case broken := <-done:
		if broken != nil {
			return nil, fmt.Errorf("connection lost: %v", broken)
		}
		return rec.Result(), nil
	case <-req.Context().Done():
		<-done // the handler sees the same context
		return nil, req.Context().Err()
	}
}

func openCache(t *testing.T, dir string) *Cache {
	t.Helper()
	c, err := Open(t.Context(), dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// run runs a follower until stop is called.
func run(t *testing.T, f *Follower) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	return func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

// stored lists the addresses of all stored events, oldest first.
func stored(t *testing.T, c *Cache) []string {
	t.Helper()
	list, _, err := c.events(context.Background(), eventColumns+`ORDER BY seq`)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range list {
		out = append(out, e.Address)
	}
	return out
}

func wantAddresses(n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf("r%d@dst.example", i))
	}
	return out
}

func dbPath(dir string) string { return filepath.Join(dir, Name) }
