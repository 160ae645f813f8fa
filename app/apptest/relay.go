package apptest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"servicesmtp.net/companion/internal/wire"
)

// Options of a relay. The zero value is a good relay that lets everybody in.
type Options struct {
	Certificate    Certificate
	Issuer         string   // name of its authority; "": "Test Authority"
	Omit           []string // EHLO keywords that are not offered, such as "STARTTLS" or "DSN"
	Mechanisms     []string // of AUTH; nil: PLAIN and LOGIN
	User, Password string   // "": every login is right
	RecipientLimit int      // 0: 50
	SizeLimit      int64    // of a message; 0: 100 MB
	OldTLS         bool     // TLS 1.1 at most
	Keys           bool     // accept a key once, as the real relay does
}

// Transaction is what one MAIL began.
type Transaction struct {
	Connection int      // from 1
	MailLine   string   // as it came
	RcptLines  []string // as they came
	EnvelopeID string   // ENVID, decoded
	From       string
	Offered    []string // every RCPT
	Taken      []string // those answered 2yz
	Flights    int      // how often the relay had to wait for commands up to DATA
	Size       int64
	BodySum    wire.BodySum
	Body       []byte // its first MB
	Reply      string // to the final dot; "" where it did not come so far
	Accepted   bool   // now, or before where Replayed
	Replayed   bool
	MailAt     time.Time
	DataAt     time.Time
	DoneAt     time.Time
}

// Relay is a scripted SMTP relay.
type Relay struct {
	authority *authority
	config    *tls.Config
	starttls  string // host:port
	implicit  string
	done      chan struct{}
	running   sync.WaitGroup
	listeners []net.Listener

	mu           sync.Mutex // guards everything below
	options      Options
	certificate  tls.Certificate
	closed       bool
	conns        map[net.Conn]struct{}
	connections  int
	scripts      map[Step][]Behaviour
	recipients   map[string][]Behaviour
	transactions []*Transaction
	commands     []string
	clearAuth    int
	logins       int
	keys         map[string]*entry
}

// NewRelay listens on two ports of loopback until the test ends.
func NewRelay(tb testing.TB, o Options) *Relay {
	tb.Helper()
	r := newRelay(tb, o)
	for _, implicit := range []bool{false, true} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			tb.Fatal(err)
		}
		r.listeners = append(r.listeners, ln)
		if implicit {
			r.implicit = ln.Addr().String()
		} else {
			r.starttls = ln.Addr().String()
		}
		r.running.Go(func() {
			for {
				nc, err := ln.Accept()
				if err != nil {
					return
				}
				r.serve(nc, implicit)
			}
		})
	}
	return r
}

// NewPipeRelay has no sockets; Dial reaches it.
func NewPipeRelay(tb testing.TB, o Options) *Relay {
	tb.Helper()
	r := newRelay(tb, o)
	r.starttls, r.implicit = "relay.test:587", "relay.test:465"
	return r
}

func newRelay(tb testing.TB, o Options) *Relay {
	tb.Helper()
	if o.RecipientLimit == 0 {
		o.RecipientLimit = 50
	}
	if o.SizeLimit == 0 {
		o.SizeLimit = 100_000_000
	}
	if o.Mechanisms == nil {
		o.Mechanisms = []string{"PLAIN", "LOGIN"}
	}
	if o.Issuer == "" {
		o.Issuer = "Test Authority"
	}
	authority, err := newAuthority(o.Issuer)
	if err != nil {
		tb.Fatal(err)
	}
	cert, err := authority.issue(o.Certificate)
	if err != nil {
		tb.Fatal(err)
	}
	r := &Relay{
		options: o, authority: authority, certificate: cert, done: make(chan struct{}),
		conns: make(map[net.Conn]struct{}), scripts: make(map[Step][]Behaviour),
		recipients: make(map[string][]Behaviour), keys: make(map[string]*entry),
	}
	r.config = &tls.Config{GetCertificate: r.present}
	if o.OldTLS {
		r.config.MinVersion, r.config.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	}
	tb.Cleanup(r.Close)
	return r
}

// Close ends the relay and waits for its goroutines.
func (r *Relay) Close() {
	r.mu.Lock()
	if !r.closed {
		r.closed = true
		close(r.done)
		for _, ln := range r.listeners {
			ln.Close()
		}
		for nc := range r.conns {
			end(nc)
		}
	}
	r.mu.Unlock()
	r.running.Wait()
}

