package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/internal/listen"
)

const (
	maxBody     = 64 << 10 // an account with many senders is far below
	maxConns    = 64
	bodyTime    = 10 * time.Second // to send a request; the client is on this computer
	watcherTime = 30 * time.Second // to take one State; a watcher that is stopped longer is cut off
	stopTime    = 2 * time.Second  // for answers in hand when the server ends
)

// Server answers on the control socket.
type Server struct {
	engine Engine
	log    *slog.Logger

	// Raise is called when a second start asks the first one to show itself.
	// Without a window it stays nil. It is set before Run.
	Raise func()
}

// New returns a server for engine.
func New(engine Engine, log *slog.Logger) *Server { return &Server{engine: engine, log: log} }

// Run serves ln until ctx ends, then ends all watchers, lets calls in hand
// answer, and closes ln.
func (s *Server) Run(ctx context.Context, ln net.Listener) error {
	bounded := listen.New(ln, listen.Limits{Conns: maxConns})
	serving, endCalls := context.WithCancel(context.WithoutCancel(ctx))
	defer endCalls()
	var conns sync.WaitGroup
	server := &http.Server{
		Handler:           s.routes(),
		ReadHeaderTimeout: bodyTime,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return serving },
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				conns.Add(1)
			case http.StateClosed, http.StateHijacked:
				conns.Done()
			}
		},
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(gentle{bounded}) }()
	var err error
	select {
	case err = <-served: // the listener broke
		served <- err
	case <-ctx.Done():
	}
	endCalls()
	err = errors.Join(broken(err), s.shutdown(server, bounded))
	<-served //nolint:errcheck // what it says was joined above, or is http.ErrServerClosed
	conns.Wait()
	return err
}

// gentle closes the listener only: Shutdown closes it first, and calls in hand
// are still to be answered.
type gentle struct{ *listen.Listener }

// Close implements net.Listener.
func (g gentle) Close() error { return g.CloseListener() }

// broken is err unless it says that the server was closed.
func broken(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

func (s *Server) shutdown(server *http.Server, ln *listen.Listener) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	err := server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		s.log.Warn("control calls did not end in time and are cut off")
		err = nil
	}
	return errors.Join(err, broken(server.Close()), ln.Close())
}

// call wraps what a route does with the wire around it.
func (s *Server) call(f func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, err := f(r)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		s.write(w, http.StatusOK, v)
	}
}

// do wraps a route that has a body and answers nothing.
func do[B any](s *Server, f func(*http.Request, B) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		b, err := decode[B](w, r)
		if err == nil {
			err = f(r, b)
		}
		if err != nil {
			s.fail(w, r, err)
			return
		}
		s.write(w, http.StatusOK, nothing{})
	}
}

// decode reads a JSON body strictly: a field that this version does not know
// must not be dropped in silence. The deadline is lifted afterwards, where it
// would cancel a long call.
func decode[B any](w http.ResponseWriter, r *http.Request) (B, error) {
	var v B
	rc := http.NewResponseController(w)
	if err := rc.SetReadDeadline(time.Now().Add(bodyTime)); err != nil {
		return v, err
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		return v, fmt.Errorf("%w: %w", errRequest, err)
	}
	if _, err := d.Token(); err != io.EOF { // also makes the body read to its end
		return v, errRequest
	}
	return v, rc.SetReadDeadline(time.Time{})
}

func (s *Server) write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		s.log.Debug("control client is gone", "err", err)
	}
}

// errRequest says that a request was not understood.
var errRequest = errors.New("request not understood")

// fail turns any error into words. An error without words is a defect here or
// in the engine; its text goes into the log and the details only.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	f := failure{Kind: kindInternal, Sentence: "The companion could not do this.", Action: "Its log says why."}
	status := http.StatusInternalServerError
	switch {
	case errors.Is(err, app.ErrNotFound):
		f, status = failure{Kind: kindNotFound, Sentence: "There is nothing of that name."}, http.StatusNotFound
	case errors.Is(err, app.ErrStopped):
		f, status = failure{Kind: kindStopped, Sentence: "The companion is stopping."}, http.StatusServiceUnavailable
	case errors.Is(err, errRequest):
		f, status = otherVersion(), http.StatusBadRequest
	case errors.Is(err, context.Canceled):
		f, status = failure{Kind: kindStopped, Sentence: "The companion stopped before this was done."}, http.StatusServiceUnavailable
	}
	if user, ok := errors.AsType[*app.UserError](err); ok {
		f.Sentence, f.Action = user.Sentence, user.Action
		if user.Err != nil {
			f.Detail = user.Err.Error()
		}
		if f.Kind == kindInternal {
			f.Kind, status = kindUser, http.StatusUnprocessableEntity
		}
	}
	if f.Kind == kindInternal {
		f.Detail = err.Error()
		s.log.ErrorContext(r.Context(), "control call failed", "call", r.Pattern, "err", err)
	}
	s.write(w, status, f)
}

func otherVersion() failure {
	return failure{Kind: kindRequest, Sentence: "The running companion is of another version.", Action: "Stop it and start it again."}
}
