package main

import (
	"context"
	"fmt"
	"net"
)

// listenMetrics listens where the settings say; without, the listener is one
// that nobody reaches.
func (r *relay) listenMetrics(ctx context.Context) (net.Listener, error) {
	if r.cfg.API.Metrics == "" {
		return nowhere{}, nil
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", r.cfg.API.Metrics)
	if err != nil {
		return nil, fmt.Errorf("listen for metrics: %w", err)
	}
	return ln, nil
}

// nowhere is no listener.
type nowhere struct{}

func (nowhere) Accept() (net.Conn, error) { return nil, net.ErrClosed }
func (nowhere) Close() error              { return nil }
func (nowhere) Addr() net.Addr            { return nil }

func addressOf(ln net.Listener) string {
	if ln.Addr() == nil {
		return ""
	}
	return ln.Addr().String()
}
