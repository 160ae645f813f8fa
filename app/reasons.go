package app

import (
	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/say"
)

// reason puts a reply's code into plain words for the list of errors. The
// enhanced code speaks first (RFC 3463 §3), then the basic one. The English
// words are the key of their translations.
func reason(c mail.Code) string { return reasonText(c).Key }

func reasonText(c mail.Code) say.Text {
	if t, ok := enhancedReasons[[2]int{c.Enhanced[1], c.Enhanced[2]}]; ok && c.Enhanced[0] != 0 {
		return t
	}
	if t, ok := basicReasons[c.Basic]; ok {
		return t
	}
	if c.Permanent() {
		return say.T("The server refused it for good.")
	}
	return say.T("The server could not take it in time.")
}

var basicReasons = map[int]say.Text{
	521: say.T("The domain does not take mail."),
	550: say.T("The address does not exist or does not take mail."),
	551: say.T("The address does not exist or does not take mail."),
	552: say.T("The mailbox is full, or the message is too large."),
	553: say.T("The address does not exist or does not take mail."),
	554: say.T("The recipient's server refused the message."),
	556: say.T("The domain does not take mail."),
}

var enhancedReasons = map[[2]int]say.Text{
	{1, 1}:  say.T("The address does not exist."),
	{1, 2}:  say.T("The domain does not exist."),
	{1, 3}:  say.T("The address is not written correctly."),
	{1, 6}:  say.T("The mailbox has moved and left no new address."),
	{1, 10}: say.T("The domain does not take mail."),
	{2, 1}:  say.T("The mailbox is switched off."),
	{2, 2}:  say.T("The mailbox is full."),
	{2, 3}:  say.T("The message is too large for this mailbox."),
	{3, 4}:  say.T("The message is too large for the recipient's server."),
	{4, 7}:  say.T("The recipient's server did not take it for days."),
	{6, 7}:  say.T("The address has letters that a server on the way cannot handle."),
	{7, 1}:  say.T("The recipient's server does not want this message."),
	{7, 8}:  say.T("The relay refused name or password."),
}
