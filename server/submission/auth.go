package submission

import (
	"errors"
	"net"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// AuthMechanisms implements smtp.AuthSession. A session exists after TLS only.
func (s *session) AuthMechanisms() []string { return []string{sasl.Plain, sasl.Login} }

// Auth implements smtp.AuthSession.
func (s *session) Auth(mechanism string) (sasl.Server, error) {
	switch mechanism {
	case sasl.Plain:
		return replies{sasl.NewPlainServer(func(identity, user, password string) error {
			if identity != "" && identity != user { // nobody acts for another
				return errWrongLogin
			}
			return s.login(user, password)
		})}, nil
	case sasl.Login:
		return &loginServer{login: s.login}, nil
	}
	return nil, smtp.ErrAuthUnknownMechanism
}

// login lets the session in, or says why not as a reply.
func (s *session) login(user, password string) error {
	remote, _, err := net.SplitHostPort(s.conn.RemoteAddr().String())
	if err != nil {
		return errLoginLater
	}
	id, err := s.srv.cfg.Authenticate(s.ctx, Login{User: user, Password: password, Remote: remote})
	switch {
	case errors.Is(err, ErrCredentials):
		s.srv.cfg.Log.Info("login refused")
		return errWrongLogin
	case err != nil || id == "":
		// Never 535: the client would ask its user for a new password.
		s.srv.cfg.Log.Warn("login not checked", "error", err)
		return errLoginLater
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.account = id
	return nil
}

// replies makes sure that every error of a mechanism is a reply: go-smtp would
// show another one's text.
type replies struct{ sasl.Server }

// Next implements sasl.Server.
func (r replies) Next(response []byte) ([]byte, bool, error) {
	challenge, done, err := r.Server.Next(response)
	if err == nil {
		return challenge, done, nil
	}
	if ready, ok := errors.AsType[*smtp.SMTPError](err); ok {
		return nil, false, ready
	}
	return nil, false, errLoginForm
}

// loginServer is the LOGIN mechanism (draft-murchison-sasl-login), which
// Outlook and others still use. The name may come with the command.
type loginServer struct {
	login  func(user, password string) error
	asked  bool // for the name
	user   string
	inTurn bool // the password is next
}

// Next implements sasl.Server.
func (l *loginServer) Next(response []byte) ([]byte, bool, error) {
	switch {
	case l.inTurn:
		return nil, true, l.login(l.user, string(response))
	case response == nil && !l.asked:
		l.asked = true
		return []byte("Username:"), false, nil
	}
	l.user, l.inTurn = string(response), true
	return []byte("Password:"), false, nil
}
