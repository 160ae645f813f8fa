package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"

	"github.com/mjl-/adns"
	"github.com/mjl-/mox/dns"
	"github.com/mjl-/mox/smtpclient"
)

// mx hands messages to the servers that a recipient's domain names in DNS.
//
// Looking up and ordering them is mox's (null MX, CNAME chains, implicit MX).
// Its SMTP client is not used: it has no DSN parameters, and it sends DATA
// together with RCPT, before we could write down who is about to be sent to.
type mx struct {
	client
	port     int
	resolver dns.Resolver
	quiet    *slog.Logger // mox would log names of hosts and domains
}

func newMX(c Config) *mx {
	quiet := slog.New(slog.DiscardHandler)
	r := &adns.Resolver{}
	if c.DNS != "" {
		r.PreferGo = true
		r.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, c.DNS)
		}
	}
	return &mx{client: newClient(c), port: c.MXPort, quiet: quiet, resolver: dns.StrictResolver{Resolver: r, Log: quiet}}
}

// Lane implements Route: a domain's mail shares its connections.
func (x *mx) Lane(recipient string) string {
	domain := recipient[strings.LastIndexByte(recipient, '@')+1:]
	if d, err := dns.ParseDomainLax(domain); err == nil {
		return d.ASCII
	}
	return strings.ToLower(domain)
}

// Plan implements Route. One recipient in each transaction keeps one
// recipient's refusal, and later its bounce address, from being another's.
func (x *mx) Plan() Plan { return Plan{Slots: 2, Single: true} }

// Open implements Route.
func (x *mx) Open(ctx context.Context, lane string) (Conn, error) {
	return openConn(ctx, func(ctx context.Context) (*session, error) { return x.connect(ctx, lane) })
}

// connect tries a domain's hosts in their order (RFC 5321 §5.1).
func (x *mx) connect(ctx context.Context, domain string) (*session, error) {
	whole := ctx
	ctx, cancel := context.WithTimeout(ctx, openLimit(x.timeouts))
	defer cancel()
	hosts, err := x.hosts(ctx, domain)
	if err != nil {
		if whole.Err() != nil {
			return nil, fmt.Errorf("open connection: %w", whole.Err())
		}
		return nil, err
	}
	var last error
	for _, h := range hosts {
		s, err := x.host(ctx, h)
		if err == nil {
			return s, nil
		}
		if whole.Err() != nil {
			return nil, fmt.Errorf("open connection: %w", whole.Err())
		}
		last = better(last, err)
	}
	return nil, last
}

// better is the error that tells more: a server's own words before a failure
// to reach one.
func better(a, b error) error {
	var x *OpenError
	var refused *replyError
	if errors.As(a, &x) && errors.As(x.Err, &refused) {
		return a
	}
	return b
}

// hosts looks up where a domain takes its mail.
func (x *mx) hosts(ctx context.Context, domain string) ([]smtpclient.HostPref, error) {
	next, err := nextHop(domain)
	if err != nil {
		return nil, &OpenError{Status: Failed, Code: 550, Enhanced: "5.1.2", Reply: "The domain is not well-formed", Err: err}
	}
	_, _, _, _, hosts, permanent, err := smtpclient.GatherDestinations(ctx, x.quiet, x.resolver, next)
	switch {
	case err != nil && permanent: // RFC 7505 §3, RFC 3463 as extended by RFC 7505 §4.2
		return nil, &OpenError{Status: Failed, Code: 556, Enhanced: "5.1.10", Reply: "The domain takes no mail", Err: err}
	case err != nil:
		return nil, &OpenError{Status: Deferred, Code: 451, Enhanced: "4.4.3", Reply: "The domain cannot be looked up at the moment", Err: err}
	}
	return hosts, nil
}

// nextHop reads a domain or an address literal (RFC 5321 §4.1.3).
func nextHop(domain string) (dns.IPDomain, error) {
	if literal, ok := strings.CutPrefix(domain, "["); ok {
		literal = strings.TrimSuffix(literal, "]")
		if len(literal) > 5 && strings.EqualFold(literal[:5], "IPv6:") {
			literal = literal[5:]
		}
		ip := net.ParseIP(literal)
		if ip == nil {
			return dns.IPDomain{}, errors.New("read address literal")
		}
		return dns.IPDomain{IP: ip}, nil
	}
	d, err := dns.ParseDomainLax(domain)
	return dns.IPDomain{Domain: d}, err
}

// host connects to one host, over whichever of its addresses answers.
func (x *mx) host(ctx context.Context, h smtpclient.HostPref) (*session, error) {
	name := h.Host.Domain.ASCII
	if h.Host.IsIP() {
		name = h.Host.IP.String()
	}
	dialled := make(map[string][]net.IP)
	_, _, _, ips, _, err := smtpclient.GatherIPs(ctx, x.quiet, x.resolver, "ip", h.Host, dialled)
	switch {
	case dns.IsNotFound(err) && h.Pref < 0: // neither MX nor address: RFC 5321 §5.1, RFC 3463 §3.2
		return nil, &OpenError{Status: Failed, Code: 550, Enhanced: "5.1.2", Reply: "The domain does not exist", Remote: name, Err: err}
	case dns.IsNotFound(err):
		return nil, &OpenError{Status: Deferred, Code: 451, Enhanced: "4.4.4", Reply: "The domain's mail server has no address", Remote: name, Err: err}
	case err != nil:
		return nil, &OpenError{Status: Deferred, Code: 451, Enhanced: "4.4.3", Reply: "The domain's mail server cannot be looked up at the moment", Remote: name, Err: err}
	}
	ips = alternate(ips)
	s, err := x.open(ctx, func() (net.Conn, error) {
		tcp, cancel := context.WithTimeout(ctx, 2*x.timeouts.Connect) // Dial shares it among the addresses
		defer cancel()
		nc, _, err := smtpclient.Dial(tcp, x.quiet, &net.Dialer{}, h.Host, ips, x.port, dialled, nil)
		return nc, err
	}, name, opportunistic)
	if err != nil {
		// The time for all hosts being over is this host's failure; the
		// caller's end is seen by the caller.
		return nil, connectError(context.WithoutCancel(ctx), name, err)
	}
	return s, nil
}

// alternate takes addresses of the two families in turn, so that a broken IPv6
// costs one time-out and not one for every address (RFC 8305 §4).
func alternate(ips []net.IP) []net.IP {
	var families [2][]net.IP
	for _, ip := range ips {
		f := 0
		if (ip.To4() == nil) != (ips[0].To4() == nil) {
			f = 1
		}
		families[f] = append(families[f], ip)
	}
	mixed := make([]net.IP, 0, len(ips))
	for i := range max(len(families[0]), len(families[1])) {
		for _, f := range families {
			if i < len(f) {
				mixed = append(mixed, f[i])
			}
		}
	}
	return mixed
}
