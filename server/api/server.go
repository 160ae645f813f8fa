package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"servicesmtp.net/companion/internal/listen"
	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/billing"
	"servicesmtp.net/companion/server/login"
	"servicesmtp.net/companion/server/store"
)

const (
	headerTimeout = 15 * time.Second
	bodyTimeout   = 30 * time.Second
	answerTimeout = 90 * time.Second // the longest wait and an answer over a slow line
	idleTimeout   = 2 * time.Minute
	stopTimeout   = 10 * time.Second
	maxHeader     = 16 << 10
	maxConns      = 4096
)

// Options say what the API serves.
type Options struct {
	Store     *store.Store
	Login     *login.Verifier
	Plans     account.Catalogue
	Keys      Keys
	Endpoints func() []Endpoint // as told to companions
	Policy    Policy
	Accept    Acceptor
	Hostname  string                                            // in Received
	Running   func() bool                                       // whether mail is being delivered; nil: not asked
	Proxies   Proxies                                           // in front of the API and the operators' pages
	Observe   func(call string, status int, took time.Duration) // told of every answer; nil: nobody asks
	Log       *slog.Logger
}

// Server is the API.
type Server struct {
	Options
	billing *billing.Billing
	cursors cursors
	hub     *hub
	limits  *limits
	handler http.Handler

	addresses *limits
	uploads   *store.Uploads
	readiness readiness
	patience  time.Duration // submitPatience; tests shorten it
}

// New makes the API.
func New(o Options) *Server {
	s := &Server{Options: o, billing: &billing.Billing{Store: o.Store, Plans: o.Plans}, cursors: cursors{store: o.Store.Name()}, hub: newHub(),
		limits: newLimits(), addresses: newLimitsOf(addressPerSecond, addressBurst), uploads: o.Store.Uploads(), patience: submitPatience}
	mux := http.NewServeMux()
	a := humago.NewWithPrefix(mux, "/v1", describe())
	a.UseMiddleware(s.authenticate(a))
	s.register(a)
	mux.Handle("GET /healthz", s.HealthHandler())
	mux.Handle("GET /readyz", s.HealthHandler())
	mux.HandleFunc("/", fallback(mux))
	s.handler = s.observe(o.Proxies.seeThrough(s.holdBack(withTags(mux))))
	return s
}

// Wake tells calls that wait for events or notices of the account that there
// are new ones, committed.
func (s *Server) Wake(accountID string) { s.hub.wake(accountID) }

// Run serves ln over TLS until ctx ends. Then waiting calls are answered at
// once, running ones get some seconds, and everything is closed.
func (s *Server) Run(ctx context.Context, ln net.Listener, conf *tls.Config) error {
	srv := overTLS(s.handler, conf)
	var beside sync.WaitGroup
	defer beside.Wait()
	besides, stop := context.WithCancel(ctx)
	defer stop()
	beside.Go(func() { s.expireUploads(besides) })
	beside.Go(func() { s.watch(besides) })
	return serve(ctx, srv, func() error {
		return srv.ServeTLS(lasting{listen.New(ln, listen.Limits{Conns: maxConns})}, "", "")
	}, s.hub.stop)
}

// overTLS is a server with our limits.
func overTLS(h http.Handler, conf *tls.Config) *http.Server {
	return &http.Server{
		Handler:           h,
		TLSConfig:         conf.Clone(), // net/http adds its protocols; others serve with conf
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       bodyTimeout,
		WriteTimeout:      answerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		// What net/http would log are handshakes that failed, with addresses.
		ErrorLog: log.New(io.Discard, "", 0),
	}
}

// lasting leaves open connections to http.Server, which closes its listener
// first when it stops.
type lasting struct{ *listen.Listener }

// Close implements net.Listener.
func (l lasting) Close() error { return l.CloseListener() }

// serve runs an HTTP server until ctx ends and stops it gently.
func serve(ctx context.Context, srv *http.Server, run func() error, stopping func()) error {
	served := make(chan error, 1)
	go func() { served <- run() }()
	select {
	case err := <-served:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	if stopping != nil {
		stopping()
	}
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	err := srv.Shutdown(limit)
	if errors.Is(err, context.DeadlineExceeded) {
		err = srv.Close()
	}
	<-served //nolint:errcheck // http.ErrServerClosed
	return err
}
