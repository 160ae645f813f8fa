package submission

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"

	"servicesmtp.net/companion/internal/units"
	"servicesmtp.net/companion/internal/wire"
	"servicesmtp.net/companion/server/accept"
	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/billing"
	"servicesmtp.net/companion/server/store"
)

const job = "01ARZ3NDEKTSV4RRFFQ69G5FAV"

func envid(n int) string { return wire.EnvelopeID{Job: job, Number: n}.String() }

// noLanes is a queue that nobody works.
type noLanes struct{}

func (noLanes) Enqueue(context.Context, *sql.Tx, []string) error { return nil }
func (noLanes) Wake([]string)                                    {}

// world is a relay's submission on a real store.
type world struct {
	t      testing.TB
	dir    string
	store  *store.Store
	accept *accept.Acceptor
	server *Server
	roots  *x509.CertPool
	tls    string // address with TLS from the first byte
	plain  string // address with STARTTLS
	log    *record
	now    func() time.Time   // of plans and acceptance; nil: time.Now
	cancel context.CancelFunc // tells Run to stop
	stop   func()             // ends everything and waits
}

// options change a world before it is made.
type options struct {
	dir          string
	config       func(*Config)
	authenticate func(ctx context.Context, l Login) (string, error)
	now          func() time.Time
}

// record keeps the log, so that tests can look for what must not be in it.
type record struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

func newWorld(t testing.TB, change ...func(*options)) *world {
	t.Helper()
	o := options{dir: t.TempDir()}
	for _, c := range change {
		c(&o)
	}
	w := &world{t: t, dir: o.dir, log: &record{}, now: o.now}
	log := slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var err error
	if w.store, err = store.Open(context.Background(), store.Options{Dir: w.dir, Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	w.accept = accept.New(accept.Options{Store: w.store, Catalogue: account.Default(), Lanes: noLanes{}, Route: wire.Domain, Now: o.now, Log: log})
	certificate, roots := selfSigned(t)
	w.roots = roots
	cfg := Config{StartTLS: []string{"127.0.0.1:0"}, TLS: []string{"127.0.0.1:0"}, Hostname: "relay.example", Certificate: certificate,
		MaxMessage: 150 * units.MB, Authenticate: w.authenticate, Accept: w.accept, Log: log}
	if o.authenticate != nil {
		cfg.Authenticate = o.authenticate
	}
	if o.config != nil {
		o.config(&cfg)
	}
	if w.server, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	w.run()
	return w
}

// run starts acceptor and server, and sets stop.
func (w *world) run() {
	ctx, cancel := context.WithCancel(context.Background())
	accepting, end := context.WithCancel(context.Background())
	w.cancel = cancel
	served, accepted := make(chan error, 1), make(chan error, 1)
	go func() { accepted <- w.accept.Run(accepting) }()
	go func() { served <- w.server.Run(ctx) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-served; err != nil {
			w.t.Errorf("submission: %v", err)
		}
		end() // after submission: nobody calls Accept any more
		if err := <-accepted; err != nil {
			w.t.Errorf("accept: %v", err)
		}
		if err := w.store.Close(); err != nil {
			w.t.Error(err)
		}
	})
	w.t.Cleanup(w.stop)
	<-w.server.Ready()
	w.plain, w.tls = w.server.Addrs()[0].String(), w.server.Addrs()[1].String()
}

// authenticate lets in whoever has "secret" and an account.
func (w *world) authenticate(ctx context.Context, l Login) (string, error) {
	a, err := w.store.AccountByName(ctx, l.User)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return "", ErrCredentials
	case err != nil:
		return "", err
	case l.Password != "secret":
		return "", ErrCredentials
	}
	return a.ID, nil
}

func (w *world) account(name, plan string) string {
	w.t.Helper()
	b := billing.Billing{Store: w.store, Plans: account.Default(), Now: w.now}
	a, _, err := b.Open(context.Background(), billing.NewAccount{Plan: plan, Account: store.Account{ID: "id-" + name, Name: name,
		Email: name + "@example.com", Zone: "UTC", Status: "active", Overage: "surcharge", PasswordHash: "x"}})
	if err != nil {
		w.t.Fatal(err)
	}
	return a.ID
}

