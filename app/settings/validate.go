package settings

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/language"

	"servicesmtp.net/companion/app/say"
)

// words says what to write for each key. The same words answer a value of the
// wrong kind and one out of range.
var words = map[string]string{
	"account.name":                 `a short name of letters, digits, "-", "_" and ".", different for each account, for example name = "office"`,
	"account.user":                 `the user name that the service gave you, for example user = "alice"`,
	"account.credential":           `"keyring", or "file:" with the full path of a file that only you can read`,
	"account.senders":              `addresses or domains in quotes, each for one account only, for example senders = ["news@example.com", "example.org"]`,
	"account.endpoints":            `one server or more, for example endpoints = ["starttls://relay.example:587", "tls://relay.example:465"]`,
	"account.api":                  `the address of the service beginning with https://, or "" where it has none`,
	"account.ca_file":              `the full path of a certificate file, or ""`,
	"listen.addresses":             `IP addresses with ports in quotes, for example addresses = ["127.0.0.1:2525"]; to listen on all interfaces write "0.0.0.0:2525"`,
	"listen.tls_addresses":         `IP addresses with ports in quotes, each used once, for example tls_addresses = ["127.0.0.1:2465"]`,
	"listen.auth":                  `"required" or "off"`,
	"listen.max_recipients":        `a whole number from 1 to 1000000`,
	"listen.max_message":           `a size in quotes from "1KB" to "2GB", for example "100MB", not above spool.max_size`,
	"pace.recipients_per_minute":   `a whole number, 0 for no such limit`,
	"pace.recipients_per_hour":     `a whole number, 0 for no such limit`,
	"pace.recipients_per_day":      `a whole number, 0 for no such limit`,
	"pace.messages_per_minute":     `a whole number, 0 for no such limit`,
	"pace.batch":                   `a whole number from 1 to 50`,
	"pace.personal_max_recipients": `a whole number from 0 to 50`,
	"pace.personal_burst":          `a whole number from 0 to 1000`,
	"pace.quiet":                   `spans of hours in quotes, for example quiet = ["22:00-07:00"]`,
	"pace.per_provider":            `domains with recipients a minute, for example per_provider = {"gmail.com" = 20}`,
	"pace.adaptive":                `true or false, without quotes`,
	"timeouts.connect":             `a time in quotes from "1s" to "10m", for example "30s"`,
	"timeouts.progress":            `a time in quotes from "1s" to "24h", for example "5m"`,
	"timeouts.final_dot":           `a time in quotes from "1s" to "24h", for example "10m"`,
	"network.proxy":                `"system", "none", "socks5://host:port" or "http://host:port", without a password`,
	"spool.max_size":               `a size in quotes of at least "1MB", for example "5GB"`,
	"spool.keep_history":           `a time in quotes from "1d" to "3650d", for example "90d"`,
	"window.language":              `"system", or a language as two letters in quotes, for example "it"`,
	"window.theme":                 `"system", "light" or "dark"`,
	"service.name":                 `the name of the service in quotes, for example name = "ServiceSMTP"`,
	"service.endpoints":            `one server or more, for example endpoints = ["starttls://relay.example:587", "tls://relay.example:465"]`,
	"service.api":                  `the address of the service beginning with https://, or "" where it has none`,
	"service.ca_file":              `the full path of a certificate file, or ""`,
}

// Validate returns an *Error that lists everything that is wrong, or nil.
func (s Settings) Validate() error {
	problems := s.problems()
	for i, p := range problems {
		problems[i].Key = withoutIndex(p.Key)
	}
	return fail("", problems)
}

// checker collects problems. Keys of accounts carry their number.
type checker struct{ problems []Problem }

func (c *checker) want(key string, ok bool) {
	if !ok {
		c.problems = append(c.problems, Problem{Key: key, Sentence: "write " + words[withoutIndex(key)] + ".", Said: wrong(withoutIndex(key))})
	}
}

func (c *checker) say(key, sentence string, said say.Text) {
	c.problems = append(c.problems, Problem{Key: key, Sentence: sentence, Said: said})
}

