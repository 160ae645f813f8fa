package proxy

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"servicesmtp.net/companion/app/mail"
)

// maxAddress is far above RFC 5321 §4.5.3.1.3, whose limits are what everybody
// must take, not the most that anybody may.
const maxAddress = 1000

// Limits of what is kept of a client beside addresses: each could be a line of a
// megabyte, for each of 50,000 recipients or in every state that is shown.
const (
	maxOriginal = 500 // RFC 3461 §4.2
	maxHello    = 255 // RFC 5321 §4.5.3.1.2
)

// clip keeps the beginning of a name that is only shown.
func clip(name string) string {
	return strings.ToValidUTF8(name[:min(len(name), maxHello)], "")
}

// cleanAddress checks the syntax of an address as go-smtp parsed it, and writes
// it as it must stand in a command again. bad is the problem for a wrong one.
//
// go-smtp takes the quotes off a quoted local part (RFC 5321 §4.1.2), so they
// are put back where they are needed. With the quotes gone, "a@b"@c and a@b@c
// look the same; the second is a slip of the pen and the first is never used,
// so both are refused.
func cleanAddress(address string, utf8OK bool, bad Problem) (string, error) {
	i := strings.IndexByte(address, '@')
	if i < 1 || len(address) > maxAddress || !utf8.ValidString(address) {
		return "", bad
	}
	local, domain := address[:i], address[i+1:]
	if strings.ContainsFunc(address, unicode.IsControl) || !validDomain(domain) {
		return "", bad
	}
	if !utf8OK && !isASCII(address) { // RFC 6531 §3.4: the client must ask for it at MAIL
		return "", needUTF8
	}
	if isDotString(local) {
		return address, nil
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(local) + `"@` + domain, nil
}

// needsUTF8 says that an envelope has an address beyond ASCII (RFC 6531 §3.4).
func needsUTF8(env *mail.Envelope) bool {
	return !isASCII(env.From) || slices.ContainsFunc(env.Recipients, func(r mail.Recipient) bool {
		return !isASCII(r.Address) || !isASCII(r.Original)
	})
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
}

// validDomain takes names (with underscores, which exist) and address
// literals. Whether a name exists is not asked.
func validDomain(d string) bool {
	if strings.HasPrefix(d, "[") {
		return strings.HasSuffix(d, "]") && len(d) > 2 && !strings.ContainsAny(d[1:len(d)-1], "[]\\<>@ ")
	}
	for label := range strings.SplitSeq(d, ".") {
		if label == "" || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
	}
	return !strings.ContainsFunc(d, func(r rune) bool {
		return r < utf8.RuneSelf && r != '.' && r != '-' && r != '_' && !isAlnum(r)
	})
}

// isDotString says that a local part needs no quotes (RFC 5321 §4.1.2).
func isDotString(local string) bool {
	for atom := range strings.SplitSeq(local, ".") {
		if atom == "" {
			return false
		}
	}
	return !strings.ContainsFunc(local, func(r rune) bool {
		return r < utf8.RuneSelf && r != '.' && !isAlnum(r) && !strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r)
	})
}

func isAlnum(r rune) bool {
	return '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}
