package app

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"servicesmtp.net/companion/app/say"
	"servicesmtp.net/companion/app/secret"
	"servicesmtp.net/companion/app/settings"
	"servicesmtp.net/companion/relayclient"
)

// errRefused says that the relay refused the account's password before. It is
// not tried again: that would look like guessing, and shut out the right one.
var errRefused = errors.New("the relay refused this password")

// errNoAPI says that the account's settings name no API.
var errNoAPI = errors.New("the account has no API address")

// relay is the relay's API on behalf of one account. It gets itself a token
// when it has none, and a new one when the relay no longer knows it; an outage
// never throws a token away.
type relay struct {
	account settings.Account
	secrets *secret.Store
	agent   string
	store   atomic.Pointer[string] // behind the endpoints; nil while it is not known

	bad atomic.Pointer[[sha256.Size]byte] // sum of the password that was refused; nil: none

	learning sync.Mutex // held while the store's name is asked for; guards askedAt
	askedAt  time.Time

	mu     sync.Mutex // guards what follows
	client *relayclient.Client
	token  string
	roots  string // the authority's file as it was when client was made
}

// known says that there is an API to ask.
func (r *relay) known() bool { return r.account.API != "" }

// storeName is the store that the account's endpoints lead to, as far as known.
func (r *relay) storeName() string {
	if name := r.store.Load(); name != nil {
		return *name
	}
	return ""
}

// setStore remembers what /v1/endpoints says.
func (r *relay) setStore(name string) { r.store.Store(&name) }

// storeWait is how long a batch waits for the store's name, storeAgain how long
// it is not asked for again.
const (
	storeWait  = 3 * time.Second
	storeAgain = 30 * time.Second
)

// learnStore asks for the name of the store behind the endpoints, before
// anything is sent there: a batch that was begun without knowing it could not
// be replayed later. Where the API does not answer, mail leaves all the same.
func (r *relay) learnStore(ctx context.Context) {
	if !r.known() || r.store.Load() != nil {
		return
	}
	r.learning.Lock()
	defer r.learning.Unlock()
	if now := time.Now(); r.store.Load() != nil || (!r.askedAt.IsZero() && now.Sub(r.askedAt) < storeAgain) {
		return
	}
	r.askedAt = time.Now()
	ctx, cancel := context.WithTimeout(ctx, storeWait)
	defer cancel()
	_, _ = r.askStore(ctx) // it is asked again later
}

// askStore asks for the name of the store, whatever was told before.
func (r *relay) askStore(ctx context.Context) (name string, err error) {
	var list []relayclient.Endpoint
	err = r.do(ctx, func(c *relayclient.Client) (err error) {
		list, err = c.Endpoints(ctx)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("ask for the store: %w", err)
	}
	name = storeOf(list)
	r.setStore(name)
	return name, nil
}

// storeOf is the store behind the endpoints, "" where they lead to several.
func storeOf(list []relayclient.Endpoint) string {
	name := ""
	for _, e := range list {
		if name != "" && e.Store != name {
			return ""
		}
		name = e.Store
	}
	return name
}

// do calls the relay. When it does not know the token, a new one is made with
// the account's login, once.
func (r *relay) do(ctx context.Context, call func(*relayclient.Client) error) error {
	c, err := r.ready(ctx, false)
	if err != nil {
		return err
	}
	if err = call(c); !errors.Is(err, relayclient.ErrUnauthorized) {
		return err
	}
	if c, err = r.ready(ctx, true); err != nil {
		return err
	}
	return call(c)
}

// ready is a client with a token.
func (r *relay) ready(ctx context.Context, renew bool) (*relayclient.Client, error) {
	if !r.known() {
		return nil, errNoAPI
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	roots, err := readRoots(r.account.CAFile)
	if err != nil {
		return nil, err
	}
	if r.client != nil && !renew && roots == r.roots {
		return r.client, nil
	}
	r.client, r.roots = nil, roots
	if r.token == "" && !renew {
		if r.token, err = r.secrets.Get(ctx, secret.TokenKey(r.account.Name)); err != nil && !errors.Is(err, secret.ErrNotFound) && !errors.Is(err, secret.ErrAbsent) {
			return nil, err
		}
	}
	if r.token == "" || renew {
		if r.token, err = r.register(ctx, roots); err != nil {
			return nil, err
		}
	}
	r.client, err = r.dial(roots, r.token)
	return r.client, err
}

// register makes a token with the account's login and keeps it. A keyring that
// cannot keep it does no harm: the next start makes another.
func (r *relay) register(ctx context.Context, roots string) (string, error) {
	password, err := r.secrets.Get(ctx, secret.RelayKey(r.account.Name))
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(password))
	if bad := r.bad.Load(); bad != nil && *bad == sum {
		return "", errRefused
	}
	c, err := r.dial(roots, "")
	if err != nil {
		return "", err
	}
	host, err := os.Hostname()
	if err != nil {
		host = "companion"
	}
	d, err := c.CreateDevice(ctx, r.account.User, password, host)
	if errors.Is(err, relayclient.ErrUnauthorized) {
		r.bad.Store(&sum)
	}
	if err != nil {
		return "", fmt.Errorf("register at relay: %w", err)
	}
	if err := r.secrets.Set(ctx, secret.TokenKey(r.account.Name), d.Token); err != nil && ctx.Err() != nil {
		return "", err
	}
	return d.Token, nil
}

// loginWorks forgets that the password was refused: the relay has taken it
// meanwhile, or a person wants it to be tried.
func (r *relay) loginWorks() { r.bad.Store(nil) }

func (r *relay) dial(roots, token string) (*relayclient.Client, error) {
	pool, err := rootPool(roots)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		TLSClientConfig:       &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   15 * time.Second,
		ResponseHeaderTimeout: 90 * time.Second, // a long poll waits up to 60 s
		IdleConnTimeout:       90 * time.Second,
		ForceAttemptHTTP2:     true,
	}
	return relayclient.New(relayclient.Options{BaseURL: r.account.API, Token: token, HTTPClient: &http.Client{Transport: transport}, UserAgent: r.agent})
}

// readRoots reads the private authority, anew each time, so that a file that
// was put right is noticed. "" means the system's authorities.
func readRoots(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", words{
			sentence: say.T("The file of the relay's certificate authority cannot be read."),
			action:   say.T("Check the certificate file in the account's settings."),
			terminal: "Check ca_file in the settings.",
		}.problem(err)
	}
	return string(text), nil
}

// rootPool is nil for the system's authorities.
func rootPool(text string) (*x509.CertPool, error) {
	if text == "" {
		return nil, nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(text)) {
		return nil, words{
			sentence: say.T("The file of the relay's certificate authority holds no certificate."),
			action:   say.T("Check the certificate file in the account's settings."),
			terminal: "Check ca_file in the settings.",
		}.problem(nil)
	}
	return pool, nil
}
