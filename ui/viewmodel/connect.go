package viewmodel

import (
	"net"
	"net/netip"
	"slices"
	"time"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/say"
)

// Field is a value that a person copies into a mail program.
type Field struct {
	Name, Value string
	Secret      bool
}

// Connect is what a mail program needs to hand its mail in.
type Connect struct {
	Fields  []Field
	Note    string    // why no protection is needed
	Trouble *Headline // why mail programs cannot reach the companion; nil where they can
	Mail    LastMail
	Secure  Secure
}

// Secure is the other way in, for programs that insist on encryption; without
// Fields there is none.
type Secure struct {
	Fields []Field
	Note   string
}

// LastMail says whether a message has come, and how.
type LastMail struct {
	Come bool
	Tone Tone
	Text string
}

// NewConnect says what to write into a mail program. l is what the engine told
// last. Only mail that came after since counts; zero: all.
func NewConnect(p say.Printer, s app.State, l app.Login, since, now time.Time) Connect {
	c := Connect{Fields: []Field{}, Trouble: listenTrouble(p, s), Mail: newLastMail(p, s.LastMail, since, now), Secure: newSecure(p, s, l)}
	if r := s.Refused; r != nil && !r.At.Before(since) {
		c.Mail = LastMail{Tone: Warn, Text: p.Words(slices.Concat(r.Said.Sentence, r.Said.Action))}
	}
	host, port, err := net.SplitHostPort(l.Address)
	if err != nil { // nothing listens
		return c
	}
	c.Fields = append(c.Fields, Field{Name: p.Say("Server"), Value: reachable(host)}, Field{Name: p.Say("Port"), Value: port},
		Field{Name: p.Say("Security"), Value: p.Say("None")})
	onlySecure := slices.Contains(l.TLS, l.Address)
	if onlySecure {
		c.Fields[2].Value = sslTLS
	}
	if l.Auth == "off" {
		c.Fields = append(c.Fields, Field{Name: p.Say("Sign-in"), Value: p.Say("Not needed")})
	} else {
		c.Fields = append(c.Fields, Field{Name: p.Say("User name"), Value: l.User}, Field{Name: p.Say("Password"), Value: l.Password, Secret: true})
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsLoopback() && !onlySecure {
		c.Note = p.Say("No protection is needed here: this way does not leave the computer. From here on the companion protects it.")
	}
	return c
}

// sslTLS is how mail programs call encryption from the first octet, in any
// language.
const sslTLS = "SSL/TLS"

func newSecure(p say.Printer, st app.State, l app.Login) Secure {
	if len(l.TLS) == 0 {
		return Secure{}
	}
	host, port, err := net.SplitHostPort(l.TLS[0])
	if err != nil {
		return Secure{}
	}
	s := Secure{Note: p.Say("The program must trust this certificate. It vouches for this computer only.")}
	if c := st.Certificate; c != nil && len(c.Said.Sentence) > 0 {
		s.Note = p.Words(slices.Concat(c.Said.Sentence, c.Said.Action))
	}
	if !slices.Contains(l.TLS, l.Address) {
		s.Fields = append(s.Fields, Field{Name: p.Say("Server"), Value: reachable(host)}, Field{Name: p.Say("Port"), Value: port}, Field{Name: p.Say("Security"), Value: sslTLS})
	}
	s.Fields = append(s.Fields, Field{Name: p.Say("Certificate"), Value: l.CAFile})
	return s
}

// CertificateFile is the name that is offered for the certificate.
const CertificateFile = "servicesmtp-companion.pem"

// CertificateWritten says that the certificate has been written to a file.
func CertificateWritten(p say.Printer, path string) string {
	return p.Text(say.T("The certificate is now in {{.File}}. Add it to the authorities that your mail program trusts.").With("File", path))
}

// reachable is an address that a program on this computer can use: a listener
// on all addresses has none of its own.
func reachable(host string) string {
	ip, err := netip.ParseAddr(host)
	switch {
	case err != nil || !ip.IsUnspecified():
		return host
	case ip.Is4():
		return "127.0.0.1"
	}
	return "::1"
}

// listenTrouble is the first address that mail programs cannot reach.
func listenTrouble(p say.Printer, s app.State) *Headline {
	for _, l := range s.Listen {
		if !l.OK && l.Sentence != "" {
			return &Headline{
				Tone: Alarm, Title: p.Words(l.Said.Sentence), Text: p.Words(l.Said.Action), Deed: l.Do, Button: DeedLabel(p, l.Do),
			}
		}
	}
	return nil
}

// maxHello keeps a program's name for itself in its place.
const maxHello = 60

func newLastMail(p say.Printer, m *app.LastMail, since, now time.Time) LastMail {
	if m == nil || m.At.Before(since) {
		return LastMail{Tone: Muted, Text: p.Say("Waiting for the first message. Send one from your mail program, to yourself for example.")}
	}
	said := say.Words{came(p, m, now)}
	switch {
	case m.Auth == "":
		said = append(said, say.T("It came without a password."))
	default:
		said = append(said, say.T("The program signed in with the password ({{.Method}}).").With("Method", shorten(m.Auth, maxHello)))
	}
	if m.TLS {
		said = append(said, say.T("The connection was encrypted."))
	}
	return LastMail{Come: true, Tone: Success, Text: p.Words(append(said, say.T("Everything works.")))}
}

// came says who handed in how much, and over which way.
func came(p say.Printer, m *app.LastMail, now time.Time) say.Text {
	t := say.N(m.Recipients, "A message to {{.N}} recipient came from {{.Program}} over {{.Way}}, at {{.At}}.",
		"A message to {{.N}} recipients came from {{.Program}} over {{.Way}}, at {{.At}}.")
	return t.With("Program", app.ProgramName(m.Hello, say.T("your mail program"))).With("Way", way(m.Family)).With("At", say.Moment{Time: m.At, Now: now})
}

func way(family string) string {
	if family == "ipv6" {
		return "IPv6"
	}
	return "IPv4"
}
