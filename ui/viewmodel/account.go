package viewmodel

import (
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/say"
)

// How a connection to a relay is protected. There is no choice without TLS.
const (
	SecurityStartTLS = "starttls"
	SecurityTLS      = "tls"
)

// The fields of an AccountForm, as Check names them.
const (
	FieldUser     = "user"
	FieldPassword = "password"
	FieldSenders  = "senders"
	FieldHost     = "host"
	FieldPort     = "port"
	FieldAPI      = "api"
	FieldCAFile   = "ca_file"
)

// AccountForm is an account as a person types it.
type AccountForm struct {
	User     string
	Password string // empty in the form of an existing account: the stored one stays
	Name     string // of an existing account; empty: a new one
	Senders  string // addresses and domains, between commas or blanks; empty: all others

	Other      bool // another relay than that of the service; what follows counts only then
	Host, Port string
	Security   string // SecurityStartTLS or SecurityTLS
	API        string
	CAFile     string
}

// EditAccount is the form of an existing account. It always names the relay.
func EditAccount(a app.AccountInfo) AccountForm {
	f := AccountForm{
		User: a.User, Name: a.Name, Senders: strings.Join(a.Senders, ", "),
		Other: true, Security: SecurityStartTLS, API: a.API, CAFile: a.CAFile,
	}
	if len(a.Endpoints) > 0 {
		f.Security, f.Host, f.Port = splitEndpoint(a.Endpoints[0])
	}
	return f
}

// Check says for each field that cannot be used what is wrong with it. It is
// empty where there is nothing.
func (f AccountForm) Check(p say.Printer) map[string]string {
	wrong := map[string]string{}
	note := func(field, words string) {
		if words != "" {
			wrong[field] = words
		}
	}
	note(FieldUser, f.checkUser(p))
	if f.Name == "" || f.Password != "" {
		note(FieldPassword, CheckPassword(p, f.Password))
	}
	if !f.Other {
		return wrong
	}
	note(FieldHost, f.checkHost(p))
	note(FieldPort, CheckPort(p, f.Port))
	if f.API != "" && !validAPI(f.API) {
		note(FieldAPI, p.Say("The address of the service must begin with https://."))
	}
	if f.CAFile != "" && (!filepath.IsAbs(f.CAFile) || pasted(p, f.CAFile) != "") {
		note(FieldCAFile, p.Say("Name the certificate file with its full path."))
	}
	return wrong
}

func (f AccountForm) checkUser(p say.Printer) string {
	if f.User == "" {
		return p.Say("Enter the user name that the service gave you.")
	}
	return pasted(p, f.User)
}

func (f AccountForm) checkHost(p say.Printer) string {
	if f.Host == "" {
		return p.Say("Enter the server's name, for example smtp.example.com.")
	}
	if words := pasted(p, f.Host); words != "" {
		return words
	}
	u, err := url.Parse(endpoint(f.Security, f.Host, "587"))
	if err != nil || u.Hostname() != f.Host || strings.ContainsFunc(f.Host, unicode.IsSpace) {
		return p.Say("Enter only the server's name, without port and without anything before it.")
	}
	return ""
}

// CheckPassword says what is wrong with a password, or "". A blank that a
// careless paste brought along is never taken away in silence: it may belong
// to the password.
func CheckPassword(p say.Printer, password string) string {
	if password == "" {
		return p.Say("Enter the password.")
	}
	return pasted(p, password)
}

// CheckPort says what is wrong with a port, or "".
func CheckPort(p say.Printer, port string) string {
	if _, ok := parsePort(port); !ok {
		return p.Say("A port is a number from 1 to 65535.")
	}
	return ""
}

func parsePort(port string) (int, bool) {
	n, err := strconv.ParseUint(port, 10, 16)
	return int(n), err == nil && n > 0
}

// pasted says what else a paste brought along, or "".
func pasted(p say.Printer, s string) string {
	switch {
	case strings.ContainsAny(s, "\r\n\u2028\u2029"):
		return p.Say("There is a line break in it, as after a paste. Remove it.")
	case strings.TrimSpace(s) != s:
		return p.Say("There is a blank before or behind it, as after a paste. Remove it.")
	case strings.ContainsFunc(s, unicode.IsControl) || !utf8.ValidString(s):
		return p.Say("There is a character in it that cannot be typed. Enter it by hand.")
	case len(s) > 1000:
		return p.Say("This is too long.")
	}
	return ""
}

// Input is what the form means to the engine. The form is one that Check finds
// nothing wrong with.
func (f AccountForm) Input(existing []app.AccountInfo) app.AccountInput {
	in := app.AccountInput{Name: f.Name, User: f.User, Password: f.Password, Senders: f.senders()}
	i := slices.IndexFunc(existing, func(a app.AccountInfo) bool { return f.Name != "" && a.Name == f.Name })
	if i >= 0 {
		in.Endpoints, in.API, in.CAFile = existing[i].Endpoints, existing[i].API, existing[i].CAFile
	}
	if f.Name == "" {
		in.Name = accountName(f.User, existing)
	}
	if !f.Other {
		return in
	}
	in.API, in.CAFile = f.API, f.CAFile
	if len(in.Endpoints) > 0 {
		if security, host, port := splitEndpoint(in.Endpoints[0]); security == f.Security && host == f.Host && port == f.Port {
			return in // the ways beside it stay
		}
	}
	in.Endpoints = []string{endpoint(f.Security, f.Host, f.Port)}
	return in
}

func (f AccountForm) senders() []string {
	list := strings.FieldsFunc(f.Senders, func(r rune) bool { return r == ',' || r == ';' || unicode.IsSpace(r) })
	return append([]string{}, list...)
}

// maxName is how long the settings let an account's name be, in bytes.
const maxName = 64

// accountName makes a user name into a name for an account: letters, digits,
// "-", "_" and ".", and different from those there are, whatever the case.
func accountName(user string, existing []app.AccountInfo) string {
	name := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("-_.", r) {
			return r
		}
		return '-'
	}, strings.ToValidUTF8(user, "-"))
	name = cut(strings.Trim(name, "-."), maxName)
	if name == "" {
		name = "account"
	}
	taken := func(name string) bool {
		return slices.ContainsFunc(existing, func(a app.AccountInfo) bool { return strings.EqualFold(a.Name, name) })
	}
	if !taken(name) {
		return name
	}
	for n := 2; ; n++ {
		number := fmt.Sprintf("-%d", n)
		if other := cut(name, maxName-len(number)) + number; !taken(other) {
			return other
		}
	}
}

// cut is the longest beginning of s that has at most n bytes, is whole, and
// does not end in punctuation.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return strings.TrimRight(s[:n], "-.")
}

func endpoint(security, host, port string) string {
	if security != SecurityTLS {
		security = SecurityStartTLS
	}
	return security + "://" + net.JoinHostPort(host, port)
}

func splitEndpoint(e string) (security, host, port string) {
	u, err := url.Parse(e)
	if err != nil {
		return SecurityStartTLS, "", ""
	}
	security = SecurityStartTLS
	if u.Scheme == SecurityTLS {
		security = SecurityTLS
	}
	return security, u.Hostname(), u.Port()
}

// validAPI is an https address that names a host and nothing else; a password
// in it would end up in logs.
func validAPI(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return false
	}
	_, ok := parsePort(u.Port())
	return strings.TrimSuffix(u.Path, "/") == "" && (u.Port() == "" || ok)
}
