// Package proxy is the local SMTP listener: mail programs hand their mail to
// it as to any submission server (RFC 5321, RFC 6409).
//
// It promises that
//   - 250 after the data is written only when the spool's Commit returned nil,
//     and a message whose end was not seen (final dot, or the last octet of
//     BDAT LAST) is never committed;
//   - nothing but CRLF.CRLF ends the data, a bare CR or LF refuses the message
//     (RFC 5321 §2.3.8), and the message passes byte for byte but for our
//     Received in front and Bcc cut out;
//   - a reply never holds a path, a cause or somebody else's address: every
//     error passes one mapper (reply.go), the cause goes to the log under the
//     job's id;
//   - it stays up: an address that cannot be bound is a state, tried again
//     every few seconds, never changed silently; a panic in the spool refuses
//     one message.
//
// It never dials, asks no DNS and no keyring, and judges no address beyond its
// syntax: recipients are looked at later, because mail programs give up a whole
// message for one refused recipient.
//
// Goroutines: Run starts one for each listener and one for each connection to
// which it says goodbye, go-smtp one for each connection and one for each BDAT
// transfer. Run returns when all have ended.
// Errors of a session end in its replies; Run itself fails only when it is
// called twice.
//
// Offered: SIZE (RFC 1870), 8BITMIME (RFC 6152), SMTPUTF8 (RFC 6531),
// PIPELINING (RFC 2920), CHUNKING (RFC 3030), ENHANCEDSTATUSCODES (RFC 2034),
// DSN (RFC 3461), LIMITS (RFC 9422), AUTH PLAIN and LOGIN (RFC 4954). STARTTLS
// is not: programs that see it upgrade by themselves and then reject the
// certificate; TLS has its own addresses.
//
// go-smtp reads the commands. What it gets wrong, or has no hook for, is put
// right between it and the network (conn.go, guard.go).
package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"servicesmtp.net/companion/app/mail"
)

// Incoming takes one message. Write gets it in order. Then exactly one of
// Commit and Discard is called, once: after Commit the message belongs to the
// spool, whatever Commit answers, because a commit that failed half-way may
// still be on disk.
type Incoming interface {
	io.Writer
	// Commit makes the message durable. The envelope's Size is the number of
	// bytes written; Lane and BodySum are left to the spool.
	Commit(ctx context.Context, env mail.Envelope) error
	Discard()
}

// Spool stores messages. Declared is the SIZE that the mail program announced,
// or 0.
type Spool interface {
	Create(ctx context.Context, job mail.JobID, declared mail.ByteSize) (Incoming, error)
}

// Config says what New needs to know; Spool and Route always, Verify with
// RequireAuth. Callbacks may be called from several goroutines at once.
type Config struct {
	Addresses    []string // host:port; port 0 takes a free one. Rebind changes them
	TLSAddresses []string
	// TLS is asked for each time that an address with TLS is to be bound. Its
	// error is the state of that address.
	TLS func() (*tls.Config, error)

	// RequireAuth refuses MAIL before AUTH. Without it AUTH is accepted with any
	// password, for programs that insist on it. Rebind changes it.
	RequireAuth bool
	Verify      func(ctx context.Context, user, password string) bool

	MaxRecipients int           // 0: no limit
	MaxMessage    mail.ByteSize // 0: no limit
	Hostname      string        // in the greeting and in Received; "": localhost
	Idle          time.Duration // a connection on which no byte moved for this long ends; 0: 5 minutes

	Route    func(from string) (account string, err error) // which account sends mail of this reverse-path
	Spool    Spool
	Classify func(error) Problem // puts errors of Spool and Route into classes; nil: all are Unexpected
	Log      *slog.Logger

	Accepted func(mail.Envelope) // after a commit; must not block
	Changed  func()              // Listeners changed; must not block
	Stumbled func(Stumble)       // a program is set up wrongly; must not block
	SignedIn func()              // a program gave the right password; must not block
}

const (
	defaultIdle  = 5 * time.Minute  // RFC 5321 §4.5.3.2.7
	defaultRetry = 3 * time.Second  // between attempts to bind an address
	defaultGrace = 10 * time.Second // for transactions in hand when Run ends
	maxConns     = 1000             // on one address; a mail program opens a handful
)

// Server is the listener. Make it with New.
type Server struct {
	cfg   Config
	log   *slog.Logger
	retry time.Duration
	grace time.Duration
	bind  func(ctx context.Context, address string) (net.Listener, error)

	buffers  sync.Pool // of *[copySize]byte
	started  atomic.Bool
	ready    chan struct{}
	stopping chan struct{} // closed when Run's context ended
	orders   chan order    // of Rebind, for Run's goroutine
	mustAuth atomic.Bool
	guesses  guesses

	mu     sync.Mutex // guards places, their states and whether they are given up, conns, closed, and the beginning of Run
	places []*place   // only Run's goroutine replaces them, once it runs
	conns  map[*conn]struct{}
	closed bool           // no message is begun any more
	inHand sync.WaitGroup // messages being taken; Add under mu, and never when closed
}

// New makes a Server; nothing is bound before Run.
func New(cfg Config) *Server {
	if cfg.Hostname == "" {
		cfg.Hostname = "localhost"
	}
	if cfg.Idle <= 0 {
		cfg.Idle = defaultIdle
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{
		cfg: cfg, log: cfg.Log, retry: defaultRetry, grace: defaultGrace, bind: bind,
		ready: make(chan struct{}), stopping: make(chan struct{}), orders: make(chan order),
		conns:   make(map[*conn]struct{}),
		buffers: sync.Pool{New: func() any { return new([copySize]byte) }},
	}
	s.mustAuth.Store(cfg.RequireAuth)
	s.places, _ = relist(nil, Binding{Addresses: cfg.Addresses, TLSAddresses: cfg.TLSAddresses})
	return s
}

// Ready is closed when every address was tried once.
func (s *Server) Ready() <-chan struct{} { return s.ready }

var errTwice = errors.New("run proxy: it ran before")

// begin counts a message in; false means that Run is over. go-smtp runs the
// data of BDAT on a goroutine that it does not wait for, so Run must.
func (s *Server) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.inHand.Add(1)
	return true
}
