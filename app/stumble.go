package app

import (
	"net/netip"
	"strings"
	"time"
	"unicode"

	"servicesmtp.net/companion/app/proxy"
	"servicesmtp.net/companion/app/say"
)

// Refused is a program that came and could not hand mail in because it is set
// up wrongly. It is forgotten when a program gets in.
type Refused struct {
	At       time.Time `json:"at"`
	Reason   string    `json:"reason"`  // as in proxy.StumbleReason
	Address  string    `json:"address"` // where it came in
	Family   string    `json:"family"`
	Hello    string    `json:"hello,omitempty"` // what it calls itself, where it came so far
	Sentence string    `json:"sentence"`
	Action   string    `json:"action"`
	Said     Said      `json:"-"`
}

// stumbled remembers the program that failed last.
func (e *Engine) stumbled(s proxy.Stumble) {
	r := &Refused{At: s.At, Reason: string(s.Reason), Address: s.Address, Family: s.Client.Family, Hello: s.Client.Hello}
	e.mu.Lock()
	e.refused = r
	e.mu.Unlock()
	e.pub.changed()
}

// gotIn forgets it: whoever it was, a program works.
func (e *Engine) gotIn() {
	e.mu.Lock()
	was := e.refused
	e.refused = nil
	e.mu.Unlock()
	if was != nil {
		e.pub.changed()
	}
}

// refusedState says it in words.
func refusedState(r *Refused, now time.Time) *Refused {
	if r == nil {
		return nil
	}
	st := *r
	w := refusedWords(r.Reason)
	w.sentence = w.sentence.With("Program", ProgramName(r.Hello, say.T("A program"))).With("At", say.Moment{Time: r.At, Now: now})
	st.Said, st.Sentence, st.Action = w.said(), w.sentence.String(), w.english()
	return &st
}

func refusedWords(reason string) words {
	switch proxy.StumbleReason(reason) {
	case proxy.StumbleTLS:
		return words{
			sentence: say.T("{{.Program}} asked for encryption on the port without it, at {{.At}}."),
			action:   say.T("Choose no encryption in the mail program, or the port with encryption."),
		}
	case proxy.StumblePlain:
		return words{
			sentence: say.T("{{.Program}} came without encryption to the port that wants it, at {{.At}}."),
			action:   say.T("Choose SSL/TLS in the mail program, or the port without encryption."),
		}
	case proxy.StumbleCertificate:
		return words{
			sentence: say.T("{{.Program}} did not trust the companion's certificate, at {{.At}}."),
			action:   say.T("Save the certificate on the page Connect, and add it to the authorities that the mail program trusts."),
			terminal: "Give the mail program the certificate: companionctl certificate",
		}
	case proxy.StumbleOldTLS:
		return words{
			sentence: say.T("{{.Program}} knows only encryption that is no longer safe, at {{.At}}."),
			action:   say.T("Update the mail program, or let it use the port without encryption."),
		}
	case proxy.StumbleNoPassword:
		return words{
			sentence: say.T("{{.Program}} came without a password, at {{.At}}."),
			action:   say.T("Turn on sign-in for outgoing mail in it, with the user name and the password from the page Connect."),
			terminal: "Turn on sign-in for outgoing mail in it, with the user name and password that this shows: companionctl connect",
		}
	case proxy.StumblePassword:
	}
	return words{
		sentence: say.T("{{.Program}} came with a wrong password, at {{.At}}."),
		action:   say.T("Copy the user name and the password from the page Connect into it."),
		terminal: "Enter the user name and password that this shows: companionctl connect",
	}
}

// maxHello keeps a program's name for itself in its place.
const maxHello = 60

// ProgramName is what a mail program calls itself, or unknown: many give only
// the address of this computer, which tells a person nothing.
func ProgramName(hello string, unknown say.Text) say.Text {
	name := strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) { // controls of both sets, and what turns the direction of a line
			return -1
		}
		return r
	}, strings.ToValidUTF8(hello, ""))
	if r := []rune(name); len(r) > maxHello {
		name = string(r[:maxHello-1]) + "…"
	}
	literal := strings.HasPrefix(name, "[")
	if _, err := netip.ParseAddr(name); name == "" || literal || err == nil || strings.EqualFold(name, "localhost") || strings.HasPrefix(strings.ToLower(name), "localhost.") {
		return unknown
	}
	return say.T("“{{.Name}}”").With("Name", name)
}