// StartTLS is the endpoint that begins in plain text.
func (r *Relay) StartTLS() string { return "starttls://" + r.starttls }

// TLS is the endpoint that begins with TLS.
func (r *Relay) TLS() string { return "tls://" + r.implicit }

// CertPool holds the relay's authority.
func (r *Relay) CertPool() *x509.CertPool { return r.authority.pool() }

// CertPEM is the relay's authority as a file holds it.
func (r *Relay) CertPEM() []byte { return r.authority.pem() }

// Dial connects to the endpoint with this address, over the network or, to a
// relay without sockets, through a pipe.
func (r *Relay) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if len(r.listeners) > 0 {
		var d net.Dialer
		return d.DialContext(ctx, network, address)
	}
	if address != r.starttls && address != r.implicit {
		return nil, &net.DNSError{Err: "no such host", Name: address, IsNotFound: true}
	}
	near, far := net.Pipe()
	b := newBuffered(far)
	if !r.serve(b, address == r.implicit) {
		return nil, &net.OpError{Op: "dial", Net: network, Err: errors.New("connection refused")}
	}
	return pipeEnd{near, &b.reset}, nil
}

// serve runs a dialogue on a goroutine of its own.
func (r *Relay) serve(nc net.Conn, implicit bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		end(nc)
		return false
	}
	r.connections++
	r.conns[nc] = struct{}{}
	if b, ok := nc.(*buffered); ok {
		r.running.Go(b.pump)
	}
	c := newConversation(r, nc, r.connections, implicit)
	r.running.Go(func() {
		c.run()
		nc.Close()
		r.mu.Lock()
		delete(r.conns, nc)
		r.mu.Unlock()
	})
	return true
}

// end closes a connection without waiting for what it still holds.
func end(nc net.Conn) {
	if b, ok := nc.(*buffered); ok {
		b.Conn.Close()
	}
	nc.Close()
}

// settings are the options as they are now.
func (r *Relay) settings() Options {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.options
}

// Change changes what the relay offers and enforces from now on. Certificate,
// Issuer and OldTLS stay as they were: see Reissue.
func (r *Relay) Change(change func(*Options)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.options)
}

// Script sets what happens at a step: one behaviour after the other, the last
// one from then on. Without behaviours the step is as usual again.
func (r *Relay) Script(step Step, behaviours ...Behaviour) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.scripts[step] = behaviours
}

// ScriptRecipient does the same for RCPT of one address; it goes before Script
// of Rcpt.
func (r *Relay) ScriptRecipient(address string, behaviours ...Behaviour) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.recipients[address] = behaviours
}

// next takes the behaviour that is due.
func (r *Relay) next(step Step, recipient string) Behaviour {
	r.mu.Lock()
	defer r.mu.Unlock()
	take := func(list []Behaviour) (Behaviour, []Behaviour) {
		if len(list) > 1 {
			return list[0], list[1:]
		}
		return list[0], list
	}
	var b Behaviour
	switch {
	case step == Rcpt && len(r.recipients[recipient]) > 0:
		b, r.recipients[recipient] = take(r.recipients[recipient])
	case len(r.scripts[step]) > 0:
		b, r.scripts[step] = take(r.scripts[step])
	default:
		b = Usual()
	}
	return b
}

// Transactions lists what came so far, oldest first.
func (r *Relay) Transactions() []Transaction {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]Transaction, len(r.transactions))
	for i, t := range r.transactions {
		out[i] = *t
		out[i].RcptLines, out[i].Offered, out[i].Taken = slices.Clone(t.RcptLines), slices.Clone(t.Offered), slices.Clone(t.Taken)
	}
	return out
}

// Accepted lists the transactions that the relay took for the first time.
func (r *Relay) Accepted() []Transaction {
	return slices.DeleteFunc(r.Transactions(), func(t Transaction) bool { return !t.Accepted || t.Replayed })
}

// Commands lists the verbs that came, of all connections together; the final
// dot is ".".
func (r *Relay) Commands() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.commands)
}

// Connections is how many were made.
func (r *Relay) Connections() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.connections
}

// Logins is how many AUTH commands came, right or wrong.
func (r *Relay) Logins() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.logins
}

// ClearAuth is how many AUTH commands came without TLS. It must stay 0.
func (r *Relay) ClearAuth() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.clearAuth
}
