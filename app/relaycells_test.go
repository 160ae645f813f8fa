package app

import (
	"strings"
	"time"

	"servicesmtp.net/companion/app/apptest"
	"servicesmtp.net/companion/app/mail"
)

// behaviour is something that a server can do at nearly every step.
type behaviour struct {
	does string
	do   apptest.Behaviour
	end  string // as of cell, at a step that is about recipients
}

// usualTroubles are played at every step.
func usualTroubles() []behaviour {
	return []behaviour{
		{"never answers", apptest.Silent(), ""},
		{"answers byte by byte", apptest.Drip(50 * time.Millisecond), ""},
		{"stops reading", apptest.StopReading(), ""},
		{"451", apptest.Answer(451, "4.3.0 try later"), ""},
		{"432", apptest.Answer(432, "4.7.12 password transition"), ""},
		{"421", apptest.Answer(421, "4.3.2 closing"), ""},
		{"554", apptest.Answer(554, "5.3.0 no"), "failed"},
		{"closes", apptest.HangUp(), ""},
		{"resets the connection", apptest.Reset(), ""},
		{"talks garbage", apptest.Garbage(), ""},
	}
}

// aboutMail are the steps at which a 5yz is about the message or its
// recipients. Before them it says nothing about any mail.
var aboutMail = []apptest.Step{apptest.Mail, apptest.Rcpt, apptest.Data, apptest.Body, apptest.Dot}

func at(step apptest.Step, do ...apptest.Behaviour) func(*matrixTest) {
	return func(m *matrixTest) { m.relay.Script(step, do...) }
}

// matrixCells lists every row of the table, in its order.
func matrixCells() []cell {
	var out []cell
	every := func(name string, step apptest.Step, but string, more ...cell) {
		for _, b := range usualTroubles() {
			if strings.Contains(but, b.does) {
				continue
			}
			c := cell{step: name, does: b.does, trouble: at(step, b.do)}
			for _, s := range aboutMail {
				if s == step {
					c.end = b.end
				}
			}
			out = append(out, c)
		}
		for _, c := range more {
			c.step = name
			out = append(out, c)
		}
	}
	every("Greeting", apptest.Banner, "")
	every("EHLO", apptest.EHLO, "", helloCells()...)
	every("STARTTLS", apptest.StartTLS, "answers byte by byte", cell{does: "`250` in place of `220`, then plain text", trouble: at(apptest.StartTLS, apptest.Raw("250 2.0.0 ok\r\n"))},
		cell{does: "`220` with answers to later commands in the same packet", trouble: at(apptest.StartTLS, apptest.Raw("220 go\r\n250-relay.test\r\n250 AUTH PLAIN\r\n"))})
	every("TLS handshake", apptest.TLS, "answers byte by byte, 432", certificateCells()...)
	every("AUTH", apptest.Auth, "", authCells()...)
	every("MAIL", apptest.Mail, "", mailCells()...)
	every("RCPT", apptest.Rcpt, "", rcptCells()...)
	every("DATA", apptest.Data, "", cell{does: "`354`, then closes", trouble: at(apptest.Data, apptest.ThenHangUp(apptest.Usual()))})
	out = append(out, bodyCells()...)
	every("Final dot", apptest.Dot, "", dotCells()...)
	for _, b := range usualTroubles() {
		switch b.does {
		case "never answers", "closes", "resets the connection", "421", "talks garbage":
			c := cell{step: "Final dot", does: b.does, foreign: true, trouble: at(apptest.Dot, b.do), end: "uncertain"}
			out = append(out, c)
		}
	}
	return append(out, keptCells()...)
}

func helloCells() []cell {
	omit := func(words ...string) func(*matrixTest) {
		return func(m *matrixTest) { m.relay.Change(func(o *apptest.Options) { o.Omit = words }) }
	}
	return []cell{
		{does: "does not offer STARTTLS", trouble: omit("STARTTLS")},
		{does: "does not offer STARTTLS, and did before", first: true, trouble: func(m *matrixTest) {
			omit("STARTTLS")(m)
			m.settleFor(time.Minute) // the kept connection ends
		}},
		{does: "`XXXXXXXA` in place of STARTTLS", trouble: at(apptest.EHLO, apptest.Answer(250, "relay.test\nPIPELINING\nXXXXXXXA\nDSN"))},
		{does: "does not offer AUTH", trouble: omit("AUTH")},
		{does: "does not offer PIPELINING", trouble: omit("PIPELINING")},
		{does: "does not offer DSN", trouble: omit("DSN")},
		{does: "does not offer DSN, and the answer to the dot is lost", end: "uncertain", trouble: func(m *matrixTest) {
			omit("DSN")(m)
			m.relay.Script(apptest.Dot, apptest.EffectThenHangUp())
		}},
		{does: "offers a SIZE below the message's", end: "failed", trouble: func(m *matrixTest) { m.relay.Change(func(o *apptest.Options) { o.SizeLimit = 20 }) }},
		{does: "offers `LIMITS RCPTMAX=2`, below the batch", trouble: func(m *matrixTest) { m.relay.Change(func(o *apptest.Options) { o.RecipientLimit = 2 }) }},
	}
}

