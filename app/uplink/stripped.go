package uplink

import (
	"errors"
	"strings"
	"sync"

	"servicesmtp.net/companion/app/mail"
)

// Stripped is the Detail of a HoldNoTLS where something on the way takes the
// offer of encryption out of the server's answers.
const Stripped = "The offer of encryption (STARTTLS) was taken out of the server's answer."

// Encrypted remembers which endpoints have offered STARTTLS. The zero value
// remembers none; it may be used from several goroutines.
type Encrypted struct {
	mu        sync.Mutex // guards what follows
	endpoints map[Endpoint]struct{}
}

func (e *Encrypted) add(endpoint Endpoint) {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.endpoints == nil {
		e.endpoints = make(map[Endpoint]struct{})
	}
	e.endpoints[endpoint] = struct{}{}
}

func (e *Encrypted) has(endpoint Endpoint) bool {
	if e == nil {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	_, ok := e.endpoints[endpoint]
	return ok
}

// notOffered is the failure of a server that offers no STARTTLS: r is its
// refusal of EHLO, or empty where it answered.
func (s *Session) notOffered(r mail.Reply) *ConnectError {
	detail, err := "The server does not offer encryption here. Somebody may be listening.", errors.New("STARTTLS is not offered")
	if s.overwritten() || s.cfg.Encrypted.has(s.endpoint) {
		detail = Stripped
	}
	if r.Code.Basic != 0 {
		return refused(mail.HoldNoTLS, detail, r)
	}
	return failure(mail.HoldNoTLS, detail, err)
}

// overwritten says that a word of the answer to EHLO was written over with the
// letter X, as firewalls do that know only the first commands of SMTP: they
// keep the length of what they hide ("XXXXXXXA").
func (s *Session) overwritten() bool {
	for keyword := range s.offers {
		if len(keyword) == len("STARTTLS") && strings.HasPrefix(keyword, "XXXXXXX") {
			return true
		}
	}
	return false
}
