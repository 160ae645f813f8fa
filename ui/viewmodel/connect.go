package viewmodel

import (
	"net"
	"net/netip"
	"strings"
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
	c := Connect{Fields: []Field{}, Trouble: listenTrouble(p, s), Mail: newLastMail(p, s.LastMail, since, now)}
	host, port, err := net.SplitHostPort(l.Address)
	if err != nil { // nothing listens
		return c
	}
	c.Fields = append(c.Fields, Field{Name: p.Say("Server"), Value: reachable(host)}, Field{Name: p.Say("Port"), Value: port},
		Field{Name: p.Say("Security"), Value: p.Say("None")})
	if l.Auth == "off" {
		c.Fields = append(c.Fields, Field{Name: p.Say("Sign-in"), Value: p.Say("Not needed")})
	} else {
		c.Fields = append(c.Fields, Field{Name: p.Say("User name"), Value: l.User}, Field{Name: p.Say("Password"), Value: l.Password, Secret: true})
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsLoopback() {
		c.Note = p.Say("No protection is needed here: this way does not leave the computer. From here on the companion protects it.")
	}
	return c
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
				Tone: Alarm, Title: p.Words(l.Said.Sentence), Text: p.Words(l.Said.Action), Deed: app.DeedListen, Button: DeedLabel(p, app.DeedListen),
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
	return t.With("Program", program(m.Hello)).With("Way", way(m.Family)).With("At", say.Moment{Time: m.At, Now: now})
}

// program is what a mail program calls itself. Many give only the address of
// this computer, which tells a person nothing.
func program(hello string) any {
	name := shorten(hello, maxHello)
	literal := strings.HasPrefix(name, "[")
	if _, err := netip.ParseAddr(name); name == "" || literal || err == nil || strings.EqualFold(name, "localhost") || strings.HasPrefix(strings.ToLower(name), "localhost.") {
		return say.T("your mail program")
	}
	return say.T("“{{.Name}}”").With("Name", name)
}

func way(family string) string {
	if family == "ipv6" {
		return "IPv6"
	}
	return "IPv4"
}
