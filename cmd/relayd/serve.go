package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
	"golang.org/x/sync/errgroup"

	"servicesmtp.net/companion/internal/socket"
	"servicesmtp.net/companion/server/accept"
	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/api"
	"servicesmtp.net/companion/server/authority"
	"servicesmtp.net/companion/server/billing"
	"servicesmtp.net/companion/server/config"
	"servicesmtp.net/companion/server/delivery"
	"servicesmtp.net/companion/server/login"
	"servicesmtp.net/companion/server/metrics"
	"servicesmtp.net/companion/server/queue"
	"servicesmtp.net/companion/server/steward"
	"servicesmtp.net/companion/server/store"
	"servicesmtp.net/companion/server/submission"
	"servicesmtp.net/companion/server/tell"
)

// policyValid is how long a companion may go by what /v1/policy told it.
const policyValid = 5 * time.Minute

type serveCommand struct{}

// Run serves until the context ends.
func (serveCommand) Run(inv *invocation) (err error) {
	cfg, err := inv.settings()
	if err != nil {
		return err
	}
	plans, err := inv.catalogue(cfg)
	if err != nil {
		return err
	}
	l, err := inv.lockToServe()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Unlock()) }()
	log := slog.New(slog.NewTextHandler(inv.stderr, nil))
	st, err := store.Open(inv.ctx, store.Options{Dir: inv.data, DSN: cfg.Store.DSN, Bodies: cfg.Store.Bodies, Log: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	if err := st.TakeFolder(inv.ctx); err != nil {
		return err
	}
	if err := (&billing.Billing{Store: st, Plans: plans}).Check(inv.ctx); err != nil {
		return err
	}
	if err := join(inv.ctx, st, cfg); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, leave(st)) }()
	r, err := newRelay(st, inv.data, cfg, plans, log)
	if err != nil {
		return err
	}
	return r.run(inv.ctx, func(ready readyLine) error { return json.NewEncoder(inv.stdout).Encode(ready) })
}

// lockToServe takes the data folder. A command at work on it is waited for, a
// relay that serves it is not.
func (inv *invocation) lockToServe() (*flock.Flock, error) {
	ctx, cancel := context.WithTimeout(inv.ctx, patience)
	defer cancel()
	client := socket.Client(filepath.Join(inv.data, controlFile))
	defer client.CloseIdleConnections()
	for {
		l, err := lock(inv.data)
		if !errors.Is(err, errBusy) || answers(ctx, client) {
			return l, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(interval):
		}
	}
}

// readyLine is printed when everything listens.
type readyLine struct {
	Event   string   `json:"event"`
	SMTP    []string `json:"smtp"`
	API     string   `json:"api"`
	Control string   `json:"control"`
	Metrics string   `json:"metrics,omitempty"` // where Prometheus asks
	Web     string   `json:"web,omitempty"`     // where operators log in
}

// relay is all parts of a relay, joined.
type relay struct {
	cfg      config.Config
	log      *slog.Logger
	control  string // path of the socket
	store    *store.Store
	tls      *tls.Config
	acceptor *accept.Acceptor
	queue    *queue.Queue
	smtp     *submission.Server
	teller   *tell.Teller
	steward  *steward.Steward
	api      *api.Server
	admin    *api.Admin
	metrics  *metrics.Metrics

	delivering atomic.Bool // while the queue runs
}

// newRelay joins the parts over an open store.
func newRelay(st *store.Store, data string, cfg config.Config, plans account.Catalogue, log *slog.Logger) (*relay, error) {
	r := &relay{cfg: cfg, log: log, control: filepath.Join(data, controlFile), store: st, metrics: metrics.New(version, st.Depth)}
	var err error
	if r.tls, err = certificate(data, cfg, log); err != nil {
		return nil, err
	}
	// The queue is made first, and tells its news when everything runs.
	if r.queue, err = newQueue(st, cfg, func(accountID string) { r.api.Wake(accountID) }, r.metrics.Route, log); err != nil {
		return nil, err
	}
	r.acceptor = accept.New(accept.Options{Store: r.store, Catalogue: plans, Lanes: r.queue, Route: r.queue.Lane,
		Later: r.queue.Later, Observe: r.metrics.Accepted, PerMinute: cfg.Limits.RecipientsPerMinute, Log: log})
	verifier := login.New(r.store)
	r.smtp, err = submission.New(submission.Config{
		StartTLS: cfg.Submission.StartTLS, TLS: cfg.Submission.TLS, Hostname: cfg.Submission.Hostname, Certificate: r.tls,
		MaxMessage: cfg.Limits.MaxMessage, Authenticate: authenticate(verifier), Accept: r.acceptor, Log: log,
	})
	if err != nil {
		return nil, err
	}
	proxies, err := cfg.API.Proxies()
	if err != nil {
		return nil, err
	}
	r.api = api.New(api.Options{
		Store: r.store, Login: verifier, Plans: plans, Keys: r.acceptor, Endpoints: r.endpoints, Log: log,
		Accept: r.acceptor, Hostname: cfg.Submission.Hostname, Running: r.delivering.Load,
		Observe: r.metrics.Answered, Proxies: proxies,
		Policy: api.Policy{RcptMax: submission.RecipientMax, MessageMax: int64(cfg.Limits.MaxMessage), ValidSeconds: int64(policyValid.Seconds()),
			PerMinute: cfg.Limits.RecipientsPerMinute, PerProvider: cfg.Limits.PerProvider},
	})
	r.teller = newTeller(st, r.acceptor, cfg, r.api.Wake, log)
	r.steward = newSteward(st, plans, r.teller, cfg, r.metrics, log)
	r.admin = api.NewAdmin(api.AdminOptions{Store: r.store, Plans: plans, Queue: r.queue, Teller: r.teller, Steward: r.steward, PerMinute: cfg.Limits.RecipientsPerMinute,
		Log: log, Backup: backups(st, data, cfg)})
	return r, nil
}

