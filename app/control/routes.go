package control

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/mail"
)

// The paths carry a version: a client that finds none of its paths talks to
// another version and says so.
func (s *Server) routes() http.Handler {
	e, mux := s.engine, http.NewServeMux()
	read := func(path string, f func(*http.Request) (any, error)) { mux.HandleFunc("GET /v1/"+path, s.call(f)) }
	read("state", func(*http.Request) (any, error) { return e.State(), nil })
	read("jobs", s.jobs)
	read("job", s.job)
	read("usage", func(r *http.Request) (any, error) { return e.Usage(r.Context(), r.FormValue("account")) })
	read("errors", s.errors)
	read("accounts", func(r *http.Request) (any, error) { return e.Accounts(r.Context()) })
	read("login", func(r *http.Request) (any, error) { return e.Login(r.Context()) })
	read("certificate", func(r *http.Request) (any, error) { return e.Certificate(r.Context()) })
	mux.HandleFunc("GET /v1/watch", s.watch)

	mux.HandleFunc("POST /v1/pause", do(s, func(r *http.Request, b ofAccount) error { return e.Pause(r.Context(), b.Account) }))
	mux.HandleFunc("POST /v1/resume", do(s, func(r *http.Request, b ofAccount) error { return e.Resume(r.Context(), b.Account) }))
	mux.HandleFunc("POST /v1/retry", do(s, func(r *http.Request, b ofJob) error { return e.Retry(r.Context(), b.Job) }))
	mux.HandleFunc("POST /v1/cancel", do(s, func(r *http.Request, b ofJob) error { return e.Cancel(r.Context(), b.Job) }))
	mux.HandleFunc("POST /v1/resolve", do(s, func(r *http.Request, b resolution) error {
		return e.Resolve(r.Context(), b.Job, b.Batch, b.SendAgain)
	}))
	mux.HandleFunc("POST /v1/accounts", do(s, func(r *http.Request, in app.AccountInput) error { return e.SetAccount(r.Context(), in) }))
	mux.HandleFunc("POST /v1/forget", do(s, func(r *http.Request, b ofAccount) error { return e.ForgetAccount(r.Context(), b.Account) }))
	mux.HandleFunc("POST /v1/stop", do(s, func(*http.Request, nothing) error { e.Stop(); return nil }))
	mux.HandleFunc("POST /raise", do(s, s.raise))
	return mux
}

func (s *Server) jobs(r *http.Request) (any, error) {
	limit, err := number(r, "limit")
	if err != nil {
		return nil, err
	}
	return s.engine.Jobs(r.Context(), app.JobQuery{
		Account: r.FormValue("account"), Open: r.FormValue("open") == "true", Cursor: r.FormValue("cursor"), Limit: limit,
	})
}

func (s *Server) job(r *http.Request) (any, error) {
	limit, err := number(r, "limit")
	if err != nil {
		return nil, err
	}
	return s.engine.Job(r.Context(), mail.JobID(r.FormValue("id")), r.FormValue("cursor"), limit)
}

func (s *Server) errors(r *http.Request) (any, error) {
	limit, err := number(r, "limit")
	if err != nil {
		return nil, err
	}
	return s.engine.Errors(r.Context(), app.ErrorQuery{
		Account: r.FormValue("account"), Search: r.FormValue("search"), Cursor: r.FormValue("cursor"), Limit: limit,
	})
}

// number reads a count that may be left out.
func number(r *http.Request, name string) (int, error) {
	text := r.FormValue(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%w: %s", errRequest, name)
	}
	return n, nil
}

func (s *Server) raise(*http.Request, nothing) error {
	if s.Raise == nil {
		return &app.UserError{Sentence: "The companion already runs, without a window.", Action: "It takes and sends mail. To see its window, end it and start it here."}
	}
	s.Raise()
	return nil
}

// watch streams one State a line until the client leaves or the server ends.
// A client that takes none for watcherTime is cut off; meanwhile only this
// goroutine waits, because the engine replaces what was not taken.
func (s *Server) watch(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel() // ends the engine's side too
	w.Header().Set("Content-Type", "application/x-ndjson")
	rc := http.NewResponseController(w)
	out := json.NewEncoder(w)
	// A write that waits for the client must not hold up the end.
	freed := make(chan struct{})
	held := context.AfterFunc(ctx, func() {
		defer close(freed)
		if err := rc.SetWriteDeadline(time.Unix(1, 0)); err != nil {
			s.log.DebugContext(ctx, "end write to watcher", "err", err)
		}
	})
	defer func() {
		if !held() {
			<-freed
		}
	}()
	for state := range s.engine.Watch(ctx) {
		err := rc.SetWriteDeadline(time.Now().Add(watcherTime))
		if ctx.Err() != nil {
			return // the deadline just set may have undone the one that ends the write
		}
		if err == nil {
			err = out.Encode(state)
		}
		if err == nil {
			err = rc.Flush()
		}
		if err != nil {
			s.log.DebugContext(ctx, "watcher is gone", "err", err)
			return
		}
	}
}