func (s Settings) problems() []Problem {
	var c checker
	s.checkAccounts(&c)
	s.checkListen(&c)
	s.Pace.check(&c)
	within := func(key string, v Span, from, to time.Duration) {
		c.want(key, time.Duration(v) >= from && time.Duration(v) <= to)
	}
	within("timeouts.connect", s.Timeouts.Connect, time.Second, 10*time.Minute)
	within("timeouts.progress", s.Timeouts.Progress, time.Second, day)
	within("timeouts.final_dot", s.Timeouts.FinalDot, time.Second, day)
	c.want("network.proxy", validProxy(s.Network.Proxy))
	c.want("spool.max_size", s.Spool.MaxSize >= 1_000_000)
	within("spool.keep_history", s.Spool.KeepHistory, day, 3650*day)
	c.want("window.language", s.Window.Language == System || validLanguage(s.Window.Language))
	c.want("window.theme", s.Window.Theme == System || s.Window.Theme == ThemeLight || s.Window.Theme == ThemeDark)
	s.Service.check(&c)
	return c.problems
}

func (s Settings) checkAccounts(c *checker) {
	names, senders := map[string]bool{}, map[string]bool{}
	for i, a := range s.Accounts {
		key := func(name string) string { return fmt.Sprintf("account.%d.%s", i, name) }
		folded := strings.ToLower(a.Name) // names become file names on systems that fold case
		c.want(key("name"), validName(a.Name) && !names[folded])
		names[folded] = true
		c.want(key("user"), validText(a.User))
		c.want(key("credential"), validCredential(a.Credential))
		c.want(key("endpoints"), len(a.Endpoints) > 0 && all(a.Endpoints, validEndpoint))
		c.want(key("api"), a.API == "" || validAPI(a.API))
		c.want(key("ca_file"), a.CAFile == "" || validPath(a.CAFile))
		c.want(key("senders"), all(a.Senders, func(s string) bool {
			n := normalSender(s)
			fine := validSender(n) && !senders[n]
			senders[n] = true
			return fine
		}))
	}
}

func (s Service) check(c *checker) {
	c.want("service.name", validText(s.Name))
	c.want("service.endpoints", len(s.Endpoints) > 0 && all(s.Endpoints, validEndpoint))
	c.want("service.api", s.API == "" || validAPI(s.API))
	c.want("service.ca_file", s.CAFile == "" || validPath(s.CAFile))
}

func (s Settings) checkListen(c *checker) {
	l := s.Listen
	seen := map[string]bool{}
	address := func(a string) bool {
		fine := validListen(a) && (!seen[a] || strings.HasSuffix(a, ":0"))
		seen[a] = true
		return fine
	}
	c.want("listen.addresses", len(l.Addresses)+len(l.TLSAddresses) > 0 && all(l.Addresses, address))
	c.want("listen.tls_addresses", all(l.TLSAddresses, address))
	c.want("listen.auth", l.Auth == AuthRequired || l.Auth == AuthOff)
	if l.Auth == AuthOff && len(l.exposed()) > 0 {
		c.say("listen.auth", `"off" is possible on this computer only, because anybody in the network could send in your name: write "required", or remove `+l.exposed()[0]+` from the addresses.`,
			say.T("Mail programs must give a password, because other computers can reach the companion at {{.Address}}.").With("Address", l.exposed()[0]))
	}
	c.want("listen.max_recipients", l.MaxRecipients >= 1 && l.MaxRecipients <= 1_000_000)
	c.want("listen.max_message", l.MaxMessage >= 1000 && l.MaxMessage <= 2_000_000_000 && l.MaxMessage <= max(s.Spool.MaxSize, 1000))
}

func (p Pace) check(c *checker) {
	within := func(key string, v, from, to int) { c.want("pace."+key, v >= from && v <= to) }
	const many = 1_000_000_000
	within("recipients_per_minute", p.PerMinute, 0, many)
	within("recipients_per_hour", p.PerHour, 0, many)
	within("recipients_per_day", p.PerDay, 0, many)
	within("messages_per_minute", p.MessagesPerMinute, 0, many)
	within("batch", p.Batch, 1, MaxBatch)
	within("personal_max_recipients", p.PersonalMaxRecipients, 0, MaxBatch)
	within("personal_burst", p.PersonalBurst, 0, 1000)
	fine := true
	for domain, n := range p.PerProvider {
		fine = fine && validDomain(domain) && n >= 0 && n <= many
	}
	c.want("pace.per_provider", fine)
}

