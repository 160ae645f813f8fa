package app

import (
	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/say"
)

// refusal puts a reply's code into plain words for the list of errors: why,
// and what helps. The enhanced code speaks first, then its subject
// (RFC 3463 §3), then the basic one. The English words are the keys of their
// translations.
func refusal(c mail.Code) words {
	w, _ := known(c)
	return w
}

// failureWords are refusal's for a recipient that this computer gave up. They
// know that nobody tries any more, and that a message without any reply never
// left.
func failureWords(c mail.Code) words {
	if c.Basic == 0 {
		return whyLostHere
	}
	w, exact := known(c)
	if c.Transient() && !exact {
		return words{sentence: say.T("It was tried for five days, and the server said “later” each time."), action: w.action}
	}
	return w
}

// known is the refusal, and whether its words are those of the very code.
func known(c mail.Code) (w words, exact bool) {
	subject, detail := c.Enhanced[1], c.Enhanced[2]
	if c.Enhanced[0] == 0 {
		subject = 0
	}
	w, exact = byDetail[[2]int{subject, detail}]
	if c.Transient() {
		// A greylisting server says one of these to everybody at first (RFC 6647).
		if greylisted := subject == 7 && detail <= 1 || subject == 1 && detail <= 1; !exact || greylisted {
			return whyNotInTime, false
		}
		if subject != 1 && subject != 6 && subject != 7 {
			w.action = tryLater // it may pass
		}
		return w, true
	}
	if exact {
		return w, true
	}
	if w, ok := bySubject[subject]; ok {
		return w, false
	}
	if w, ok := byBasic[c.Basic]; ok {
		return w, false
	}
	if c.Permanent() {
		return words{sentence: say.T("The server refused it for good."), action: askThem}, false
	}
	return whyNotInTime, false
}

// What helps.
var (
	tryLater        = say.T("Reach the recipient in another way, or send it again later.")
	askThem         = say.T("The server's own words may say more. Ask the recipient, or whoever runs that server.")
	checkAddress    = say.T("Check how the address is written. If it is right, ask the recipient for another one.")
	sendSmaller     = say.T("Send it without large attachments, or in parts.")
	sendPlain       = say.T("Send it as plain text, without attachments.")
	askPlainLetters = say.T("Ask the recipient for an address in plain letters.")
	checkSender     = say.T("Check the sender's address in the mail program.")
	askDomain       = say.T("Ask whoever looks after the sender's domain.")
	askSupport      = say.T("Ask the service's support.")
	sendFewer       = say.T("Send it to fewer recipients at a time.")
)

var (
	whyLostHere       = words{sentence: say.T("The message was lost on this computer before it was sent."), action: say.T("Send it again.")}
	whyNotInTime      = words{sentence: say.T("The server could not take it in time."), action: tryLater}
	whyNoAddress      = words{sentence: say.T("The address does not exist or does not take mail."), action: checkAddress}
	whyNoMail         = words{sentence: say.T("The domain does not take mail."), action: checkAddress}
	whyTooLarge       = words{sentence: say.T("The message is too large for the recipient's server."), action: sendSmaller}
	whyProtocol       = words{sentence: say.T("The two servers did not understand each other."), action: askThem}
	whyUnwanted       = words{sentence: say.T("The recipient's server does not want this message."), action: askThem}
	whyForeignLetters = words{sentence: say.T("The address has letters that a server on the way cannot handle."), action: askPlainLetters}
	whyBadSender      = words{sentence: say.T("The recipient's server does not accept the sender's address."), action: checkSender}
	whyOtherOwner     = words{sentence: say.T("The address belongs to somebody else by now."), action: checkAddress}
	whyUnsigned       = words{sentence: say.T("The message has no valid signature of the sender's domain (DKIM)."), action: askDomain}
	whyUnlisted       = words{sentence: say.T("The sender's domain does not let this relay send for it (SPF)."), action: askDomain}
	whyUnproven       = words{sentence: say.T("It is not proven that the message comes from its sender (SPF, DKIM)."), action: askDomain}
	whySilent         = words{sentence: say.T("The recipient's server did not answer."), action: tryLater}
	whyNotFound       = words{sentence: say.T("The recipient's server was not found."), action: checkAddress}
	whyBusyThere      = words{sentence: say.T("The recipient's server had too much to do."), action: tryLater}
)
