package uplink

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"servicesmtp.net/companion/app/mail"
)

// Config says how to reach one account's relay.
type Config struct {
	Endpoints []Endpoint     // tried in this order
	RootCAs   *x509.CertPool // nil: those of the system
	User      string
	Password  func(context.Context) (string, error) // asked once per Connect, only after TLS was verified
	LocalName string                                // said in EHLO; "": "localhost"

	Connect  time.Duration // to reach one endpoint up to EHLO, again for AUTH, and for RSET and NOOP; 0: 30 s
	Progress time.Duration // for one reply, and for one byte of a body to move; 0: 5 min (RFC 5321 §4.5.3.2)
	FinalDot time.Duration // for the answer to the final dot; 0: 10 min (RFC 5321 §4.5.3.2.6)

	Dial func(ctx context.Context, network, address string) (net.Conn, error) // nil: net.Dialer
	Log  *slog.Logger                                                         // nil: none

	Encrypted *Encrypted // nil: what was offered before is not known
}

func (c Config) withDefaults() Config {
	for _, d := range []struct {
		value *time.Duration
		or    time.Duration
	}{{&c.Connect, 30 * time.Second}, {&c.Progress, 5 * time.Minute}, {&c.FinalDot, 10 * time.Minute}} {
		if *d.value <= 0 {
			*d.value = d.or
		}
	}
	if c.LocalName == "" {
		c.LocalName = "localhost"
	}
	if c.Dial == nil {
		c.Dial = (&net.Dialer{}).DialContext
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Moved is the Detail of a HoldBusy by which the relay asks to use another
// endpoint (SSMTP-MOVED).
const Moved = "moved"

// Details of a HoldBusy that waiting alone will hardly end.
const (
	// Refused: the server says no (5yz) before there is a session, for a reason
	// of its own: a login that it wants in another form, a network that it does
	// not like, an account that it has switched off.
	Refused = "The server refuses to take mail from here."
	// NoLogin: it offers no mechanism of AUTH that is known here.
	NoLogin = "The server offers no way to log in that this program knows."
)

// ConnectError is why there is no authenticated session.
type ConnectError struct {
	Hold     mail.Hold
	Endpoint Endpoint // the one whose failure tells the most
	Err      error    // technical cause; may name hosts and IP addresses
}

// Error implements error.
func (e *ConnectError) Error() string {
	return fmt.Sprintf("connect to relay: %s: %v", e.Hold.Reason, e.Err)
}

// Unwrap returns the technical cause.
func (e *ConnectError) Unwrap() error { return e.Err }

// telling orders the reasons: where several endpoints fail, the person is told
// the one nearest to a session.
var telling = map[mail.HoldReason]int{
	mail.HoldNoPassword: 6, mail.HoldCredentials: 5, mail.HoldCertificate: 4,
	mail.HoldNoTLS: 3, mail.HoldBusy: 2, mail.HoldUnreachable: 1,
}

// Connect tries the endpoints in their order until one authenticates, and asks
// DNS anew each time. The error is a *ConnectError, or the context's own where
// ctx ended first.
func Connect(ctx context.Context, cfg Config) (*Session, error) {
	cfg = cfg.withDefaults()
	worst := &ConnectError{
		Hold: mail.Hold{Reason: mail.HoldUnreachable, Since: time.Now(), Detail: "No server is set for this account."},
		Err:  errors.New("no endpoints"),
	}
	password := once(cfg.Password)
	for i, e := range cfg.Endpoints {
		began := time.Now()
		s, failed := open(ctx, cfg, e, password)
		if failed == nil {
			cfg.Log.Debug("relay connected", "endpoint", i, "duration", time.Since(began))
			return s, nil
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("connect to relay: %w", context.Cause(ctx))
		}
		cfg.Log.Debug("relay endpoint failed", "endpoint", i, "reason", failed.Hold.Reason,
			"code", failed.Hold.Reply.Code.Basic, "duration", time.Since(began))
		if i == 0 || telling[failed.Hold.Reason] > telling[worst.Hold.Reason] {
			worst = failed
		}
		if r := failed.Hold.Reason; r == mail.HoldNoPassword || r == mail.HoldCredentials {
			break // no other endpoint can do without, and a wrong one is not tried twice
		}
	}
	return nil, worst
}

// once asks for the password at most one time: a keyring may show a prompt.
func once(ask func(context.Context) (string, error)) func(context.Context) (string, error) {
	var asked bool
	var password string
	var err error
	return func(ctx context.Context) (string, error) {
		if !asked {
			asked = true
			password, err = ask(ctx)
			if err == nil && password == "" {
				err = errors.New("the stored password is empty")
			}
		}
		return password, err
	}
}

// open makes one session. The time that the password takes counts for neither
// of its two limits, so that a slow keyring does not look like a slow relay.
func open(ctx context.Context, cfg Config, e Endpoint, password func(context.Context) (string, error)) (*Session, *ConnectError) {
	s := &Session{cfg: cfg, endpoint: e}
	fail := s.within(ctx, s.hello)
	if fail == nil {
		var secret string
		var err error
		if secret, err = password(ctx); err != nil {
			fail = failure(mail.HoldNoPassword, "The password cannot be read from where it is kept.", err)
		} else {
			fail = s.within(ctx, func(ctx context.Context) *ConnectError { return s.authenticate(ctx, secret) })
		}
	}
	if fail == nil {
		return s, nil
	}
	s.drop()
	fail.Endpoint, fail.Hold.Since = e, time.Now()
	return nil, fail
}

// within runs a part of the set-up, which ends when Connect has passed.
func (s *Session) within(ctx context.Context, part func(context.Context) *ConnectError) *ConnectError {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Connect)
	defer cancel()
	fail := part(ctx)
	switch {
	case ctx.Err() == nil:
		return fail
	case fail == nil: // the connection was closed at the last moment
		return lost(ctx.Err())
	case fail.Hold.Reason == mail.HoldUnreachable: // because it was closed
		return lost(fmt.Errorf("%w: %w", ctx.Err(), fail.Err))
	}
	return fail
}

func failure(reason mail.HoldReason, detail string, err error) *ConnectError {
	return &ConnectError{Hold: mail.Hold{Reason: reason, Detail: detail}, Err: err}
}

// refused is a failure that the server put into words.
func refused(reason mail.HoldReason, detail string, r mail.Reply) *ConnectError {
	f := failure(reason, detail, replyError(r))
	f.Hold.Reply = r
	return f
}

// replyError is a reply as an error.
func replyError(r mail.Reply) error { return fmt.Errorf("answer to %s: %s", r.Command, r) }

const lostDetail = "The connection was lost."

// lost is a failure in which the server did not have its say.
func lost(err error) *ConnectError {
	var dns *net.DNSError
	var ne net.Error
	var op *net.OpError
	detail := lostDetail
	switch {
	case errors.As(err, &dns):
		detail = "The name of the server could not be looked up."
	case errors.Is(err, errGarbage):
		detail = "Something answers that is not a mail server. This network may want a sign-in first."
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &ne) && ne.Timeout():
		detail = "There was no answer in time."
	case errors.As(err, &op) && op.Op == "dial":
		detail = "The server cannot be reached: there is no network, or the port is closed or blocked."
	}
	return failure(mail.HoldUnreachable, detail, err)
}