// Warnings lists what is allowed and yet should be said.
func (s Settings) Warnings() []Problem {
	var c checker
	for _, a := range s.Listen.exposed() {
		c.say("listen", "other computers in your network can reach "+a+"; they still need the password.",
			say.T("Other computers in your network can reach {{.Address}}; they still need the password.").With("Address", a))
	}
	// RFC 1047: a client that gives up too early makes a duplicate possible.
	if time.Duration(s.Timeouts.FinalDot) < 10*time.Minute {
		c.say("timeouts.final_dot", `a wait below "10m" makes it more likely that nobody knows whether a message went out.`,
			say.T("A wait of less than 10 minutes makes it more likely that nobody knows whether a message went out."))
	}
	return c.problems
}

// exposed lists the addresses that others can reach.
func (l Listen) exposed() []string {
	var out []string
	for _, a := range slices.Concat(l.Addresses, l.TLSAddresses) {
		host, _, err := net.SplitHostPort(a)
		if ip, ipErr := netip.ParseAddr(host); err == nil && ipErr == nil && !ip.IsLoopback() {
			out = append(out, a)
		}
	}
	return out
}

func all(list []string, ok func(string) bool) bool {
	fine := true
	for _, v := range list {
		fine = ok(v) && fine // every value is looked at: duplicates are counted
	}
	return fine
}

func validName(s string) bool {
	ok := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("-_.", r) }
	return s != "" && len(s) <= 64 && s[0] != '.' && !strings.ContainsFunc(s, func(r rune) bool { return !ok(r) })
}

// validText refuses what a careless paste brings along.
func validText(s string) bool {
	return s != "" && len(s) <= 1000 && strings.TrimSpace(s) == s && !strings.ContainsFunc(s, unicode.IsControl)
}

func validCredential(s string) bool {
	path, isFile := strings.CutPrefix(s, FilePrefix)
	return s == Keyring || isFile && validPath(path)
}

// validPath asks for a full path: the engine's own folder is nobody's business.
func validPath(s string) bool { return filepath.IsAbs(s) && validText(s) }

// validLanguage knows the form only ("it", "pt-BR"): which translations there
// are is the window's matter, and one that is missing is said in English.
func validLanguage(s string) bool {
	_, err := language.Parse(s)
	return err == nil
}

// validListen asks for an IP address, so that a listener beyond this computer
// is always written on purpose (":2525" would be one by accident).
func validListen(s string) bool {
	host, port, err := net.SplitHostPort(s)
	if err != nil || !validPort(port, 0) {
		return false
	}
	_, err = netip.ParseAddr(host)
	return err == nil
}

func validPort(s string, least uint64) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n >= least
}

// validEndpoint knows no scheme without TLS.
func validEndpoint(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "starttls" || u.Scheme == "tls") && bare(u) && validPort(u.Port(), 1)
}

func validAPI(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" {
		return false
	}
	u.Path = strings.TrimSuffix(u.Path, "/")
	return bare(u) && (u.Port() == "" || validPort(u.Port(), 1))
}

func validProxy(s string) bool {
	if s == "system" || s == "none" {
		return true
	}
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "socks5" || u.Scheme == "http") && bare(u) && validPort(u.Port(), 1)
}

// bare says that a URL names a host and nothing else; a password in it would
// end up in logs.
func bare(u *url.URL) bool {
	return u.Hostname() != "" && u.User == nil && u.Path == "" && u.RawQuery == "" && u.Fragment == "" && u.Opaque == ""
}

func validSender(s string) bool {
	local, domain, isAddress := cutLast(s, "@")
	if !isAddress {
		return validDomain(s)
	}
	return local != "" && validText(local) && validDomain(domain)
}

func validDomain(s string) bool {
	labels := strings.Split(s, ".")
	if len(s) > 253 || len(labels) < 2 && s != "localhost" {
		return false
	}
	for _, l := range labels {
		if l == "" || len(l) > 63 || strings.ContainsFunc(l, func(r rune) bool {
			return r != '-' && r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r)
		}) {
			return false
		}
	}
	return true
}
