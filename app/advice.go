package app

import (
	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/say"
)

// failureWords say to a sender why a recipient will not get the message, and
// what to do. Unlike reason they know that nobody tries any more.
func failureWords(c mail.Code) (why, advice say.Text) {
	switch {
	case c.Basic == 0:
		return say.T("The message was lost on this computer before it was sent."), say.T("Send it again.")
	case c.Transient():
		return say.T("It was tried for five days, and the server said “later” each time."),
			say.T("Reach the recipient in another way, or send it again later.")
	}
	return reasonText(c), advise(c)
}

// advise says what helps against a refusal, by the subject of its enhanced
// code (RFC 3463 §3), then by the code itself.
func advise(c mail.Code) say.Text {
	size := say.T("Send it without large attachments, or in parts.")
	address := say.T("Check how the address is written. If it is right, ask the recipient for another one.")
	switch [2]int{c.Enhanced[1], c.Enhanced[2]} {
	case [2]int{2, 2}:
		return say.T("Reach the recipient in another way, or send it again later.")
	case [2]int{2, 3}, [2]int{3, 4}:
		return size
	case [2]int{6, 7}:
		return say.T("Ask the recipient for an address in plain letters.")
	}
	switch {
	case c.Enhanced[1] == 1, c.Enhanced[1] == 2:
		return address
	case c.Enhanced[1] != 0:
	case c.Basic == 552:
		return size
	case c.Basic == 550, c.Basic == 551, c.Basic == 553:
		return address
	}
	return say.T("The server's words below may say more. Ask the recipient, or whoever runs that server.")
}
