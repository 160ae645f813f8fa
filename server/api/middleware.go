package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"golang.org/x/time/rate"

	"servicesmtp.net/companion/server/login"
	"servicesmtp.net/companion/server/store"
)

// caller is who asks.
type caller struct {
	account store.Account
	device  store.Device // zero for a call with the SMTP login

	partner store.Partner      // of a partner's call, which has no account
	token   store.PartnerToken // zero for any other call
}

// scopes is what the caller's token may do; false: it is no token that calls.
func (c caller) scopes() (string, bool) {
	if c.token.ID != "" {
		return c.token.Scopes, true
	}
	return c.device.Scopes, c.device.ID != ""
}

type callerKey struct{}

// from is the caller of a handler's context; authenticate has put it there.
func from(ctx context.Context) caller {
	c, _ := ctx.Value(callerKey{}).(caller)
	return c
}

// seenEvery is how exactly the last use of a token is remembered: every write
// is a synced transaction.
const seenEvery = time.Hour

// authenticate finds the caller, or refuses the call.
func (s *Server) authenticate(a huma.API) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		var c caller
		var err error
		_, byLogin := ctx.Operation().Security[0]["login"]
		switch {
		case byLogin:
			c.account, err = s.byLogin(ctx)
		case ofPartners(ctx.Operation()):
			c, err = s.byPartnerToken(ctx)
		default:
			c, err = s.byToken(ctx)
		}
		if err != nil {
			s.refuse(a, ctx, err)
			return
		}
		if scopes, limited := c.scopes(); limited && !permits(scopes, ctx.Operation()) {
			s.refuse(a, ctx, errScope)
			return
		}
		next(huma.WithValue(ctx, callerKey{}, c))
	}
}

// byLogin verifies Basic authentication (RFC 7617).
func (s *Server) byLogin(ctx huma.Context) (store.Account, error) {
	r, _ := humago.Unwrap(ctx)
	name, password, ok := r.BasicAuth()
	if !ok {
		return store.Account{}, login.ErrWrong
	}
	return s.Login.Verify(ctx.Context(), name, password, hostOf(r.RemoteAddr))
}

// byToken finds the device of a bearer token (RFC 6750 §2.1).
func (s *Server) byToken(ctx huma.Context) (caller, error) {
	token := bearerOf(ctx)
	if token == "" {
		return caller{}, login.ErrWrong
	}
	device, account, err := s.Store.DeviceByToken(ctx.Context(), login.TokenHash(token))
	if errors.Is(err, store.ErrNotFound) {
		return caller{}, login.ErrWrong
	}
	if err != nil {
		return caller{}, err
	}
	now := time.Now()
	if wait := s.limits.wait(device.ID, now); wait > 0 {
		return caller{}, &login.Throttled{Retry: wait}
	}
	if now.Sub(device.SeenAt) > seenEvery {
		if err := s.Store.TouchDevice(ctx.Context(), device.ID, now); err != nil {
			s.Log.Warn("cannot remember the use of a token", "error", err)
		}
	}
	return caller{account: account, device: device}, nil
}

// errScope says that a token may not do this.
var errScope = errors.New("token lacks a scope")

// refuse answers a call that comes from nobody we know, or too often.
func (s *Server) refuse(a huma.API, ctx huma.Context, err error) {
	status, detail := http.StatusInternalServerError, unexpected
	var throttled *login.Throttled
	var spent *tokenError
	switch {
	case errors.As(err, &throttled):
		status, detail = http.StatusTooManyRequests, "Too many requests: wait as long as Retry-After says."
		ctx.SetHeader("Retry-After", strconv.Itoa(int(throttled.Retry.Seconds())+1))
	case errors.Is(err, login.ErrWrong):
		status, detail = http.StatusUnauthorized, "Name and password, or the token, are not known here."
		scheme := `Bearer realm="relay"`
		if _, byLogin := ctx.Operation().Security[0]["login"]; byLogin {
			scheme = `Basic realm="relay", charset="UTF-8"`
		}
		ctx.SetHeader("WWW-Authenticate", scheme)
	case errors.As(err, &spent):
		status, detail = http.StatusUnauthorized, spent.detail
		ctx.SetHeader("WWW-Authenticate", `Bearer realm="relay", error="invalid_token"`) // RFC 6750 §3.1
	case errors.Is(err, errScope):
		status, detail = http.StatusForbidden, "This token may not do that: it lacks "+scopeOf(ctx.Operation())+"."
		ctx.SetHeader("WWW-Authenticate", `Bearer realm="relay", error="insufficient_scope", scope="`+scopeOf(ctx.Operation())+`"`) // RFC 6750 §3
	case ctx.Context().Err() != nil:
		status = http.StatusServiceUnavailable // nobody reads it: the caller has gone
	default:
		s.Log.Error("cannot look up a caller", "error", err)
	}
	if err := huma.WriteErr(a, ctx, status, detail); err != nil {
		s.Log.Debug("answer not written", "error", err)
	}
}

