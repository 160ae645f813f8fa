package notify

import "strings"

// Kind says in one word why an address failed. The words stand in lists that
// other programs read.
type Kind string

// The kinds of errors.
const (
	NoAddress   Kind = "no-address"  // there is no such mailbox
	NoDomain    Kind = "no-domain"   // there is no such domain, or it takes no mail
	MailboxFull Kind = "full"        // no room
	Disabled    Kind = "disabled"    // switched off or moved
	TooLarge    Kind = "too-large"   // the message is
	Unwanted    Kind = "unwanted"    // refused by a rule or as spam
	Unreachable Kind = "unreachable" // tried for days
	Other       Kind = "other"
)

// Kinds lists all kinds, the most telling first.
func Kinds() []Kind {
	return []Kind{NoAddress, NoDomain, Disabled, MailboxFull, TooLarge, Unwanted, Unreachable, Other}
}

// KindOf reads the kind from a reply's codes: the enhanced one where there is
// one (RFC 3463 §3), else the basic one (RFC 5321 §4.2.3).
func KindOf(code int, enhanced string) Kind {
	class, detail, ok := strings.Cut(enhanced, ".")
	if ok && (class == "4" || class == "5") {
		if k, ok := enhancedKinds[detail]; ok {
			return k
		}
		subject, _, _ := strings.Cut(detail, ".")
		if k, ok := enhancedKinds[subject]; ok {
			return k
		}
	}
	switch code {
	case 550, 551, 553:
		return NoAddress
	case 521, 556: // RFC 7504
		return NoDomain
	case 452, 552:
		return MailboxFull
	case 554:
		return Unwanted
	case 0, 421:
		return Unreachable
	}
	return Other
}

// enhancedKinds has whole details first, then subjects.
var enhancedKinds = map[string]Kind{
	"1.1": NoAddress, "1.3": NoAddress, "1.4": NoAddress, "1.2": NoDomain, "1.10": NoDomain, // RFC 7505
	"1.6": Disabled, "1.7": Unwanted, "1.8": Unwanted, "2.1": Disabled, "2.2": MailboxFull, "2.3": TooLarge,
	"3.1": MailboxFull, "3.4": TooLarge, "4.3": NoDomain, "4.4": NoDomain,
	"1": NoAddress, "2": Other, "3": Other, "4": Unreachable, "5": Other, "6": Other, "7": Unwanted,
}
