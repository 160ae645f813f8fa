package app

import (
	"strconv"
	"strings"
	"testing"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/say"
)

// The codes of RFC 3463, RFC 5248 and their successors, as relays send them.
func TestRefusalByCode(t *testing.T) {
	for _, c := range []struct {
		reply            string // basic and enhanced code
		sentence, action string
	}{
		{"550 5.1.0", "The address does not exist or does not take mail.", "address"},
		{"550 5.1.1", "The address does not exist.", "address"},
		{"550 5.1.2", "The domain does not exist.", "address"},
		{"501 5.1.3", "The address is not written correctly.", "address"},
		{"553 5.1.4", "The address fits more than one mailbox.", "address"},
		{"551 5.1.6", "The mailbox has moved and left no new address.", "address"},
		{"553 5.1.7", "The recipient's server does not accept the sender's address.", "sender"},
		{"550 5.1.8", "The recipient's server does not accept the sender's address.", "sender"},
		{"556 5.1.10", "The domain does not take mail.", "address"},
		{"550 5.1.99", "The address does not exist or does not take mail.", "address"},
		{"550 5.2.0", "The mailbox does not take this message.", "address"},
		{"550 5.2.1", "The mailbox is switched off.", "address"},
		{"552 5.2.2", "The mailbox is full.", "later"},
		{"552 5.2.3", "The message is too large for this mailbox.", "smaller"},
		{"550 5.2.4", "The mailing list behind the address does not work.", "ask"},
		{"554 5.3.0", "The recipient's server cannot take this message.", "ask"},
		{"554 5.3.1", "The recipient's server has no room left.", "later"},
		{"521 5.3.2", "The recipient's server takes no mail at the moment.", "later"},
		{"554 5.3.3", "The recipient's server cannot take this message.", "ask"},
		{"552 5.3.4", "The message is too large for the recipient's server.", "smaller"},
		{"554 5.3.5", "The recipient's server cannot take this message.", "ask"},
		{"554 5.4.0", "The recipient's server could not be reached.", "later"},
		{"554 5.4.1", "The recipient's server did not answer.", "later"},
		{"554 5.4.3", "The recipient's server was not found.", "address"},
		{"550 5.4.4", "The recipient's server was not found.", "address"},
		{"554 5.4.6", "The message went round in circles between servers.", "ask"},
		{"550 5.4.7", "The recipient's server did not take it for days.", "later"},
		{"500 5.5.1", "The two servers did not understand each other.", "ask"},
		{"501 5.5.4", "The two servers did not understand each other.", "ask"},
		{"552 5.5.3", "The server does not take so many recipients at a time.", "fewer"},
		{"554 5.6.0", "The recipient's server cannot handle what is in the message.", "plain"},
		{"554 5.6.1", "The recipient's server cannot handle what is in the message.", "plain"},
		{"553 5.6.7", "The address has letters that a server on the way cannot handle.", "letters"},
		{"554 5.6.9", "The address has letters that a server on the way cannot handle.", "letters"},
		{"550 5.7.0", "The recipient's server does not want this message.", "ask"},
		{"550 5.7.1", "The recipient's server does not want this message.", "ask"},
		{"550 5.7.2", "The mailing list does not take mail from this sender.", "ask"},
		{"535 5.7.8", "The recipient's server does not want this message.", "ask"}, // the relay's own would hold the account
		{"525 5.7.13", "The relay has switched off this account.", "support"},
		{"550 5.7.17", "The address belongs to somebody else by now.", "address"},
		{"550 5.7.20", "The message has no valid signature of the sender's domain (DKIM).", "domain"},
		{"550 5.7.23", "The sender's domain does not let this relay send for it (SPF).", "domain"},
		{"550 5.7.25", "The relay's network address has no valid name.", "support"},
		{"550 5.7.26", "It is not proven that the message comes from its sender (SPF, DKIM).", "domain"},
		{"550 5.7.27", "The recipient's server does not accept the sender's address.", "sender"},
		{"550 5.7.28", "The recipient's server was sent too much mail at a time.", "later"},
		{"550 5.7.29", "It is not proven that the message comes from its sender (SPF, DKIM).", "domain"},
		{"550 5.7.30", "The message may only travel encrypted, and a server on the way cannot do that.", "ask"},
		{"550 5.7.509", "The recipient's server does not want this message.", "ask"}, // one of Microsoft's own

		{"554 5.0.0", "The recipient's server refused the message.", "ask"},
		{"571 5.9.9", "The server refused it for good.", "ask"},
		{"500", "The two servers did not understand each other.", "ask"},
		{"521", "The domain does not take mail.", "address"},
		{"530", "The recipient's server does not want this message.", "ask"},
		{"550", "The address does not exist or does not take mail.", "address"},
		{"552", "The mailbox is full, or the message is too large.", "smaller"},
		{"554", "The recipient's server refused the message.", "ask"},
		{"555", "The two servers did not understand each other.", "ask"},
		{"571", "The server refused it for good.", "ask"},

		{"450 4.1.1", "The server could not take it in time.", "later"}, // greylisting
		{"451 4.7.1", "The server could not take it in time.", "later"},
		{"451 4.1.8", "The recipient's server does not accept the sender's address.", "sender"},
		{"452 4.2.2", "The mailbox is full.", "later"},
		{"452 4.3.1", "The recipient's server has no room left.", "later"},
		{"421 4.3.2", "The recipient's server takes no mail at the moment.", "later"},
		{"451 4.4.1", "The recipient's server did not answer.", "later"},
		{"451 4.4.4", "The recipient's server was not found.", "later"},
		{"451 4.4.5", "The recipient's server had too much to do.", "later"},
		{"451 4.4.7", "The recipient's server did not take it for days.", "later"},
		{"452 4.5.3", "The server does not take so many recipients at a time.", "later"},
		{"421 4.7.28", "The recipient's server was sent too much mail at a time.", "later"},
		{"451 4.9.9", "The server could not take it in time.", "later"},
		{"451", "The server could not take it in time.", "later"},
		{"699 6.1.1", "The server could not take it in time.", "later"}, // no reply of SMTP
	} {
		actions := map[string]say.Text{
			"address": checkAddress, "ask": askThem, "domain": askDomain, "fewer": sendFewer, "later": tryLater, "letters": askPlainLetters,
			"plain": sendPlain, "sender": checkSender, "smaller": sendSmaller, "support": askSupport,
		}
		basic, enhanced, _ := strings.Cut(c.reply, " ")
		n, err := strconv.Atoi(basic)
		if err != nil {
			t.Fatal(err)
		}
		if got := refusal(mail.Code{Basic: n, Enhanced: mail.ParseEnhanced(enhanced)}); got.sentence.Key != c.sentence || got.action.Key != actions[c.action].Key {
			t.Errorf("%s: got %q, %q; want %q and the advice %q", c.reply, got.sentence, got.action, c.sentence, c.action)
		}
	}
}

// Whatever a server says, there is a sentence and an action.
func TestEveryRefusalHasWords(t *testing.T) {
	for basic := range 1000 {
		for subject := range 10 {
			for detail := range 32 {
				for _, enhanced := range [][3]int{{}, {basic / 100, subject, detail}} {
					c := mail.Code{Basic: basic, Enhanced: enhanced}
					for _, w := range []words{refusal(c), failureWords(c)} {
						if w.sentence.IsZero() || w.action.IsZero() {
							t.Fatalf("%v: %q, %q", c, w.sentence, w.action)
						}
					}
				}
			}
		}
	}
}
