package proxy

import (
	"bytes"
	"context"
	"strings"
	"time"

	"github.com/emersion/go-sasl"
)

// AuthMechanisms implements smtp.AuthSession.
func (s *session) AuthMechanisms() []string { return []string{sasl.Plain, sasl.Login} }

// Auth implements smtp.AuthSession.
func (s *session) Auth(mechanism string) (sasl.Server, error) {
	if s.current() != nil { // RFC 4954 §4: not during a mail transaction
		return nil, s.srv.reply(outOfOrder)
	}
	switch mechanism {
	case sasl.Plain:
		return s.plain(), nil
	case sasl.Login:
		return s.login(), nil
	}
	return nil, s.srv.reply(noMechanism)
}

// exchange is one step after another of a mechanism. The response is nil where
// the client sent none with the command (RFC 4954 §4).
type exchange func(response []byte) (challenge []byte, done bool, err error)

// Next implements sasl.Server.
func (e exchange) Next(response []byte) ([]byte, bool, error) { return e(response) }

// plain is RFC 4616: one message, "authorisation NUL user NUL password". The
// first part is ignored: there is nobody else to act for.
func (s *session) plain() exchange {
	return func(response []byte) ([]byte, bool, error) {
		if response == nil {
			return []byte{}, false, nil
		}
		parts := bytes.Split(response, []byte{0})
		if len(parts) != 3 {
			return nil, false, s.srv.reply(badAuth)
		}
		return nil, true, s.verify(sasl.Plain, string(parts[1]), string(parts[2]))
	}
}

// login is the mechanism of old Outlooks and of many devices. Some programs
// match the challenges letter by letter.
func (s *session) login() exchange {
	var user string
	step := 0
	return func(response []byte) ([]byte, bool, error) {
		if step == 0 && response == nil {
			step = 1
			return []byte("Username:"), false, nil
		}
		if step < 2 { // the name, sent with the command or asked for
			step, user = 2, string(response)
			return []byte("Password:"), false, nil
		}
		return nil, true, s.verify(sasl.Login, user, string(response))
	}
}

// verify checks a password. People paste it with a line end, which no password
// of the companion has.
func (s *session) verify(mechanism, user, password string) error {
	if s.mustAuth() {
		if !s.srv.cfg.Verify(s.ctx, strings.TrimSpace(user), strings.TrimRight(password, "\r\n")) {
			return s.wrong()
		}
		if s.srv.cfg.SignedIn != nil {
			s.srv.cfg.SignedIn()
		}
	}
	s.setAuth(mechanism)
	return nil
}

// wrong slows down whoever guesses, and in the end hangs up.
func (s *session) wrong() error {
	s.failures++
	wait, recent, ok := s.srv.guesses.wrong(time.Now())
	if recent&(recent-1) == 0 { // a guesser must not fill the log
		s.srv.log.Warn("wrong password", "failures", s.failures, "recent", recent)
	}
	s.conn.stumbled(StumblePassword, s.hello)
	if ok {
		defer s.srv.guesses.answered()
	}
	if !ok || s.failures >= authFailures {
		s.conn.hang("")
		return s.srv.reply(tooManyPasswords)
	}
	pause(s.ctx, s.srv.stopping, wait)
	return s.srv.reply(wrongPassword)
}

// pause waits, unless the session or the server ends first.
func pause(ctx context.Context, stopping <-chan struct{}, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	case <-stopping:
	}
}
