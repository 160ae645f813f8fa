// Package submission is the relay's SMTP service for its customers (RFC 6409),
// on any number of ports with STARTTLS and with TLS from the first byte.
//
// It promises that 250 after a message follows its commit (server/accept), that
// every refusal is one of the replies of docs/protocol.md, and that no
// password is taken before TLS. A repeated batch is answered with the stored
// decisions from MAIL on. Any From and reverse-path is taken from an
// authenticated account. It never writes an address, a name or content to the
// log, never tells a path or an inner error to a client, and never puts the
// customer's host or address into the message.
//
// Run owns everything: the goroutine of each listener, those of the
// connections (go-smtp starts one each, and one for a BDAT message), and waits
// for all of them. A connection is in a transaction from MAIL to the reply
// after the message; when Run is told to stop, connections outside one get 421
// and are closed, the others get their reply first, and after Config.Grace
// what still hangs is cut: no 250 was given there.
//
// Errors become replies in one function (reply.go); what it does not know is
// temporary.
//
// Standards: RFC 5321 (SMTP), 6409 (submission), 3207 (STARTTLS), 8314 (TLS
// from the first byte), 4954 (AUTH), 3461 (DSN), 1870 (SIZE), 2920
// (PIPELINING), 3030 (CHUNKING), 6152 (8BITMIME), 6531 (SMTPUTF8), 2034
// (enhanced codes), 9422 (LIMITS).
package submission

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/emersion/go-smtp"

	"servicesmtp.net/companion/internal/listen"
	"servicesmtp.net/companion/internal/units"
	"servicesmtp.net/companion/server/accept"
)

// RecipientMax is the most recipients of one transaction.
const RecipientMax = 50

const (
	offeredMax   = 1000            // with refused ones, which go-smtp does not count
	maxLine      = accept.MaxLine  // also cuts DATA; commands have the limits below
	maxAddress   = 998             // bytes, as over HTTPS; RFC 5321 §4.5.3.1.3 asks for 256
	maxOriginal  = 500             // RFC 3461 §4.2
	maxEnvelope  = 100             // RFC 3461 §4.4
	maxConns     = 2000            // of one listener
	defaultIdle  = 5 * time.Minute // RFC 5321 §4.5.3.2.7
	defaultGrace = 20 * time.Second
)

// ErrCredentials is what Config.Authenticate answers for an unknown name or a
// wrong password. Any other error is temporary for the client: a program told
// 535 asks its user for a new password.
var ErrCredentials = errors.New("wrong name or password")

// Login is what a client shows to be let in.
type Login struct {
	User, Password string
	Remote         string // IP address, by which guesses may be counted
}

// Config says how to serve. Zero values have a default where one is named.
type Config struct {
	StartTLS     []string // addresses with STARTTLS
	TLS          []string // addresses with TLS from the first byte
	Hostname     string
	Certificate  *tls.Config
	MaxMessage   units.ByteSize
	Idle         time.Duration // no byte for this long ends a connection; default 5 minutes
	Grace        time.Duration // for transactions in hand at stop; default 20 seconds
	Authenticate func(ctx context.Context, l Login) (accountID string, err error)
	Accept       *accept.Acceptor
	Log          *slog.Logger
}

// Server serves submission. Run is called once.
type Server struct {
	cfg   Config
	ready chan struct{} // closed when everything is bound
	addrs []net.Addr    // written before ready is closed
	quit  chan struct{} // closed when Run begins to stop

	inHand sync.WaitGroup // messages being received: BDAT's goroutine is nobody else's to wait for

	mu       sync.Mutex // guards conns, stopping and over
	conns    map[*conn]struct{}
	stopping bool
	over     bool // no message is taken in hand any more
}

