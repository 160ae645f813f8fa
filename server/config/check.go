package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"servicesmtp.net/companion/internal/units"
)

// maildir is the route into a folder, for trying things out.
const maildir = "maildir:"

// check collects everything that is wrong, so that a person need not start
// ten times.
func (c *Config) check() error {
	return errors.Join(
		c.Submission.check(),
		c.TLS.check(),
		c.API.check(),
		c.Store.check(),
		c.Web.check(),
		c.Delivery.check(),
		c.Inbound.check(),
		c.Limits.check(),
		c.Retention.check(),
		c.Notify.check(),
	)
}

func (s Submission) check() error {
	var errs []error
	if len(s.StartTLS)+len(s.TLS) == 0 {
		errs = append(errs, errors.New("submission: write at least one address into starttls or tls"))
	}
	for _, a := range s.StartTLS {
		errs = append(errs, address("submission.starttls", a))
	}
	for _, a := range s.TLS {
		errs = append(errs, address("submission.tls", a))
	}
	if s.Hostname == "" || strings.ContainsAny(s.Hostname, " \t:/") {
		errs = append(errs, fmt.Errorf("submission.hostname: %q is not a host name: write the name that companions connect to", s.Hostname))
	}
	return errors.Join(errs...)
}

func (a API) check() error {
	err := address("api.listen", a.Listen)
	if a.Metrics != "" {
		err = errors.Join(err, address("api.metrics", a.Metrics))
	}
	_, proxies := a.Proxies()
	return errors.Join(err, proxies)
}

func (t TLS) check() error {
	switch {
	case t.Mode == "acme":
		return errors.New(`tls.mode: "acme" is not in this version: use "internal", or "files" with cert and key`)
	case t.Mode == "files" && (t.Cert == "" || t.Key == ""):
		return errors.New(`tls.mode: "files" needs cert and key: write the paths of both PEM files`)
	case t.Mode == "internal" && t.Cert+t.Key != "":
		return errors.New(`tls.mode: "internal" makes its own certificate: remove cert and key, or set mode = "files"`)
	case t.Mode != "files" && t.Mode != "internal":
		return fmt.Errorf(`tls.mode: %q is unknown: write "internal" or "files"`, t.Mode)
	}
	return nil
}

func (w Web) check() error {
	if w.Listen != "" {
		return address("web.listen", w.Listen)
	}
	return nil
}

func (d Delivery) check() error {
	var errs []error
	if d.DNS != "" {
		errs = append(errs, address("delivery.dns", d.DNS))
	}
	folder, isFolder := strings.CutPrefix(d.Route, maildir)
	switch {
	case d.Route == "mx", isFolder && folder != "":
	case strings.HasPrefix(d.Route, "smtp://"), strings.HasPrefix(d.Route, "smtps://"):
		u, err := url.Parse(d.Route)
		if err != nil || u.Hostname() == "" || u.Port() == "" || strings.Trim(u.Path, "/")+u.RawQuery != "" || u.User != nil {
			errs = append(errs, fmt.Errorf("delivery.route: %q: write smtp://host:port", d.Route))
		}
	default:
		errs = append(errs, fmt.Errorf(`delivery.route: %q is unknown: write "mx", "smtp://host:port" or "maildir:PATH"`, d.Route))
	}
	return errors.Join(errs...)
}

func (i Inbound) check() error {
	var errs []error
	for _, a := range i.Listen {
		errs = append(errs, address("inbound.listen", a))
	}
	return errors.Join(errs...)
}

func (l Limits) check() error {
	var errs []error
	if l.MaxMessage < units.MB {
		errs = append(errs, fmt.Errorf("limits.max_message: %s is too little: write at least 1MB", l.MaxMessage))
	}
	return errors.Join(append(errs, l.checkPace()...)...)
}

func (r Retention) check() error {
	if r.Bodies != "delivered" {
		return fmt.Errorf(`retention.bodies: %q is unknown: write "delivered"`, r.Bodies)
	}
	return nil
}

// address wants host:port, with a port of 0 for any free one.
func address(key, s string) error {
	_, port, err := net.SplitHostPort(s)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("%s: %q is not an address: write host:port, for example 127.0.0.1:5870", key, s)
	}
	return nil
}

// resolve makes paths independent of where the program was started.
func (c *Config) resolve(dir string) {
	abs := func(p string) string {
		if p == "" || filepath.IsAbs(p) {
			return p
		}
		return filepath.Join(dir, p)
	}
	c.TLS.Cert, c.TLS.Key = abs(c.TLS.Cert), abs(c.TLS.Key)
	c.Store.Bodies = abs(c.Store.Bodies)
	c.Plans.Catalogue = abs(c.Plans.Catalogue)
	if folder, ok := strings.CutPrefix(c.Delivery.Route, maildir); ok {
		c.Delivery.Route = maildir + abs(folder)
	}
}
