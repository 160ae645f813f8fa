package delivery

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
)

// ErrRoute says that delivery.route cannot be understood.
var ErrRoute = errors.New(`write "mx", "smtp://host:port", "smtps://host:port" or "maildir:PATH"`)

// New makes the route that c describes.
func New(c Config) (Route, error) {
	c = c.withDefaults()
	if c.Route == "mx" {
		return newMX(c), nil
	}
	if path, ok := strings.CutPrefix(c.Route, "maildir:"); ok {
		if path == "" {
			return nil, fmt.Errorf("delivery.route %q: %w", c.Route, ErrRoute)
		}
		return newMaildir(path)
	}
	return newSmarthost(c)
}

// newSmarthost makes the route to the one host that c names.
func newSmarthost(c Config) (Route, error) {
	u, err := url.Parse(c.Route)
	if err != nil || (u.Scheme != "smtp" && u.Scheme != "smtps") || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return nil, fmt.Errorf("delivery.route %q: %w", c.Route, ErrRoute)
	}
	if u.User != nil {
		return nil, errors.New("delivery.route: a smarthost with user and password is not supported; let it know this host by its address")
	}
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "smtps":
		port = "465" // RFC 8314 §3.3
	default:
		port = "25"
	}
	return &smarthost{addr: net.JoinHostPort(u.Hostname(), port), implicit: u.Scheme == "smtps", client: newClient(c)}, nil
}