// New makes a server.
func New(cfg Config) (*Server, error) {
	switch {
	case len(cfg.StartTLS)+len(cfg.TLS) == 0:
		return nil, errors.New("submission: no address to listen on: set starttls or tls")
	case cfg.Certificate == nil:
		return nil, errors.New("submission: no certificate: passwords are taken over TLS only")
	case cfg.Authenticate == nil, cfg.Accept == nil, cfg.Log == nil:
		return nil, errors.New("submission: Authenticate, Accept and Log are needed")
	case cfg.MaxMessage <= 0 || cfg.Hostname == "":
		return nil, errors.New("submission: hostname and the largest message are needed")
	}
	if cfg.Idle <= 0 {
		cfg.Idle = defaultIdle
	}
	if cfg.Grace <= 0 {
		cfg.Grace = defaultGrace
	}
	return &Server{cfg: cfg, ready: make(chan struct{}), quit: make(chan struct{}), conns: make(map[*conn]struct{})}, nil
}

// Ready is closed when every address is bound. It stays open when Run fails
// before that.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// Addrs are the addresses as bound, those with STARTTLS first. They are known
// once Ready is closed.
func (s *Server) Addrs() []net.Addr {
	select {
	case <-s.ready:
		return s.addrs
	default:
		return nil
	}
}

// newSMTP configures go-smtp. Its own time-outs stay off: internal/listen ends
// silent connections without cutting slow ones.
func (s *Server) newSMTP(ctx context.Context) *smtp.Server {
	srv := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return s.newSession(ctx, c) }))
	srv.Domain = s.cfg.Hostname
	srv.AllowInsecureAuth = true // all that it sees is inside TLS, see conn
	srv.MaxRecipients = RecipientMax
	srv.MaxMessageBytes = int64(s.cfg.MaxMessage)
	srv.MaxLineLength = maxLine
	srv.EnableSMTPUTF8 = true
	srv.EnableDSN = true
	srv.ErrorLog = errorLog{s.cfg.Log}
	return srv
}

// bind takes all addresses or none.
func (s *Server) bind(ctx context.Context) (listeners []*listener, err error) {
	defer func() {
		if err != nil {
			for _, l := range listeners {
				l.conns.Close() // nothing was served yet
			}
		}
	}()
	var lc net.ListenConfig
	for i, address := range append(append([]string(nil), s.cfg.StartTLS...), s.cfg.TLS...) {
		nl, err := lc.Listen(ctx, "tcp", address)
		if err != nil {
			return listeners, fmt.Errorf("listen for submission: %w", err)
		}
		conns := listen.New(nl, listen.Limits{Idle: s.cfg.Idle, Conns: maxConns})
		listeners = append(listeners, &listener{srv: s, conns: conns, startTLS: i < len(s.cfg.StartTLS)})
	}
	return listeners, nil
}

// listener is what go-smtp accepts from.
type listener struct {
	srv      *Server
	conns    *listen.Listener
	startTLS bool
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	for {
		raw, err := l.conns.Accept()
		if err != nil {
			return nil, err
		}
		c := newConn(l.srv, raw, l.startTLS)
		if l.srv.enter(c) {
			return c, nil
		}
		c.stop()
	}
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr { return l.conns.Addr() }

// Close implements net.Listener. It leaves open connections as they are,
// because go-smtp closes listeners first when it stops.
func (l *listener) Close() error {
	if err := l.conns.CloseListener(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// errorLog takes what go-smtp reports. Its lines name addresses, so only what
// kind of line it is reaches the log, and the stack of a panic.
type errorLog struct{ log *slog.Logger }

// Printf implements smtp.Logger.
func (e errorLog) Printf(format string, v ...any) {
	if len(v) == 3 { // "panic serving %v: %v\n%s"
		if stack, ok := v[2].([]byte); ok {
			e.log.Error("submission panics", "stack", string(stack))
			return
		}
	}
	e.log.Debug("connection ended with an error", "kind", format)
}

// Println implements smtp.Logger.
func (e errorLog) Println(...any) { e.log.Debug("connection ended with an error") }