func (w *world) exec(query string, args ...any) {
	w.t.Helper()
	if _, err := w.store.Writer().Exec(query, args...); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) count(query string, args ...any) (n int64) {
	w.t.Helper()
	if err := w.store.Reader().QueryRow(query, args...).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// content reads what is stored of the message in a reply "queued as <id>".
func (w *world) content(reply string) (store.Message, string) {
	w.t.Helper()
	_, id, ok := strings.Cut(reply, "queued as ")
	if !ok {
		w.t.Fatalf("reply %q", reply)
	}
	id, _, _ = strings.Cut(id, " ")
	m, err := w.store.Message(context.Background(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	r, _, err := w.store.OpenBody(context.Background(), m.AccountID, m.SHA256)
	if err != nil {
		w.t.Fatal(err)
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		w.t.Fatal(err)
	}
	return m, string(text)
}

// client speaks SMTP line by line.
type client struct {
	t    testing.TB
	conn net.Conn
	text *textproto.Conn
}

func (w *world) newClient(conn net.Conn) *client {
	w.t.Helper()
	c := &client{t: w.t, conn: conn, text: textproto.NewConn(conn)}
	w.t.Cleanup(func() { conn.Close() })
	c.want("220 ")
	return c
}

// dialPlain connects to the port with STARTTLS.
func (w *world) dialPlain() *client {
	w.t.Helper()
	conn, err := net.Dial("tcp", w.plain)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.newClient(conn)
}

func (w *world) dialTLS() *client {
	w.t.Helper()
	conn, err := tls.Dial("tcp", w.tls, &tls.Config{RootCAs: w.roots, ServerName: "localhost"})
	if err != nil {
		w.t.Fatal(err)
	}
	return w.newClient(conn)
}

// login connects and authenticates.
func (w *world) login(name string) *client {
	w.t.Helper()
	c := w.dialTLS()
	c.cmd("EHLO client.invalid", "250-")
	c.cmd("AUTH PLAIN "+plain("", name, "secret"), "235 ")
	return c
}

func plain(identity, user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte(identity + "\x00" + user + "\x00" + password))
}

// reply reads a whole reply; lines are joined by a line feed.
func (c *client) reply() string {
	c.t.Helper()
	var lines []string
	for {
		line, err := c.text.ReadLine()
		if err != nil {
			return strings.Join(append(lines, "("+err.Error()+")"), "\n")
		}
		lines = append(lines, line)
		if len(line) < 4 || line[3] != '-' {
			return strings.Join(lines, "\n")
		}
	}
}

// want reads a reply that must begin so.
func (c *client) want(prefix string) string {
	c.t.Helper()
	got := c.reply()
	if !strings.HasPrefix(got, prefix) {
		c.t.Errorf("got reply %q, want %q", got, prefix)
	}
	return got
}

func (c *client) write(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, text); err != nil {
		c.t.Errorf("write: %v", err)
	}
}

// cmd sends a line and reads a reply that must begin so.
func (c *client) cmd(line, prefix string) string {
	c.t.Helper()
	c.write(line + "\r\n")
	return c.want(prefix)
}

// offer begins a transaction whose recipients must all be accepted.
func (c *client) offer(envelopeID string, recipients ...string) {
	c.t.Helper()
	line := "MAIL FROM:<a@example.com>"
	if envelopeID != "" {
		line += " ENVID=" + envelopeID
	}
	c.cmd(line, "250 ")
	for _, r := range recipients {
		c.cmd("RCPT TO:<"+r+">", "250 ")
	}
}

// data sends a message, which must need no dot-stuffing, and reads a reply
// that must begin so.
func (c *client) data(message, prefix string) string {
	c.t.Helper()
	c.cmd("DATA", "354 ")
	c.write(message + ".\r\n")
	return c.want(prefix)
}

// closed says that the server ended the connection.
func (c *client) closed() {
	c.t.Helper()
	if got := c.reply(); !strings.HasPrefix(got, "(") {
		c.t.Errorf("got %q, want the end of the connection", got)
	}
}

func message(text string) string {
	return "From: a@example.com\r\nTo: list@example.com\r\nSubject: very private\r\n\r\n" + text + "\r\n"
}

func addresses(n int, tag string) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("%s%d@d%d.example", tag, i, i%5))
	}
	return all
}

// selfSigned makes a certificate for localhost.
func selfSigned(t testing.TB) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, roots
}

// startTLS upgrades a client of the plain port.
func (w *world) startTLS(c *client) *client {
	w.t.Helper()
	c.cmd("STARTTLS", "220 ")
	return w.handshake(c)
}

func (w *world) handshake(c *client) *client {
	w.t.Helper()
	conn := tls.Client(c.conn, &tls.Config{RootCAs: w.roots, ServerName: "localhost"})
	if err := conn.Handshake(); err != nil {
		w.t.Fatal(err)
	}
	return &client{t: w.t, conn: conn, text: textproto.NewConn(conn)}
}