func certificateCells() []cell {
	kind := func(k apptest.Certificate) func(*matrixTest) {
		return func(m *matrixTest) { m.relay.Reissue(m.t, k) }
	}
	return []cell{
		{does: "a certificate that has expired", options: apptest.Options{Certificate: apptest.Expired}, trouble: kind(apptest.Expired)},
		{does: "a certificate that is not valid yet", options: apptest.Options{Certificate: apptest.NotYetValid}, trouble: kind(apptest.NotYetValid)},
		{does: "a certificate for another name", options: apptest.Options{Certificate: apptest.OtherName}, trouble: kind(apptest.OtherName)},
		{does: "a certificate of an unknown authority", options: apptest.Options{Certificate: apptest.UnknownAuthority}, trouble: kind(apptest.UnknownAuthority)},
		{does: "the certificate of an antivirus program", options: apptest.Options{Certificate: apptest.UnknownAuthority, Issuer: "Avast Web/Mail Shield Root"},
			trouble: kind(apptest.UnknownAuthority)},
	}
}

func authCells() []cell {
	answer := func(code int, text string) func(*matrixTest) { return at(apptest.Auth, apptest.Answer(code, text)) }
	return []cell{
		{does: "535", trouble: answer(535, "5.7.8 wrong user name or password")},
		{does: "530", trouble: answer(530, "5.7.0 authentication required")},
		{does: "534", trouble: answer(534, "5.7.9 mechanism too weak")},
		{does: "454", trouble: answer(454, "4.7.0 temporary failure")},
	}
}

func mailCells() []cell {
	answer := func(code int, text string) func(*matrixTest) { return at(apptest.Mail, apptest.Answer(code, text)) }
	return []cell{
		{does: "535", trouble: answer(535, "5.7.8 wrong user name or password")},
		{does: "530", trouble: answer(530, "5.7.0 authentication required")},
		{does: "SSMTP-QUOTA", trouble: func(m *matrixTest) {
			reset := time.Now().Add(10 * time.Minute).UTC().Format(time.RFC3339)
			m.relay.Script(apptest.Mail, apptest.Answer(550, "5.7.1 SSMTP-QUOTA reset="+reset))
		}},
		{does: "SSMTP-BLOCKED", trouble: answer(550, "5.7.1 SSMTP-BLOCKED")},
		{does: "SSMTP-PACE", trouble: answer(451, "4.7.1 SSMTP-PACE retry=120")},
		{does: "SSMTP-MOVED", trouble: answer(421, "4.3.2 SSMTP-MOVED see=/v1/endpoints")},
		{does: "SSMTP-CLOSED: somebody closed the key", end: "cancelled", trouble: func(m *matrixTest) {
			m.relay.CloseKey(mail.Batch{Job: m.nextJob(), Number: 1}.EnvelopeID().Key())
		}},
	}
}

func rcptCells() []cell {
	second := func(code int, text string) func(*matrixTest) {
		return func(m *matrixTest) { m.relay.ScriptRecipient("r1@dst.invalid", apptest.Answer(code, text)) }
	}
	later := func(code int, text string) func(*matrixTest) {
		return func(m *matrixTest) {
			m.relay.ScriptRecipient("r1@dst.invalid", apptest.Answer(code, text), apptest.Answer(code, text), apptest.Usual())
		}
	}
	return []cell{
		{does: "550 to one of three", end: "failed", trouble: second(550, "5.1.1 no such user")},
		{does: "SSMTP-SUPPRESSED to one of three", end: "failed", trouble: second(550, "5.1.1 SSMTP-SUPPRESSED bounced")},
		{does: "450 to one of three, twice", trouble: later(450, "4.2.1 greylisted")},
		{does: "421 to one of three, twice", trouble: later(421, "4.3.2 closing")},
		{does: "530 to one of three, twice", trouble: later(530, "5.7.0 authentication required")},
		{does: "SSMTP-QUOTA to one of three, twice", trouble: later(550, "5.7.1 SSMTP-QUOTA")},
	}
}