// newTeller makes what writes to customers.
func newTeller(st *store.Store, a *accept.Acceptor, cfg config.Config, wake func(accountID string), log *slog.Logger) *tell.Teller {
	return tell.New(tell.Options{Store: st, Post: a, Hostname: cfg.Submission.Hostname, From: cfg.Sender(), Mail: cfg.Notify.Mail, Wake: wake, Log: log})
}

// newSteward makes what looks after the accounts; nobody may count what it does.
func newSteward(st *store.Store, plans account.Catalogue, t *tell.Teller, cfg config.Config, m *metrics.Metrics, log *slog.Logger) *steward.Steward {
	o := steward.Options{Store: st, Plans: plans, Teller: t, Operator: cfg.Notify.Operator, Pay: cfg.Notify.Pay,
		Lease: time.Duration(cfg.Store.Lease), Log: log}
	if m != nil {
		o.Passed, o.Told = m.Passed, m.Told
	}
	return steward.New(o)
}

// newQueue makes the queue with the route that the settings name.
func newQueue(st *store.Store, cfg config.Config, news func(accountID string), watch func(delivery.Route) delivery.Route, log *slog.Logger) (*queue.Queue, error) {
	route, err := delivery.New(delivery.Config{Route: cfg.Delivery.Route, DNS: cfg.Delivery.DNS, Hostname: cfg.Submission.Hostname, Log: log})
	if err != nil {
		return nil, err
	}
	if watch != nil {
		route = watch(route)
	}
	return queue.New(queue.Config{Store: st, Route: route, News: news, Log: log})
}

// certificate serves the one that the settings name.
func certificate(data string, cfg config.Config, log *slog.Logger) (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12} // RFC 8996
	if cfg.TLS.Mode == "files" {
		f, err := authority.OpenFiles(cfg.TLS.Cert, cfg.TLS.Key, log, time.Now)
		if err != nil {
			return nil, err
		}
		conf.GetCertificate = f.GetCertificate
		return conf, nil
	}
	a, err := authority.Open(data, cfg.Submission.Hostname, time.Now)
	if err != nil {
		return nil, err
	}
	conf.GetCertificate = a.GetCertificate
	return conf, nil
}

// authenticate lets submission verify logins. Only a wrong login may look like
// one: a program that is told so asks its user for a new password.
func authenticate(v *login.Verifier) func(context.Context, submission.Login) (string, error) {
	return func(ctx context.Context, l submission.Login) (string, error) {
		acc, err := v.Verify(ctx, l.User, l.Password, l.Remote)
		if errors.Is(err, login.ErrWrong) {
			return "", submission.ErrCredentials
		}
		return acc.ID, err
	}
}

// endpoints are the submission ports as bound, in the order of the settings.
func (r *relay) endpoints() []api.Endpoint {
	all := []api.Endpoint{}
	for i, a := range r.smtp.Addrs() {
		_, text, err := net.SplitHostPort(a.String())
		if err != nil {
			continue // not a TCP address: submission has none
		}
		port, err := strconv.Atoi(text)
		if err != nil {
			continue
		}
		mode := "starttls"
		if i >= len(r.cfg.Submission.StartTLS) {
			mode = "tls"
		}
		all = append(all, api.Endpoint{Host: r.cfg.Submission.Hostname, Port: port, TLS: mode, Roles: []string{"primary"}, Store: r.store.Name()})
	}
	return all
}

// run serves until ctx ends or a part fails. What takes mail in stops first,
// acceptance after it, so that no session loses its answer.
func (r *relay) run(ctx context.Context, ready func(readyLine) error) error {
	l, err := r.listen(ctx)
	if err != nil {
		return err
	}
	defer l.close() // each part closes its own when it stops; when it never starts, this does

	acceptCtx, stopAccepting := context.WithCancel(context.WithoutCancel(ctx))
	defer stopAccepting()
	parts, ctx := errgroup.WithContext(ctx)
	parts.Go(func() error { return r.acceptor.Run(acceptCtx) })
	parts.Go(func() error { return r.beat(acceptCtx) })
	parts.Go(func() error {
		defer stopAccepting() // and with it the lease: it lasts as long as mail is sent
		front, ctx := errgroup.WithContext(ctx)
		front.Go(func() error { return r.smtp.Run(ctx) })
		front.Go(func() error {
			r.delivering.Store(true)
			defer r.delivering.Store(false)
			return unlessStopped(ctx, r.queue.Run(ctx))
		})
		front.Go(func() error {
			select {
			case <-r.smtp.Ready():
			case <-ctx.Done(): // stopped, or submission says why
				return nil
			}
			front.Go(func() error { return r.api.Run(ctx, l.api, r.tls) })
			front.Go(func() error { return r.admin.Run(ctx, l.control) })
			front.Go(func() error { return r.serveWeb(ctx, l.web) })
			front.Go(func() error { return r.sweep(ctx) })
			front.Go(func() error { return r.steward.Run(ctx) })
			if r.cfg.API.Metrics != "" {
				front.Go(func() error { return r.metrics.Run(ctx, l.metrics, r.api.HealthHandler()) })
			}
			r.log.Info("ready", "smtp", len(r.smtp.Addrs()), "version", version)
			return ready(r.readyLine(l))
		})
		return front.Wait()
	})
	err = parts.Wait()
	r.log.Info("stopped")
	return err
}

// unlessStopped leaves out the error of a part that was told to stop while it
// was still starting.
func unlessStopped(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
