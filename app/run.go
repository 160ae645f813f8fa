package app

import (
	"context"
	"crypto/x509"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/pace"
	"servicesmtp.net/companion/app/secret"
	"servicesmtp.net/companion/app/settings"
	"servicesmtp.net/companion/app/uplink"
)

// Run serves until ctx ends or Stop is called, and returns when everything has
// ended: first the listener, so that no mail comes any more, then the senders
// with their transactions in hand, then the spool.
func (e *Engine) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(e.stopped, cancel)()
	senders, stopSenders := context.WithCancel(context.WithoutCancel(ctx))
	defer stopSenders()

	var g errgroup.Group
	g.Go(func() error { e.pub.run(senders); return nil })
	g.Go(func() error { e.runAccounts(senders); return nil })
	g.Go(func() error { e.watchDisk(senders); return nil })
	g.Go(func() error { e.reportFailures(senders); return nil })
	g.Go(func() error {
		defer stopSenders()
		return e.proxy.Run(ctx)
	})
	select {
	case <-e.proxy.Ready():
		close(e.ready)
		e.pub.changed()
	case <-ctx.Done():
	}
	err := g.Wait()
	return errors.Join(err, e.Close())
}

// Ready is closed when every address of the listener was tried.
func (e *Engine) Ready() <-chan struct{} { return e.ready }

// SMTPAddrs are the addresses on which mail is taken, as bound.
func (e *Engine) SMTPAddrs() []string {
	var out []string
	for _, l := range e.proxy.Listeners() {
		if l.OK {
			out = append(out, l.Address)
		}
	}
	return out
}

// Stop makes Run end in good order.
func (e *Engine) Stop() { e.stop() }

// runAccounts runs the accounts that there are and those that come.
func (e *Engine) runAccounts(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	start := func(a *account) {
		own, stop := context.WithCancel(ctx)
		if !e.begins(a, stop) {
			stop()
			return
		}
		running.Go(func() {
			defer close(a.done)
			defer stop()
			e.runAccount(own, a)
		})
	}
	all, _ := e.chosen("") // without a name there is nothing that it could miss
	for _, a := range all {
		start(a)
	}
	for {
		select {
		case a := <-e.starts:
			start(a)
		case <-ctx.Done():
			return
		}
	}
}

// begins says that an account is to be started: it is the one of its name, and
// was not started before. One that came while the engine started is met twice,
// and one that was replaced then never begins.
func (e *Engine) begins(a *account, stop context.CancelFunc) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.accounts[a.settings.Name] != a || a.stop != nil {
		return false
	}
	a.stop = stop
	return true
}

// runAccount sends an account's mail and follows its reports until ctx ends.
func (e *Engine) runAccount(ctx context.Context, a *account) {
	var parts sync.WaitGroup
	parts.Go(func() { a.sender.run(ctx) })
	if a.relay.known() {
		parts.Go(func() { e.follow(ctx, a) })
	}
	parts.Wait()
}

// newSender joins spool, gate and uplink for one account.
func (e *Engine) newSender(a *account, state *pace.State) *sender {
	s := &sender{
		account: a.settings.Name, spool: e.spool, relay: a.relay, log: e.log.With("part", "sender", "account", a.settings.Name),
		changed: e.pub.changed, handed: func() {}, working: func() {}, slowed: func() {}, full: func() {}, wake: make(chan struct{}, 1), doubt: make(chan struct{}, 1), idle: &idle{},
		inflight: make(map[batchKey]mail.Lane), lost: make(map[batchKey]losses), heads: make(map[mail.Lane][]mail.Batch), stale: true, probe: probeKeyring,
	}
	s.gate = newGate(state, func() { token(s.wake) })
	s.secret = func(ctx context.Context) (string, error) {
		return e.cfg.Secrets.Get(ctx, secret.RelayKey(a.settings.Name))
	}
	if a.settings.Credential != settings.Keyring {
		s.probe = probeFile
	}
	s.connect = func(ctx context.Context) (*uplink.Session, error) { return e.connect(ctx, a.settings, s.secret) }
	return s
}

// connect makes a session with an account's relay.
func (e *Engine) connect(ctx context.Context, a settings.Account, password func(context.Context) (string, error)) (*uplink.Session, error) {
	cfg := uplink.Config{
		User: a.User, Password: password, Log: e.log.With("part", "uplink", "account", a.Name),
		Connect:  time.Duration(e.settings.Timeouts.Connect),
		Progress: time.Duration(e.settings.Timeouts.Progress),
		FinalDot: time.Duration(e.settings.Timeouts.FinalDot),

		Encrypted: &e.encrypted,
	}
	var err error
	if cfg.RootCAs, err = roots(a.CAFile); err != nil {
		return nil, &uplink.ConnectError{Hold: mail.Hold{Reason: mail.HoldCertificate, Since: time.Now(), Detail: "ca_file cannot be used."}, Err: err}
	}
	for _, text := range a.Endpoints {
		endpoint, err := uplink.ParseEndpoint(text)
		if err != nil {
			return nil, &uplink.ConnectError{Hold: mail.Hold{Reason: mail.HoldUnreachable, Since: time.Now(), Detail: "An endpoint in the settings is not valid."}, Err: err}
		}
		cfg.Endpoints = append(cfg.Endpoints, endpoint)
	}
	return uplink.Connect(ctx, cfg)
}

// roots is the pool of a private authority, nil for the system's.
func roots(file string) (*x509.CertPool, error) {
	text, err := readRoots(file)
	if err != nil {
		return nil, err
	}
	return rootPool(text)
}
