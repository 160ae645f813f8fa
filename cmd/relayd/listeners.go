package main

import (
	"context"
	"errors"
	"fmt"
	"net"

	"servicesmtp.net/companion/internal/socket"
)

// listeners are where a relay is asked, beside its submission ports. Those that
// the settings leave out are there and closed.
type listeners struct{ api, control, metrics, web net.Listener }

func (r *relay) listen(ctx context.Context) (l listeners, err error) {
	var opened []net.Listener
	defer func() {
		if err != nil {
			for _, o := range opened {
				err = errors.Join(err, o.Close())
			}
		}
	}()
	for _, o := range []struct {
		into *net.Listener
		open func() (net.Listener, error)
	}{
		{&l.api, func() (net.Listener, error) { return listenTo(ctx, "the API", r.cfg.API.Listen) }},
		{&l.control, func() (net.Listener, error) { return socket.Listen(r.control) }},
		{&l.metrics, func() (net.Listener, error) { return listenTo(ctx, "metrics", r.cfg.API.Metrics) }},
		{&l.web, func() (net.Listener, error) { return listenTo(ctx, "operators", r.cfg.Web.Listen) }},
	} {
		if *o.into, err = o.open(); err != nil {
			return l, err
		}
		opened = append(opened, *o.into)
	}
	return l, nil
}

// close closes all; whoever served one has closed it already.
func (l listeners) close() {
	for _, ln := range []net.Listener{l.web, l.metrics, l.api, l.control} {
		_ = ln.Close()
	}
}

// readyLine is what is printed when everything listens.
func (r *relay) readyLine(l listeners) readyLine {
	line := readyLine{Event: "ready", SMTP: []string{}, API: addressOf(l.api), Control: r.control, Metrics: addressOf(l.metrics), Web: addressOf(l.web)}
	for _, a := range r.smtp.Addrs() {
		line.SMTP = append(line.SMTP, a.String())
	}
	return line
}

// listenTo listens for what, unless the settings have no address for it.
func listenTo(ctx context.Context, what, address string) (net.Listener, error) {
	if address == "" {
		return nowhere{}, nil
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for %s: %w", what, err)
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
