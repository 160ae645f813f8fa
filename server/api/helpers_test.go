package api

import (
	"bytes"
	"context"
	"crypto/tls"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"servicesmtp.net/companion/internal/wire"
	"servicesmtp.net/companion/server/accept"
	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/billing"
	"servicesmtp.net/companion/server/login"
	"servicesmtp.net/companion/server/store"
)

const job = "01ARZ3NDEKTSV4RRFFQ69G5FAV"

// noLanes is a queue that nobody works.
type noLanes struct{}

func (noLanes) Enqueue(context.Context, *sql.Tx, []string) error { return nil }
func (noLanes) Wake([]string)                                    {}

// relay is an API on a real TLS port over a real store.
type relay struct {
	t      *testing.T
	store  *store.Store
	server *Server
	http   *http.Client
	url    string
	log    *lockedBuffer
	stop   func() error // ends Run and waits for it
}

// lockedBuffer is a log that is read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// certificate lends net/http's test certificate and a client that trusts it.
func certificate(t *testing.T) (*tls.Config, *http.Client) {
	t.Helper()
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.EnableHTTP2 = true // as relayclient and curl speak
	srv.StartTLS()
	t.Cleanup(srv.Close)
	client := srv.Client()
	client.Timeout = 30 * time.Second
	return &tls.Config{Certificates: srv.TLS.Certificates}, client
}

func start(t *testing.T, dir string) *relay {
	t.Helper()
	st, err := store.Open(context.Background(), store.Options{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	conf, client := certificate(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{t: t, store: st, http: client, url: "https://" + ln.Addr().String() + "/v1", log: &lockedBuffer{}}
	acceptor := accept.New(accept.Options{Store: st, Catalogue: account.Default(), Lanes: noLanes{}, Route: wire.Domain, Log: slog.New(slog.DiscardHandler)})
	r.server = New(Options{Store: st, Login: login.New(st), Plans: account.Default(), Keys: acceptor, Accept: acceptor, Hostname: "relay.example",
		Endpoints: func() []Endpoint {
			return []Endpoint{{Host: "localhost", Port: 587, TLS: "starttls", Roles: []string{"primary"}, Store: st.Name()}}
		},
		Policy: Policy{RcptMax: 50, MessageMax: 150_000_000, ValidSeconds: 300, PerProvider: map[string]int64{"gmail.com": 20}},
		Log:    slog.New(slog.NewTextHandler(r.log, nil))})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.server.Run(ctx, ln, conf) }()
	accepting, end := context.WithCancel(context.Background())
	accepted := make(chan error, 1)
	go func() { accepted <- acceptor.Run(accepting) }()
	r.stop = sync.OnceValue(func() error {
		cancel()
		err := <-ended
		end() // after the API: nobody calls Accept any more
		return errors.Join(err, <-accepted, st.Close())
	})
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return r
}

func (r *relay) addAccount(name string) store.Account {
	r.t.Helper()
	return r.open(billing.NewAccount{Plan: "standard", Account: store.Account{Name: name, Zone: "UTC", Overage: "surcharge"}})
}

// open opens an account with a password and an address made of its name.
func (r *relay) open(n billing.NewAccount) store.Account {
	r.t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte("secret-"+n.Account.Name), bcrypt.MinCost)
	if err != nil {
		r.t.Fatal(err)
	}
	n.Account.Email, n.Account.Status, n.Account.PasswordHash = n.Account.Name+"@example.com", "active", string(hash)
	a, _, err := r.billing().Open(context.Background(), n)
	if err != nil {
		r.t.Fatal(err)
	}
	return a
}

func (r *relay) billing() *billing.Billing {
	return &billing.Billing{Store: r.store, Plans: account.Default()}
}

// do sends a request; sign puts the credentials on it.
func (r *relay) do(method, path, body string, sign func(*http.Request)) (*http.Response, string) {
	r.t.Helper()
	req, err := http.NewRequest(method, r.url+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if sign != nil {
		sign(req)
	}
	resp, err := r.http.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp, string(text)
}

func bearer(token string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}

func basic(user, password string) func(*http.Request) {
	return func(r *http.Request) { r.SetBasicAuth(user, password) }
}

func (r *relay) token(name string) string {
	r.t.Helper()
	resp, text := r.do("POST", "/devices", `{"name":"pc"}`, basic(name, "secret-"+name))
	if resp.StatusCode != http.StatusCreated {
		r.t.Fatalf("device: %d %s", resp.StatusCode, text)
	}
	return decodeTo[Device](r.t, text).Token
}

func decodeTo[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

// get asks with a token and wants 200.
func get[T any](r *relay, token, path string) T {
	r.t.Helper()
	resp, text := r.do("GET", path, "", bearer(token))
	if resp.StatusCode != http.StatusOK {
		r.t.Fatalf("%s: %d %s", path, resp.StatusCode, text)
	}
	return decodeTo[T](r.t, text)
}

// wantProblem checks an error answer: status, form and that it names nothing
// of the inside.
func (r *relay) wantProblem(resp *http.Response, text string, status int) {
	r.t.Helper()
	if resp.StatusCode != status || resp.Header.Get("Content-Type") != "application/problem+json" {
		r.t.Errorf("got %d %s %s, want problem %d", resp.StatusCode, resp.Header.Get("Content-Type"), text, status)
	}
	for _, inside := range []string{"sql", "select", "table", "closed", ".go", os.TempDir()} {
		if strings.Contains(strings.ToLower(text), inside) {
			r.t.Errorf("the answer tells %q: %s", inside, text)
		}
	}
}

// addEvents writes events as delivery does.
func (r *relay) addEvents(a store.Account, status string, recipients ...string) {
	r.t.Helper()
	err := r.store.Tx(context.Background(), func(tx *sql.Tx) error {
		for _, to := range recipients {
			if _, err := tx.Exec(`INSERT INTO events (account_id, message_id, envid, recipient, status, code, enhanced, reply, at)
				VALUES ($1, 'M1', $2, $3, $4, 550, '5.1.1', 'no such user', $5)`, a.ID, "sb1."+job+".1", to, status, store.Micros(time.Now())); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
}
