package app

import "servicesmtp.net/companion/app/say"

// bySubject has the words for a class of enhanced codes, where a code of its
// own has none (RFC 3463 §3.1).
var bySubject = map[int]words{
	1: whyNoAddress,
	2: {sentence: say.T("The mailbox does not take this message."), action: checkAddress},
	3: {sentence: say.T("The recipient's server cannot take this message."), action: askThem},
	4: {sentence: say.T("The recipient's server could not be reached."), action: tryLater},
	5: whyProtocol,
	6: {sentence: say.T("The recipient's server cannot handle what is in the message."), action: sendPlain},
	7: whyUnwanted,
}

// byDetail has those of single codes: subject and detail of RFC 3463 §3.2 to
// §3.8 and of what was registered later (RFC 5248).
var byDetail = map[[2]int]words{
	{1, 1}:  {sentence: say.T("The address does not exist."), action: checkAddress},
	{1, 2}:  {sentence: say.T("The domain does not exist."), action: checkAddress},
	{1, 3}:  {sentence: say.T("The address is not written correctly."), action: checkAddress},
	{1, 4}:  {sentence: say.T("The address fits more than one mailbox."), action: checkAddress},
	{1, 6}:  {sentence: say.T("The mailbox has moved and left no new address."), action: checkAddress},
	{1, 7}:  whyBadSender,
	{1, 8}:  whyBadSender,
	{1, 10}: whyNoMail, // RFC 7505

	{2, 1}: {sentence: say.T("The mailbox is switched off."), action: checkAddress},
	{2, 2}: {sentence: say.T("The mailbox is full."), action: tryLater},
	{2, 3}: {sentence: say.T("The message is too large for this mailbox."), action: sendSmaller},
	{2, 4}: {sentence: say.T("The mailing list behind the address does not work."), action: askThem},

	{3, 1}: {sentence: say.T("The recipient's server has no room left."), action: tryLater},
	{3, 2}: {sentence: say.T("The recipient's server takes no mail at the moment."), action: tryLater},
	{3, 4}: whyTooLarge,

	{4, 1}: whySilent,
	{4, 2}: whySilent,
	{4, 3}: whyNotFound,
	{4, 4}: whyNotFound,
	{4, 5}: whyBusyThere,
	{4, 6}: {sentence: say.T("The message went round in circles between servers."), action: askThem},
	{4, 7}: {sentence: say.T("The recipient's server did not take it for days."), action: tryLater},

	{5, 3}: {sentence: say.T("The server does not take so many recipients at a time."), action: sendFewer},

	{6, 7}: whyForeignLetters, // RFC 6531 §3.5
	{6, 8}: whyForeignLetters,
	{6, 9}: whyForeignLetters,

	{7, 2}:  {sentence: say.T("The mailing list does not take mail from this sender."), action: askThem},
	{7, 13}: {sentence: say.T("The relay has switched off this account."), action: askSupport},
	{7, 17}: whyOtherOwner, // RFC 7293
	{7, 18}: whyOtherOwner,
	{7, 20}: whyUnsigned, // RFC 7372 §3
	{7, 21}: whyUnsigned,
	{7, 22}: whyUnsigned,
	{7, 23}: whyUnlisted,
	{7, 24}: whyUnlisted,
	{7, 25}: {sentence: say.T("The relay's network address has no valid name."), action: askSupport},
	{7, 26}: whyUnproven,
	{7, 27}: whyBadSender, // RFC 7505
	{7, 28}: {sentence: say.T("The recipient's server was sent too much mail at a time."), action: tryLater},
	{7, 29}: whyUnproven,
	{7, 30}: {sentence: say.T("The message may only travel encrypted, and a server on the way cannot do that."), action: askThem}, // RFC 8689
}

// byBasic has those of replies without an enhanced code (RFC 5321 §4.2.3).
var byBasic = map[int]words{
	500: whyProtocol,
	501: whyProtocol,
	502: whyProtocol,
	503: whyProtocol,
	504: whyProtocol,
	521: whyNoMail,   // RFC 7504
	530: whyUnwanted, // a login is wanted there: our own fails no recipient, it holds the account
	535: whyUnwanted,
	550: whyNoAddress,
	551: whyNoAddress,
	552: {sentence: say.T("The mailbox is full, or the message is too large."), action: sendSmaller},
	553: whyNoAddress,
	554: {sentence: say.T("The recipient's server refused the message."), action: askThem},
	555: whyProtocol,
	556: whyNoMail,
}
