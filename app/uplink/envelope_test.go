package uplink

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"servicesmtp.net/companion/app/apptest"
	"servicesmtp.net/companion/app/mail"
)

const key = "sb1." + testJob + ".1"

func TestMailCommand(t *testing.T) {
	for _, c := range []struct {
		name   string
		omit   []string
		change func(b *mail.Batch)
		want   string
	}{
		{"plain", nil, func(*mail.Batch) {}, "MAIL FROM:<alice@example.com> SIZE=51 BODY=8BITMIME ENVID=" + key},
		{"null sender", nil, func(b *mail.Batch) { b.From = "" }, "MAIL FROM:<> SIZE=51 BODY=8BITMIME ENVID=" + key},
		{"RET", nil, func(b *mail.Batch) { b.Return = "HDRS" }, "MAIL FROM:<alice@example.com> SIZE=51 BODY=8BITMIME RET=HDRS ENVID=" + key},
		{"unknown RET", nil, func(b *mail.Batch) { b.Return = "ALL" }, "MAIL FROM:<alice@example.com> SIZE=51 BODY=8BITMIME ENVID=" + key},
		{"client ENVID", nil, func(b *mail.Batch) { b.ClientID = "a+b=c d" }, "MAIL FROM:<alice@example.com> SIZE=51 BODY=8BITMIME ENVID=" + key + ".a+2Bb+3Dc+20d"},
		{"client ENVID too long", nil, func(b *mail.Batch) { b.ClientID = strings.Repeat("x", 90) }, "MAIL FROM:<alice@example.com> SIZE=51 BODY=8BITMIME ENVID=" + key},
		{"client ENVID not ASCII", nil, func(b *mail.Batch) { b.ClientID = "é" }, "MAIL FROM:<alice@example.com> SIZE=51 BODY=8BITMIME ENVID=" + key},
		{"SMTPUTF8 asked for", nil, func(b *mail.Batch) { b.UTF8 = true }, "MAIL FROM:<alice@example.com> SIZE=51 BODY=8BITMIME SMTPUTF8 ENVID=" + key},
		{"SMTPUTF8 needed", nil, func(b *mail.Batch) { b.From = "é@example.com" }, "MAIL FROM:<é@example.com> SIZE=51 BODY=8BITMIME SMTPUTF8 ENVID=" + key},
		{"SMTPUTF8 asked for, not offered", []string{"SMTPUTF8"}, func(b *mail.Batch) { b.UTF8 = true }, "MAIL FROM:<alice@example.com> SIZE=51 BODY=8BITMIME ENVID=" + key},
		{"no extensions", []string{"SMTPUTF8", "DSN", "SIZE", "8BITMIME"}, func(b *mail.Batch) { b.Return, b.UTF8 = "FULL", true }, "MAIL FROM:<alice@example.com>"},
	} {
		bubble(t, apptest.Options{Omit: c.omit}, func(t *testing.T, r *apptest.Relay) {
			b := batch(1)
			c.change(&b)
			s := connect(t, config(t, r))
			if res := s.Send(t.Context(), b, strings.NewReader(testBody), openGate); letters(res) != "done aaa" {
				t.Errorf("%s: %s", c.name, letters(res))
			}
			if got := r.Transactions()[0].MailLine; got != c.want {
				t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
			}
		})
	}
}

