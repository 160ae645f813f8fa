package viewmodel

import (
	"net"
	"net/netip"
	"slices"
	"strings"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/say"
)

// AccountCard is one account in the settings.
type AccountCard struct {
	Name     string
	Lines    []Line
	Password string // where it is kept
}

// NewAccountCards lists the accounts.
func NewAccountCards(p say.Printer, accounts []app.AccountInfo) []AccountCard {
	out := make([]AccountCard, 0, len(accounts))
	for _, a := range accounts {
		c := AccountCard{Name: a.Name, Lines: []Line{{p.Say("User name"), a.User}}}
		for i, e := range a.Endpoints {
			name := p.Say("Server")
			if i > 0 {
				name = p.Say("Otherwise")
			}
			c.Lines = append(c.Lines, Line{name, serverWords(p, e)})
		}
		if len(a.Senders) > 0 || len(accounts) > 1 {
			senders := strings.Join(a.Senders, ", ")
			if senders == "" {
				senders = p.Say("all senders that no other account names")
			}
			c.Lines = append(c.Lines, Line{p.Say("Senders"), senders})
		}
		c.Password = p.Say("in the keyring of this computer")
		if a.Credential == "file" {
			c.Password = p.Say("in a file that only you can read")
		}
		c.Lines = append(c.Lines, Line{p.Say("Password"), c.Password})
		out = append(out, c)
	}
	return out
}

func serverWords(p say.Printer, e string) string {
	security, host, port := splitEndpoint(e)
	return p.Text(say.T("{{.Host}}, port {{.Port}}, {{.Security}}").With("Host", host).With("Port", port).With("Security", SecurityWord(security)))
}

// SecurityWord is how mail programs call a kind of protection, in any language.
func SecurityWord(security string) string {
	if security == SecurityTLS {
		return "TLS"
	}
	return "STARTTLS"
}

// Listener is where mail programs hand mail in.
type Listener struct {
	Port    string // of the addresses of this computer alone
	Secure  string // likewise of those with encryption; "": there are none
	Means   string // what the port with encryption is for, and what its programs must trust
	Others  string // addresses that other computers reach, or ""
	Auth    bool   // a password is asked for
	Trouble []Trouble
}

// Trouble is an address that cannot be used.
type Trouble struct {
	Title, Text string
	Offer       string // the words of the button, or ""
	Port        string // what it offers
	Secure      bool   // it is of an address with encryption
}

// NewListener says where mail programs hand mail in, and what is wrong there.
func NewListener(p say.Printer, l app.ListenPreferences, s app.State) Listener {
	out := Listener{Auth: l.Auth != authOff}
	out.Means = p.Say("Programs that insist on encryption (SSL/TLS) use it; they must trust the certificate on the page Connect.")
	if c := s.Certificate; c != nil {
		out.Means = p.Text(say.T("Programs that insist on encryption (SSL/TLS) use it; they must trust the certificate in {{.File}}, which the page Connect hands out.").With("File", c.File))
	}
	var others []string
	first := func(addresses []string) (first string) {
		for _, a := range addresses {
			host, port, local := splitAddress(a)
			switch {
			case !local:
				others = append(others, a)
			case first == "" && host != "":
				first = port
			}
		}
		return first
	}
	out.Port, out.Secure = first(l.Addresses), first(l.TLSAddresses)
	if len(others) > 0 {
		out.Others = p.Text(say.T("Other computers can reach the companion at {{.Addresses}}; only the settings file can change this.").With("Addresses", strings.Join(others, ", ")))
	}
	offered := map[string]bool{}
	for _, a := range s.Listen {
		if a.OK {
			continue
		}
		t := Trouble{Title: p.Words(a.Said.Sentence), Text: p.Words(a.Said.Action), Secure: a.TLS}
		if _, port, _ := splitAddress(a.Offered); port != "" && !offered[port] {
			offered[port] = true
			t.Port, t.Offer = port, p.Text(say.T("Use port {{.Port}}").With("Port", port))
		}
		out.Trouble = append(out.Trouble, t)
	}
	return out
}

const (
	authRequired = "required"
	authOff      = "off"
)

// ListenForm is what a person entered for the listener.
type ListenForm struct {
	Port   string
	Secure string // "": no encryption
	Auth   bool
}

// ChangeListen moves all addresses of this computer alone to a port, and those
// with encryption to another; the others stay. It says what is wrong with the
// two ports.
func ChangeListen(p say.Printer, old app.ListenPreferences, f ListenForm) (next app.ListenPreferences, wrong, wrongSecure string) {
	next = app.ListenPreferences{Auth: authOff}
	if f.Auth {
		next.Auth = authRequired
	}
	var local, secureHosts []string
	next.Addresses, local = moveTo(old.Addresses, f.Port)
	if len(local) > 0 {
		wrong = CheckPort(p, f.Port)
	}
	next.TLSAddresses, secureHosts = moveTo(old.TLSAddresses, f.Secure)
	if f.Secure == "" {
		return next, wrong, ""
	}
	wrongSecure = CheckPort(p, f.Secure)
	if wrongSecure == "" && len(local) > 0 && f.Secure == f.Port {
		wrongSecure = p.Say("Choose another port than the one without encryption.")
	}
	if len(secureHosts) == 0 { // the first of their kind
		for _, host := range local {
			next.TLSAddresses = append(next.TLSAddresses, net.JoinHostPort(host, f.Secure))
		}
	}
	return next, wrong, wrongSecure
}

// moveTo gives the addresses of this computer alone another port, or leaves
// them out where there is none, and says what hosts those are.
func moveTo(old []string, port string) (next, local []string) {
	for _, a := range old {
		host, _, own := splitAddress(a)
		if own {
			local = append(local, host)
			if port == "" {
				continue
			}
			a = net.JoinHostPort(host, port)
		}
		if !slices.Contains(next, a) { // two ports of one address have become one
			next = append(next, a)
		}
	}
	return next, local
}

// splitAddress takes an address apart; local says that only this computer
// reaches it.
func splitAddress(a string) (host, port string, local bool) {
	host, port, err := net.SplitHostPort(a)
	if err != nil {
		return "", "", false
	}
	ip, err := netip.ParseAddr(host)
	return host, port, err == nil && ip.IsLoopback()
}

// languageNames are the languages in their own words, which are the same in
// every language.
var languageNames = map[string]string{"en": "English", "it": "Italiano"}

// Choices are values to choose from and their words.
type Choices struct {
	Values []string
	Words  []string
}

// NewLanguages are the window's languages.
func NewLanguages(p say.Printer, languages []string) Choices {
	c := Choices{Values: []string{"system"}, Words: []string{p.Say("As the system")}}
	for _, l := range languages {
		name, ok := languageNames[l]
		if !ok {
			name = l
		}
		c.Values, c.Words = append(c.Values, l), append(c.Words, name)
	}
	return c
}

// NewThemes are the window's themes.
func NewThemes(p say.Printer) Choices {
	return Choices{
		Values: []string{"system", "light", "dark"},
		Words:  []string{p.Say("As the system"), p.Say("Light"), p.Say("Dark")},
	}
}

// Index is the place of a value; that of the system's where it is unknown.
func (c Choices) Index(value string) int { return max(slices.Index(c.Values, value), 0) }
