package settings

import (
	"slices"

	"servicesmtp.net/companion/app/say"
)

// said are the words for a person who sees a form and not the file. Keys that
// no form has are named instead.
var said = map[string]say.Text{
	"account.name":               say.T(`Give the account a short name of letters, digits, "-", "_" and ".", which no other account has.`),
	"account.user":               say.T("Enter the user name that the service gave you."),
	"account.senders":            say.T("Enter senders as addresses or domains, each for one account only."),
	"account.endpoints":          say.T("Enter at least one server, like starttls://relay.example:587 or tls://relay.example:465."),
	"account.api":                say.T("The address of the service must begin with https://."),
	"account.ca_file":            say.T("Name the certificate file with its full path."),
	"listen.addresses":           say.T("Enter IP addresses with ports, like 127.0.0.1:2525, each of them once."),
	"pace.recipients_per_minute": say.T("A limit is a whole number; 0 means no limit."),
	"pace.recipients_per_hour":   say.T("A limit is a whole number; 0 means no limit."),
	"pace.recipients_per_day":    say.T("A limit is a whole number; 0 means no limit."),
	"pace.quiet":                 say.T("Enter hours like 22:00-07:00."),
}

// wrong says that a key has a value that cannot be.
func wrong(key string) say.Text {
	if t, ok := said[key]; ok {
		return t
	}
	return say.T("The setting {{.Key}} has a value that cannot be used.").With("Key", key)
}

// Words are the problems for a person, in any language.
func (e *Error) Words() say.Words {
	var w say.Words
	for _, p := range e.Problems {
		t := p.Said
		if p.Line > 0 && e.File != "" {
			t = say.T("{{.File}}, line {{.Line}}: {{.Problem}}").With("File", e.File).With("Line", p.Line).With("Problem", p.Said)
		}
		same := func(other say.Text) bool { return other.String() == t.String() }
		if !slices.ContainsFunc(w, same) { // limits for minute, hour and day have one sentence
			w = append(w, t)
		}
	}
	return w
}
