package delivery

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"time"
)

// client is what all SMTP sessions of a route share.
type client struct {
	hostname string
	roots    *x509.CertPool
	timeouts Timeouts
	log      *slog.Logger
}

func newClient(c Config) client {
	return client{hostname: c.Hostname, roots: c.RootCAs, timeouts: c.Timeouts, log: c.Log}
}

// open dials and starts a session, once more in plain text when a server's
// offer of STARTTLS turns out broken: without the offer the mail would have
// gone in plain text as well (RFC 7435 §3).
func (c client) open(ctx context.Context, dial func() (net.Conn, error), remote string, e encryption) (*session, error) {
	nc, err := dial()
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	s, err := c.start(ctx, nc, remote, e)
	if e != opportunistic || !errors.Is(err, errTLS) || ctx.Err() != nil {
		return s, err
	}
	c.log.Warn("a server's offer of encryption does not work; going on without")
	return c.open(ctx, dial, remote, plain)
}

// encryption of a session.
type encryption int

const (
	opportunistic encryption = iota // STARTTLS where offered, unverified: better than plain text (RFC 7435)
	plain                           // after STARTTLS was offered and did not work
	implicit                        // TLS from the first byte, verified
)

// errTLS says that TLS was begun and failed.
var errTLS = errors.New("TLS handshake")

// session is one SMTP connection past EHLO.
//
// It moves greeted → [reset] MAIL → RCPT … → DATA → content → dot → greeted.
// Whatever breaks off in between leaves needReset (the server waits for a
// command) or broken (nobody knows what the server waits for; only Close).
type session struct {
	timeouts  Timeouts
	nc        net.Conn
	r         *bufio.Reader
	w         *bufio.Writer
	remote    string
	ext       map[string]string
	limit     time.Time // no step lasts beyond
	used      bool      // a transaction went through: the server may have closed the connection since
	needReset bool
	broken    bool
}

// start takes a fresh connection to remote past EHLO and STARTTLS. It closes
// nc when it fails. The error is a *replyError when the server refused.
func (c client) start(ctx context.Context, nc net.Conn, remote string, e encryption) (*session, error) {
	s := &session{timeouts: c.timeouts, remote: remote, limit: time.Now().Add(openLimit(c.timeouts))}
	s.use(nc)
	stop := context.AfterFunc(ctx, func() { nc.Close() })
	err := c.greet(ctx, s, e)
	stop()
	if err != nil {
		s.nc.Close()
		return nil, err
	}
	return s, nil
}

func (s *session) use(nc net.Conn) {
	s.nc, s.r, s.w = nc, bufio.NewReader(nc), bufio.NewWriterSize(nc, 32<<10)
}

func (c client) greet(ctx context.Context, s *session, e encryption) error {
	if e == implicit {
		if err := s.startTLS(ctx, &tls.Config{ServerName: s.remote, RootCAs: c.roots}); err != nil {
			return err
		}
	}
	if _, err := s.expect("", 220); err != nil {
		return err
	}
	if err := s.hello(c.hostname); err != nil {
		return err
	}
	if _, offered := s.ext["STARTTLS"]; !offered || e != opportunistic {
		return nil
	}
	if _, err := s.expect("STARTTLS", 220); err != nil {
		return fmt.Errorf("%w: %w", errTLS, err)
	}
	// Nobody vouches for the name of an MX host but unsigned DNS, so a
	// certificate proves nothing here, and plain text would be worse (RFC 7435
	// §3); DANE and MTA-STS are not looked up.
	if err := s.startTLS(ctx, &tls.Config{ServerName: s.remote, InsecureSkipVerify: true}); err != nil {
		return err
	}
	return s.hello(c.hostname) // RFC 3207 §4.2: what was said before counts no more
}

func (s *session) startTLS(ctx context.Context, config *tls.Config) error {
	s.deadline(s.timeouts.Command)
	tc := tls.Client(s.nc, config)
	if err := tc.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("%w: %w", errTLS, err)
	}
	s.use(tc) // drops what was said before TLS and not read yet: anybody may have said it (CVE-2011-0411)
	return nil
}

// hello says EHLO, or HELO to a server that knows no better.
func (s *session) hello(name string) error {
	s.ext = make(map[string]string)
	if err := s.send("EHLO " + name); err != nil {
		return err
	}
	r, err := s.read(s.timeouts.Command, true)
	if err != nil {
		return err
	}
	if r.code == 500 || r.code == 502 { // RFC 5321 §3.2
		_, err := s.expect("HELO "+name, 250)
		return err
	}
	if r.code != 250 {
		return &replyError{r}
	}
	for _, line := range r.lines[1:] {
		word, params, _ := strings.Cut(line, " ")
		s.ext[strings.ToUpper(word)] = params
	}
	return nil
}

func (s *session) has(extension string) bool {
	_, ok := s.ext[extension]
	return ok
}

// replyError is a reply that was not the expected one.
type replyError struct{ reply }

func (e *replyError) Error() string { return fmt.Sprintf("answer %d %s", e.code, e.enhanced) }

// expect sends a command ("" sends none) and wants code in return.
func (s *session) expect(command string, code int) (reply, error) {
	if command != "" {
		if err := s.send(command); err != nil {
			return reply{}, err
		}
	}
	r, err := s.read(s.timeouts.Command, false)
	if err == nil && r.code != code {
		err = &replyError{r}
	}
	return r, err
}

// send writes commands in one go.
func (s *session) send(commands ...string) error {
	s.deadline(s.timeouts.Command)
	for _, c := range commands {
		io.WriteString(s.w, c+"\r\n") // a failed write shows in Flush
	}
	if err := s.w.Flush(); err != nil {
		s.broken = true
		return fmt.Errorf("send command: %w", err)
	}
	return nil
}

// read reads one reply. 421 ends the session whatever was asked (RFC 5321
// §3.8); it comes back as a reply, so that it is kept.
func (s *session) read(timeout time.Duration, keep bool) (reply, error) {
	s.deadline(timeout)
	r, err := readReply(s.r, keep)
	if err != nil {
		s.broken = true
		return reply{}, fmt.Errorf("read answer: %w", err)
	}
	if r.code == 421 {
		s.broken = true
	}
	return r, nil
}

func (s *session) deadline(d time.Duration) {
	at := time.Now().Add(d)
	if at.After(s.limit) {
		at = s.limit
	}
	// It fails on a closed connection only, and so does what follows.
	_ = s.nc.SetDeadline(at)
}

// quit ends the session in good order, without waiting long for a server that
// has nothing left to say.
func (s *session) quit() error {
	if !s.broken {
		s.limit = time.Now().Add(quitLimit)
		if err := s.send("QUIT"); err == nil {
			// The answer changes nothing; waiting for it lets the server see an
			// orderly end (RFC 5321 §4.1.1.10).
			_, _ = s.read(quitLimit, false)
		}
	}
	s.broken = true
	return s.nc.Close()
}

const quitLimit = 2 * time.Second