// bodyCells have a message that is larger than what the connection holds, so
// that the client is still writing.
func bodyCells() []cell {
	early := func(code int, text string) apptest.Behaviour { return apptest.AnswerEarly(1000, code, text) }
	var out []cell
	for _, c := range []behaviour{
		{"reads slowly", apptest.ReadSlowly(time.Minute), ""},
		{"reads so slowly that it takes more than an hour", apptest.ReadSlowly(4 * time.Minute), ""},
		{"never answers", apptest.Silent(), ""},
		{"stops reading", apptest.StopReading(), ""},
		{"closes", apptest.HangUpAfter(1000), ""},
		{"resets the connection", apptest.Reset(), ""},
		{"451 early, then closes", apptest.ThenHangUp(early(451, "4.3.0 try later")), ""},
		{"421 early, then closes", apptest.ThenHangUp(early(421, "4.3.2 closing")), ""},
		{"552 early, then closes", apptest.ThenHangUp(early(552, "5.3.4 too large")), "failed"},
		{"552 early, then stops reading", apptest.ThenStopReading(early(552, "5.3.4 too large")), "failed"},
		{"250 early", apptest.ThenStopReading(early(250, "2.0.0 queued as Q1")), ""},
		{"garbage early", apptest.ThenStopReading(apptest.Garbage()), ""},
	} {
		out = append(out, cell{step: "Message", does: c.does, big: true, trouble: at(apptest.Body, c.do), end: c.end})
	}
	return out
}

func dotCells() []cell {
	once := func(b apptest.Behaviour) func(*matrixTest) { return at(apptest.Dot, b, apptest.Usual()) }
	return []cell{
		{does: "accepts, and the answer is lost", trouble: at(apptest.Dot, apptest.EffectThenHangUp())},
		{does: "accepts, and the answer is lost once", trouble: once(apptest.EffectThenHangUp())},
		{does: "accepts, and answers when the client has gone", trouble: at(apptest.Dot, apptest.AnswerTooLate())},
		{does: "accepts, answers and closes", trouble: at(apptest.Dot, apptest.ThenHangUp(apptest.Usual()))},
		{does: "accepts, answers without the end of the line, closes", trouble: at(apptest.Dot, apptest.ThenHangUp(apptest.Raw("250 2.0.0 queued")))},
		{does: "SSMTP-CONFLICT", end: "uncertain", trouble: at(apptest.Dot, apptest.Answer(554, "5.5.4 SSMTP-CONFLICT"))},
		{does: "SSMTP-QUOTA", trouble: at(apptest.Dot, apptest.Answer(550, "5.7.1 SSMTP-QUOTA"))},
		{does: "535", trouble: at(apptest.Dot, apptest.Answer(535, "5.7.8 wrong user name or password"))},
		{does: "accepts, and the answer is lost", foreign: true, end: "uncertain", trouble: at(apptest.Dot, apptest.EffectThenHangUp())},
	}
}

// keptCells are troubles of a connection that is kept between two messages.
func keptCells() []cell {
	var out []cell
	for _, b := range usualTroubles() {
		out = append(out, cell{step: "NOOP on a kept connection", does: b.does, first: true, trouble: at(apptest.Noop, b.do)})
	}
	for _, b := range usualTroubles() {
		out = append(out, cell{step: "RSET on a kept connection", does: b.does, trouble: func(m *matrixTest) {
			m.relay.Script(apptest.Rset, b.do)
			m.relay.Script(apptest.Rcpt, apptest.Answer(450, "4.2.1 not yet"), apptest.Answer(450, "4.2.1 not yet"), apptest.Answer(450, "4.2.1 not yet"), apptest.Usual())
		}})
	}
	for _, b := range usualTroubles() {
		out = append(out, cell{step: "QUIT of a kept connection", does: b.does, first: true, trouble: func(m *matrixTest) {
			m.relay.Script(apptest.Quit, b.do)
			m.settleFor(time.Minute) // it is said by now
		}})
	}
	dead := func(pause time.Duration, b apptest.Behaviour) func(*matrixTest) {
		return func(m *matrixTest) {
			m.relay.Script(apptest.Dot, apptest.ThenHangUp(apptest.Usual()), apptest.Usual())
			m.relay.Script(apptest.Mail, apptest.Usual(), b, apptest.Usual())
			m.accept(1, "second.invalid")
			m.settleFor(pause)
		}
	}
	return append(out,
		cell{step: "A kept connection", does: "was closed a moment ago", trouble: dead(time.Second, apptest.Usual())},
		cell{step: "A kept connection", does: "was closed some time ago", trouble: dead(20*time.Second, apptest.Usual())},
	)
}
