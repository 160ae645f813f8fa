package uplink

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// TLSMode says when TLS begins.
type TLSMode int

const (
	StartTLS    TLSMode = 1 // after EHLO (RFC 3207); port 587
	ImplicitTLS TLSMode = 2 // with the first byte (RFC 8314 §3.3); port 465
)

// Endpoint is one way to reach the relay.
type Endpoint struct {
	Mode TLSMode
	Addr string // host:port, the host in ASCII
}

// modes is what an endpoint may begin with, and the port where it names none.
var modes = []struct {
	scheme string
	mode   TLSMode
	port   string
}{
	{"starttls", StartTLS, "587"},
	{"tls", ImplicitTLS, "465"},
}

// String is the endpoint as it stands in the settings.
func (e Endpoint) String() string {
	for _, m := range modes {
		if m.mode == e.Mode {
			return m.scheme + "://" + e.Addr
		}
	}
	return e.Addr
}

// ErrEndpoint says that a string is not an endpoint; the text around it says
// what to write instead.
var ErrEndpoint = errors.New(`write starttls://host:587 or tls://host:465`)

// ParseEndpoint reads "starttls://host:587" or "tls://host:465"; the port may be
// left out. The error does not repeat s, which may hold a password.
func ParseEndpoint(s string) (Endpoint, error) {
	scheme, rest, ok := strings.Cut(strings.TrimSpace(s), "://")
	if !ok {
		return Endpoint{}, fmt.Errorf("the kind of encryption is missing: %w", ErrEndpoint)
	}
	switch scheme = strings.ToLower(scheme); scheme {
	case "http", "https":
		return Endpoint{}, fmt.Errorf("this is a web address, not a mail server: %w", ErrEndpoint)
	case "smtp":
		return Endpoint{}, fmt.Errorf("smtp:// would send the password unencrypted: %w", ErrEndpoint)
	case "smtps":
		scheme = "tls"
	}
	if strings.Contains(rest, "@") {
		return Endpoint{}, fmt.Errorf("user and password do not belong here: %w", ErrEndpoint)
	}
	for _, m := range modes {
		if m.scheme != scheme {
			continue
		}
		addr, err := parseAddr(strings.TrimSuffix(rest, "/"), m.port)
		if err != nil {
			return Endpoint{}, err
		}
		return Endpoint{Mode: m.mode, Addr: addr}, nil
	}
	return Endpoint{}, fmt.Errorf("unknown kind of encryption: %w", ErrEndpoint)
}

func parseAddr(s, port string) (string, error) {
	host := s
	if h, p, err := net.SplitHostPort(s); err == nil {
		host, port = h, p
	} else if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		host = s[1 : len(s)-1]
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", fmt.Errorf("the port must be a number from 1 to 65535: %w", ErrEndpoint)
	}
	if ip := net.ParseIP(host); ip != nil {
		return net.JoinHostPort(host, port), nil
	}
	// TLS and DNS compare ASCII names (RFC 5891 §4); idna also refuses spaces and slashes.
	ascii, err := idna.Lookup.ToASCII(strings.TrimSuffix(host, "."))
	if err != nil || ascii == "" || strings.ContainsAny(ascii, ":/ ") {
		return "", fmt.Errorf("the name of the server cannot be read: %w", ErrEndpoint)
	}
	return net.JoinHostPort(ascii, port), nil
}

// host is the name that the certificate must show.
func (e Endpoint) host() string {
	host, _, err := net.SplitHostPort(e.Addr)
	if err != nil {
		return e.Addr
	}
	return host
}