func TestRcptCommand(t *testing.T) {
	recipients := []mail.Recipient{
		{Address: "plain@example.org"},
		{Address: "never@example.org", Notify: []string{"FAILURE", "NEVER"}},
		{Address: "all@example.org", Notify: []string{"SUCCESS", "FAILURE", "DELAY"}, Original: "rfc822;old+name=x@example.org"},
		{Address: "odd@example.org", Notify: []string{"SOMETIMES"}, Original: "nothing"},
		{Address: "utf8@example.org", Original: "utf-8;jürg en\\@example.org"},
	}
	for _, c := range []struct {
		omit []string
		want []string
	}{
		{nil, []string{
			"RCPT TO:<plain@example.org>",
			"RCPT TO:<never@example.org> NOTIFY=NEVER",
			"RCPT TO:<all@example.org> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;old+2Bname+3Dx@example.org",
			"RCPT TO:<odd@example.org>",
			`RCPT TO:<utf8@example.org> ORCPT=utf-8;jürg\x{20}en\x{5C}@example.org`,
		}},
		{[]string{"SMTPUTF8"}, []string{
			"RCPT TO:<plain@example.org>",
			"RCPT TO:<never@example.org> NOTIFY=NEVER",
			"RCPT TO:<all@example.org> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;old+2Bname+3Dx@example.org",
			"RCPT TO:<odd@example.org>",
			`RCPT TO:<utf8@example.org> ORCPT=utf-8;j\x{FC}rg\x{20}en\x{5C}@example.org`,
		}},
		{[]string{"DSN"}, []string{
			"RCPT TO:<plain@example.org>", "RCPT TO:<never@example.org>", "RCPT TO:<all@example.org>",
			"RCPT TO:<odd@example.org>", "RCPT TO:<utf8@example.org>",
		}},
	} {
		bubble(t, apptest.Options{Omit: c.omit}, func(t *testing.T, r *apptest.Relay) {
			b := batch(1)
			b.Recipients = recipients
			s := connect(t, config(t, r))
			if res := s.Send(t.Context(), b, strings.NewReader(testBody), openGate); letters(res) != "done aaaaa" {
				t.Errorf("%s", letters(res))
			}
			if diff := cmp.Diff(c.want, r.Transactions()[0].RcptLines); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Addresses that this server cannot be given cost no command; what the others
// offer under this key stays as it was frozen, so they wait for a new batch.
func TestUnsendableAddresses(t *testing.T) {
	for _, c := range []struct {
		name   string
		omit   []string
		change func(b *mail.Batch)
		want   string
		code   string // of the first recipient
	}{
		{"recipient needs SMTPUTF8", []string{"SMTPUTF8"}, func(b *mail.Batch) { b.Recipients[0].Address = "é@example.org" }, "done fdd", "553 5.6.7"},
		{"all need SMTPUTF8", []string{"SMTPUTF8"}, func(b *mail.Batch) {
			for i := range b.Recipients {
				b.Recipients[i].Address = "x@exämple.org"
			}
		}, "done fff", "553 5.6.7"},
		{"sender needs SMTPUTF8", []string{"SMTPUTF8"}, func(b *mail.Batch) { b.From = "é@example.org" }, "done fff", "553 5.6.7"},
		{"line end in a recipient", nil, func(b *mail.Batch) { b.Recipients[0].Address = "a@b>\r\nRCPT TO:<evil@example.org" }, "done fdd", "553 5.1.3"},
		{"line end in the sender", nil, func(b *mail.Batch) { b.From = "a@b>\nDATA" }, "done fff", "553 5.1.3"},
	} {
		bubble(t, apptest.Options{Omit: c.omit}, func(t *testing.T, r *apptest.Relay) {
			b := batch(1)
			c.change(&b)
			s := connect(t, config(t, r))
			res := s.Send(t.Context(), b, strings.NewReader(testBody), openGate)
			if got := letters(res); got != c.want || !res.Reusable || !res.LeftAt.IsZero() {
				t.Errorf("%s: got %s, want %s", c.name, got, c.want)
			}
			if got := res.Outcomes[0].Reply; got.Code.String() != c.code || got.Text == "" {
				t.Errorf("%s: reply %q", c.name, got)
			}
			if len(r.Transactions()) != 0 {
				t.Errorf("%s: MAIL was sent", c.name)
			}
			if got := letters(send(t, s, 2)); got != "done aaa" {
				t.Errorf("%s: next batch %s", c.name, got)
			}
		})
	}
}

func TestParseEndpoint(t *testing.T) {
	for _, c := range []struct{ in, want, says string }{
		{"starttls://relay.example:587", "starttls://relay.example:587", ""},
		{"starttls://relay.example", "starttls://relay.example:587", ""},
		{"tls://relay.example", "tls://relay.example:465", ""},
		{"TLS://relay.example:2465/", "tls://relay.example:2465", ""},
		{"smtps://relay.example", "tls://relay.example:465", ""},
		{" starttls://127.0.0.1:25 ", "starttls://127.0.0.1:25", ""},
		{"tls://[::1]:465", "tls://[::1]:465", ""},
		{"tls://[::1]", "tls://[::1]:465", ""},
		{"tls://Relay.Exämple.", "tls://relay.xn--exmple-cua:465", ""},
		{"smtp://relay.example", "", "unencrypted"},
		{"http://relay.example", "", "web address"},
		{"https://relay.example:587", "", "web address"},
		{"relay.example:587", "", "missing"},
		{"", "", "missing"},
		{"ftp://relay.example", "", "unknown kind"},
		{"tls://", "", "name of the server"},
		{"tls://:465", "", "name of the server"},
		{"tls://a b", "", "name of the server"},
		{"tls://relay.example/path", "", "name of the server"},
		{"tls://relay.example:", "", "port"},
		{"tls://relay.example:0", "", "port"},
		{"tls://relay.example:65536", "", "port"},
		{"tls://relay.example:smtp", "", "port"},
		{"tls://alice:secret@relay.example", "", "password do not belong"},
	} {
		got, err := ParseEndpoint(c.in)
		if c.says == "" {
			if err != nil || got.String() != c.want {
				t.Errorf("%q: got %v %v, want %s", c.in, got, err, c.want)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "starttls://host:587") {
			t.Errorf("%q: got %v, want it to say %q", c.in, err, c.says)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: the error repeats the password", c.in)
		}
	}
}