// unexpected is all that a caller hears of our own trouble.
const unexpected = "Something went wrong in the relay. Try again later."

// problem turns an error into an answer that tells nothing of the inside.
func (s *Server) problem(err error) error {
	var status huma.StatusError
	var headers huma.HeadersError
	var no *refusal
	switch {
	case errors.As(err, &headers):
		return err // one of ours with headers, see huma.ErrorWithHeaders
	case errors.As(err, &status):
		return status
	case errors.As(err, &no):
		return huma.NewError(no.status, no.detail)
	case errors.Is(err, errCursor):
		return huma.Error410Gone("This cursor is not of this relay's store. Start again without one.")
	case errors.Is(err, store.ErrNotFound):
		return huma.Error404NotFound("There is no such thing in this account.")
	case errors.Is(err, context.Canceled):
		return huma.Error503ServiceUnavailable(unexpected) // nobody reads it
	}
	s.Log.Error("call failed", "error", err)
	return huma.Error500InternalServerError(unexpected)
}

// writeProblem answers outside of huma.
func writeProblem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	// The connection may be gone, and there is nobody else to tell.
	_ = json.NewEncoder(w).Encode(huma.ErrorModel{Status: status, Title: http.StatusText(status), Detail: detail})
}

// recorder remembers the status for the log.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController through.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// observe logs every call without the caller's address or anything of its
// content, and keeps a defect in one call from ending the others.
func (s *Server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := &recorder{ResponseWriter: w}
		start, id := time.Now(), requestID()
		w.Header().Set("X-Request-Id", id)
		defer func() {
			p := recover()
			if p == http.ErrAbortHandler { //nolint:errorlint // what was panicked with is this very value
				panic(p) // asked for
			}
			if p != nil {
				s.Log.Error("defect in the API", "call", r.Pattern, "panic", p, "stack", string(debug.Stack()))
				if rec.status == 0 {
					writeProblem(rec, http.StatusInternalServerError, unexpected)
				}
			}
			if s.Observe != nil {
				s.Observe(r.Pattern, rec.status, time.Since(start))
			}
			s.Log.Info("api", "request", id, "call", r.Pattern, "status", rec.status, "duration", time.Since(start).Round(time.Millisecond))
		}()
		w.Header().Set("Cache-Control", "no-store")
		next.ServeHTTP(rec, r)
	})
}

// One token may ask this often.
const (
	callsPerSecond = 10
	callsBurst     = 60
	maxLimiters    = 10_000
)

// limits holds back tokens that ask too often.
type limits struct {
	perSecond rate.Limit
	burst     int

	mu      sync.Mutex // guards devices
	devices map[string]*rate.Limiter
}

func newLimits() *limits { return newLimitsOf(callsPerSecond, callsBurst) }

// wait counts a call; above 0 it is refused and may be repeated after that.
func (l *limits) wait(device string, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	lim, ok := l.devices[device]
	if !ok {
		if len(l.devices) >= maxLimiters {
			clear(l.devices) // bounds memory; everybody gets the burst once more
		}
		lim = rate.NewLimiter(l.perSecond, l.burst)
		l.devices[device] = lim
	}
	r := lim.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait > 0 {
		r.CancelAt(now)
	}
	return wait
}
