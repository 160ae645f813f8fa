package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"servicesmtp.net/companion/internal/durable"
	"servicesmtp.net/companion/internal/socket"
	"servicesmtp.net/companion/server/accept"
	"servicesmtp.net/companion/server/api"
	"servicesmtp.net/companion/server/backup"
	"servicesmtp.net/companion/server/store"
)

const (
	lockFile    = "lock"
	controlFile = "control.sock"

	// A relay that starts holds the lock before it answers on its socket, and
	// a command holds it for a moment: both are waited for.
	patience = 15 * time.Second
	interval = 50 * time.Millisecond
)

// errBusy says that another program holds the data folder.
var errBusy = errors.New("the data folder is in use by another relayd")

// lock takes the data folder for this process alone. A folder in which a
// restore was cut off is nobody's.
func lock(dir string) (*flock.Flock, error) {
	l, err := lockAnyway(dir)
	if err == nil && backup.Unfinished(dir) {
		return nil, errors.Join(fmt.Errorf("%w: give relayd restore again", backup.ErrUnfinished), l.Unlock())
	}
	return l, err
}

// lockAnyway takes the data folder in whatever state it is.
func lockAnyway(dir string) (*flock.Flock, error) {
	if err := durable.MkdirAll(dir); err != nil {
		return nil, fmt.Errorf("make data folder: %w", err)
	}
	l := flock.New(filepath.Join(dir, lockFile), flock.SetPermissions(0o600))
	ok, err := l.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock data folder: %w", err)
	}
	if !ok {
		return nil, errBusy
	}
	return l, nil
}

// administration sends requests to the admin handler, wherever it is.
type administration struct {
	http  *http.Client
	store *store.Store // nil: a running relay has it
	close func() error
}

// administer finds the running relay, or opens its store where none runs.
func (inv *invocation) administer() (*administration, error) {
	ctx, cancel := context.WithTimeout(inv.ctx, patience)
	defer cancel()
	path := filepath.Join(inv.data, controlFile)
	for {
		l, err := lock(inv.data)
		if err == nil {
			return inv.direct(l)
		}
		if !errors.Is(err, errBusy) {
			return nil, err
		}
		client := socket.Client(path)
		if answers(ctx, client) {
			return &administration{http: client, close: func() error { client.CloseIdleConnections(); return nil }}, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%w, which does not answer", errBusy)
		case <-time.After(interval):
		}
	}
}

// answers says that the relay behind client serves.
func answers(ctx context.Context, client *http.Client) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://relay/plans", nil)
	if err != nil {
		return false
	}
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return errors.Join(err, resp.Body.Close()) == nil
}

// direct runs the handler in this process. l is released with it.
func (inv *invocation) direct(l *flock.Flock) (*administration, error) {
	log := slog.New(slog.NewTextHandler(inv.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	cfg, err := inv.settings()
	if err != nil {
		return nil, errors.Join(err, l.Unlock())
	}
	plans, err := inv.catalogue(cfg)
	if err != nil {
		return nil, errors.Join(err, l.Unlock())
	}
	st, err := store.Open(inv.ctx, store.Options{Dir: inv.data, DSN: cfg.Store.DSN, Bodies: cfg.Store.Bodies, Log: log})
	if err != nil {
		return nil, errors.Join(err, l.Unlock())
	}
	q, err := newQueue(st, cfg, nil, nil, log)
	if err != nil {
		return nil, errors.Join(err, st.Close(), l.Unlock())
	}
	// Nothing is accepted here; what is posted leaves when a relay serves.
	acceptor := accept.New(accept.Options{Store: st, Catalogue: plans, Lanes: q, Route: q.Lane, Log: log})
	teller := newTeller(st, acceptor, cfg, nil, log)
	handler := api.NewAdmin(api.AdminOptions{Store: st, Plans: plans, Queue: q, PerMinute: cfg.Limits.RecipientsPerMinute, Teller: teller,
		Steward: newSteward(st, plans, teller, cfg, nil, log), Log: log})
	return &administration{
		http:  &http.Client{Transport: inProcess{handler}},
		store: st,
		close: func() error { return errors.Join(st.Close(), l.Unlock()) },
	}, nil
}

// inProcess is an http.RoundTripper without a network.
type inProcess struct{ handler http.Handler }

// RoundTrip implements http.RoundTripper.
func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	w := &answer{header: make(http.Header)}
	p.handler.ServeHTTP(w, r)
	w.WriteHeader(http.StatusOK)
	return &http.Response{StatusCode: w.status, Header: w.header, Body: io.NopCloser(&w.body), Request: r}, nil
}

// answer keeps what a handler writes.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

// ask sends one request and reads the answer into out.
func (inv *invocation) ask(method, path string, in, out any) (err error) {
	adm, err := inv.administer()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, adm.close()) }()
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(inv.ctx, method, "http://relay"+path, body)
	if err != nil {
		return err
	}
	resp, err := adm.http.Do(req)
	if err != nil {
		return fmt.Errorf("ask the running relay: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return refusalOf(resp)
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	return nil
}
