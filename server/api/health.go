package api

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

// Health tells whoever watches the process. It says nothing secret.
type Health struct {
	Store string `json:"store"` // ok, failing
	Queue string `json:"queue"` // running, stopped
}

const (
	readyFresh   = 5 * time.Second // every look at the store is a synced transaction
	readyTimeout = 3 * time.Second
)

// readiness remembers the last look.
type readiness struct {
	mu sync.Mutex // guards at and ok, and that one looks at a time
	at time.Time
	ok bool
}

func (r *readiness) store(ctx context.Context, probe func(context.Context) error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.at) < readyFresh {
		return r.ok
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyTimeout)
	defer cancel()
	r.ok, r.at = probe(ctx) == nil, time.Now()
	return r.ok
}

// HealthHandler serves /healthz, which says that the process answers, and
// /readyz, which says that it can accept and deliver mail.
func (s *Server) HealthHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"status":"ok"}` + "\n")) // the caller may be gone
	})
	mux.HandleFunc("GET /readyz", s.ready)
	return mux
}

func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	h, status := Health{Store: "ok", Queue: "running"}, http.StatusOK
	if !s.readiness.store(r.Context(), s.Store.Probe) {
		h.Store, status = "failing", http.StatusServiceUnavailable
	}
	if s.Running != nil && !s.Running() {
		h.Queue, status = "stopped", http.StatusServiceUnavailable
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(h) // the caller may be gone
}
