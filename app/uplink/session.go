package uplink

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emersion/go-sasl"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/internal/wire"
)

// Session is an authenticated connection to the relay.
type Session struct {
	cfg      Config
	endpoint Endpoint
	d        *dialogue
	offers   map[string]string // of the last EHLO: keyword in upper case → parameters
	closed   bool
	buf      []byte // of streamed bodies, kept for the next one
}

// Endpoint is the one that worked.
func (s *Session) Endpoint() Endpoint { return s.endpoint }

// OffersDSN says whether ENVID can be sent. Without it the relay cannot tell a
// repeated batch from a new one: an Unknown result must not be sent again.
func (s *Session) OffersDSN() bool { return s.has("DSN") }

// RecipientLimit is the most recipients that the server takes at once
// (RFC 9422 §4.2), or 0 where it does not say.
func (s *Session) RecipientLimit() int {
	for word := range strings.FieldsSeq(s.offers["LIMITS"]) {
		if name, value, _ := strings.Cut(word, "="); strings.EqualFold(name, "RCPTMAX") {
			n, err := strconv.Atoi(value)
			if err == nil && n > 0 {
				return n
			}
		}
	}
	return 0
}

// SizeLimit is the largest message that the server takes (RFC 1870 §4), or 0
// where it does not say.
func (s *Session) SizeLimit() mail.ByteSize {
	n, err := strconv.ParseInt(strings.TrimSpace(s.offers["SIZE"]), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return mail.ByteSize(n)
}

func (s *Session) has(keyword string) bool {
	_, ok := s.offers[keyword]
	return ok
}

// hello connects and comes as far as the EHLO inside TLS.
func (s *Session) hello(ctx context.Context) *ConnectError {
	nc, err := s.cfg.Dial(ctx, "tcp", s.endpoint.Addr)
	if err != nil {
		return lost(err)
	}
	s.d = newDialogue(nc, s.cfg.Progress)
	defer s.d.closeWith(ctx)()
	if s.endpoint.Mode != StartTLS {
		if f := s.secure(ctx); f != nil {
			return f
		}
	}
	if f := s.greeting(); f != nil {
		return f
	}
	if f := s.ehlo(); f != nil {
		return f
	}
	if s.endpoint.Mode != StartTLS {
		return nil
	}
	if f := s.startTLS(ctx); f != nil {
		return f
	}
	return s.ehlo() // what was offered before TLS is forgotten (RFC 3207 §4.2)
}

func (s *Session) greeting() *ConnectError {
	r, err := s.d.reply("greeting", s.cfg.Connect)
	switch {
	case err != nil:
		return lost(err)
	case r.Code.Basic != 220:
		return turnedAway(r)
	}
	return nil
}

// ehlo does not fall back to HELO: without extensions there is neither STARTTLS
// nor AUTH.
func (s *Session) ehlo() *ConnectError {
	r, err := s.d.ask("EHLO", "EHLO "+s.cfg.LocalName, s.cfg.Connect)
	switch {
	case err != nil:
		return lost(err)
	case r.Code.Basic == 500 || r.Code.Basic == 502:
		if !s.secured() { // a filter in between that hides STARTTLS answers so
			return s.notOffered(r)
		}
		return turnedAway(r)
	case r.Code.Basic/100 != 2:
		return turnedAway(r)
	}
	s.offers = offers(r.Text)
	return nil
}

// offers reads the answer to EHLO (RFC 5321 §4.1.1.1): keyword in upper case →
// parameters. Its first line is the server's name.
func offers(text string) map[string]string {
	out := make(map[string]string)
	for i, line := range strings.Split(text, "\n") {
		if keyword, parameters, _ := strings.Cut(line, " "); i > 0 && keyword != "" {
			out[strings.ToUpper(keyword)] = parameters
		}
	}
	return out
}

func (s *Session) startTLS(ctx context.Context) *ConnectError {
	if !s.has("STARTTLS") {
		return s.notOffered(mail.Reply{})
	}
	r, err := s.d.ask("STARTTLS", "STARTTLS", s.cfg.Connect)
	switch {
	case err != nil:
		return lost(err)
	case r.Code.Basic != 220:
		return refused(mail.HoldNoTLS, "The server refuses to encrypt the connection.", r)
	case s.d.r.Buffered() > 0:
		// Bytes that came in plain text with the 220 would be read as if they had
		// come through TLS (the response injection of CVE-2021-38371 and others).
		return failure(mail.HoldNoTLS, "Somebody meddles with the connection.", errors.New("data after the answer to STARTTLS"))
	}
	if f := s.secure(ctx); f != nil {
		return f
	}
	s.cfg.Encrypted.add(s.endpoint) // only the server itself can have said that it offers it
	return nil
}

// secure begins TLS. It is the only place that makes a tls.Config, which always
// verifies.
func (s *Session) secure(ctx context.Context) *ConnectError {
	tc := tls.Client(s.d.raw, &tls.Config{
		ServerName: s.endpoint.host(), RootCAs: s.cfg.RootCAs, MinVersion: tls.VersionTLS12, // RFC 8997
		// Small first records help who waits for the first byte, and cost a system call
		// for each 1.2 KB of a message; nobody waits here.
		DynamicRecordSizingDisabled: true,
	})
	if err := tc.HandshakeContext(ctx); err != nil {
		if ctx.Err() != nil {
			return lost(err)
		}
		return tlsFailure(err)
	}
	s.d.nc = tc
	s.d.r.Reset(tc)
	return nil
}

// secured says that everything that is sent goes through verified TLS.
func (s *Session) secured() bool {
	tc, ok := s.d.nc.(*tls.Conn)
	return ok && len(tc.ConnectionState().VerifiedChains) > 0
}

// authenticate says user and password (RFC 4954 §4).
func (s *Session) authenticate(ctx context.Context, password string) *ConnectError {
	if !s.secured() {
		return failure(mail.HoldNoTLS, "The connection is not encrypted.", errors.New("AUTH without TLS"))
	}
	defer s.d.closeWith(ctx)()
	var mechanism sasl.Client
	switch offered := strings.Fields(strings.ToUpper(s.offers["AUTH"])); {
	case slices.Contains(offered, sasl.Plain):
		mechanism = sasl.NewPlainClient("", s.cfg.User, password)
	case slices.Contains(offered, sasl.Login):
		mechanism = sasl.NewLoginClient(s.cfg.User, password)
	default:
		return failure(mail.HoldBusy, NoLogin, errors.New("neither AUTH PLAIN nor LOGIN is offered"))
	}
	r, err := s.exchange(mechanism)
	switch {
	case err != nil:
		return lost(err)
	case r.Code.Basic == 235:
		return nil
	case r.Code.Basic == 535, r.Code.Basic == 530: // the only replies that blame the login (RFC 4954 §6)
		return refused(mail.HoldCredentials, "The server refuses user name and password.", r)
	}
	return turnedAway(r)
}

// exchange runs the mechanism up to a reply that is not a challenge.
func (s *Session) exchange(mechanism sasl.Client) (mail.Reply, error) {
	name, response, err := mechanism.Start()
	if err != nil {
		return mail.Reply{}, fmt.Errorf("start %s: %w", name, err)
	}
	line := "AUTH " + name + " " + base64.StdEncoding.EncodeToString(response)
	for {
		r, err := s.d.ask("AUTH", line, s.cfg.Connect)
		if err != nil || r.Code.Basic != 334 {
			return r, err
		}
		challenge, err := base64.StdEncoding.DecodeString(r.Text)
		if err != nil {
			return mail.Reply{}, errGarbage
		}
		if response, err = mechanism.Next(challenge); err != nil {
			return s.d.ask("AUTH", "*", s.cfg.Connect) // RFC 4954 §4: cancels; the answer is a 501
		}
		line = base64.StdEncoding.EncodeToString(response)
	}
}

// turnedAway is a refusal before there is a session. Whatever the code, it says
// nothing about any message, and waiting may help.
func turnedAway(r mail.Reply) *ConnectError {
	if r.Code.Basic/100 == 3 || (r.Code.Basic/100 == 2) {
		return lost(fmt.Errorf("%w: %s", errGarbage, r)) // a success, but not of this command
	}
	detail := "The server does not take mail at the moment."
	if sig, ok := wire.ParseSignal(r.Text); ok && sig.Token == wire.TokenMoved {
		detail = Moved
	} else if r.Code.Permanent() {
		detail = Refused
	}
	return refused(mail.HoldBusy, detail, r)
}

// Check asks whether an idle connection still works. After an error the
// session is closed.
func (s *Session) Check(ctx context.Context) error {
	r, err := s.simple(ctx, "NOOP", s.cfg.Connect)
	if err == nil && r.Code.Basic/100 != 2 {
		err = replyError(r)
	}
	if err != nil {
		s.drop()
		return fmt.Errorf("check connection: %w", err)
	}
	return nil
}

// simple sends a command without arguments outside a transaction.
func (s *Session) simple(ctx context.Context, command string, wait time.Duration) (mail.Reply, error) {
	if s.closed {
		return mail.Reply{}, errClosed
	}
	defer s.d.closeWith(ctx)()
	return s.d.ask(command, command, wait)
}

// quitWait is how long a server may take to say good-bye: nothing depends on it.
const quitWait = 2 * time.Second

var errClosed = errors.New("the session is closed")

// Close ends the session in good order where that is quick. It may be called
// more than once.
func (s *Session) Close() error {
	if s.closed {
		return nil
	}
	s.d.raw.idle = quitWait // for QUIT and for the alert that ends TLS
	ctx, cancel := context.WithTimeout(context.Background(), quitWait)
	defer cancel()
	_, err := s.simple(ctx, "QUIT", quitWait) // a server that is gone already has nothing to say
	s.closed = true
	if err != nil {
		s.d.raw.Close()
		return nil
	}
	s.d.nc.Close()
	return nil
}

// drop ends the connection without a word.
func (s *Session) drop() {
	s.closed = true
	if s.d != nil {
		s.d.raw.Close()
	}
}
